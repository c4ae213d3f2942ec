"""Batch normalisation and local response normalisation as layers."""

from __future__ import annotations

import numpy as np

from minifcn import functional as F
from minifcn.backend import Array, get_xp
from minifcn.functional.batch_norm import Gather
from minifcn.layers.coordinates import Map
from minifcn.layers.module import Layer, Parameter


class BatchNorm2d(Layer):
    """Normalises each of ``num_features`` channels; ``affine`` adds a learnt weight (ones) and bias (zeros).

    For processes that share the work there are two switches. ``gather``, where it is set, makes a training forward and its
    backward take the statistics of all processes' batches, see :func:`minifcn.functional.batch_norm`. ``moves``, where it is a
    list, collects what a training forward would have added to (running_mean, running_var); :meth:`move` adds it later.
    """

    buffers = ("running_mean", "running_var")
    gather: Gather | None = None
    moves: list[tuple[Array, Array]] | None = None

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum, self.affine = num_features, eps, momentum, affine
        self.weight = Parameter(np.ones(num_features, np.float32)) if affine else None
        self.bias = Parameter(np.zeros(num_features, np.float32)) if affine else None
        self.running_mean = np.zeros(num_features, np.float32)
        self.running_var = np.ones(num_features, np.float32)

    def forward(self, x: Array) -> Array:
        mean, var, weight, bias = self.constants()
        if self.training and self.moves is not None and self.gather is None:
            mean, var = get_xp(x).zeros_like(mean), get_xp(x).zeros_like(var)  # moved from 0: the move itself
            self.moves.append((mean, var))
        y, cache = F.batch_norm(x, mean, var, weight, bias, self.training, self.momentum, self.eps, self.gather)
        self._push(cache)
        return y

    def constants(self) -> tuple[Array, Array, Array | None, Array | None]:
        """What evaluation works with: running mean and variance, weight and bias, (C,) each."""
        learnt = (self.weight.data, self.bias.data) if self.weight and self.bias else (None, None)
        return self.running_mean, self.running_var, *learnt

    def move(self, mean: Array, var: Array) -> None:
        """Moves the running statistics (C,) as a training forward does whose share of them is ``mean`` and ``var`` (C,)."""
        for running, share in ((self.running_mean, mean), (self.running_var, var)):
            running *= 1 - self.momentum
            running += get_xp(running).asarray(share)

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
