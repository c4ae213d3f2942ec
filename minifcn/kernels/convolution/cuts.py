"""Cutting a convolution into parts that fit in cache: strips of pixels, blocks of channels."""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

from minifcn.kernels.geometry import Geometry
from minifcn.kernels.scratch import workspace


class Strip(NamedTuple):
    """A rectangle of output pixels: several whole pictures, or some rows of one, or a part of one row."""

    pictures: slice
    rows: slice
    columns: slice

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of pictures, rows and columns."""
        return length(self.pictures), length(self.rows), length(self.columns)

    @property
    def pixels(self) -> int:
        return math.prod(self.shape)


def strips(count: int, rows: int, columns: int, most: int) -> list[Strip]:
    """Cuts `count` pictures of rows x columns pixels into strips of at most `most` pixels; the first is the largest."""
    pictures = even_parts(count, max(1, most // (rows * columns)))
    rows_each = even_parts(rows, max(1, most // columns))
    columns_each = even_parts(columns, max(1, most))
    return [Strip(*part) for part in itertools.product(pictures, rows_each, columns_each)]


def even_parts(total: int, most: int) -> list[slice]:
    """Cuts 0..total into slices of at most `most`, as equal as can be; the first is the longest."""
    count = -(-total // most)
    step = -(-total // count)
    return [slice(start, min(start + step, total)) for start in range(0, total, step)]


def length(part: slice) -> int:
    """Number of indices in a slice with both ends given."""
    return part.stop - part.start


class Channels(NamedTuple):
    """A block of input channels: several whole groups, or a part of one group; and the output channels of these groups."""

    groups: slice
    within: slice
    inputs: slice
    outputs: slice


def channel_blocks(geometry: Geometry, most: int) -> list[Channels]:
    """Cuts the C input channels into blocks of at most `most` (at least one); the first is the largest."""
    C, O = geometry.C // geometry.G, geometry.O // geometry.G
    groups = even_parts(geometry.G, max(1, most // C))
    return [
        Channels(
            group,
            within,
            slice(group.start * C + within.start, (group.stop - 1) * C + within.stop),
            slice(group.start * O, group.stop * O),
        )
        for group, within in itertools.product(groups, even_parts(C, max(1, most)))
    ]


def as_matrix(array: Any, channels: slice, strip: Strip, new: workspace) -> Any:
    """A strip of some channels of an array (N, C, H, W) as (C', N'·H'·W'): a view of one picture, a copy of several."""
    part = array[strip.pictures, channels, strip.rows, strip.columns].transpose(1, 0, 2, 3)  # (C', N', H', W')
    if part.shape[1] > 1:
        copy = new(*part.shape)
        copy[...] = part
        part = copy
    return part.reshape(part.shape[0], -1)
