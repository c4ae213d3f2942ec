"""Rung `strips`: im2col in pieces that fit in cache, on all cores. The default wherever nothing special applies.

    forward           for each strip of output rows: columns = unfold(strip); y[strip] = weight @ columns + bias
    weight_gradient   for each strip: dweight += dy[strip] @ columns^T; a fixed set of partial sums, added in order
    input_gradient    stride 1: the forward again, of dy, with the kernel turned and its two channel axes exchanged;
                      else for each strip of input rows: columns = weight^T @ dy[the rows that reach it], added up

Cost: the multiply-adds of `im2col` in the same matrix products. The columns of a strip stay in a core's cache and are
never seen by main memory, which moves only x, weight and y; scratch is a few MB a thread instead of KH*KW times the
input. Where a layer has more weights than pixels (VGG's fc6: 103 million, 64 pixels) the columns of all pixels are made
once and the *weights* are cut into strips.

NumPy only. Run it: `minifcn bench ladder`, or `with kernels.using("strips"): ...`.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from minifcn.kernels.convolution.cuts import Channels, Strip, as_matrix, channel_blocks, even_parts, length, strips
from minifcn.kernels.convolution.windows import add_windows, read, span, turned, unfold, unfold_bytes
from minifcn.kernels.geometry import Geometry
from minifcn.kernels.host.relu import clamp
from minifcn.kernels.scratch import SHARED, workspace
from minifcn.kernels.threads import parallel_for

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
    return _forward(x, weight, bias, geometry, relu=False)


def forward_relu(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, geometry: Geometry) -> np.ndarray:
    """max(forward, 0), each strip while it is in cache."""
    return _forward(x, weight, bias, geometry, relu=True)


def _forward(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, g: Geometry, relu: bool) -> np.ndarray:
    y = np.empty(g.y_shape, x.dtype)
    matrix = weight.reshape(g.G, g.O // g.G, -1)  # (G, O/G, C/G·KH·KW)
    bias = None if bias is None else bias.reshape(g.G, g.O // g.G, 1)  # (G, O/G, 1)
    if matrix.nbytes >= _HEAVY and (g.N * g.OH * g.OW <= _PIXELS or matrix.nbytes >= 4 * _HEAVY):
        _forward_by_weights(x, matrix, bias, relu, g, y)
    else:
        _forward_by_pixels(x, matrix, bias, relu, g, y)
    return y


def _forward_by_pixels(
    x: np.ndarray, matrix: np.ndarray, bias: np.ndarray | None, relu: bool, g: Geometry, y: np.ndarray
) -> None:
    """Each task makes the columns of one strip of pixels and multiplies them by all weights."""
    K = matrix.shape[2] * x.itemsize  # bytes of a column
    blocks = channel_blocks(g, max(g.C // g.G, _COLUMNS // (K * g.OW) * (g.C // g.G)))  # whole groups, more if small
    most = min(_COLUMNS // (K * length(blocks[0].groups)), max(128, -(-g.N * g.OH * g.OW // g.tasks)))
    places = list(itertools.product(strips(g.N, g.OH, g.OW, most), blocks))

    def task(index: int) -> None:
        strip, block = places[index]
        with workspace(x.dtype) as new:
            columns = new(length(block.inputs), g.KH, g.KW, *strip.shape)
            unfold(x, block.inputs, strip, g, columns)
            columns = columns.reshape(length(block.groups), -1, strip.pixels)  # (G', C/G·KH·KW, N'·OH'·OW')
            place = y[strip.pictures, block.outputs, strip.rows, strip.columns]  # (N', G'·O/G, OH', OW')
            _multiply(matrix[block.groups], columns, None if bias is None else bias[block.groups], relu, place)

    strip, block = places[0]
    product = length(block.outputs) * strip.pixels * x.itemsize
    parallel_for(task, len(places), unfold_bytes(length(block.inputs), strip, g, x.itemsize) + product)


def _forward_by_weights(
    x: np.ndarray, matrix: np.ndarray, bias: np.ndarray | None, relu: bool, g: Geometry, y: np.ndarray
) -> None:
    """The columns of as many pixels as fit are made once, on all threads; then each task multiplies some weights."""
    O, K = matrix.shape[1:]
    inputs = channel_blocks(g, -(-g.C // g.G // g.tasks))
    outputs = list(itertools.product(range(g.G), even_parts(O, max(64, -(-O // 16)))))
    for strip in strips(g.N, g.OH, g.OW, min(_PIXELS, SHARED // (g.G * K * x.itemsize))):
        with workspace(x.dtype) as new:
            columns = new(g.C, g.KH, g.KW, *strip.shape)

            def make(index: int, strip: Strip = strip, columns: np.ndarray = columns) -> None:
                unfold(x, inputs[index].inputs, strip, g, columns[inputs[index].inputs])

            def multiply(index: int, strip: Strip = strip, columns: np.ndarray = columns) -> None:
                group, part = outputs[index]
                ours = slice(group, group + 1)
                flat = columns.reshape(g.G, K, strip.pixels)[ours]  # (1, C/G·KH·KW, N'·OH'·OW')
                place = y[strip.pictures, group * O + part.start : group * O + part.stop, strip.rows, strip.columns]
                _multiply(matrix[ours, part], flat, None if bias is None else bias[ours, part], relu, place)

            parallel_for(make, len(inputs))
            parallel_for(multiply, len(outputs))


def _multiply(matrix: np.ndarray, columns: np.ndarray, bias: np.ndarray | None, relu: bool, place: np.ndarray) -> None:
    """place (N', G'·O', OH', OW') = matrix (G', O', K) @ columns (G', K, N'·OH'·OW') + bias (G', O', 1); `relu` keeps it at 0.

    For one picture the product is made where it belongs; for several elsewhere, and then put in order.
    """
    (pictures, channels, OH, OW), groups = place.shape, matrix.shape[0]
    if pictures == 1:
        view = place.reshape(groups, channels // groups, OH * OW)  # full rows of a picture, or a part of one row
        np.matmul(matrix, columns, out=view)
        if bias is not None:
            view += bias
        if relu:
            clamp(view)
        return
    with workspace(place.dtype) as new:
        product = new(groups, channels // groups, pictures * OH * OW)
        np.matmul(matrix, columns, out=product)
        if bias is not None:
            product += bias
        if relu:
            clamp(product)
        place[...] = product.reshape(channels, pictures, OH, OW).transpose(1, 0, 2, 3)


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

    def task(index: int) -> None:
        strip, block = places[index]
        rows = _rows_that_reach(strip.rows, g)
        (N, C), (groups, OH) = (strip.shape[0], length(block.inputs)), (length(block.groups), length(rows))
        part = matrix[block.groups, :, block.within.start * KK : block.within.stop * KK]  # (G', O/G, C'·KH·KW)
        with workspace(dy.dtype) as new:
            ours = as_matrix(dy, block.outputs, strip._replace(rows=rows, columns=slice(None)), new)
            ours = ours.reshape(groups, O, -1)  # (G', O/G, N'·OH'·OW)
            columns = new(groups, part.shape[2], N * OH * g.OW)
            # (G', C'·KH·KW, N'·OH'·OW) = (G', C'·KH·KW, O/G) @ (G', O/G, N'·OH'·OW)
            np.matmul(part.transpose(0, 2, 1), ours, out=columns)
            patch = new(C, N, span(OH, g.SH, g.KH, g.DH), g.W + 2 * g.PW)
            patch[...] = 0
            add_windows(columns.reshape(C, g.KH, g.KW, N, OH, g.OW), patch, g)
            place = dx[strip.pictures, block.inputs, strip.rows].transpose(1, 0, 2, 3)  # (C', N', H', W)
            read(patch, strip.rows.start + g.PH - rows.start * g.SH, g.PW, place)

    parallel_for(task, len(places), 3 * _COLUMNS)
    return dx


def _rows_that_reach(rows: slice, g: Geometry) -> slice:
    """The rows oh of dy with oh*SH - PH + kh*DH in `rows` for some kh."""
    first = max(0, -(-(rows.start + g.PH - g.DH * (g.KH - 1)) // g.SH))
    last = min(g.OH, (rows.stop - 1 + g.PH) // g.SH + 1)
    return slice(min(first, last), last)


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
    O, KK = g.O // g.G, g.KH * g.KW
    lanes, blocks = _plan_of_dweight(g, x.itemsize)
    partial = np.empty((len(lanes), g.G, O, g.C // g.G * KK), x.dtype)

    def task(index: int) -> None:
        lane, block = index // len(blocks), blocks[index % len(blocks)]
        total = partial[lane, block.groups, :, block.within.start * KK : block.within.stop * KK]  # (G', O/G, C'·KH·KW)
        groups = length(block.groups)
        for strip in lanes[lane]:
            with workspace(x.dtype) as new:
                columns = new(length(block.inputs), g.KH, g.KW, *strip.shape)
                unfold(x, block.inputs, strip, g, columns)
                columns = columns.reshape(groups, -1, strip.pixels).transpose(0, 2, 1)  # (G', N'·OH'·OW', C'·KH·KW)
                ours = as_matrix(dy, block.outputs, strip, new).reshape(groups, O, -1)  # (G', O/G, N'·OH'·OW')
                if strip is lanes[lane][0]:
                    np.matmul(ours, columns, out=total)
                else:
                    total += np.matmul(ours, columns, out=new(*total.shape))

    strip, block = lanes[0][0], blocks[0]
    dys, product = length(block.outputs) * strip.pixels, partial[0].size // len(blocks)
    memory = unfold_bytes(length(block.inputs), strip, g, x.itemsize) + (dys + product) * x.itemsize
    parallel_for(task, len(lanes) * len(blocks), memory)
    for part in partial[1:]:
        partial[0] += part
    return partial[0].reshape(g.weight_shape)


def _plan_of_dweight(g: Geometry, itemsize: int) -> tuple[list[list[Strip]], list[Channels]]:
    """Lanes, each the strips that one task adds up; and blocks of channels, each the part of dweight that is another's.

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
    return [places[part] for part in even_parts(len(places), -(-len(places) // lanes))], blocks
