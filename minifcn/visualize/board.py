"""A board of square cells: what all pictures of arrays are drawn on.

Everything lies on one sheet that is measured in cells, (row, column) from the top left as in an array, so that a 3x3 kernel
beside a 9x9 picture is exactly a third of its height, and a frame around rows 2 to 4 lies where rows 2 to 4 are.

    board = Board(5, 12)
    board.grid(x, row=1, column=0, title="x")
    board.frame(1, 0, 3, 3, colour=style.ORANGE)
    style.save(board.figure, "x.png")
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from minifcn.visualize import letters, style
from minifcn.visualize.mpl import (
    Affine2D,
    Artist,
    FigureCanvasAgg,
    FontProperties,
    LineCollection,
    Path,
    PathPatch,
    Polygon,
    Rectangle,
    TextPath,
    to_rgb,
)  # fmt: skip

MARGIN = 0.5  # cells left free around the board


class Board:
    """A sheet of `rows` x `columns` cells, each `cell` inches wide."""

    def __init__(self, rows: float, columns: float, cell: float = 0.4) -> None:
        self.dots = round(cell * style.DPI)  # that one cell is wide and tall
        self.points = 72 * cell  # one cell, in points
        wide, tall = (round((length + 2 * MARGIN) * self.dots) + 0.001 for length in (columns, rows))  # cut to whole dots
        with style.look():
            self.figure = style.figure(wide / style.DPI, tall / style.DPI, constrained=False)
            self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_axis_off()
        self.axes.set_xlim(-MARGIN, wide / self.dots - MARGIN)
        self.axes.set_ylim(tall / self.dots - MARGIN, -MARGIN)
        self._dynamic: list[Artist] | None = None

    # ------------------------------------------------------------------------------------------------------ drawing

    def grid(
        self, values: Any, row: float, column: float, *, title: str = "", colours: Any = None, text: Any = None,
        indices: bool = False, size: float | None = None, scale: float | None = None,
    ) -> None:  # fmt: skip
        """Draws an array (H, W) as cells whose top left corner is (row, column), a number in each.

        `colours` are (H, W, 3) from 0 to 1; by default signed values, white at 0, strongest at ±`scale` (default: the
        largest). `text` is a format ("{:.2f}"), an array of strings, or "" for none. `size` is that of the numbers, in
        cells (default: by the longest). `indices` writes row and column numbers outside.
        """
        values = np.asarray(values)
        if values.ndim != 2:
            raise ValueError(f"a grid shows an array (H, W), not one of shape {values.shape}; choose a picture and a channel")
        H, W = values.shape
        colours = signed_colours(values, scale) if colours is None else np.broadcast_to(np.asarray(colours, float), (H, W, 3))
        extent = (column, column + W, row + H, row)
        self._add(self.axes.imshow(colours, extent=extent, aspect="auto", interpolation="nearest", zorder=1))
        self._rules(row, column, H, W)
        words = cell_texts(values, text)
        size = size or size_of(words)
        for (i, j), word in np.ndenumerate(words):
            if word:
                self.write(word, row + i + 0.5, column + j + 0.5, size=size, colour=style.ink_on(tuple(colours[i, j])))
        if indices:
            self._indices(row, column, H, W)
        if title:
            self.write(title, row - (0.95 if indices else 0.45), column, size=0.4, align="left", weight="bold")

    def picture(self, pixels: Any, row: float, column: float, height: float, title: str = "") -> float:
        """Draws a picture (H, W, 3) uint8, about `height` cells tall, without numbers; returns its width in cells."""
        H, W = pixels.shape[:2]
        each = _dots_a_pixel(H, height, self.dots)
        left, top = (round((place + MARGIN) * self.dots) for place in (column, row))
        bottom = int(self.figure.bbox.height) - top - H * each
        self.figure.figimage(np.repeat(np.repeat(pixels, each, axis=0), each, axis=1), left, bottom, origin="upper", zorder=-1)
        width = W * each / self.dots
        self.frame(
            top / self.dots - MARGIN, left / self.dots - MARGIN, H * each / self.dots, width, style.RULE, width_points=0.8
        )
        if title:
            self.write(title, row - 0.45, column, align="left", weight="bold")
        return width

    def frame(
        self, row: float, column: float, height: float, width: float, colour: Any = style.INK, dashed: bool = False,
        width_points: float = style.THICK, fill: Any = None,
    ) -> None:  # fmt: skip
        """Draws a rectangle around cells."""
        patch = Rectangle(
            (column, row), width, height, fill=fill is not None, facecolor=fill or "none", edgecolor=colour,
            linewidth=width_points, linestyle=(0, (2.5, 1.5)) if dashed else "-", joinstyle="miter", zorder=4,
        )  # fmt: skip
        self._add(self.axes.add_artist(patch))

    def write(
        self, text: str, row: float, column: float, size: float = 0.4, colour: Any = style.INK, align: str = "center",
        weight: str = "normal",
    ) -> None:  # fmt: skip
        """Writes text around (row, column), or from there on with align="left"; `size` in cells.

        Letters are drawn as outlines, not set as type: so they lie on the same dots whatever version of matplotlib draws
        them, and a stale picture can be told from one that was drawn elsewhere.
        """
        lines = text.split("\n")
        for i, line in enumerate(lines):
            if not line.strip():
                continue
            outline, width = _outline(line, weight)
            shift = 0.0 if align == "left" else width * size / 2
            middle = row + (i - (len(lines) - 1) / 2) * 1.35 * size
            place = Affine2D().scale(size, -size).translate(column - shift, middle + 0.365 * size)  # digits are 0.73 tall
            patch = PathPatch(place.transform_path(outline), facecolor=colour, linewidth=0, zorder=5)
            self._add(self.axes.add_artist(patch))

    def arrow(self, start: tuple[float, float], end: tuple[float, float], colour: Any = style.MUTED) -> None:
        """Draws an arrow between two places (row, column)."""
        (y, x), (v, u) = start, end
        length = float(np.hypot(u - x, v - y))
        along = np.array([(0, 0.04), (length - 0.3, 0.04), (length - 0.3, 0.14), (length, 0)])  # one side, lying to the right
        sides = np.concatenate([along, (along * (1, -1))[::-1]])
        turned = Affine2D().rotate(np.arctan2(v - y, u - x)).translate(x, y).transform(sides)
        self._add(self.axes.add_artist(Polygon(turned, facecolor=colour, linewidth=0, zorder=4)))

    # ---------------------------------------------------------------------------------------------------- animation

    def animate(
        self, count: int, draw: Callable[[int], None], keep: Callable[[int], None] | None = None, dpi: int = 80
    ) -> Iterator[Image.Image]:
        """Pictures of the board plus what `draw(i)` draws on it, for i in 0 .. count-1.

        What `keep(i)` draws stays on the board from picture i on. What is there already is drawn once and kept as a
        background, so fifty pictures take about a second.
        """
        self.figure.set_dpi(dpi)
        canvas = FigureCanvasAgg(self.figure)
        with style.look():
            canvas.draw()
        for i in range(count):
            with style.look():
                if keep:
                    self._draw_now(keep, i)
                background = canvas.copy_from_bbox(self.figure.bbox)
                passing = self._draw_now(draw, i)
            yield Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())
            canvas.restore_region(background)
            for artist in passing:
                artist.remove()
        self.figure.set_dpi(style.DPI)

    def _draw_now(self, draw: Callable[[int], None], i: int) -> list[Artist]:
        """Calls `draw(i)` and paints what it adds onto what the canvas holds already."""
        with self._recording() as artists:
            draw(i)
        for artist in sorted(artists, key=Artist.get_zorder):
            self.axes.draw_artist(artist)
        return artists

    @contextmanager
    def _recording(self) -> Iterator[list[Artist]]:
        """Collects what is drawn inside the block."""
        self._dynamic = []
        yield self._dynamic
        self._dynamic = None

    def _add(self, artist: Artist) -> None:
        if self._dynamic is not None:
            self._dynamic.append(artist)

    # ------------------------------------------------------------------------------------------------------- pieces

    def _rules(self, row: float, column: float, H: int, W: int) -> None:
        across = [((column, row + i), (column + W, row + i)) for i in range(H + 1)]
        down = [((column + j, row), (column + j, row + H)) for j in range(W + 1)]
        self._add(self.axes.add_collection(LineCollection(across + down, colors=style.RULE, linewidths=0.8, zorder=2)))

    def _indices(self, row: float, column: float, H: int, W: int) -> None:
        for i in range(H):
            self.write(str(i), row + i + 0.5, column - 0.25, size=0.25, colour=style.MUTED)
        for j in range(W):
            self.write(str(j), row - 0.25, column + j + 0.5, size=0.25, colour=style.MUTED)


def picture_size(shape: tuple[int, ...], height: float, cell: float = 0.4) -> tuple[float, float]:
    """How many cells `Board.picture` will be tall and wide for a picture of shape (H, W, 3)."""
    dots = round(cell * style.DPI)
    each = _dots_a_pixel(shape[0], height, dots)
    return shape[0] * each / dots, shape[1] * each / dots


def _dots_a_pixel(H: int, height: float, dots: int) -> int:
    """A whole number, so that nothing is resampled."""
    return max(1, round(height * dots / H))


def width_of(text: str, size: float = 0.4, weight: str = "normal") -> float:
    """How many cells `Board.write` will be wide."""
    return max(_outline(line, weight)[1] * size for line in text.split("\n")) if text.strip() else 0.0


@lru_cache(maxsize=512)
def _outline(line: str, weight: str) -> tuple[Path, float]:
    """The letters of a line as one path for a size of 1, its baseline at 0; and its width.

    It is put together from parts that end with "f", for some versions of matplotlib would join "fi" to one letter. How far
    the pen has moved is what an H behind it says.
    """
    line = letters.drawable(line)
    font = FontProperties(family=letters.families(line), weight=weight)
    paths, pen = [], 0.0
    with style.look():
        stand = TextPath((0, 0), "H", size=1, prop=font).get_extents().x1
        for part in re.findall("[^f]*f|[^f]+$", letters.quoted(line)):
            paths.append(TextPath((pen, 0), part, size=1, prop=font))
            pen = TextPath((pen, 0), part + "H", size=1, prop=font).get_extents().x1 - stand
    outline = Path.make_compound_path(*paths)
    return outline, outline.get_extents().x1


def signed_colours(values: np.ndarray, scale: float | None = None) -> np.ndarray:
    """(H, W, 3) colours of signed values: white at 0, blue below, orange above, strongest at ±scale."""
    scale = scale or np.abs(values).max() or 1
    return style.SIGNED((values / scale + 1) / 2)[..., :3]


def amount_colours(values: np.ndarray, scale: float | None = None) -> np.ndarray:
    """(H, W, 3) colours of amounts: white at 0, darkest at scale (default: the largest)."""
    return style.AMOUNT(values / (scale or values.max() or 1))[..., :3]


def plain(shape: Sequence[int], colour: Any = style.PAPER) -> np.ndarray:
    """(H, W, 3) of one colour."""
    return np.broadcast_to(np.array(to_rgb(colour)), (*shape, 3)).copy()


def size_of(words: np.ndarray) -> float:
    """The size, in cells, at which the longest of these words fits into a cell."""
    longest = max(map(len, words.ravel()))
    return 0.36 if longest <= 4 else 1.4 / longest


def cell_texts(values: np.ndarray, text: Any = None) -> np.ndarray:
    """(H, W) strings: by a format, as given, or as short as the values allow (integers without a point)."""
    if text is None:
        text = "{:.0f}" if np.allclose(values, np.round(values)) else "{:.2f}"
    if isinstance(text, str):
        flat = [text.format(value + 0.0 if isinstance(value, float) else value) for value in values.ravel().tolist()]
        return np.array([word.replace("-", "−") for word in flat], object).reshape(values.shape)
    return np.broadcast_to(np.asarray(text, object), values.shape)
