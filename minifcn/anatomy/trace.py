"""Walks through a network: every layer's sizes, cost, memory and coordinates, in the order of the forward pass.

The network's own ``forward`` runs, on a :class:`~minifcn.anatomy.standin.Standin`, while each of its elementary layers (those
without layers inside) answers with the shape of its output instead of computing it. So a VGG16 on a full picture takes
milliseconds, and skips, crops and layers used twice are counted as they happen.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minifcn.anatomy.standin import Places, Standin, Storage
from minifcn.kernels import Geometry
from minifcn.kernels.geometry import pair
from minifcn.layers import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    BatchNorm2d,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Layer,
    MaxPool2d,
    ReLU,
    Upsample,
    no_grad,
)  # fmt: skip
from minifcn.layers.coordinates import Map
from minifcn.layers.module import is_grad_off

_PLANEWISE = (MaxPool2d, AvgPool2d, AdaptiveAvgPool2d, Upsample)  # treat each channel alike: one small plane tells the size


@dataclass(frozen=True)
class Step:
    """One elementary layer at work. Bytes are those of the arrays, ``macs`` multiply-adds of the forward pass."""

    name: str
    layer: Layer
    x: Standin
    y: Standin
    macs: int
    im2col_bytes: int  # the matrix of all windows of one picture, were it made
    kept: tuple[Storage, ...]  # what backward will need

    @property
    def parameters(self) -> int:
        return sum(parameter.size for parameter in self.layer.parameters())


def walk(net: Layer, shape: tuple[int, int, int, int]) -> list[Step]:
    """The steps of ``net(x)`` for an x of ``shape`` (N, C, H, W), in the net's dtype and its present mode (train or eval)."""
    dtype = next((parameter.data.dtype for parameter in net.parameters()), np.dtype(np.float32))
    steps: list[Step] = []
    with contextlib.ExitStack() as stack:
        stack.callback(net.forget)
        for name, layer in net.named_layers():
            if not any(True for _ in layer.children()):
                stack.enter_context(_watched(name or type(layer).__name__, layer, steps))
        net.forward(Standin(shape, dtype, (Map(), Map())))
    return steps


@contextlib.contextmanager
def _watched(name: str, layer: Layer, steps: list[Step]) -> Iterator[None]:
    """While this lasts ``layer.forward`` notes a step instead of computing."""

    def forward(x: Any, *others: Any) -> Any:
        result, macs, im2col_bytes = _outcome(layer, x, others)
        y = result[0] if isinstance(result, tuple) else result
        steps.append(Step(name, layer, x, y, macs, im2col_bytes, () if is_grad_off() else _kept(layer, x, y)))
        return result

    layer.forward = forward
    try:
        yield
    finally:
        del layer.forward


def _outcome(layer: Layer, x: Standin, others: tuple) -> tuple[Standin | tuple[Standin, ...], int, int]:
    """What the layer returns, its multiply-adds and its im2col bytes."""
    if isinstance(layer, (Conv2d, ConvTranspose2d)):
        geometry = _geometry(layer, x.shape)
        shape = geometry.y_shape if isinstance(layer, Conv2d) else geometry.x_shape
        columns = geometry.C * geometry.KH * geometry.KW * geometry.OH * geometry.OW
        return Standin(shape, x.dtype, _through(layer, x)), geometry.macs, columns * x.dtype.itemsize
    if isinstance(layer, (ReLU, BatchNorm2d, Dropout)):
        same = isinstance(layer, Dropout) and not (layer.training and layer.p)
        storage = x.storage if same or getattr(layer, "inplace", False) else None
        return Standin(x.shape, x.dtype, x.places, storage), 0, 0
    if isinstance(layer, _PLANEWISE):
        results = _planewise(layer, x)
        return (results if len(results) > 1 else results[0]), 0, 0
    return _any(layer, x, others), 0, 0


def _geometry(layer: Conv2d | ConvTranspose2d, x_shape: tuple[int, ...]) -> Geometry:
    """The convolution's geometry; a transposed convolution's is that of the convolution from its output to its input."""
    options = (layer.stride, layer.padding, layer.dilation, layer.groups)
    if isinstance(layer, Conv2d):
        return Geometry.of(x_shape, layer.weight.shape, *options)
    per_axis = (pair(layer.stride, "stride", 1), pair(layer.padding, "padding", 0), pair(layer.dilation, "dilation", 1),
                pair(layer.output_padding, "output_padding", 0), layer.weight.shape[2:], x_shape[2:])  # fmt: skip
    size = [(n - 1) * S - 2 * P + D * (K - 1) + OP + 1 for S, P, D, OP, K, n in zip(*per_axis, strict=True)]
    return Geometry.of((x_shape[0], layer.weight.shape[1] * layer.groups, *size), layer.weight.shape, *options)


def _planewise(layer: Layer, x: Standin) -> tuple[Standin, ...]:
    with no_grad():
        results = type(layer).forward(layer, np.zeros((1, 1, *x.shape[2:]), x.dtype))
    results = results if isinstance(results, tuple) else (results,)
    return tuple(Standin((*x.shape[:2], *one.shape[2:]), one.dtype, _through(layer, x)) for one in results)


def _any(layer: Layer, x: Standin, others: tuple) -> Standin:
    """A layer that nothing is known about: its own forward, on the stand-in or, where that will not do, on zeros."""
    with no_grad():
        try:
            return type(layer).forward(layer, x, *others)
        except TypeError:
            arrays = [np.zeros(one.shape, one.dtype) if isinstance(one, Standin) else one for one in (x, *others)]
            y = type(layer).forward(layer, *arrays)
            return Standin(y.shape, y.dtype)


def _through(layer: Layer, x: Standin) -> Places | None:
    maps = [layer.coordinates(axis) for axis in (0, 1)]
    if x.places is None or None in maps:
        return None
    return tuple(place.then(following) for place, following in zip(x.places, maps, strict=True))


def _kept(layer: Layer, x: Standin, y: Standin) -> tuple[Storage, ...]:
    """What the layer's cache holds: its input, its output, or a byte an element (the switches of a pooling, a mask).

    On a GPU dropout keeps no mask.
    """
    if isinstance(layer, (Conv2d, ConvTranspose2d, BatchNorm2d)):
        return (x.storage,)
    if isinstance(layer, ReLU):
        return (y.storage,)
    if isinstance(layer, MaxPool2d) or (isinstance(layer, Dropout) and layer.training and layer.p):
        return (Storage(y.size),)
    return ()
