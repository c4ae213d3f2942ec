"""Rung `cuda`: the heavy work on an NVIDIA GPU, in CUDA C written by hand (`*.cu`, each file a lesson of its own).

    launch.py      from a `.cu` file to a running kernel, every argument checked against the CUDA text
    conv.py        convolution as implicit matrix product: conv_gather.cu, conv_along_rows.cu, conv_dweight.cu, tile.cuh,
                   pack.cu, relu_pack.cu, add_parts.cu, ptx.cuh, warpgroup.cuh
    tiles.py       which tile for which shape, and into how many pieces long sums are cut
    fallback.py    convolution by im2col and cuBLAS where those do not apply: im2col.cu
    rest.py        max_pool.cu, batch_norm.cu, cross_entropy.cu, relu.cu, dropout.cu
    update.py      the optimizers' updates: update.cu

All results have the same bits on every run: threads gather, none adds into another's place.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minifcn.backend import Array, get_xp
from minifcn.kernels.cuda import conv, fallback
from minifcn.kernels.cuda.conv import get_precision, multiplier, set_precision
from minifcn.kernels.cuda.launch import MAX_GRID
from minifcn.kernels.cuda.rest import (
    channel_statistics,
    channel_sum,
    dropout,
    dropout_backward,
    max_pool,
    max_pool_backward,
    normalise,
    normalise_backward,
    pixel_losses,
    pixel_losses_backward,
    relu_backward,
)
from minifcn.kernels.cuda.update import adam, sgd, shrink, squares
from minifcn.kernels.geometry import Geometry

__all__ = [
    "adam", "channel_statistics", "channel_sum", "covers", "dropout", "dropout_backward", "forward", "forward_relu",
    "get_precision", "gradients", "input_gradient", "max_pool", "max_pool_backward", "multiplier", "normalise",
    "normalise_backward", "pixel_losses", "pixel_losses_backward", "relu_backward", "relu_gradients", "set_precision", "sgd",
    "shrink", "squares", "weight_gradient",
]  # fmt: skip


def covers(geometry: Geometry, dtype: Any) -> bool:
    """float32 and float64 arrays on a GPU."""
    return np.dtype(dtype) in (np.float32, np.float64)


def forward(x: Array, weight: Array, bias: Array | None, geometry: Geometry) -> Array:
    """y (N, O, OH, OW) of x (N, C, H, W), weight (O, C/G, KH, KW), bias (O,) or None."""
    return _module(geometry, x).forward(x, weight, bias, geometry)


def forward_relu(x: Array, weight: Array, bias: Array | None, geometry: Geometry) -> Array:
    """max(y, 0), in the same pass."""
    return _module(geometry, x).forward(x, weight, bias, geometry, relu=True)


def input_gradient(dy: Array, weight: Array, geometry: Geometry) -> Array:
    """dx (N, C, H, W) of dy (N, O, OH, OW), weight (O, C/G, KH, KW)."""
    return _module(geometry, dy).input_gradient(dy, weight, geometry)


def weight_gradient(x: Array, dy: Array, geometry: Geometry) -> Array:
    """dweight (O, C/G, KH, KW) of x (N, C, H, W), dy (N, O, OH, OW)."""
    return _module(geometry, x).weight_gradient(x, dy, geometry)


def gradients(x: Array, dy: Array, weight: Array, geometry: Geometry) -> tuple[Array, Array]:
    """dx and dweight, dy brought into the kernels' layout once for both."""
    return _module(geometry, x).gradients(x, dy, weight, geometry)


def relu_gradients(
    x: Array, dy: Array, y: Array, weight: Array, geometry: Geometry, needs: tuple[bool, bool]
) -> tuple[Array | None, Array | None, Array]:
    """dx and dweight, each None unless it is in `needs`, and dbias, of max(y, 0) and its dy, all (N, O, OH, OW)."""
    return _module(geometry, x).relu_gradients(x, dy, y, weight, geometry, needs)


def _module(g: Geometry, array: Array) -> Any:
    """`conv` where its kernels apply: float32, a GPU with cp.async, sizes that the grid and 32-bit indices can count."""
    fits = (
        array.dtype == np.float32
        and int(get_xp(array).cuda.Device().compute_capability) >= 80
        and MAX_GRID[2] >= g.G * g.SH * g.SW
        and g.N * max(g.H * g.W, g.OH * g.OW) < 2**31
        and max(g.H * g.W, g.OH * g.OW, g.KH * g.KW) * (max(g.C, g.O) + 3) < 2**31
    )
    return conv if fits else fallback
