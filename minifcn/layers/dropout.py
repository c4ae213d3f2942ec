"""Dropout as a layer."""

from __future__ import annotations

import numpy as np

from minifcn import functional as F
from minifcn.backend import Array
from minifcn.layers.coordinates import Map
from minifcn.layers.module import Layer


class Dropout(Layer):
    """In training sets each element to zero with probability p; in evaluation passes x through. See ``Layer.reseed``."""

    draws = True

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"Dropout: p={p} must be a probability, from 0 (keep all) to 1 (drop all)")
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
