"""The receptive field of one number as a box in the picture, from what each layer says of its coordinates.

Along one axis output i of a layer looks at ``stride·i + offset`` and reads ``field`` pixels, so the inputs that it can read
are the whole numbers strictly within half a field of there: exactly the window of a convolution or a pooling, and at most one
more than the taps of a deconvolution's phase. Where a layer does not say (a mean over all places, a resizing to a given size,
a layer of one's own), it is taken to read all of its input.
"""

from __future__ import annotations

from dataclasses import replace
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

    def within(self, size: tuple[int, ...]) -> Box | None:
        """What of it lies on a map of ``size`` (H, W): beyond is padding, of which nothing comes. None: nothing."""
        inside = Box(max(self.top, 0), max(self.left, 0), min(self.bottom, size[0] - 1), min(self.right, size[1] - 1))
        return inside if inside.top <= inside.bottom and inside.left <= inside.right else None


def field_of(steps: list[Step], number: int, row: int, column: int) -> Box | None:
    """The box of the picture's pixels (step 0) that can reach place (row, column) of step ``number``; None: no pixel can.

    In the picture itself it may reach into the padding; on the maps on the way there what lies in the padding is left out.
    """
    boxes = {number: Box(row, column, row, column)}
    for at in range(number, 0, -1):
        if at in boxes:
            step = steps[at]
            for source, x in zip(step.sources, step.xs, strict=True):
                where, box = 0, _whole(steps[0].maps.shape[1:])  # a line of the network's own may have read anything
                if source is not None:
                    where, box = source, read_by(step, boxes[at], as_maps(x).shape[1:])
                found = box.within(as_maps(x).shape[1:]) if where else box
                if found:
                    boxes[where] = found.around(boxes[where]) if where in boxes else found
    return boxes.get(0)


def places_of(steps: list[Step]) -> list[tuple[Map, Map] | None]:
    """Where the pixels of each step's maps look in the picture, along rows and along columns; None where nobody says.

    Where roads meet it is the first one's place (they are only added where they lie on each other) and the largest field.
    """
    places: list[tuple[Map, Map] | None] = [(Map(), Map())]
    for step in steps[1:]:
        assert step.layer is not None
        before = [places[source] for source in step.sources if source is not None]
        known = [place for place in before if place is not None]
        rows, columns = step.layer.coordinates(0), step.layer.coordinates(1)
        if not known or rows is None or columns is None or step.y.ndim != 4:
            places.append(None)
        else:
            above, beside = ([place[axis] for place in known] for axis in (0, 1))
            places.append((_met(above).then(rows), _met(beside).then(columns)))
    return places


def _met(places: list[Map]) -> Map:
    return replace(places[0], field=max(place.field for place in places))


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
