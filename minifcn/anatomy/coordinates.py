"""The coordinate table of a network: where each layer's pixels look in the picture, and how much of it they see.

The algebra is :mod:`minifcn.layers.coordinates`; here it is carried through a whole network, skips and crops included, and
feature maps that are added although they lie apart are noticed.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from minifcn.anatomy.standin import Places
from minifcn.anatomy.trace import trace
from minifcn.layers import Layer
from minifcn.layers.coordinates import Map


@dataclass(frozen=True)
class Place:
    """One layer: its pixel i looks at stride·i + offset, and reads a ``field`` of pixels; ``crop`` pixels were cut off."""

    name: str
    kind: str
    shape: tuple[int, ...]
    rows: Map | None
    columns: Map | None
    crop: int = 0


@dataclass(frozen=True)
class Coordinates:
    """The places of all layers in the order of the forward pass; prints as a table."""

    places: list[Place]
    apart: list[str]  # sentences about feature maps that do not lie on the same pixels

    @property
    def crops(self) -> dict[str, int]:
        """The crops that the network makes, by the name of the layer that makes them."""
        return {place.name: place.crop for place in self.places if place.crop}

    @property
    def aligned(self) -> bool:
        """Whether the output's pixels lie on the picture's, and nothing was added that lies apart."""
        last = self.places[-1]
        return not self.apart and all(m is not None and m.stride == 1 and m.offset == 0 for m in (last.rows, last.columns))

    def __str__(self) -> str:
        table: list[tuple[str, ...]] = [("layer", "size", "stride", "offset", "receptive field", "crop")]
        for place in self.places:
            maps = (place.rows, place.columns)
            cells = [
                _both([getattr(m, name) for m in maps]) if None not in maps else "?" for name in ("stride", "offset", "field")
            ]
            table.append((f"{place.name} ({place.kind})", "×".join(map(str, place.shape[2:])), *cells, str(place.crop or "")))
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
        return "\n".join([*lines, "", *self.apart, self._conclusion()])

    def _conclusion(self) -> str:
        if self.aligned:
            return "The output's pixels lie exactly on the picture's: stride 1, offset 0."
        return "The output's pixels do not lie on the picture's one to one."


def coordinates(net: Layer, input_shape: tuple[int, int, int, int]) -> Coordinates:
    """The coordinates of every layer of ``net`` for pictures of ``input_shape`` (N, C, H, W), in evaluation: heads that only
    training knows have none."""
    places, apart = [], []
    for step in trace(net, input_shape, evaluating=True):
        if step.apart:
            apart.append(f"{step.name} puts together {_pixels(step.apart[0])} and {_pixels(step.apart[1])}.")
        rows, columns = step.y.places or (None, None)
        crop = _crop(step.inputs[0].places if step.inputs else None, step.y.places)
        places.append(Place(step.name, type(step.layer).__name__, step.y.shape, rows, columns, crop))
    return Coordinates(places, apart)


def _crop(before: Places | None, after: Places | None) -> int:
    """How many rows were cut off at the top: the offset moved, while stride and field stayed."""
    if before is None or after is None or before[0].stride != after[0].stride or before[0].field != after[0].field:
        return 0
    return int((after[0].offset - before[0].offset) / after[0].stride)


def _both(values: list[Fraction]) -> str:
    return str(values[0]) if values[0] == values[1] else f"{values[0]} × {values[1]}"


def _pixels(places: Places) -> str:
    stride, offset = places[0].stride, places[0].offset
    return f"pixels at {stride}·i {'−' if offset < 0 else '+'} {abs(offset)}"
