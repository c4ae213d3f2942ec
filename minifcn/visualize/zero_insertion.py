"""A transposed convolution in its two steps: zeros between the pixels, then an ordinary convolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minifcn.visualize import style
from minifcn.visualize.board import plain, signed_colours
from minifcn.visualize.mpl import Figure
from minifcn.visualize.showing import Animation
from minifcn.visualize.sliding import GAP, Scene, matrix

_DATA, _BETWEEN, _AROUND = 0, 1, 2


def draw_zero_insertion(
    x: Any, weight: Any, stride: int = 1, padding: int = 0, output_padding: int = 0, step: int = -1,
    names: Sequence[str] = ("x", "y"),
) -> Figure:  # fmt: skip
    """x (H, W), x with its zeros, the flipped kernel (K, K), and y up to `step` (-1: all of it).

    `names` are what to call input and output. Raises ValueError for padding above K - 1, which crops x instead of
    surrounding it with zeros.
    """
    scene = _Stretched(x, weight, stride, padding, output_padding, names)
    for stage in (_DATA, _BETWEEN, _AROUND):
        scene.lay(stage)
    return scene.still(step % scene.count)


def animate_zero_insertion(
    x: Any, weight: Any, stride: int = 1, padding: int = 0, output_padding: int = 0, names: Sequence[str] = ("x", "y"),
    seconds: float = 0.6,
) -> Animation:  # fmt: skip
    """The same, step by step: the pixels move apart, zeros fill the gaps, zeros surround them, the kernel slides."""
    scene = _Stretched(x, weight, stride, padding, output_padding, names)

    def keep(i: int) -> None:
        scene.lay(i) if i < 3 else scene.reveal(i - 3)

    def draw(i: int) -> None:
        if i >= 3:
            scene.point(i - 3)

    return Animation(list(scene.board.animate(3 + scene.count, draw, keep)), seconds)


class _Stretched(Scene):
    """A sliding kernel whose input is x with zeros between and around its pixels."""

    def __init__(
        self, x: Any, weight: Any, stride: int, padding: int, output_padding: int, names: Sequence[str]
    ) -> None:  # fmt: skip
        small, weight = matrix(x, "x"), matrix(weight, "weight")
        if weight.shape[0] != weight.shape[1]:
            raise ValueError(f"weight has shape {weight.shape}; zero insertion is drawn for square kernels, (K, K)")
        border = weight.shape[0] - 1 - padding
        if border < 0:
            raise ValueError(
                f"padding {padding} is more than the kernel's size {weight.shape[0]} minus 1, which would crop x; draw less"
            )
        (H, W), S = small.shape, stride
        self.kinds = np.full(((H - 1) * S + 1, (W - 1) * S + 1), _BETWEEN)
        self.kinds[::S, ::S] = _DATA
        around = (border, border + output_padding)
        self.kinds = np.pad(self.kinds, around, constant_values=_AROUND)
        stretched = np.zeros(self.kinds.shape)
        stretched[self.kinds == _DATA] = small.ravel()
        super().__init__(
            stretched, weight[::-1, ::-1], names=("", "kernel, flipped", names[1]), left=W + GAP, show_x=False
        )  # fmt: skip
        middle = self.at_x[0] + self.x.shape[0] / 2
        self.board.grid(small, middle - H / 2, 0, title=names[0])
        self.board.arrow((middle, W + 0.3), (middle, W + GAP - 0.3))
        self.board.write(f"{names[0]} with zeros", self.at_x[0] - 0.45, self.at_x[1], align="left", weight="bold")
        if output_padding:
            self._mark_last(self.at_x, self.x.shape, output_padding)
            self._mark_last(self.at_y, self.y.shape, output_padding)

    def _mark_last(self, at: tuple[float, float], shape: tuple[int, ...], lines: int) -> None:
        """Dashed frames around the last rows and columns of a table: those that output_padding adds."""
        (row, column), (H, W) = at, shape
        self.board.frame(row + H - lines, column, lines, W, dashed=True)
        self.board.frame(row, column + W - lines, H, lines, dashed=True)

    def lay(self, stage: int) -> None:
        """Puts the cells of one kind on the board: x's own, the zeros between them, the zeros around them."""
        colours = signed_colours(self.x) if stage == _DATA else plain(self.x.shape, _GROUNDS[stage])
        for i, j in np.argwhere(self.kinds == stage):
            here = (slice(i, i + 1), slice(j, j + 1))
            self.board.grid(self.x[here], self.at_x[0] + i, self.at_x[1] + j, colours=colours[here])


_GROUNDS = {_BETWEEN: style.PADDING, _AROUND: "#f7f7f7"}
