"""Layers made of layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import overload

from minifcn.backend import Array
from minifcn.layers.module import Layer


class Sequential(Layer):
    """One layer after the other; backward goes the other way. Layers are named "0", "1", ... or as the keywords say."""

    def __init__(self, *layers: Layer, **named: Layer) -> None:
        super().__init__()
        for name, layer in {**{str(i): layer for i, layer in enumerate(layers)}, **named}.items():
            if not isinstance(layer, Layer):
                raise TypeError(f"Sequential: {name} is a {type(layer).__name__}, not a Layer")
            setattr(self, name, layer)

    def forward(self, x: Array) -> Array:
        for layer in self:
            x = layer(x)
        return x

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
