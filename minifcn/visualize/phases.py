"""The phases of a transposed convolution: which taps of the kernel an output pixel ever meets."""

from __future__ import annotations

from typing import Any

import numpy as np

from minifcn.visualize import style
from minifcn.visualize.board import Board, plain
from minifcn.visualize.mpl import Figure
from minifcn.visualize.sliding import TITLE, matrix

_COLOURS = (style.BLUE, style.ORANGE, style.GREEN, style.PURPLE)


def draw_phases(weight: Any, size: tuple[int, int], padding: int = 0) -> Figure:
    """Stride 2: the kernel (K, K), its four phases, and an output of `size`, each pixel marked with the phase it belongs to.

    Phase (r, c) are the taps weight[r::2, c::2]; they meet the output pixels with (oh + padding) % 2 == r, and so for columns.
    """
    weight = matrix(weight, "weight")
    KH, KW = weight.shape
    small = max((KH + 1) // 2, (KW + 1) // 2)
    gap = 1.4
    height = max(KH, 2 * (small + 1), size[0])
    board = Board(TITLE + height, KW + gap + 2 * small + 1 + gap + size[1])
    board.grid(weight, TITLE, 0, title="kernel", colours=_shades(_phases(weight.shape)))
    for phase in range(4):
        r, c = divmod(phase, 2)
        taps = weight[r::2, c::2]
        if taps.size:
            row, column = TITLE + r * (small + 1), KW + gap + c * (small + 1)
            board.grid(taps, row, column, title="abcd"[phase], colours=plain(taps.shape, style.tint(_COLOURS[phase], 0.45)))
    marks = _phases(size, padding)
    column = KW + 2 * gap + 2 * small + 1
    board.grid(np.zeros(size), TITLE, column, title="y", colours=_shades(marks), text=np.array(list("abcd"), object)[marks])
    return board.figure


def _phases(size: tuple[int, ...], padding: int = 0) -> np.ndarray:
    """(H, W) integers 0 .. 3: the phase of each place."""
    rows, columns = ((np.arange(n) + padding) % 2 for n in size)
    return 2 * rows[:, None] + columns[None]


def _shades(marks: np.ndarray) -> np.ndarray:
    return np.array([style.tint(colour, 0.45) for colour in _COLOURS])[marks]
