"""Matrices in which the same few numbers come back: each number its own colour, zeros left pale."""

from __future__ import annotations

from typing import Any

import numpy as np

from minifcn.visualize.board import Board, cell_texts, plain
from minifcn.visualize.im2col import pixel_colours
from minifcn.visualize.mpl import Figure
from minifcn.visualize.sliding import TITLE, matrix


def draw_matrices(*matrices: Any, titles: tuple[str, ...] = (), cell: float = 0.36) -> Figure:
    """Matrices (H, W) side by side; a number has one colour wherever it stands, zeros are grey dots."""
    tables = [matrix(one, "matrix") for one in matrices]
    numbers = np.unique(np.concatenate([table[table != 0] for table in tables]))
    side = int(np.ceil(np.sqrt(max(1, len(numbers)))))
    palette = pixel_colours(side, side).reshape(-1, 3)
    gap = 1.2
    board = Board(TITLE + max(len(t) for t in tables), sum(t.shape[1] + gap for t in tables) - gap, cell)
    column = 0.0
    for i, table in enumerate(tables):
        colours = plain(table.shape, "#f7f7f7")
        for number, colour in zip(numbers, palette, strict=False):
            colours[table == number] = colour
        words = np.where(table == 0, "·", cell_texts(table))
        board.grid(table, TITLE, column, title=titles[i] if i < len(titles) else "", colours=colours, text=words)
        column += table.shape[1] + gap
    return board.figure


def draw_table(values: Any, title: str = "", cell: float = 0.4, scale: float | None = None) -> Figure:
    """One array (H, W) as cells with its numbers in them, row and column numbers outside."""
    values = matrix(values, "values")
    board = Board(TITLE + 0.5 + values.shape[0], values.shape[1], cell)
    board.grid(values, TITLE + 0.5, 0, title=title, indices=True, scale=scale)
    return board.figure
