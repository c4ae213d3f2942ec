"""What if? Changes to a network for one pass: a channel switched off, a kernel turned, a weight nudged, a skip dropped.

    Trace(net, x, changes=[SwitchOff("conv3_2", 7), DropSkip("join_pool3.add", 1)])

They are made to the trace's own copy; the network keeps its weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from minifcn.layers import Layer


class Change(Protocol):
    """Something that is done to a network."""

    def apply(self, net: Layer) -> None:
        """Changes ``net``. Raises ValueError where it has no such place."""


@dataclass(frozen=True)
class SwitchOff:
    """A channel of a layer's output is zero, and no gradient goes through it."""

    key: str
    channel: int

    def apply(self, net: Layer) -> None:
        def silence(array: Any) -> Any:
            if not 0 <= self.channel < array.shape[1]:
                raise ValueError(f"{self.key} has {array.shape[1]} channels, and no channel {self.channel}")
            array = array.copy()
            array[:, self.channel] = 0
            return array

        _around(
            layer_of(net, self.key),
            forward=lambda inner, *xs, **options: _on_first(inner(*xs, **options), silence),
            backward=lambda inner, dy, *others: inner(silence(dy), *others),
        )


@dataclass(frozen=True)
class DropSkip:
    """A layer where roads meet is given zeros for one of them."""

    key: str
    slot: int

    def apply(self, net: Layer) -> None:
        def forward(inner: Callable[..., Any], *xs: Any, **options: Any) -> Any:
            if not (len(xs) > 1 and 0 <= self.slot < len(xs)):
                raise ValueError(f"{self.key} takes {len(xs)} inputs: there is no road {self.slot} to be dropped there")
            return inner(*(self._dropped(place, x) for place, x in enumerate(xs)), **options)

        def backward(inner: Callable[..., Any], *dys: Any) -> Any:
            return tuple(self._dropped(place, dx) for place, dx in enumerate(inner(*dys)))

        _around(layer_of(net, self.key), forward, backward)

    def _dropped(self, place: int, array: Any) -> Any:
        return np.zeros_like(array) if place == self.slot else array


@dataclass(frozen=True)
class Turn:
    """The kernel weight[first, second] of a convolution, turned by 180 degrees."""

    key: str
    first: int
    second: int

    def apply(self, net: Layer) -> None:
        weight = _own_weight(net, self.key, (self.first, self.second))
        weight[self.first, self.second] = weight[self.first, self.second, ::-1, ::-1].copy()


@dataclass(frozen=True)
class Nudge:
    """``by`` is added to weight[index]."""

    key: str
    index: tuple[int, ...]
    by: float

    def apply(self, net: Layer) -> None:
        if not np.isfinite(self.by):
            raise ValueError(f"{self.by} cannot be added to a weight; give a number")
        _own_weight(net, self.key, self.index)[self.index] += self.by


def layer_of(net: Layer, key: str) -> Layer:
    """The layer of a step's key. Raises ValueError where the network has none of this name."""
    name = key.partition("#")[0]
    layers = dict(net.named_layers())
    if not key or name not in layers or not layers[name].is_leaf():
        raise ValueError(f"{key!r} is no elementary layer of this network, so it cannot be changed")
    return layers[name]


def _own_weight(net: Layer, key: str, index: tuple[int, ...]) -> np.ndarray:
    """The layer's weight (O, C/G, KH, KW), from now on in an array of its own, so that the network keeps the old one."""
    weight = getattr(layer_of(net, key), "weight", None)
    shape = () if weight is None else weight.shape
    if len(shape) != 4:
        raise ValueError(f"{key} has no kernels")
    if len(index) > 4 or not all(0 <= at < n for at, n in zip(index, shape, strict=False)):
        raise ValueError(f"the weight of {key} has shape {tuple(shape)}, and no place {index}")
    assert weight is not None
    weight.data = weight.data.copy()
    return weight.data


def _around(layer: Layer, forward: Callable[..., Any], backward: Callable[..., Any]) -> None:
    """Puts functions of (what it did so far, *arguments) in the place of a layer's forward and backward."""
    for name, function in (("forward", forward), ("backward", backward)):
        setattr(layer, name, _wrapped(function, getattr(layer, name)))


def _wrapped(function: Callable[..., Any], inner: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arrays, **options: function(inner, *arrays, **options)


def _on_first(outputs: Any, function: Callable[[Any], Any]) -> Any:
    return (function(outputs[0]), *outputs[1:]) if isinstance(outputs, tuple) else function(outputs)
