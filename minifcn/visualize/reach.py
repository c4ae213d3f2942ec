"""Where one pixel of the input goes: every window that holds it, the weight it meets there, the output it helps to make."""

from __future__ import annotations

from typing import Any

import numpy as np

from minifcn.kernels import Geometry
from minifcn.visualize import style
from minifcn.visualize.board import Board, cell_texts, plain
from minifcn.visualize.mpl import Figure
from minifcn.visualize.sliding import GAP, TITLE, matrix


def uses(size: tuple[int, int], kernel_size: tuple[int, int], pixel: tuple[int, int], stride: int = 1) -> list[tuple[int, ...]]:
    """(oh, ow, kh, kw) of every product that the pixel (h, w) of an unpadded picture of `size` takes part in."""
    geometry = Geometry.of((1, 1, *size), (1, 1, *kernel_size), stride)
    found: list[tuple[int, ...]] = []
    for oh, ow in np.ndindex(geometry.OH, geometry.OW):
        kh, kw = pixel[0] - oh * stride, pixel[1] - ow * stride
        if 0 <= kh < geometry.KH and 0 <= kw < geometry.KW:
            found.append((oh, ow, kh, kw))
    return found


def draw_reach(x: Any, weight: Any, pixel: tuple[int, int], stride: int = 1, cell: float = 0.34) -> Figure:
    """One row for each product that x[pixel] takes part in: its window in x, its weight in the kernel, its place in y."""
    x, weight = matrix(x, "x"), matrix(weight, "weight")
    geometry = Geometry.of((1, 1, *x.shape), (1, 1, *weight.shape), stride)
    KH, KW = weight.shape
    products = uses(x.shape, (KH, KW), pixel, stride)
    tall = max(x.shape[0], geometry.OH, weight.shape[0])
    line = tall + 0.8
    at_weight, at_y = x.shape[1] + GAP, x.shape[1] + weight.shape[1] + 2 * GAP
    board = Board(TITLE + len(products) * line - 0.8, at_y + geometry.OW + 7.2, cell)
    for title, column in (("x", 0), ("kernel", at_weight), ("y", at_y)):
        board.write(title, TITLE - 0.45, column, align="left", weight="bold")
    names = np.array([[f"y{i}{j}" for j in range(geometry.OW)] for i in range(geometry.OH)], object)
    for k, (oh, ow, kh, kw) in enumerate(products):
        row = TITLE + k * line
        board.grid(x, row, 0, colours=_one(x.shape, pixel, style.BLUE))
        board.frame(row + oh * stride, ow * stride, KH, KW, style.FRAME)
        board.grid(weight, row, at_weight, colours=_one(weight.shape, (kh, kw), style.ORANGE))
        board.grid(np.zeros(names.shape), row, at_y, colours=_one(names.shape, (oh, ow), style.GREEN), text=names, size=0.32)
        said = f"y[{oh},{ow}] takes x[{pixel[0]},{pixel[1]}] · {cell_texts(weight)[kh, kw]}"
        board.write(said, row + tall / 2, at_y + geometry.OW + 0.6, align="left", size=0.38)
    return board.figure


def _one(shape: tuple[int, int], place: tuple[int, int], colour: str) -> np.ndarray:
    """White cells with one in colour."""
    colours = plain(shape)
    colours[place] = style.tint(colour, 0.45)
    return colours
