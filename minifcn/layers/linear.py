"""The end of a classifier: feature maps laid out in one row, and fully connected layers."""

from __future__ import annotations

import numpy as np

from minifcn import functional as F
from minifcn.backend import Array
from minifcn.functional.arguments import check_integers
from minifcn.layers import initializers
from minifcn.layers.module import Layer, Parameter


class Flatten(Layer):
    """x (N, C, H, W) -> (N, C·H·W): the places in a picture become as many features."""

    def forward(self, x: Array) -> Array:
        self._push(x.shape)
        return x.reshape(x.shape[0], -1)  # (N, C·H·W)

    def backward(self, dy: Array) -> Array:
        return dy.reshape(self._pop())


class Linear(Layer):
    """x (..., in_features) -> y (..., out_features). Weight (O, C), He-initialised by ``rng``; bias zero.

    With ``needs_dx = False`` backward returns None and saves the work.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, rng: np.random.Generator | None = None) -> None:
        super().__init__()
        check_integers("Linear", in_features=in_features, out_features=out_features)
        if min(in_features, out_features) < 1:
            raise ValueError(f"Linear: in_features={in_features} and out_features={out_features} must be at least 1")
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(initializers.he_normal((out_features, in_features), rng))
        self.bias = Parameter(np.zeros(out_features, np.float32)) if bias else None

    def forward(self, x: Array) -> Array:
        y, cache = F.linear(x, self.weight.data, self.bias.data if self.bias else None)
        self._push(cache)
        return y

    def backward(self, dy: Array) -> Array | None:
        needs = self.needs_dx, self.weight.requires_grad, self.bias is not None and self.bias.requires_grad
        dx, dweight, dbias = F.linear_backward(dy, self._pop(), needs)
        self.weight.accumulate(dweight)
        if self.bias:
            self.bias.accumulate(dbias)
        return dx
