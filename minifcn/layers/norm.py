"""Batch normalisation and local response normalisation as layers."""

from __future__ import annotations

import numpy as np

from minifcn import functional as F
from minifcn.backend import Array
from minifcn.layers.coordinates import Map
from minifcn.layers.module import Layer, Parameter


class BatchNorm2d(Layer):
    """Normalises each of ``num_features`` channels; ``affine`` adds a learnt weight (ones) and bias (zeros)."""

    buffers = ("running_mean", "running_var")

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum, self.affine = num_features, eps, momentum, affine
        self.weight = Parameter(np.ones(num_features, np.float32)) if affine else None
        self.bias = Parameter(np.zeros(num_features, np.float32)) if affine else None
        self.running_mean = np.zeros(num_features, np.float32)
        self.running_var = np.ones(num_features, np.float32)

    def forward(self, x: Array) -> Array:
        weight, bias = (self.weight.data, self.bias.data) if self.weight and self.bias else (None, None)
        y, cache = F.batch_norm(x, self.running_mean, self.running_var, weight, bias, self.training, self.momentum, self.eps)
        self._push(cache)
        return y

    def backward(self, dy: Array) -> Array | None:
        learns = (self.weight.requires_grad, self.bias.requires_grad) if self.weight and self.bias else (False, False)
        dx, dweight, dbias = F.batch_norm_backward(dy, self._pop(), (self.needs_dx, *learns))
        if self.weight and self.bias:
            self.weight.accumulate(dweight)
            self.bias.accumulate(dbias)
        return dx

    def coordinates(self, axis: int) -> Map:
        return Map()


class LocalResponseNorm(Layer):
    """Divides each value by the strength of the ``size`` channels around its own (Krizhevsky et al. 2012, section 3.3)."""

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, x: Array) -> Array:
        y, cache = F.local_response_norm(x, self.size, self.alpha, self.beta, self.k)
        self._push(cache)
        return y

    def backward(self, dy: Array) -> Array:
        return F.local_response_norm_backward(dy, self._pop())

    def coordinates(self, axis: int) -> Map:
        return Map()
