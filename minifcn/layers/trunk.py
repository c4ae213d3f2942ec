"""A road with doors: a network's layers in a row, read at some places on the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from itertools import pairwise
from typing import overload

from minifcn.backend import Array
from minifcn.layers.activation import ReLU
from minifcn.layers.containers import Sequential, backward_through, forward_through, set_needs_dx
from minifcn.layers.dropout import Dropout
from minifcn.layers.linear import Flatten
from minifcn.layers.merge import Identity, PadTo
from minifcn.layers.module import Layer, no_grad

_HAND_ON = (Identity, Dropout, PadTo, Flatten)  # what comes out may be what went in


class Trunk:
    """A network's layers in a row, from its first on, read behind some of them (``taps``) and after the last tap no further.

        class FCN8s(Layer):
            trunk = Trunk("pool3", "pool4", "drop7")

            def forward(self, x):
                pool3, pool4, fc7 = self.trunk(x)
            ...
            def backward(self, dy):
                ...
                return self.trunk.backward(dpool3, dpool4, dfc7)

    Written in the class's body, as a method is; the layers are the network's own attributes, under the paper's flat names.
    """

    def __init__(self, *taps: str) -> None:
        self.taps = taps

    @overload
    def __get__(self, net: None, kind: type) -> Trunk: ...
    @overload
    def __get__(self, net: Layer, kind: type) -> TrunkOf: ...
    def __get__(self, net, kind):
        return self if net is None else TrunkOf(net, self.taps)


class TrunkOf:
    """The trunk of one network."""

    def __init__(self, net: Layer, taps: tuple[str, ...]) -> None:
        row = dict(net.children())
        names = list(row)
        self.net = net
        if missing := [tap for tap in taps if tap not in row]:
            raise ValueError(f"{type(net).__name__} has no layer {missing[0]!r} to be read behind; it has {', '.join(names)}")
        self.stops = [names.index(tap) + 1 for tap in taps]  # where it is read, in the order of the row
        if self.stops != sorted(self.stops):
            raise ValueError(f"{type(net).__name__}: the taps {', '.join(taps)} do not stand in the order of the layers")
        self.layers = {name: row[name] for name in names[: self.stops[-1]]}
        for tap, stop in zip(taps, self.stops, strict=True):
            writer = _writing_over((name, row[name]) for name in names[stop : self.stops[-1]])
            if writer is not None:
                raise ValueError(f"{type(net).__name__}: {writer} writes over what is read behind {tap}")

    @property
    def needs_dx(self) -> bool:
        """Whether backward computes the gradient of the picture: a matter of the first layer."""
        return next(iter(self.layers.values())).needs_dx

    @needs_dx.setter
    def needs_dx(self, value: bool) -> None:
        set_needs_dx(self.layers.values(), value)

    def __call__(self, x: Array) -> tuple[Array, ...]:
        """x -> what comes out behind each tap. Frozen layers at the start keep nothing: no gradient will come to them."""
        row, first = list(self.layers.values()), self._first_to_learn()
        behind = {}
        for start, stop in pairwise(sorted({0, first, *self.stops})):
            with no_grad() if start < first else nullcontext():
                x = behind[stop] = forward_through(row[start:stop], x)
        self.net._push(first)
        return tuple(behind[stop] for stop in self.stops)

    def backward(self, *dtaps: Array | None) -> Array | None:
        """The gradients of what was read -> dx. What is read and handed on goes two ways: its gradient comes back from both.

        None stands for a tap, not the last one, that nobody made use of this time.
        """
        row, first = list(self.layers.values()), self.net._pop()
        dx: Array | None = None
        for stop, dtap, start in zip(reversed(self.stops), reversed(dtaps), [*reversed(self.stops[:-1]), 0], strict=True):
            if stop <= first:
                return None  # nothing in front of this tap learns
            dx = _added(dx, dtap)
            dx = backward_through(row[max(start, first) : stop], dx)
        return dx if first == 0 else None

    def _first_to_learn(self) -> int:
        """The place of the first layer with something to learn, or 0 when the picture's gradient is wanted."""
        if self.needs_dx:
            return 0
        learns = (any(p.requires_grad for p in layer.parameters()) for layer in self.layers.values())
        return next((place for place, learning in enumerate(learns) if learning), len(self.layers))


def _writing_over(row: Iterable[tuple[str, Layer]]) -> str | None:
    """The name of the in-place ReLU, if any, to which comes as it is what enters the row."""
    for name, layer in _opened(row):
        if isinstance(layer, ReLU) and layer.inplace:
            return name
        if not isinstance(layer, _HAND_ON):
            break
    return None


def _opened(row: Iterable[tuple[str, Layer]]) -> Iterator[tuple[str, Layer]]:
    """The layers of a row, each Sequential's one by one in its place."""
    for name, layer in row:
        if isinstance(layer, Sequential):
            yield from _opened((f"{name}.{inner}", child) for inner, child in layer.children())
        else:
            yield name, layer


def _added(dx: Array | None, dtap: Array | None) -> Array | None:
    """Both are ours to write over: they were given away."""
    if dx is None or dtap is None:
        return dtap if dx is None else dx
    dx += dtap
    return dx
