"""Rung `inside`: each tap of the kernel is multiplied with the pixels that it meets, and with no padding.

A dilated kernel may reach further than the picture is wide. DeepLab's 3x3 kernel of rate 24, on a feature map of 32 x 32
pixels, meets the picture with a quarter of its multiplications; with rate 36 only its middle tap ever does. So, as in `taps`,
but of the part where a tap lies inside:

    y[outputs] += weight[kh, kw] @ x[inputs]        dx[inputs] += weight[kh, kw]^T @ dy[outputs]
    dweight[kh, kw] += dy[outputs] @ x[inputs]^T

Cost: the multiply-adds that meet a pixel, `share` of all, and for each tap one copy of these pixels, a few MB at a time.

NumPy only. Run it: `with kernels.using("inside"): ...`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minifcn.kernels.convolution.cuts import length, strips
from minifcn.kernels.geometry import Geometry
from minifcn.kernels.host.merge import copy_into
from minifcn.kernels.pool_geometry import reach
from minifcn.kernels.scratch import workspace
from minifcn.kernels.threads import Block, matmul, over_blocks

_PIECE = 32 << 20  # bytes of copied pixels, and of what they are multiplied to


def covers(geometry: Geometry, dtype: Any) -> bool:
    """Stride 1, without groups."""
    return geometry.SH == geometry.SW == geometry.G == 1


def share(g: Geometry) -> float:
    """How many of the multiplications meet a pixel of the picture."""
    met = [[length(reach(k * D - P, 1, size, outputs)[0]) for k in range(K)] for K, D, P, size, outputs in _axes(g)]
    return sum(met[0]) * sum(met[1]) / (g.KH * g.KW * g.OH * g.OW)


def forward(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, geometry: Geometry) -> np.ndarray:
    """y (N, O, OH, OW) of x (N, C, H, W), weight (O, C, KH, KW) and bias (O,) or None."""
    y = np.zeros(geometry.y_shape, x.dtype)
    taps = _taps(geometry, x.itemsize)
    for matrix, tap in zip(_matrices(weight, taps), taps, strict=True):  # (O, C)
        for place in tap.places:
            _add(matrix, x[place.inputs], y[place.outputs])
    if bias is not None:
        y += bias[:, None, None]
    return y


def input_gradient(dy: np.ndarray, weight: np.ndarray, geometry: Geometry) -> np.ndarray:
    """dx (N, C, H, W) of dy (N, O, OH, OW) and weight (O, C, KH, KW)."""
    dx = np.zeros(geometry.x_shape, dy.dtype)
    taps = _taps(geometry, dy.itemsize)
    for matrix, tap in zip(_matrices(weight, taps), taps, strict=True):
        for place in tap.places:
            _add(matrix.T, dy[place.outputs], dx[place.inputs])
    return dx


def weight_gradient(x: np.ndarray, dy: np.ndarray, geometry: Geometry) -> np.ndarray:
    """dweight (O, C, KH, KW) of x (N, C, H, W) and dy (N, O, OH, OW): zero at taps that meet nothing."""
    g, taps = geometry, _taps(geometry, x.itemsize)
    dmatrices = np.empty((len(taps), g.O, g.C), x.dtype)
    for dmatrix, tap in zip(dmatrices, taps, strict=True):
        for number, place in enumerate(tap.places):
            with workspace(x.dtype) as new:
                ours, theirs = _side_by_side(dy[place.outputs], new), _side_by_side(x[place.inputs], new).T
                if number == 0:
                    matmul(ours, theirs, out=dmatrix)  # (O, C) = (O, N'·H'·W') @ (N'·H'·W', C)
                else:
                    dmatrix += matmul(ours, theirs)
    dweight = np.zeros(g.weight_shape, x.dtype)

    def some(rows: Block) -> None:
        for dmatrix, (kh, kw, _) in zip(dmatrices, taps, strict=True):
            dweight[rows][..., kh, kw] = dmatrix[rows]

    over_blocks(some, dweight, axes=(0,))
    return dweight


def _matrices(weight: np.ndarray, taps: list[_Tap]) -> np.ndarray:
    """weight (O, C, KH, KW) -> of each tap its matrix, (taps, O, C): of some rows all taps, while these rows are in cache."""
    matrices = np.empty((len(taps), *weight.shape[:2]), weight.dtype)

    def some(rows: Block) -> None:
        for matrix, (kh, kw, _) in zip(matrices, taps, strict=True):
            matrix[rows] = weight[rows][..., kh, kw]

    over_blocks(some, weight, axes=(0,))
    return matrices


class _Place(NamedTuple):
    """Outputs that have a tap inside of the picture, and the pixels that it meets there: indices of (N, ., H, W)."""

    outputs: tuple[slice, ...]
    inputs: tuple[slice, ...]


class _Tap(NamedTuple):
    """A tap of the kernel, and where it meets a pixel, in pieces."""

    kh: int
    kw: int
    places: list[_Place]


def _taps(g: Geometry, itemsize: int) -> list[_Tap]:
    """The taps that meet any pixel."""
    most = max(1, _PIECE // ((g.C + g.O) * itemsize))
    taps = []
    for kh in range(g.KH):
        for kw in range(g.KW):
            down, right = kh * g.DH - g.PH, kw * g.DW - g.PW  # from an output to the pixel
            rows, columns = reach(down, 1, g.H, g.OH)[0], reach(right, 1, g.W, g.OW)[0]  # of the outputs
            if not length(rows) or not length(columns):
                continue
            places = []
            for pictures, some_rows, some_columns in strips(g.N, length(rows), length(columns), most):
                height, width = _moved(some_rows, rows.start), _moved(some_columns, columns.start)
                outputs = (pictures, slice(None), height, width)
                places.append(_Place(outputs, (*outputs[:2], _moved(height, down), _moved(width, right))))
            taps.append(_Tap(kh, kw, places))
    return taps


def _axes(g: Geometry) -> tuple[tuple[int, int, int, int, int], ...]:
    """Kernel, dilation, padding, pixels and outputs of the rows, then of the columns."""
    return (g.KH, g.DH, g.PH, g.H, g.OH), (g.KW, g.DW, g.PW, g.W, g.OW)


def _moved(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)


def _add(matrix: np.ndarray, pixels: np.ndarray, into: np.ndarray) -> None:
    """into (N, B, H', W') += matrix (B, A) @ pixels (N, A, H', W')."""
    N, B, H, W = into.shape
    with workspace(into.dtype) as new:
        product = new(B, N, H, W)
        # (B, N·H'·W') = (B, A) @ (A, N·H'·W')
        matmul(matrix, _side_by_side(pixels, new), out=product.reshape(B, -1))

        def add(at: Block) -> None:
            into.swapaxes(0, 1)[at] += product[at]

        over_blocks(add, product)


def _side_by_side(pixels: np.ndarray, new: workspace) -> np.ndarray:
    """(N, A, H', W') as a matrix (A, N·H'·W')."""
    source = pixels.swapaxes(0, 1)
    copy = new(*source.shape)
    copy_into(copy, source, range(4))
    return copy.reshape(source.shape[0], -1)
