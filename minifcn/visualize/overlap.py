"""How often each pixel is written: the overlaps of windows and stamps, as numbers and as pictures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minifcn import functional as F
from minifcn.backend import Array
from minifcn.kernels.geometry import Pair, pair
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


def draw_stamps(x: Any, weight: Any, stride: int = 1, cell: float = 0.34) -> Figure:
    """Each pixel of x (H, W) stamps the kernel (KH, KW), times its value, on the output; the last table is their sum."""
    x, weight = matrix(x, "x"), matrix(weight, "weight")
    H, W = x.shape
    stamps = []
    for i, j in np.ndindex(H, W):
        alone = np.zeros_like(x)
        alone[i, j] = x[i, j]
        stamps.append(F.conv_transpose2d(alone[None, None], weight[None, None], stride=stride)[0][0, 0])  # (OH, OW)
    total = F.conv_transpose2d(x[None, None], weight[None, None], stride=stride)[0][0, 0]  # (OH, OW)
    OH, OW = total.shape
    columns = math.ceil((len(stamps) + 1) / 2) if len(stamps) > 4 else len(stamps) + 1
    rows = math.ceil((len(stamps) + 1) / columns)
    gap, line = 1.1, OH + 2 * TITLE
    board = Board(rows * line, columns * (OW + gap) - gap, cell)
    scale = np.abs(total).max()
    for k, table in enumerate([*stamps, total]):
        row, column = k // columns * line + 1.2 * TITLE, k % columns * (OW + gap)
        last = k == len(stamps)
        i, j = divmod(k, W)
        title = "y: their sum" if last else f"x[{i},{j}] = {x[i, j]:g}"
        words = cell_texts(table)
        if not last:
            inside = np.zeros((OH, OW), bool)
            inside[i * stride : i * stride + weight.shape[0], j * stride : j * stride + weight.shape[1]] = True
            words = np.where(inside, words, "")
            board.frame(row + i * stride, column + j * stride, *weight.shape)
        board.grid(table, row, column, title=title, colours=signed_colours(table, scale), text=words)
        if k % columns:
            board.write("=" if last else "+", row + OH / 2, column - gap / 2, size=0.6)
    return board.figure
