"""Curves: losses, measures, paths of a weight, in panels side by side, each line named where it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from minifcn.visualize import style
from minifcn.visualize.board import Board
from minifcn.visualize.mpl import Figure
from minifcn.visualize.sliding import TITLE

_LEFT, _BELOW, _GAP = 1.7, 1.5, 0.6  # cells for the numbers beside a panel, for those below it, between panels
_LINE = 0.62  # cells between two names, one above the other


def draw_lines(
    panels: Mapping[str, Mapping[str, Any]], *, low: float = 0.0, high: float | None = None, across: str = "step",
    level: tuple[str, float] | None = None, columns: int = 3, size: tuple[float, float] = (5, 8), cell: float = 0.4,
) -> Figure:  # fmt: skip
    """Panels of `size` (height, width) cells with curves from `low` to `high`, ``{title: {name: values or (places, values)}}``.

    `high` is the largest value unless given; what lies above it is drawn at the edge, with a small triangle, and where a
    curve becomes NaN a cross ends it. `level` = (name, value) is a dashed line through all panels.
    """
    if not panels or not all(panels.values()):
        raise ValueError("draw_lines needs at least one panel with a curve in it")
    named = {title: {name: _points(values) for name, values in curves.items()} for title, curves in panels.items()}
    names = [name for curves in named.values() for name in curves]
    room = 0.26 * max(map(len, names)) + 0.5
    height, width = size
    step, line = _LEFT + width + room + _GAP, TITLE + height + _BELOW
    columns = min(columns, len(named))
    board = Board(line * -(-len(named) // columns), step * columns - _GAP, cell)
    for i, (title, curves) in enumerate(named.items()):
        top = high
        if top is None:
            finite = np.concatenate([values[np.isfinite(values)] for _, values in curves.values()] or [[1.0]])
            top = float(max(finite.max(initial=low), level[1] if level else low)) or 1.0
        panel = _Panel(board, i // columns * line + TITLE, i % columns * step + _LEFT, height, width, low, top, curves)
        panel.ground(title, across, level)
        panel.curves(curves)
    return board.figure


def _points(values: Any) -> tuple[np.ndarray, np.ndarray]:
    """Places and values; the places of bare values are 0, 1, 2 ..."""
    places, values = values if isinstance(values, tuple) else (range(len(values)), values)
    return np.asarray(places, float), np.asarray(values, float)


class _Panel:
    """One panel: its corner on the board, its size there, and the values that its edges stand for."""

    def __init__(
        self, board: Board, row: float, column: float, height: float, width: float, low: float, high: float,
        curves: Mapping[str, tuple[np.ndarray, np.ndarray]],
    ) -> None:  # fmt: skip
        self.board, self.row, self.column, self.height, self.width = board, row, column, height, width
        self.low, self.high = low, high
        self.first = min(places[0] for places, _ in curves.values())
        self.last = max(max(places[-1] for places, _ in curves.values()), self.first + 1e-9)

    def x(self, place: Any) -> Any:
        return self.column + self.width * (place - self.first) / (self.last - self.first)

    def y(self, value: Any) -> Any:
        """Where a value lies; what lies outside is put on the edge."""
        inside = np.clip(value, self.low, self.high)
        return self.row + self.height * (1 - (inside - self.low) / (self.high - self.low))

    def ground(self, title: str, across: str, level: tuple[str, float] | None) -> None:
        """Title, axes, numbers, and the dashed line."""
        board = self.board
        board.write(title, self.row - 0.45, self.column, align="left", weight="bold", size=0.38)
        for value in _ticks(self.low, self.high):
            y = self.y(value)
            board.axes.plot([self.column, self.column + self.width], [y, y], color=style.RULE, linewidth=style.THIN)
            board.write(f"{value:.4g}".replace("-", "−"), y, self.column - 0.75, size=0.3, colour=style.MUTED)
        for place in _ticks(self.first, self.last):
            board.write(f"{place:.4g}", self.row + self.height + 0.4, self.x(place), size=0.3, colour=style.MUTED)
        board.write(across, self.row + self.height + 0.95, self.column + self.width / 2, size=0.3, colour=style.MUTED)
        if level:
            y, (name, _) = self.y(level[1]), level
            board.axes.plot(
                [self.column, self.column + self.width], [y, y], color=style.INK, linewidth=1.2, linestyle=(0, (4, 2))
            )
            board.write(name, y - 0.3, self.column + 0.75 * self.width, size=0.3)

    def curves(self, curves: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
        """The lines, each with a colour and a dash of its own, and their names where they end."""
        ends = []
        for i, (name, (places, values)) in enumerate(curves.items()):
            colour, dashes = style.COLOURS[i % len(style.COLOURS)], style.DASHES[i % len(style.DASHES)]
            alive = np.isfinite(values)
            stop = len(values) if alive.all() else int(alive.argmin())
            x, y = self.x(places[:stop]), self.y(values[:stop])
            self.board.axes.plot(x, y, color=colour, linestyle=dashes, linewidth=style.LINE, zorder=3)
            above = values[:stop] > self.high
            self._marks(x[above], y[above], "^", colour)
            if stop < len(values) and stop:
                self._marks(x[-1:], y[-1:], "X", colour, size=8)
            ends.append((y[-1] if stop else self.row, name, colour))
        for y, name, colour in _spread(sorted(ends), self.row):
            self.board.write(name, y, self.column + self.width + 0.25, size=0.33, align="left", colour=colour)

    def _marks(self, x: np.ndarray, y: np.ndarray, marker: str, colour: str, size: float = 4) -> None:
        self.board.axes.plot(x, y, linestyle="none", marker=marker, markersize=size, color=colour, zorder=4, clip_on=False)


def _ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers from low to high."""
    span = high - low
    unit = 10.0 ** np.floor(np.log10(span))
    step = next(factor * unit for factor in (0.2, 0.5, 1, 2, 5) if span / (factor * unit) <= 5.001)
    first = np.ceil(low / step - 1e-9)
    return [float((first + i) * step) for i in range(int(np.floor(high / step + 1e-9) - first) + 1)]


def _spread(ends: Sequence[tuple[float, str, str]], top: float) -> list[tuple[float, str, str]]:
    """The names, from above, none closer to the one before than a line."""
    placed, free = [], top
    for y, name, colour in ends:
        free = max(y, free)
        placed.append((free, name, colour))
        free += _LINE
    return placed
