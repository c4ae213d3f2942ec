"""Rung `one_by_one`: a 1x1 convolution needs no unfolding. Each pixel is a vector of channels, the weight a matrix.

    y = weight @ x        dx = weight^T @ dy        dweight = dy @ x^T, summed over the batch

Cost: N*O*C*H*W multiply-adds, and no memory beyond the result, but for the partial sums of dweight. A task multiplies the
pixels of one picture where they lie, so many that reading the matrix again for each task does not count. Small pictures of a
batch are laid side by side first, so that the weights are read once and not once a picture.

NumPy and CuPy. Run it: `minifcn bench ladder`, or `with kernels.using("one_by_one"): ...`.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from minifcn.backend import get_xp
from minifcn.kernels.convolution.cuts import even_parts
from minifcn.kernels.geometry import Geometry
from minifcn.kernels.host.relu import clamp
from minifcn.kernels.scratch import workspace
from minifcn.kernels.threads import matmul, parallel_for

_SMALL = 256  # pixels of a picture up to which several are multiplied at once
_SIDE_BY_SIDE = 16 << 20  # and the bytes that they may take side by side
_TASK = 1 << 24  # multiply-adds worth a task: its product then takes ten times as long as to begin it
_TASKS = 16  # at most
_PIXELS = 256  # that a task has at least: the matrix is read for each
_ROWS = 512  # and rows of the matrix, if that is cut: the pixels are read for each
_LONG = 1024  # pixels: dweight's products sum over at least so many, or adding them up would take longer
_PARTIAL = 16 << 20  # bytes that the partial sums may take together


def covers(geometry: Geometry, dtype: Any) -> bool:
    """1x1 kernels of stride 1, without padding or groups."""
    g = geometry
    return (g.KH, g.KW, g.SH, g.SW, g.PH, g.PW, g.G) == (1, 1, 1, 1, 0, 0, 1)


def forward(x: Any, weight: Any, bias: Any, geometry: Geometry) -> Any:
    """y (N, O, H, W) of x (N, C, H, W), weight (O, C, 1, 1) and bias (O,) or None."""
    return _product(weight[:, :, 0, 0], x, bias, geometry)  # (O, C) @ (C, pixels)


def forward_relu(x: Any, weight: Any, bias: Any, geometry: Geometry) -> Any:
    """max(forward, 0), each task's pixels while they are in cache."""
    return _product(weight[:, :, 0, 0], x, bias, geometry, relu=True)


def input_gradient(dy: Any, weight: Any, geometry: Geometry) -> Any:
    """dx (N, C, H, W) of dy (N, O, H, W) and weight (O, C, 1, 1)."""
    return _product(weight[:, :, 0, 0].T, dy, None, geometry)  # (C, O) @ (O, pixels)


def _product(matrix: Any, x: Any, bias: Any, g: Geometry, relu: bool = False) -> Any:
    """matrix (B, A) @ each pixel of x (N, A, H, W), + bias (B,) or None, at least 0 if ``relu``: (N, B, H, W)."""
    (B, A), pixels, xp = matrix.shape, g.H * g.W, get_xp(x)
    y = xp.empty((g.N, B, pixels), x.dtype)
    x, bias = x.reshape(g.N, A, pixels), None if bias is None else bias[:, None]
    if pixels <= _SMALL or not isinstance(x, np.ndarray):
        for pictures in _together(g, x.dtype.itemsize):
            product = matmul(matrix, _side_by_side(x[pictures]))  # (B, N'·H·W)
            product = product if bias is None else product + bias
            product = xp.maximum(product, 0) if relu else product
            y[pictures] = product.reshape(B, -1, pixels).swapaxes(0, 1)
        return y.reshape(g.N, B, g.H, g.W)
    columns = even_parts(pixels, max(_PIXELS, _rounded(_TASK // (A * B))))
    tasks = min(_TASKS, A * B * pixels * g.N // _TASK)  # where pixels are few, rows of the matrix are cut as well
    rows = even_parts(B, max(_ROWS, -(-B * g.N * len(columns) // max(1, tasks))))
    places = list(itertools.product(range(g.N), rows, columns))

    def task(index: int) -> None:
        n, row, column = places[index]
        np.matmul(matrix[row], x[n, :, column], out=y[n, row, column])
        if bias is not None:
            y[n, row, column] += bias[row]
        if relu:
            clamp(y[n, row, column])

    parallel_for(task, len(places))
    return y.reshape(g.N, B, g.H, g.W)


def weight_gradient(x: Any, dy: Any, geometry: Geometry) -> Any:
    """dweight (O, C, 1, 1) of x (N, C, H, W) and dy (N, O, H, W)."""
    g, pixels = geometry, geometry.H * geometry.W
    x, dy = x.reshape(g.N, g.C, pixels), dy.reshape(g.N, g.O, pixels)
    if pixels <= _SMALL or not isinstance(x, np.ndarray):
        # (O, C) = (O, N'·H·W) @ (N'·H·W, C)
        products = (matmul(_side_by_side(dy[n]), _side_by_side(x[n]).T) for n in _together(g, x.dtype.itemsize))
        return sum(products).reshape(g.weight_shape)
    lanes, rows = _lanes_of_dweight(g, x.itemsize)
    partial = np.empty((len(lanes), g.O, g.C), x.dtype)

    def task(index: int) -> None:
        lane, row = index // len(rows), rows[index % len(rows)]
        total = partial[lane, row]
        for place, (n, column) in enumerate(lanes[lane]):
            ours, theirs = dy[n, row, column], x[n, :, column].T  # (O', pixels') @ (pixels', C)
            if place == 0:
                np.matmul(ours, theirs, out=total)
                continue
            with workspace(x.dtype) as new:
                total += np.matmul(ours, theirs, out=new(*total.shape))

    parallel_for(task, len(lanes) * len(rows))
    for part in partial[1:]:
        partial[0] += part
    return partial[0].reshape(g.weight_shape)


def _lanes_of_dweight(g: Geometry, itemsize: int) -> tuple[list[list[tuple[int, slice]]], list[slice]]:
    """Lanes, each the pictures (or pixels of them) whose products one task adds up; and the rows of dweight of each task."""
    columns = even_parts(g.H * g.W, max(_LONG, _rounded(_TASK // (g.O * g.C))))
    places = list(itertools.product(range(g.N), columns))
    tasks = max(1, min(_TASKS, g.macs // _TASK))
    count = max(1, min(tasks, len(places), _PARTIAL // (g.O * g.C * itemsize)))
    lanes = [places[part] for part in even_parts(len(places), -(-len(places) // count))]
    return lanes, even_parts(g.O, max(_ROWS // 2, -(-g.O * len(lanes) // tasks)))


def _rounded(count: int) -> int:
    """Up to whole registers of any width."""
    return -(-count // 64) * 64


def _together(g: Geometry, itemsize: int) -> list[slice]:
    """The pictures of the batch in parts that are multiplied at once."""
    most = _SIDE_BY_SIDE // ((g.C + g.O) * g.H * g.W * itemsize) if g.H * g.W <= _SMALL else 1
    return even_parts(g.N, max(1, most))


def _side_by_side(x: Any) -> Any:
    """x (N, A, H·W) as a matrix (A, N·H·W): a view of one picture, a copy of several."""
    return x.swapaxes(0, 1).reshape(x.shape[1], -1)
