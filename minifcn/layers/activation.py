"""ReLU as a layer."""

from __future__ import annotations

from minifcn import functional as F
from minifcn.backend import Array
from minifcn.layers.coordinates import Map
from minifcn.layers.module import Layer


class ReLU(Layer):
    """max(x, 0). ``inplace`` writes y over x and dx over dy: right between layers that keep neither, as convolutions do."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, x: Array) -> Array:
        y, cache = F.relu(x, self.inplace)
        self._push(cache)
        return y

    def backward(self, dy: Array) -> Array:
        return F.relu_backward(dy, self._pop(), self.inplace)

    def coordinates(self, axis: int) -> Map:
        return Map()
