"""ReLU as a layer."""

from __future__ import annotations

from minifcn import functional as F
from minifcn.backend import Array
from minifcn.layers.module import Layer


class ReLU(Layer):
    """max(x, 0). ``inplace`` writes over the input: right after a convolution, which does not keep its output."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, x: Array) -> Array:
        y, cache = F.relu(x, self.inplace)
        self._push(cache)
        return y

    def backward(self, dy: Array) -> Array:
        return F.relu_backward(dy, self._pop())

    def options(self) -> str:
        return "inplace=True" if self.inplace else ""
