"""Pictures made of labels: masks beside their pictures, a mask under the magnifying glass, palettes, sets of pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minifcn.data.palette import VOID
from minifcn.visualize import style
from minifcn.visualize.board import Board, picture_size, plain, width_of
from minifcn.visualize.mpl import Figure
from minifcn.visualize.sliding import TITLE

_GAP = 0.6


def draw_pictures(pictures: Sequence[Any], titles: Sequence[str] = (), height: float = 5, cell: float = 0.4) -> Figure:
    """Pictures (H, W, 3) uint8 side by side, each about `height` cells of `cell` inches tall, under their titles."""
    pictures = [np.asarray(picture) for picture in pictures]
    for picture in pictures:
        if picture.ndim != 3 or picture.shape[2] != 3:
            raise ValueError(
                f"a picture has shape {picture.shape}; it must be (H, W, 3): give labels their palette's colours first"
            )
    titles = [*titles, *[""] * (len(pictures) - len(titles))]
    sizes = [picture_size(picture.shape, height, cell) for picture in pictures]
    widths = [max(wide, width_of(title, weight="bold")) for (_, wide), title in zip(sizes, titles, strict=True)]
    board = Board(TITLE + max(height, *(tall for tall, _ in sizes)), sum(widths) + _GAP * (len(widths) - 1), cell)
    column = 0.0
    for picture, title, width in zip(pictures, titles, widths, strict=True):
        board.picture(picture, TITLE, column, height, title)
        column += width + _GAP
    return board.figure


def draw_labels(image: Any, labels: Any, classes: Sequence[str], palette: Any, height: float = 6, cell: float = 0.4) -> Figure:
    """A picture (H, W, 3), its labels (H, W) as colours, and a legend that also counts the pixels of each label."""
    labels = np.asarray(labels)
    width = height * labels.shape[1] / labels.shape[0]
    present = [int(label) for label in np.unique(labels)]
    board = Board(TITLE + max(height, len(present)), 2 * width + 2 * _GAP + 6.5, cell)
    board.picture(np.asarray(image), TITLE, 0, height, "picture")
    board.picture(np.asarray(palette)[labels], TITLE, width + _GAP, height, "labels, as colours")
    for i, label in enumerate(present):
        column = 2 * (width + _GAP)
        _swatch(board, TITLE + i, column, label, palette)
        name = "void" if label == VOID else classes[label]
        board.write(f"{name}\n{(labels == label).sum():,} pixels", TITLE + i + 0.42, column + 1.2, align="left", size=0.3)
    return board.figure


def draw_zoom(labels: Any, palette: Any, row: int, column: int, size: int = 9, height: float = 9, cell: float = 0.4) -> Figure:
    """A mask (H, W), a square of it framed, and that square enlarged with the label of each pixel written in it."""
    labels = np.asarray(labels)
    if not (0 <= row <= labels.shape[0] - size and 0 <= column <= labels.shape[1] - size):
        raise ValueError(f"a square of {size} pixels at ({row}, {column}) does not lie inside labels of shape {labels.shape}")
    width = height * labels.shape[1] / labels.shape[0]
    each = height / labels.shape[0]  # one pixel of the mask, in cells
    board = Board(TITLE + max(height, size), width + 2.5 + size, cell)
    board.picture(np.asarray(palette)[labels], TITLE, 0, height, "labels, as colours")
    board.frame(TITLE + row * each, column * each, size * each, size * each, style.FRAME)
    part = labels[row : row + size, column : column + size]
    colours = np.asarray(palette)[part] / 255
    board.grid(part, TITLE, width + 2.5, title="labels, as numbers", colours=colours, size=0.34)
    board.frame(TITLE, width + 2.5, size, size, style.FRAME)
    start, end = (TITLE + (row + size / 2) * each, (column + size) * each + 0.2), (TITLE + size / 2, width + 2.2)
    board.arrow(start, end, style.FRAME)
    return board.figure


def draw_palette(classes: Sequence[str], palette: Any, columns: int = 4, cell: float = 0.4) -> Figure:
    """Every label with its colour and its name, void last."""
    labels = [*range(len(classes)), VOID]
    rows = -(-len(labels) // columns)
    board = Board(rows * 1.15, columns * 5.6 - 0.4, cell)
    for i, label in enumerate(labels):
        column, row = divmod(i, rows)
        _swatch(board, row * 1.15, column * 5.6, label, palette)
        name = "void" if label == VOID else classes[label]
        board.write(name, row * 1.15 + 0.5, column * 5.6 + 1.25, align="left", size=0.36)
    return board.figure


def draw_agreement(truth: Any, prediction: Any, cell: float = 0.4) -> Figure:
    """Two sets of pixels, (H, W) bool, and what they share: T in the truth alone, P in the prediction alone, B in both."""
    truth, prediction = np.asarray(truth, bool), np.asarray(prediction, bool)
    if truth.shape != prediction.shape:
        raise ValueError(f"truth has shape {truth.shape} and prediction {prediction.shape}; they must be of one picture")
    H, W = truth.shape
    board = Board(TITLE + H, 3 * W + 2.4, cell)
    for i, (title, sets) in enumerate(
        (("truth", (truth, 0 * truth)), ("prediction", (0 * prediction, prediction)), ("together", (truth, prediction)))
    ):
        kind = sets[0] + 2 * sets[1].astype(int)  # 0 neither, 1 truth alone, 2 prediction alone, 3 both
        colours = np.array([style.tint(colour, 0.5) for colour in (style.PAPER, style.BLUE, style.ORANGE, style.GREEN)])[kind]
        words = np.array(["", "T", "P", "B"], object)[kind]
        board.grid(kind, TITLE, i * (W + 1.2), title=title, colours=colours, text=words)
    return board.figure


def draw_bars(names: Sequence[str], values: Any, title: str = "", text: str = "{:.1%}", cell: float = 0.4) -> Figure:
    """A bar for each name, from 0 on, its value written beside it."""
    values = np.asarray(values, float)
    labels, length = 0.24 * max(map(len, names)) + 0.4, 10 / (values.max() or 1)
    board = Board(TITLE + len(names), labels + 10 + 0.3 * len(text.format(values.max())), cell)
    board.write(title, TITLE - 0.45, 0, align="left", weight="bold")
    for i, (name, value) in enumerate(zip(names, values.tolist(), strict=True)):
        board.write(name, TITLE + i + 0.5, 0, align="left", size=0.36)
        board.frame(TITLE + i + 0.15, labels, 0.7, value * length, style.BLUE, width_points=0, fill=style.BLUE)
        board.write(text.format(value), TITLE + i + 0.5, labels + value * length + 0.25, align="left", size=0.36)
    return board.figure


def _swatch(board: Board, row: float, column: float, label: int, palette: Any) -> None:
    colours = plain((1, 1)) * np.asarray(palette)[label] / 255
    board.grid([[label]], row, column, colours=colours, size=0.34)
