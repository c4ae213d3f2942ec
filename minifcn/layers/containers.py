"""Layers made of layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

from minifcn.backend import Array
from minifcn.layers.activation import ReLU
from minifcn.layers.conv import Conv2d
from minifcn.layers.module import Layer


def run(layers: Sequence[Layer], x: Array) -> Array:
    """x through layers in a row, a convolution and the in-place ReLU behind it in one pass over memory."""
    place = 0
    while place < len(layers):
        layer, *behind = layers[place : place + 2]
        if behind and _in_one_pass(layer, *behind):
            x = layer.forward_relu(x, *behind)
            place += 2
        else:
            x = layer(x)
            place += 1
    return x


def _in_one_pass(layer: Layer, behind: Layer) -> bool:
    """Whether the two are such a pair, and nobody watches one of them, by a ``forward`` put over the class's own."""
    pair = type(layer) is Conv2d and type(behind) is ReLU and behind.inplace
    return pair and not any("forward" in vars(one) for one in (layer, behind))


class Sequential(Layer):
    """One layer after the other; backward goes the other way. Layers are named "0", "1", ... or as the keywords say."""

    def __init__(self, *layers: Layer, **named: Layer) -> None:
        super().__init__()
        for name, layer in {**{str(i): layer for i, layer in enumerate(layers)}, **named}.items():
            if not isinstance(layer, Layer):
                raise TypeError(f"Sequential: {name} is a {type(layer).__name__}, not a Layer")
            setattr(self, name, layer)

    def forward(self, x: Array) -> Array:
        return run(list(self), x)

    def backward(self, dy: Array) -> Array | None:
        for layer in reversed(list(self)):
            dy = layer.backward(dy)
        return dy

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
