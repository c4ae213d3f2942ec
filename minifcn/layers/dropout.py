"""Dropout as a layer."""

from __future__ import annotations

import numpy as np

from minifcn import functional as F
from minifcn.backend import Array
from minifcn.functional.arguments import check_probability
from minifcn.layers.coordinates import Map
from minifcn.layers.module import Layer


class Dropout(Layer):
    """In training sets each element to zero with probability p; in evaluation passes x through. See ``Layer.reseed``."""

    draws = True

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        check_probability("Dropout", p)
        self.p = p
        self.rng = np.random.default_rng()

    def forward(self, x: Array) -> Array:
        y, cache = F.dropout(x, self.p, self.training, self.rng)
        self._push(cache)
        return y

    def backward(self, dy: Array) -> Array:
        return F.dropout_backward(dy, self._pop())

    def coordinates(self, axis: int) -> Map:
        return Map()
