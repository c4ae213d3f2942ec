"""Reading windows of pictures: the index algebra that every rung shares.

Channels come first here, (C, N, H, W): a channel of the input becomes KH*KW rows of a matrix, and the pictures of a
batch lie side by side in its columns.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from minifcn.backend import get_xp
from minifcn.kernels.convolution.cuts import Strip
from minifcn.kernels.geometry import Geometry
from minifcn.kernels.host.stride import every_second
from minifcn.kernels.scratch import workspace


def read(source: Any, top: int, left: int, out: Any) -> None:
    """out[..., i, j] = source[..., top + i, left + j], and zero where that lies outside of `source`.

    Padding is nothing but a negative `top` and `left`; a positive one crops. Only the border of `out` is set to zero.
    """
    (H, W), (height, width) = source.shape[-2:], out.shape[-2:]
    first_row, last_row = _inside(top, height, H)
    first_column, last_column = _inside(left, width, W)
    out[..., :first_row, :] = 0
    out[..., last_row:, :] = 0
    out[..., first_row:last_row, :first_column] = 0
    out[..., first_row:last_row, last_column:] = 0
    out[..., first_row:last_row, first_column:last_column] = source[
        ..., top + first_row : top + last_row, left + first_column : left + last_column
    ]


def _inside(start: int, length: int, size: int) -> tuple[int, int]:
    """The part of 0..length for which start + i lies in 0..size; an empty one, (first, first), when there is none."""
    first = min(max(0, -start), length)
    last = max(first, min(length, size - start))
    return first, last


def windows(patch: Any, geometry: Geometry, OH: int, OW: int) -> Any:
    """View of a padded patch (C, N, h, w) as (C, KH, KW, N, OH, OW): the same memory, each pixel seen many times.

    view[c, kh, kw, n, oh, ow] = patch[c, n, oh*SH + kh*DH, ow*SW + kw*DW]
    """
    g = geometry
    channel, picture, row, column = patch.strides
    return get_xp(patch).lib.stride_tricks.as_strided(
        patch,
        shape=(patch.shape[0], g.KH, g.KW, patch.shape[1], OH, OW),
        strides=(channel, row * g.DH, column * g.DW, picture, row * g.SH, column * g.SW),
    )


def span(count: int, stride: int, kernel: int, dilation: int) -> int:
    """Pixels that `count` neighbouring windows cover along one axis."""
    return (count - 1) * stride + (kernel - 1) * dilation + 1 if count else 0


def add_windows(columns: Any, patch: Any, geometry: Geometry) -> None:
    """The adjoint of reading windows: adds columns (C, KH, KW, N, OH, OW) to where they came from in patch (C, N, h, w).

    One shifted add for each tap: within a tap no pixel occurs twice, so a plain += is right.
    """
    places = windows(patch, geometry, *columns.shape[-2:])
    for kh in range(geometry.KH):
        for kw in range(geometry.KW):
            places[:, kh, kw] += columns[:, kh, kw]


def turned(weight: Any, geometry: Geometry) -> Any:
    """weight (O, C/G, KH, KW) with each kernel turned by 180 degrees and its channel axes exchanged: (C, O/G, KH, KW)."""
    g = geometry
    weight = weight[:, :, ::-1, ::-1].reshape(g.G, g.O // g.G, g.C // g.G, g.KH, g.KW)
    return weight.swapaxes(1, 2).reshape(g.C, g.O // g.G, g.KH, g.KW)


def unfold(x: Any, channels: slice, strip: Strip, geometry: Geometry, columns: Any) -> None:
    """Writes the windows of a strip into columns (C', KH, KW, N', OH', OW'): im2col of a part, in cache."""
    g, (_, OH, OW) = geometry, strip.shape
    top, left = strip.rows.start * g.SH - g.PH, strip.columns.start * g.SW - g.PW
    height, width = span(OH, g.SH, g.KH, g.DH), span(OW, g.SW, g.KW, g.DW)
    source = x[strip.pictures, channels].transpose(1, 0, 2, 3)  # (C', N', H, W)
    if top >= 0 and left >= 0 and top + height <= g.H and left + width <= g.W:
        _copy_windows(source[:, :, top : top + height, left : left + width], g, columns)
        return
    with workspace(x.dtype) as new:
        patch = new(*source.shape[:2], height, width)
        read(source, top, left, patch)
        _copy_windows(patch, g, columns)


def _copy_windows(patch: np.ndarray, g: Geometry, columns: np.ndarray) -> None:
    """columns (C', KH, KW, N', OH', OW') = the windows of a padded patch (C', N', h, w)."""
    (OH, OW), width = columns.shape[-2:], patch.shape[-1]
    if g.SW != 2:
        columns[...] = windows(patch, g, OH, OW)
        return
    rows = windows(patch, replace(g, KW=1, SW=1), OH, width)[:, :, 0]  # (C', KH, N', OH', w)
    for kw in range(g.KW):
        every_second(rows[..., kw * g.DW :], columns[:, :, kw])


def unfold_bytes(channels: int, strip: Strip, geometry: Geometry, itemsize: int) -> int:
    """Working memory for the columns of a strip, and for its padded pixels meanwhile."""
    g, (N, OH, OW) = geometry, strip.shape
    pixels = span(OH, g.SH, g.KH, g.DH) * span(OW, g.SW, g.KW, g.DW)
    return channels * N * (g.KH * g.KW * OH * OW + pixels) * itemsize
