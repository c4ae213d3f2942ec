"""Rung 0: what comes out, how large, at what cost. Nothing is computed.

These functions serve arrays that have a shape and no numbers (:class:`minifcn.anatomy.standin.Standin`), which say so by naming
this module. An operation that is not here runs as its definition in `functional/`, which is right but makes more arrays on the
way than the fast version does.

Whoever wants to know what convolutions cost collects their geometries:

    with shapes.collecting() as geometries:
        net(standin)
    sum(geometry.macs for geometry in geometries)
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator
from typing import Any

import numpy as np

from minifcn.kernels.geometry import Geometry
from minifcn.kernels.pool_geometry import Windows

_collected: contextvars.ContextVar[list[Geometry] | None] = contextvars.ContextVar("minifcn_geometries", default=None)


@contextlib.contextmanager
def collecting() -> Iterator[list[Geometry]]:
    """A list to which the geometry of each convolution is added, as it happens."""
    geometries: list[Geometry] = []
    token = _collected.set(geometries)
    try:
        yield geometries
    finally:
        _collected.reset(token)


def covers(geometry: Geometry, dtype: Any) -> bool:
    """Every convolution."""
    return True


def forward(x: Any, weight: Any, bias: Any, geometry: Geometry) -> Any:
    """y (N, O, OH, OW) of x (N, C, H, W)."""
    return _charged(x.new(geometry.y_shape), geometry)


def input_gradient(dy: Any, weight: Any, geometry: Geometry) -> Any:
    """dx (N, C, H, W) of dy (N, O, OH, OW): also a transposed convolution's forward."""
    return _charged(dy.new(geometry.x_shape), geometry)


def weight_gradient(x: Any, dy: Any, geometry: Geometry) -> Any:
    """dweight (O, C/G, KH, KW)."""
    return _charged(x.new(geometry.weight_shape), geometry)


def _charged(result: Any, geometry: Geometry) -> Any:
    geometries = _collected.get()
    if geometries is not None:
        geometries.append(geometry)
    return result


def product(a: Any, b: Any) -> Any:
    """a @ b, charged as what it is in a network: a 1x1 convolution of pictures of one pixel."""
    (M, K), P = a.shape, b.shape[1]
    return _charged(a.new((M, P)), Geometry.of((M, K, 1, 1), (P, K, 1, 1)))


def max_pool(x: Any, windows: Windows) -> tuple[Any, Any]:
    """y and switches (N, C, OH, OW)."""
    shape = (*x.shape[:2], *windows.output_size)
    return x.new(shape), x.new(shape, np.uint8 if windows.KH * windows.KW <= 256 else np.int32)


def max_pool_backward(dy: Any, switches: Any, windows: Windows) -> Any:
    """dx (N, C, H, W)."""
    return dy.new((*dy.shape[:2], windows.H, windows.W))


def channel_statistics(x3: Any) -> tuple[Any, Any]:
    """Mean and variance (C,) of x3 (N, C, H*W)."""
    return x3.new(x3.shape[1:2]), x3.new(x3.shape[1:2])


def channel_sum(x: Any) -> Any:
    """(C,) of x (N, C, H, W)."""
    return x.new(x.shape[1:2])


def normalise(x3: Any, mean: Any, scale: Any, shift: Any) -> Any:
    """(x − mean)·scale + shift, of x3's shape."""
    return x3.new(x3.shape)


def normalise_backward(
    dy3: Any, x3: Any, mean: Any, inv_std: Any, scale: Any, training: bool, needs_dx: bool
) -> tuple[Any, Any, Any]:
    """dx3 or None, dweight, dbias."""
    return dy3.new(dy3.shape) if needs_dx else None, dy3.new(inv_std.shape), dy3.new(inv_std.shape)


def local_response(x3: Any, size: int, alpha: float, beta: float, k: float) -> tuple[Any, Any]:
    """y3 and s3 of x3's shape."""
    return x3.new(x3.shape), x3.new(x3.shape)


def local_response_backward(dy3: Any, x3: Any, s3: Any, size: int, alpha: float, beta: float) -> Any:
    """dx3 of dy3's shape."""
    return dy3.new(dy3.shape)


def dropout(x: Any, key: Any, threshold: int, scale: Any) -> tuple[Any, Any]:
    """y, and what is kept: a mask of a byte an element or, on a GPU, what draws it again."""
    return x.new(x.shape), x.new(x.shape, np.bool_) if x.device == "cpu" else (key, threshold)


def dropout_backward(dy: Any, mask: Any, scale: Any) -> Any:
    """dx of dy's shape."""
    return dy.new(dy.shape)


def add(a: Any, b: Any, inplace: bool) -> Any:
    """a + b; where it may, a view of a's memory, which is written into: the sum has seen what b has, a has not."""
    if not inplace:
        return a.new(a.shape)
    a.storage.writes += 1
    return a[...]


def relu_backward(dy: Any, y: Any, inplace: bool = False) -> Any:
    """dx of dy's shape, in dy's place where it may."""
    return dy if inplace else dy.new(dy.shape)
