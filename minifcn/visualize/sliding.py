"""A kernel sliding over a picture: one step as a still, all steps as an animation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from minifcn import functional as F
from minifcn.visualize import style
from minifcn.visualize.board import Board, cell_texts, plain, signed_colours, size_of
from minifcn.visualize.mpl import Figure
from minifcn.visualize.showing import Animation

GAP = 1.6  # cells between two arrays: room for a sign
TITLE = 0.7  # cells above an array: room for its name


def draw_sliding(
    x: Any, weight: Any, stride: int = 1, padding: int = 0, step: int = 0, text: str | None = None, colours: Any = None,
    names: Sequence[str] = ("x", "kernel", "y"),
) -> Figure:  # fmt: skip
    """One step of a convolution: x (H, W) with the window framed, the kernel (KH, KW), and y filled up to this step.

    `text` is the format of y's numbers, `colours` (H, W, 3) those of x, `names` what to call the three; step -1 is the last.
    Raises ValueError for a step that is not there.
    """
    scene = Scene(x, weight, stride, padding, text, colours, names)
    if not -scene.count <= step < scene.count:
        raise ValueError(f"step {step} is not there; this convolution has steps 0 to {scene.count - 1}")
    return scene.still(step % scene.count)


def animate_sliding(
    x: Any, weight: Any, stride: int = 1, padding: int = 0, text: str | None = None, colours: Any = None,
    names: Sequence[str] = ("x", "kernel", "y"), seconds: float = 0.4,
) -> Animation:  # fmt: skip
    """Every step of the convolution of x (H, W) with weight (KH, KW), the output appearing number by number."""
    return Animation(Scene(x, weight, stride, padding, text, colours, names).frames(), seconds)


class Scene:
    """The arrays of one sliding kernel, laid out on a board; `left` columns stay free on the left for something else."""

    def __init__(
        self, x: Any, weight: Any, stride: int = 1, padding: int = 0, text: str | None = None, colours: Any = None,
        names: Sequence[str] = ("x", "kernel", "y"), left: float = 0.0, show_x: bool = True,
    ) -> None:  # fmt: skip
        x, self.weight = matrix(x, "x"), matrix(weight, "weight")
        self.stride = stride
        self.y = F.conv2d(x[None, None], self.weight[None, None], stride=stride, padding=padding)[0][0, 0]  # (OH, OW)
        self.x = np.pad(x, padding)  # (H + 2P, W + 2P)
        self.words = cell_texts(self.y, text)
        self.size = size_of(self.words)
        self.colours_of_y = signed_colours(self.y)
        self.count = self.y.size
        (H, W), (KH, KW), (OH, OW) = self.x.shape, self.weight.shape, self.y.shape
        height = max(H, KH + 3, OH)
        self.at_x = (TITLE + (height - H) / 2, left)
        self.at_weight = (TITLE + (height - 3 - KH) / 2, left + W + GAP)
        self.at_y = (TITLE + (height - OH) / 2, left + W + 2 * GAP + KW)
        self.board = Board(height + TITLE, self.at_y[1] + OW)
        if show_x:
            self.board.grid(self.x, *self.at_x, title=names[0], colours=self._colours_of_x(colours, padding))
        self.board.grid(self.weight, *self.at_weight, title=names[1])
        self.board.grid(self.y, *self.at_y, title=names[2], colours=(1.0, 1.0, 1.0), text="")
        middle = self.at_weight[0] + KH / 2
        self.board.write("⊗", middle, self.at_weight[1] - GAP / 2, size=0.7)
        self.board.write("=", middle, self.at_y[1] - GAP / 2, size=0.7)

    def _colours_of_x(self, colours: Any, padding: int) -> np.ndarray:
        if colours is not None and np.shape(colours)[:2] == self.x.shape:
            return np.asarray(colours, float)
        H, W = self.x.shape
        inner = (slice(padding, H - padding), slice(padding, W - padding))
        result = plain((H, W), style.PADDING)
        result[inner] = signed_colours(self.x[inner]) if colours is None else colours
        return result

    def reveal(self, step: int) -> None:
        """Writes y's number of this step."""
        oh, ow = divmod(step, self.y.shape[1])
        here = (slice(oh, oh + 1), slice(ow, ow + 1))
        row, column = self.at_y
        colours, text = self.colours_of_y[here], self.words[here]
        self.board.grid(self.y[here], row + oh, column + ow, colours=colours, text=text, size=self.size)

    def point(self, step: int) -> None:
        """Draws what only this step shows: the window, the pixel of y that it gives, the sum in words."""
        oh, ow = divmod(step, self.y.shape[1])
        KH, KW = self.weight.shape
        self.board.frame(self.at_x[0] + oh * self.stride, self.at_x[1] + ow * self.stride, KH, KW, style.FRAME)
        self.board.frame(self.at_y[0] + oh, self.at_y[1] + ow, 1, 1, style.FRAME)
        row, column = self.at_weight[0] + KH + 1.5, self.at_weight[1] + KW / 2
        self.board.write(f"{KH * KW} products,\nadded up:\n{self.words[oh, ow]}", row, column, size=0.32)

    def still(self, step: int) -> Figure:
        """The board at one step."""
        for earlier in range(step + 1):
            self.reveal(earlier)
        self.point(step)
        return self.board.figure

    def frames(self) -> list[Image.Image]:
        """All steps as pictures."""
        return list(self.board.animate(self.count, self.point, self.reveal))


def matrix(array: Any, name: str) -> np.ndarray:
    """The array as floats, or ValueError where it is no (H, W)."""
    array = np.asarray(array, float)
    if array.ndim != 2:
        raise ValueError(f"{name} has shape {array.shape}; a sliding kernel is drawn for one picture and one channel, (H, W)")
    return array
