"""Rung `strips`: im2col in pieces that fit in cache, on all cores. The default wherever nothing special applies.

    forward           for each strip of output rows: columns = unfold(strip); y[strip] = weight @ columns + bias
    weight_gradient   for each strip: dweight += dy[strip] @ columns^T; a fixed set of partial sums, added in order
    input_gradient    stride 1: the forward again, of dy, with the kernel flipped and its two channel axes exchanged;
                      else for each strip of input rows: columns = weight^T @ dy[the rows that reach it], added up

Cost: the multiply-adds of `im2col` in the same matrix products. The columns of a strip stay in a core's cache and are
never seen by main memory, which moves only x, weight and y; scratch is a few MB a thread instead of KH*KW times the
input. Where a layer has more weights than pixels (VGG's fc6: 103 million, 64 pixels) the columns of all pixels are made
once and the *weights* are cut into strips.

NumPy only. Run it: `minifcn bench --ladder`, or `with kernels.using("strips"): ...`.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from minifcn.kernels.geometry import Geometry
from minifcn.kernels.parallel import parallel_for
from minifcn.kernels.scratch import SHARED, scratch, scratch_bytes
from minifcn.kernels.windows import (
    Channels,
    Strip,
    add_windows,
    channel_blocks,
    even_parts,
    length,
    patch_size,
    read,
    span,
    strips,
    turned,
    unfold,
)  # fmt: skip

_COLUMNS = 3 << 20  # bytes of columns in one strip: they and the result stay in a core's second-level cache
_HEAVY = 4 << 20  # bytes of weights from which on they, not the pixels, are cut into strips
_PIXELS = 1024  # and the most pixels for which that pays
_LONG = 256  # pixels: dweight's products sum over at least so many, or adding them up would take longer
_PARTIAL = 16 << 20  # bytes that the partial sums may take together


def covers(geometry: Geometry, dtype: Any) -> bool:
    """Everything."""
    return True


# ----------------------------------------------------------------------------------------------------------- forward


def forward(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, geometry: Geometry) -> np.ndarray:
    """y (N, O, OH, OW) of x (N, C, H, W), weight (O, C/G, KH, KW) and bias (O,) or None."""
    g = geometry
    y = np.empty(g.y_shape, x.dtype)
    matrix = weight.reshape(g.G, g.O // g.G, -1)  # (G, O/G, C/G·KH·KW)
    bias = None if bias is None else bias.reshape(g.G, g.O // g.G, 1)  # (G, O/G, 1)
    if matrix.nbytes >= _HEAVY and (g.N * g.OH * g.OW <= _PIXELS or matrix.nbytes >= 4 * _HEAVY):
        _forward_by_weights(x, matrix, bias, g, y)
    else:
        _forward_by_pixels(x, matrix, bias, g, y)
    return y


def _forward_by_pixels(x: np.ndarray, matrix: np.ndarray, bias: np.ndarray | None, g: Geometry, y: np.ndarray) -> None:
    """Each task makes the columns of one strip of pixels and multiplies them by all weights."""
    K = matrix.shape[2]
    blocks = channel_blocks(g, max(g.C // g.G, _COLUMNS // (K * g.OW * x.itemsize) * g.C // g.G))
    most = min(_COLUMNS // (K * length(blocks[0].groups) * x.itemsize), max(128, -(-g.N * g.OH * g.OW // g.tasks)))
    places = list(itertools.product(strips(g.N, g.OH, g.OW, most), blocks))

    def shapes(strip: Strip, block: Channels) -> tuple[tuple[int, ...], ...]:
        channels, groups = length(block.inputs), length(block.groups)
        patch = (channels, strip.shape[0], *patch_size(strip, g))
        return patch, (channels, g.KH, g.KW, *strip.shape), (groups, g.O // g.G, strip.pixels)

    def task(index: int) -> None:
        strip, block = places[index]
        patch, columns, product = scratch(x.dtype, *shapes(strip, block))
        unfold(x, block.inputs, strip, g, patch, columns)
        columns = columns.reshape(length(block.groups), K, -1)  # (G', C/G·KH·KW, N'·OH'·OW')
        place = y[strip.pictures, block.outputs, strip.rows, strip.columns]  # (N', G'·O/G, OH', OW')
        _multiply_into(place, matrix[block.groups], columns, None if bias is None else bias[block.groups], product)

    parallel_for(task, len(places), scratch_bytes(x.dtype, *shapes(*places[0])))


def _multiply_into(
    place: np.ndarray, matrix: np.ndarray, columns: np.ndarray, bias: np.ndarray | None, product: np.ndarray
) -> None:
    """place (N', G'·O', OH', OW') = matrix (G', O', K) @ columns (G', K, N'·OH'·OW') + bias (G', O', 1).

    For one picture the product is written where it belongs; for several it is made in `product` and put in order.
    """
    pictures, channels, OH, OW = place.shape
    groups = matrix.shape[0]
    if pictures == 1:
        product = place.reshape(groups, channels // groups, OH * OW)  # a view: full rows, or a part of one row
    np.matmul(matrix, columns, out=product)
    if bias is not None:
        product += bias
    if pictures > 1:
        place[...] = product.reshape(channels, pictures, OH, OW).transpose(1, 0, 2, 3)


def _forward_by_weights(x: np.ndarray, matrix: np.ndarray, bias: np.ndarray | None, g: Geometry, y: np.ndarray) -> None:
    """The columns of as many pixels as fit are made once, on all threads; then each task multiplies some weights."""
    O, K = matrix.shape[1:]
    blocks = channel_blocks(g, -(-g.C // g.G // g.tasks))
    outputs = list(itertools.product(range(g.G), even_parts(O, max(64, -(-O // 16)))))
    for strip in strips(g.N, g.OH, g.OW, min(_PIXELS, SHARED // (g.G * K * x.itemsize))):
        (columns,) = scratch(x.dtype, (g.C, g.KH, g.KW, *strip.shape), shared=True)

        def make(index: int, strip: Strip = strip, columns: np.ndarray = columns) -> None:
            channels = blocks[index].inputs
            (patch,) = scratch(x.dtype, (length(channels), strip.shape[0], *patch_size(strip, g)))
            unfold(x, channels, strip, g, patch, columns[channels])

        def multiply(index: int, strip: Strip = strip, columns: np.ndarray = columns) -> None:
            group, part = outputs[index]
            (product,) = scratch(x.dtype, (1, length(part), strip.pixels))
            place = y[strip.pictures, group * O + part.start : group * O + part.stop, strip.rows, strip.columns]
            ours = None if bias is None else bias[group : group + 1, part]
            flat = columns.reshape(g.G, K, -1)[group : group + 1]  # (1, C/G·KH·KW, N'·OH'·OW')
            _multiply_into(place, matrix[group : group + 1, part], flat, ours, product)

        parallel_for(make, len(blocks))
        parallel_for(multiply, len(outputs))


# ----------------------------------------------------------------------------------------------------- input gradient


def input_gradient(dy: np.ndarray, weight: np.ndarray, geometry: Geometry) -> np.ndarray:
    """dx (N, C, H, W) of dy (N, O, OH, OW) and weight (O, C/G, KH, KW)."""
    g = geometry
    if g.SH == g.SW == 1 and weight.nbytes < 4 * _HEAVY and g.C // g.G >= 8:
        return forward(dy, turned(weight, g), None, g.mirror)
    return _input_gradient_by_columns(dy, weight, g)


def _input_gradient_by_columns(dy: np.ndarray, weight: np.ndarray, g: Geometry) -> np.ndarray:
    """Each task makes the columns that reach one block of channels and rows of dx, and adds them up there."""
    O, KK = g.O // g.G, g.KH * g.KW
    matrix = weight.reshape(g.G, O, -1)  # (G, O/G, C/G·KH·KW)
    dx = np.empty(g.x_shape, dy.dtype)
    places = _blocks_of_dx(g, dy.itemsize)

    def shapes(strip: Strip, block: Channels) -> tuple[tuple[int, ...], ...]:
        channels, n = length(block.inputs), strip.shape[0]
        first, last = _rows_that_reach(strip.rows, g)
        columns = (channels, g.KH, g.KW, n, last - first, g.OW)
        patch = (channels, n, span(last - first, g.SH, g.KH, g.DH), g.W + 2 * g.PW)
        return columns, patch, (length(block.outputs), n, last - first, g.OW)

    def task(index: int) -> None:
        strip, block = places[index]
        columns, patch, copy = scratch(dy.dtype, *shapes(strip, block))
        first, last = _rows_that_reach(strip.rows, g)
        ours = dy[strip.pictures, block.outputs, first:last].transpose(1, 0, 2, 3)  # (G'·O/G, N', OH', OW)
        if strip.shape[0] > 1:
            copy[...] = ours
            ours = copy
        ours = ours.reshape(length(block.groups), O, -1)  # (G', O/G, N'·OH'·OW)
        part = matrix[block.groups, :, block.within.start * KK : block.within.stop * KK]  # (G', O/G, C'·KH·KW)
        # (G', C'·KH·KW, N'·OH'·OW) = (G', C'·KH·KW, O/G) @ (G', O/G, N'·OH'·OW)
        np.matmul(part.transpose(0, 2, 1), ours, out=columns.reshape(part.shape[0], part.shape[2], ours.shape[2]))
        patch[...] = 0
        add_windows(columns, patch, g)
        place = dx[strip.pictures, block.inputs, strip.rows].transpose(1, 0, 2, 3)  # (C', N', H', W)
        read(patch, strip.rows.start + g.PH - first * g.SH, g.PW, place)

    parallel_for(task, len(places), max(scratch_bytes(dy.dtype, *shapes(*place)) for place in places[:: len(places) // 2 or 1]))
    return dx


def _rows_that_reach(rows: slice, g: Geometry) -> tuple[int, int]:
    """The rows oh of dy, as (first, last + 1), with oh*SH - PH + kh*DH in `rows` for some kh."""
    first = max(0, -(-(rows.start + g.PH - g.DH * (g.KH - 1)) // g.SH))
    last = min(g.OH, (rows.stop - 1 + g.PH) // g.SH + 1)
    return min(first, last), last


def _blocks_of_dx(g: Geometry, itemsize: int) -> list[tuple[Strip, Channels]]:
    """Whole pictures and few channels where the weights are many, all channels and few rows where the pixels are."""
    a_channel = g.KH * g.KW * g.OW * itemsize  # bytes of columns for one channel and one row of dy
    if g.N * g.OH * g.OW <= _PIXELS:
        blocks = channel_blocks(g, max(1, min(_COLUMNS // (a_channel * g.OH * g.N), -(-g.C // g.tasks))))
        return list(itertools.product(strips(g.N, g.H, g.W, g.N * g.H * g.W), blocks))
    halo = g.DH * (g.KH - 1) // g.SH + 1
    blocks = channel_blocks(g, max(1, _COLUMNS // (a_channel * 4 * halo)))
    rows = max(1, 2 * _COLUMNS // (a_channel * length(blocks[0].inputs)) - halo) * g.SH
    return list(itertools.product(strips(g.N, g.H, g.W, min(rows, g.H) * g.W), blocks))


# ---------------------------------------------------------------------------------------------------- weight gradient


def weight_gradient(x: np.ndarray, dy: np.ndarray, geometry: Geometry) -> np.ndarray:
    """dweight (O, C/G, KH, KW) of x (N, C, H, W) and dy (N, O, OH, OW)."""
    g = geometry
    O, KK, K = g.O // g.G, g.KH * g.KW, g.C // g.G * g.KH * g.KW
    lanes, blocks, places = _plan_of_dweight(g, x.itemsize)
    partial = np.empty((len(lanes), g.G, O, K), x.dtype)

    def shapes(strip: Strip, block: Channels) -> tuple[tuple[int, ...], ...]:
        channels, groups = length(block.inputs), length(block.groups)
        patch = (channels, strip.shape[0], *patch_size(strip, g))
        product = (groups, O, length(block.within) * KK if len(places) > len(lanes) else 0)  # where something is added
        return patch, (channels, g.KH, g.KW, *strip.shape), product, (length(block.outputs), *strip.shape)

    def task(index: int) -> None:
        lane, block = divmod(index, len(blocks))
        block = blocks[block]
        total = partial[lane, block.groups, :, block.within.start * KK : block.within.stop * KK]  # (G', O/G, C'·KH·KW)
        for strip in lanes[lane]:
            patch, columns, product, copy = scratch(x.dtype, *shapes(strip, block))
            unfold(x, block.inputs, strip, g, patch, columns)
            columns = columns.reshape(*total.shape[::2], -1)  # (G', C'·KH·KW, N'·OH'·OW')
            ours = dy[strip.pictures, block.outputs, strip.rows, strip.columns].transpose(1, 0, 2, 3)
            if strip.shape[0] > 1:
                copy[...] = ours
                ours = copy
            ours = ours.reshape(*total.shape[:2], -1)  # (G', O/G, N'·OH'·OW')
            first = strip is lanes[lane][0]
            # (G', O/G, C'·KH·KW) = (G', O/G, N'·OH'·OW') @ (G', N'·OH'·OW', C'·KH·KW)
            np.matmul(ours, columns.transpose(0, 2, 1), out=total if first else product)
            if not first:
                total += product

    parallel_for(task, len(lanes) * len(blocks), scratch_bytes(x.dtype, *shapes(places[0], blocks[0])))
    dweight = partial[0]
    for part in partial[1:]:
        dweight += part
    return dweight.reshape(g.weight_shape)


def _plan_of_dweight(g: Geometry, itemsize: int) -> tuple[list[list[Strip]], list[Channels], list[Strip]]:
    """Lanes (lists of strips that one task adds up), blocks of channels, and all strips.

    Few weights: many lanes, each with all channels. Many weights: one lane, and each task has some of the channels; as
    few as keep the sum in cache, unless all pixels fit into one strip and nothing is added.
    """
    weights = g.O * (g.C // g.G) * g.KH * g.KW * itemsize
    lanes, most = max(1, min(g.tasks, _PARTIAL // weights)), g.C
    if lanes < min(8, g.tasks):
        lanes, most = 1, max(1, g.C // g.tasks)
        if most * g.KH * g.KW * g.N * g.OH * g.OW * itemsize > _COLUMNS:
            most = max(1, min(most, g.C * _COLUMNS // weights))
    blocks = channel_blocks(g, most)
    bytes_a_pixel = length(blocks[0].inputs) * g.KH * g.KW * itemsize
    places = strips(g.N, g.OH, g.OW, max(_LONG, _COLUMNS // bytes_a_pixel))
    return [places[part] for part in even_parts(len(places), -(-len(places) // lanes))], blocks, places
