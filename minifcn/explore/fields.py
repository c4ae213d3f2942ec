"""The receptive field of one number as a box in the picture, from what each layer says of its coordinates.

Along one axis output i of a layer looks at ``stride·i + offset`` and reads ``field`` pixels, so the inputs that it can read
are the whole numbers strictly within half a field of there: exactly the window of a convolution or a pooling, and at most one
more than the taps of a deconvolution's phase. Where a layer does not say (a mean over all places, a resizing to a given size,
a layer of one's own), it is taken to read all of its input.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import NamedTuple

from minifcn.explore.steps import Step, as_maps
from minifcn.layers.coordinates import Map


class Box(NamedTuple):
    """Rows top .. bottom and columns left .. right, all four inside; they may lie outside of the picture, in its padding."""

    top: int
    left: int
    bottom: int
    right: int

    def around(self, other: Box) -> Box:
        """The smallest box with both in it."""
        return Box(
            min(self.top, other.top), min(self.left, other.left), max(self.bottom, other.bottom), max(self.right, other.right)
        )


def field_of(steps: list[Step], number: int, row: int, column: int) -> Box | None:
    """The box of the picture's pixels (step 0) that can reach place (row, column) of step ``number``; None: no pixel can."""
    boxes = {number: Box(row, column, row, column)}
    for at in range(number, 0, -1):
        if at in boxes:
            step = steps[at]
            for source, x in zip(step.sources, step.xs, strict=True):
                size = as_maps(x).shape[1:]
                where = 0 if source is None else source  # a line of the network's own may have read anything
                box = _whole(as_maps(steps[0].y).shape[1:]) if source is None else read_by(step, boxes[at], size)
                boxes[where] = box.around(boxes[where]) if where in boxes else box
    return boxes.get(0)


def places_of(steps: list[Step]) -> list[tuple[Map, Map] | None]:
    """Where the pixels of each step's maps look in the picture, along rows and along columns; None where nobody says.

    Where roads meet it is the first one's place: they are only added where they lie on each other.
    """
    places: list[tuple[Map, Map] | None] = [(Map(), Map())]
    for step in steps[1:]:
        assert step.layer is not None
        before = next((places[source] for source in step.sources if source is not None), None)
        rows, columns = step.layer.coordinates(0), step.layer.coordinates(1)
        known = before is not None and rows is not None and columns is not None and step.y.ndim == 4
        places.append((before[0].then(rows), before[1].then(columns)) if known else None)  # type: ignore[index, arg-type]
    return places


def read_by(step: Step, box: Box, size: tuple[int, ...]) -> Box:
    """The box of an input map of ``size`` (H, W) that a box of the step's output is made of."""
    rows, columns = (step.layer.coordinates(axis) if step.layer is not None else Map() for axis in (0, 1))
    if rows is None or columns is None:
        return _whole(size)
    (top, bottom), (left, right) = _reach(rows, box.top, box.bottom), _reach(columns, box.left, box.right)
    return Box(top, left, bottom, right)


def _reach(place: Map, first: int, last: int) -> tuple[int, int]:
    """The whole numbers strictly within half a field of stride·i + offset, for i from first to last."""
    half = Fraction(place.field) / 2
    low, high = place.stride * first + place.offset - half, place.stride * last + place.offset + half
    return floor(low) + 1, ceil(high) - 1


def _whole(size: tuple[int, ...]) -> Box:
    return Box(0, 0, size[0] - 1, size[1] - 1)
