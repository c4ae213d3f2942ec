"""Layers made of layers."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from minifcn.backend import Array
from minifcn.layers.activation import ReLU
from minifcn.layers.conv import Conv2d
from minifcn.layers.module import Layer
from minifcn.layers.watch import is_watched


def forward_through(layers: Sequence[Layer], x: Array) -> Array:
    """x through layers in a row, a convolution and the in-place ReLU behind it in one pass over memory."""
    place = 0
    while place < len(layers):
        if pair := _in_one_pass(layers[place : place + 2], "forward"):
            convolution, relu = pair
            x = convolution.forward_relu(x, relu)
            place += 2
        else:
            x = layers[place](x)
            place += 1
    return x


def backward_through(layers: Sequence[Layer], dy: Array | None) -> Array | None:
    """dy through the same layers, the other way, and the same two in one."""
    place = len(layers)
    while place:
        if dy is not None and (pair := _in_one_pass(layers[max(0, place - 2) : place], "backward")):
            convolution, relu = pair
            dy = convolution.backward_relu(dy, relu)
            place -= 2
        else:
            dy = layers[place - 1].backward(dy)
            place -= 1
    return dy


def _in_one_pass(layers: Sequence[Layer], way: str) -> tuple[Conv2d, ReLU] | None:
    """The two layers where they are such a pair, and nobody watches, or has set a "forward" or "backward" of his own on one."""
    if len(layers) < 2 or not (isinstance(layers[0], Conv2d) and isinstance(layers[1], ReLU)):
        return None
    convolution, relu = layers[0], layers[1]
    pair = type(convolution) is Conv2d and type(relu) is ReLU and relu.inplace
    return (convolution, relu) if pair and not is_watched() and not any(way in vars(one) for one in layers) else None


def put_needs_dx(layers: Iterable[Layer], value: bool) -> None:
    """Whether somebody will read the gradient of what enters the first of the layers, which stand in a row.

    Where nobody does, nobody reads what goes on to a pad or a ReLU in front of the first layer with parameters either. A layer
    that stands in the row again needs it there.
    """
    row = list(layers)
    for layer in row:
        layer.needs_dx = value or row.count(layer) > 1
        if any(True for _ in layer.parameters()):
            return


def needs_dx_of(*names: str) -> property:
    """``needs_dx`` of a container whose input enters at these parts, up to the first that learns: ``needs_dx_of("conv1")``."""

    def get(container: Layer) -> bool:
        return getattr(container, names[0]).needs_dx

    def put(container: Layer, value: bool) -> None:
        for name in names:
            getattr(container, name).needs_dx = value

    return property(get, put, doc=f"Whether backward computes the gradient of what enters at {names[0]}.")


class Sequential(Layer):
    """One layer after the other; backward goes the other way. Layers are named "0", "1", ... or as the keywords say."""

    def __init__(self, *layers: Layer, **named: Layer) -> None:
        super().__init__()
        for name, layer in itertools.chain(((str(place), layer) for place, layer in enumerate(layers)), named.items()):
            if name in dict(self.children()):
                raise ValueError(f"Sequential: there are two layers {name!r}")
            if not isinstance(layer, Layer):
                raise TypeError(f"Sequential: {name} is a {type(layer).__name__}, not a Layer")
            setattr(self, name, layer)

    def forward(self, x: Array) -> Array:
        return forward_through(list(self), x)

    def backward(self, dy: Array) -> Array | None:
        return backward_through(list(self), dy)

    @property
    def needs_dx(self) -> bool:
        """The first layer's: it is the one that the input enters."""
        return all(layer.needs_dx for layer in list(self)[:1])

    @needs_dx.setter
    def needs_dx(self, value: bool) -> None:
        put_needs_dx(self, value)

    def __iter__(self) -> Iterator[Layer]:
        return (layer for _, layer in self.children())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @overload
    def __getitem__(self, index: int) -> Layer: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index):
        layers = list(self)
        return Sequential(*layers[index]) if isinstance(index, slice) else layers[index]
