"""How often each pixel is written: the overlaps of windows and stamps, as numbers and as pictures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minifcn import functional as F
from minifcn.backend import Array
from minifcn.kernels.geometry import Pair, pair
from minifcn.visualize import style
from minifcn.visualize.board import Board, amount_colours, cell_texts, signed_colours
from minifcn.visualize.mpl import Figure
from minifcn.visualize.sliding import TITLE, matrix


def window_counts(size: Pair, kernel_size: Pair, stride: Pair = 1, padding: Pair = 0) -> np.ndarray:
    """(H, W) integers: in how many windows of a convolution over a picture of `size` each pixel lies."""
    ones = np.ones((1, 1, *pair(size, "size", 1)))
    y, cache = F.conv2d(ones, np.ones((1, 1, *pair(kernel_size, "kernel_size", 1))), stride=stride, padding=padding)
    dx: Array = F.conv2d_backward(np.ones_like(y), cache)[0]
    return dx[0, 0].round().astype(int)  # each window adds 1 to its pixels


def overlap_counts(size: Pair, kernel_size: Pair, stride: Pair = 1, padding: Pair = 0, output_padding: Pair = 0) -> np.ndarray:
    """(OH, OW) integers: how many pixels of an input of `size` write to each pixel of a transposed convolution's output."""
    ones = np.ones((1, 1, *pair(size, "size", 1)))
    stamp = np.ones((1, 1, *pair(kernel_size, "kernel_size", 1)))
    y, _ = F.conv_transpose2d(ones, stamp, stride=stride, padding=padding, output_padding=output_padding)
    return y[0, 0].round().astype(int)


def draw_counts(*counts: Any, titles: tuple[str, ...] = (), cell: float = 0.4) -> Figure:
    """Tables of counts (H, W) side by side; the more, the darker, by one scale for all."""
    tables = [matrix(count, "counts") for count in counts]
    most = max(table.max() for table in tables)
    gap = 1.2
    board = Board(TITLE + max(len(table) for table in tables), sum(t.shape[1] + gap for t in tables) - gap, cell)
    column = 0.0
    for i, table in enumerate(tables):
        title = titles[i] if i < len(titles) else ""
        board.grid(table, TITLE, column, title=title, colours=amount_colours(table, most))
        column += table.shape[1] + gap
    return board.figure


def draw_stamps(x: Any, weight: Any, stride: int = 1, padding: int = 0, cell: float = 0.34) -> Figure:
    """x (H, W) and the kernel (KH, KW); the stamp of each pixel of x, framed where it lies on the output; and their sum."""
    x, weight = matrix(x, "x"), matrix(weight, "weight")
    (H, W), (KH, KW) = x.shape, weight.shape
    total = _deconvolved(x, weight, stride, padding)
    OH, OW = total.shape
    columns = math.ceil((x.size + 2) / 2)
    gap, line, width = 1.1, max(OH, H, KH) + 2 * TITLE, max(OW, W + 1 + KW)
    board = Board(2 * line, columns * (width + gap) - 0.3 * gap, cell)  # room for a + at the end of a line
    scale = np.abs(total).max()
    board.grid(x, 1.2 * TITLE, 0, title="x")
    board.grid(weight, 1.2 * TITLE, W + 1, title="kernel")
    for k in range(x.size + 1):
        row, column = (k + 1) // columns * line + 1.2 * TITLE, (k + 1) % columns * (width + gap)
        if k == x.size:
            board.grid(total, row, column, title="y: their sum", colours=signed_colours(total, scale))
            board.write("=", row + OH / 2, column - gap / 2, size=0.6)
            continue
        i, j = divmod(k, W)
        alone = np.zeros_like(x)
        alone[i, j] = x[i, j]
        stamp = _deconvolved(alone, weight, stride, padding)
        top, left = max(0, i * stride - padding), max(0, j * stride - padding)
        bottom, right = min(OH, i * stride - padding + KH), min(OW, j * stride - padding + KW)
        words = np.full((OH, OW), "", object)
        words[top:bottom, left:right] = cell_texts(stamp)[top:bottom, left:right]
        title = f"x[{i},{j}] = {x[i, j]:g}"
        board.grid(stamp, row, column, title=title, colours=signed_colours(stamp, scale), text=words)
        board.frame(row + top, column + left, bottom - top, right - left, style.FRAME)
        if k + 1 < x.size:
            board.write("+", row + OH / 2, column + OW + gap / 2, size=0.6)
    return board.figure


def _deconvolved(x: np.ndarray, weight: np.ndarray, stride: int, padding: int) -> np.ndarray:
    """(H, W), (KH, KW) -> (OH, OW)."""
    y: Array = F.conv_transpose2d(x[None, None], weight[None, None], stride=stride, padding=padding)[0]
    return y[0, 0]
