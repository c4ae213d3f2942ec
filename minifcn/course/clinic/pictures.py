"""A chart as a picture: two masks beside the truth, the losses as bars, the IU of each class as bars."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from minifcn.course.clinic.procedure import SHOWN, Chart
from minifcn.course.small_fcn import SMALL
from minifcn.data.shapes import SHAPES_CLASSES, SHAPES_PALETTE, draw
from minifcn.visualize import style
from minifcn.visualize.board import Board
from minifcn.visualize.mpl import Figure

_TALL, _WIDE = 3.0, 4.3  # of a mask, in cells
_HIGHEST = 2.0  # loss; what is higher reaches the top


def table(chart: Chart) -> str:
    """The chart in words and numbers."""
    first = ", ".join("no number" if one is None else f"{one:.4g}" for one in chart.losses[:4])
    last = "no number" if math.isnan(chart.last_loss) else f"{chart.last_loss:.3f}"
    iu = ", ".join(f"{name} {one:.2f}" for name, one in zip(SHAPES_CLASSES, chart.iu, strict=True))
    down, right = chart.best_shift
    at_best = (
        f"{np.max(chart.shifts):.2f} when moved {down} down and {right} to the right" if (down, right) != (0, 0) else "unmoved"
    )
    lines = {
        "first losses": f"{first}; mean of the last eight {last}",
        "first gradients": ", ".join(f"{one:.2g}" for one in chart.gradients),
        "weights moved by": f"up to {max(chart.moved.values()):.2g} times what they were, in one layer",
        "mean IU": f"reported {chart.reported:.2f}; counted again {chart.mean_iu:.2f}",
        "IU": iu,
        "near outlines": f"{chart.outlines:.2f}, elsewhere {chart.inside:.2f}",
        "void pixels": f"{chart.void:.0%} called background (a healthy network: about a half)",
        "phantom circles": f"{chart.phantoms:.2%} of the pixels that are no circle",
        "masks fit best": at_best,
        "pictures alone": f"mean IU {chart.alone:.2f}",
        "red with blue": f"mean IU {chart.exchanged:.2f} when the two are exchanged",
        "numbers seen": f"{chart.seen[0]:.2g} to {chart.seen[1]:.2g}",
    }
    return "\n".join(f"{name:17} {text}" for name, text in lines.items())


def draw_chart(chart: Chart, seed: int = 0, title: str = "picture") -> Figure:
    """Two examined pictures, their masks and what the network says; its losses; the IU of each class."""
    board = Board(9.4, 35)
    for row, n in enumerate(SHOWN):
        image, labels = draw(SMALL, 100_000 + 1000 * seed + n)
        said = np.array([list(line) for line in chart.masks[row]], np.uint8)
        shown = (image, SHAPES_PALETTE[labels], SHAPES_PALETTE[said])
        for column, (pixels, above) in enumerate(zip(shown, (title, "truth", "said"), strict=True)):
            board.picture(pixels, 1.2 + row * (_TALL + 0.9), column * _WIDE, _TALL, "" if row else above)
    _losses(board, chart, 14)
    _classes(board, chart, 25)
    return board.figure


def draw_board(charts: Mapping[str, Chart]) -> Figure:
    """What each of these networks says about one picture, under its name, five in a row; the truth first."""
    image, labels = draw(SMALL, 100_000 + SHOWN[0])
    shown = {"picture": image, "truth": SHAPES_PALETTE[labels]}
    for name, chart in charts.items():
        shown[name] = SHAPES_PALETTE[np.array([list(line) for line in chart.masks[0]], np.uint8)]
    rows = -(-len(shown) // 6)
    board = Board(rows * (_TALL + 1.4), 6 * (_WIDE + 0.4))
    for k, (name, pixels) in enumerate(shown.items()):
        board.picture(pixels, 1.2 + k // 6 * (_TALL + 1.4), k % 6 * (_WIDE + 0.4), _TALL, name)
    return board.figure


def _losses(board: Board, chart: Chart, column: float) -> None:
    """A bar for each step; a dark red one at the top where the loss is no number or too high for the picture."""
    board.write(f"loss, up to {_HIGHEST:.0f}", 0.75, column, align="left", weight="bold")
    each = 10 / len(chart.losses)
    for step, loss in enumerate(chart.losses):
        off = loss is None or loss > _HIGHEST
        height = 6.9 * (1.0 if loss is None or off else loss / _HIGHEST)
        colour = style.FRAME if off else style.BLUE
        board.frame(8.1 - height, column + step * each, height, each, colour, width_points=0, fill=colour)
    board.write("step 1", 8.7, column, align="left", size=0.36)
    board.write(str(len(chart.losses)), 8.7, column + 9.4, align="left", size=0.36)


def _classes(board: Board, chart: Chart, column: float) -> None:
    board.write("IU", 0.75, column, align="left", weight="bold")
    for k, (name, iu) in enumerate(zip(SHAPES_CLASSES, chart.iu, strict=True)):
        board.write(name, 1.9 + 1.3 * k, column, align="left", size=0.36)
        board.frame(1.5 + 1.3 * k, column + 3.2, 0.8, 4.5 * iu, style.BLUE, width_points=0, fill=style.BLUE)
        board.write(f"{iu:.2f}", 1.9 + 1.3 * k, column + 3.4 + 4.5 * iu, align="left", size=0.36)
    board.write(f"mean {chart.mean_iu:.2f}, reported {chart.reported:.2f}", 8.6, column, align="left", size=0.36)
