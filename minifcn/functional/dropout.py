"""Dropout: in training each element is set to zero with probability p, and the rest is scaled up by 1 / (1 − p).

The scaling keeps the expected value, so that evaluation needs no change at all. Elements are dropped one by one (PyTorch's
``Dropout``), not whole channels (``Dropout2d``). The gradient passes through the same mask and scale.

The mask is a function of its key, two numbers of 64 bits, and of nothing else:

    kept = np.random.Generator(np.random.Philox(key=key)).random(x.shape, dtype=np.float32) >= p

Philox scrambles a counter under that key, so any part of the mask can be drawn alone: by each thread of the CPU, and by a
kernel on a GPU (``kernels/cuda/dropout.cu``), in backward once more.

Sources: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014; Salmon et al., "Parallel
random numbers: as easy as 1, 2, 3", 2011.
"""

from __future__ import annotations

import math

import numpy as np

from minifcn import kernels
from minifcn.backend import Array, get_xp
from minifcn.functional.arguments import check_floating, check_gradient, check_probability, generator


def dropout(x: Array, p: float = 0.5, training: bool = True, rng: np.random.Generator | None = None) -> tuple[Array, tuple]:
    """x of any shape -> y of the same, and the cache. ``rng`` makes it reproducible.

    It gives the mask's key, on the host, also for a GPU: one seed gives one mask on both. Raises ValueError unless 0 <= p <= 1.
    """
    check_floating("dropout", x=x)
    check_probability("dropout", p)
    if not training or p == 0:
        return x, (x.shape, None, 1.0)
    key = generator(rng).integers(0, 2**64, 2, dtype=np.uint64)
    scale = x.dtype.type(1 / (1 - p) if p < 1 else 0)
    y, mask = _dropout(x, key, math.ceil(float(np.float32(p)) * 2**24), scale)
    return y, (x.shape, mask, scale)


def dropout_backward(dy: Array, cache: tuple) -> Array:
    """dy -> dx: what was dropped gets 0, what was kept gets dy / (1 − p)."""
    shape, mask, scale = cache
    check_gradient("dropout_backward", dy, shape)
    return dy if mask is None else _dropout_backward(dy, mask, scale)


@kernels.accelerated("dropout")
def _dropout(x: Array, key: np.ndarray, threshold: int, scale: np.floating) -> tuple[Array, Array]:
    """x -> y and the mask, a byte an element. (A GPU keeps what draws it again instead: the key and the threshold.)

    A random float32 of NumPy's is a multiple of 2⁻²⁴: it is >= p where it is >= ``threshold`` / 2²⁴, p rounded up to one.
    """
    uniform = np.random.Generator(np.random.Philox(key=key)).random(x.shape, dtype=np.float32)
    kept = get_xp(x).asarray(uniform >= threshold / 2**24)
    return _dropout_backward(x, kept, scale), kept


@kernels.accelerated("dropout_backward")
def _dropout_backward(dy: Array, kept: Array, scale: np.floating) -> Array:
    """dy, its mask -> dx. Zero, not times zero, where dropped: dy may be infinite there."""
    return get_xp(dy).where(kept, dy, dy.dtype.type(0)) * scale
