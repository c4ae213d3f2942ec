"""Matrices in which the same few numbers come back: each number its own colour, zeros left pale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minifcn.visualize import style
from minifcn.visualize.board import Board, cell_texts, plain
from minifcn.visualize.im2col import pixel_colours
from minifcn.visualize.mpl import Figure
from minifcn.visualize.sliding import TITLE, matrix


def draw_matrices(
    *matrices: Any, titles: tuple[str, ...] = (), rows: Sequence[str] = (), columns: Sequence[str] = (), cell: float = 0.36
) -> Figure:  # fmt: skip
    """Matrices (H, W) side by side; a number has one colour wherever it stands, zeros are grey dots.

    `rows` and `columns` are names for those of the first matrix, written beside and above it.
    """
    tables = [matrix(one, "matrix") for one in matrices]
    numbers = np.unique(np.concatenate([table[table != 0] for table in tables]))
    side = int(np.ceil(np.sqrt(max(1, len(numbers)))))
    palette = pixel_colours(side, side).reshape(-1, 3)
    gap, top, left = 1.2, TITLE + (0.5 if columns else 0), 1.0 if rows else 0.0
    board = Board(top + max(len(t) for t in tables), left + sum(t.shape[1] + gap for t in tables) - gap, cell)
    for i, name in enumerate(rows):
        board.write(name, top + i + 0.5, left - 0.5, size=0.27, colour=style.MUTED)
    for j, name in enumerate(columns):
        board.write(name, top - 0.25, left + j + 0.5, size=0.27, colour=style.MUTED)
    column = left
    for i, table in enumerate(tables):
        colours = plain(table.shape, "#f7f7f7")
        for number, colour in zip(numbers, palette, strict=False):
            colours[table == number] = colour
        words = np.where(table == 0, "·", cell_texts(table))
        board.grid(table, top, column, colours=colours, text=words)
        if i < len(titles):
            board.write(titles[i], TITLE - 0.45, column, align="left", weight="bold")
        column += table.shape[1] + gap
    return board.figure


def draw_table(values: Any, title: str = "", cell: float = 0.4, scale: float | None = None) -> Figure:
    """One array (H, W) as cells with its numbers in them, row and column numbers outside."""
    values = matrix(values, "values")
    board = Board(TITLE + 0.5 + values.shape[0], values.shape[1], cell)
    board.grid(values, TITLE + 0.5, 0, title=title, indices=True, scale=scale)
    return board.figure
