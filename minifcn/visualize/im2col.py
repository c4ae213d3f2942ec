"""im2col: every window of a picture becomes one column of a matrix. Each pixel keeps its colour on the way."""

from __future__ import annotations

from string import ascii_lowercase
from typing import Any

import numpy as np

from minifcn import kernels
from minifcn.kernels.convolution import im2col as rung
from minifcn.visualize import style
from minifcn.visualize.board import Board, cell_texts
from minifcn.visualize.mpl import Figure, hsv_to_rgb
from minifcn.visualize.showing import Animation
from minifcn.visualize.sliding import TITLE, matrix

_GAP = 2.6


def draw_im2col(
    x: Any, kernel_size: int, stride: int = 1, padding: int = 0, step: int = 0, letters: bool = False
) -> Figure:  # fmt: skip
    """x (H, W) and its columns (K·K, OH·OW), one colour for each pixel of x; window number `step` is framed in both.

    With `letters` the pixels are called a, b, c, ... row by row, so that each can be found again whatever its value; for at
    most 26 pixels.
    """
    scene = _Columns(x, kernel_size, stride, padding, letters)
    for window in range(scene.count):
        scene.reveal(window)
    scene.point(step % scene.count)
    return scene.board.figure


def animate_im2col(x: Any, kernel_size: int, stride: int = 1, padding: int = 0, seconds: float = 0.7) -> Animation:
    """The same, window by window, each becoming its column."""
    scene = _Columns(x, kernel_size, stride, padding)
    return Animation(list(scene.board.animate(scene.count, scene.point, scene.reveal)), seconds)


def pixel_colours(H: int, W: int) -> np.ndarray:
    """(H, W, 3): a colour for each pixel, the hue by its column and the lightness by its row.

    Many colours cannot all be told apart by everybody, so draw the pixel's number or value in each cell as well.
    """
    hue = np.array([0.57, 0.11, 0.43, 0.90, 0.75, 0.0, 0.30])  # blue, orange, green, pink, violet, red, lime: far apart
    hues = np.broadcast_to(hue[np.arange(W) % len(hue)], (H, W))
    depth = np.broadcast_to(np.linspace(1, 0.25, H)[:, None], (H, W))
    return hsv_to_rgb(np.stack([hues, 0.6 * depth, 0.80 + 0.2 * (1 - depth)], axis=-1))  # (H, W, 3)


class _Columns:
    """x on the left, the matrix of its windows on the right."""

    def __init__(self, x: Any, kernel_size: int, stride: int, padding: int, letters: bool = False) -> None:
        x = matrix(x, "x")
        H, W = x.shape
        if letters and x.size > len(ascii_lowercase):
            raise ValueError(f"x has {x.size} pixels; letters are enough for {len(ascii_lowercase)}: draw the values instead")
        geometry = kernels.Geometry.of((1, 1, H, W), (1, 1, kernel_size, kernel_size), stride, padding)
        source = np.arange(1.0, H * W + 1).reshape(1, H, W)  # 0 is left for the padding
        self.source = rung.im2col(source, geometry)[0].astype(int)  # (K·K, OH·OW): which pixel each number came from
        self.columns = rung.im2col(x[None], geometry)[0]  # (K·K, OH·OW)
        self.OW, self.K, self.stride, self.padding = geometry.OW, kernel_size, stride, padding
        self.count = self.columns.shape[1]
        self.palette = np.concatenate([[style.tint(style.PADDING, 1)], pixel_colours(H, W).reshape(-1, 3)])  # (1 + H·W, 3)
        padded = np.pad(source[0], padding).astype(int)
        height = max(padded.shape[0], self.columns.shape[0])
        top = TITLE + 0.5
        self.at_x = (top + (height - padded.shape[0]) / 2, 0.0)
        self.at = (top + (height - self.columns.shape[0]) / 2, padded.shape[1] + _GAP)
        self.board = Board(height + top, self.at[1] + max(self.count, 2.5))
        names = np.array(["0", *ascii_lowercase], object)
        words = names[padded] if letters else cell_texts(np.pad(x, padding))
        self.words = names[self.source] if letters else cell_texts(self.columns)
        self.board.grid(np.pad(x, padding), *self.at_x, title="x", colours=self.palette[padded], text=words)
        self.board.grid(self.columns, *self.at, title="columns", colours=(1.0, 1.0, 1.0), text="", indices=True)

    def reveal(self, window: int) -> None:
        """Writes one column."""
        here = (slice(None), slice(window, window + 1))
        row, column, colours = self.at[0], self.at[1] + window, self.palette[self.source[here]]
        self.board.grid(self.columns[here], row, column, colours=colours, text=self.words[here])

    def point(self, window: int) -> None:
        """Frames one window in x and its column."""
        oh, ow = divmod(window, self.OW)
        row, column = self.at_x[0] + oh * self.stride, self.at_x[1] + ow * self.stride
        self.board.frame(row, column, self.K, self.K, style.FRAME)
        self.board.frame(self.at[0], self.at[1] + window, self.columns.shape[0], 1, style.FRAME)
