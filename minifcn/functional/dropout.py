"""Dropout: in training each element is set to zero with probability p, and the rest is scaled up by 1 / (1 − p).

The scaling keeps the expected value, so that evaluation needs no change at all. Elements are dropped one by one (PyTorch's
``Dropout``), not whole channels (``Dropout2d``). The gradient passes through the same mask and scale.

The mask is a function of its key, two numbers of 64 bits, and of nothing else:

    kept = np.random.Generator(np.random.Philox(key=key)).random(x.shape, dtype=np.float32) >= p

Philox scrambles a counter under that key, so any part of the mask can be drawn alone: on the CPU each thread draws what it is
about to drop, and on a GPU a kernel draws the same mask (``kernels/cuda/dropout.cu``), in backward once more.

Sources: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014; Salmon et al., "Parallel
random numbers: as easy as 1, 2, 3", 2011.
"""

from __future__ import annotations

import math

import numpy as np

from minifcn import kernels
from minifcn.backend import Array
from minifcn.functional.arguments import check_floating, check_gradient

_CHUNK = 1 << 16  # elements that a thread takes at a time, few enough for its cache; a multiple of a counter's 8


def dropout(x: Array, p: float = 0.5, training: bool = True, rng: np.random.Generator | None = None) -> tuple[Array, tuple]:
    """x of any shape -> y of the same, and the cache. ``rng`` makes it reproducible.

    It gives the mask's key, on the host, also for a GPU: one seed gives one mask on both. Raises ValueError unless 0 <= p <= 1.
    """
    check_floating("dropout", x=x)
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p={p} must be a probability, from 0 (keep all) to 1 (drop all)")
    if not training or p == 0:
        return x, (x.shape, None, 1.0)
    key = (rng or np.random.default_rng()).integers(0, 2**64, 2, dtype=np.uint64)
    scale = x.dtype.type(1 / (1 - p) if p < 1 else 0)
    y, mask = _dropout(x, key, math.ceil(float(np.float32(p)) * 2**24), scale)
    return y, (x.shape, mask, scale)


def dropout_backward(dy: Array, cache: tuple) -> Array:
    """dy -> dx: what was dropped gets 0, what was kept gets dy / (1 − p)."""
    shape, mask, scale = cache
    check_gradient("dropout_backward", dy, shape)
    return dy if mask is None else _dropout_backward(dy, mask, scale)


@kernels.on_gpu("dropout")
def _dropout(x: Array, key: np.ndarray, threshold: int, scale: np.floating) -> tuple[Array, Array]:
    """x -> y and the mask, a byte an element. (A GPU keeps what draws it again instead: the key and the threshold.)"""
    kept = _draw(x.shape, key, threshold)
    return _masked(x, kept, scale), kept


@kernels.on_gpu("dropout_backward")
def _dropout_backward(dy: Array, kept: Array, scale: np.floating) -> Array:
    """dy, its mask -> dx."""
    return _masked(dy, kept, scale)


def _draw(shape: tuple[int, ...], key: np.ndarray, threshold: int) -> np.ndarray:
    """The mask of that shape, True where kept.

    A random float32 of NumPy's is k / 2²⁴, k the upper 24 of 32 bits; it is >= p where k >= threshold, p·2²⁴ rounded up.
    To ask it of k saves the conversion to float32, a third of the time.
    """
    kept = np.empty(shape, bool)
    flat = kept.reshape(-1)

    def draw(at: tuple[slice]) -> None:
        count, counter = flat[at].size, (at[0].start or 0) // 8
        words = np.random.Philox(key=key, counter=counter).random_raw(-(-count // 2))  # of 64 bits, four a counter
        halves = words.view(np.uint32)[:count]  # the low half of each comes first
        np.greater_equal(halves >> 8, threshold, out=flat[at])

    kernels.over_blocks(draw, flat, axes=(0,), size=_CHUNK)
    return kept


def _masked(values: Array, kept: np.ndarray, scale: np.floating) -> np.ndarray:
    """values·scale where kept, exactly 0 elsewhere (also where values are infinite), both of one shape.

    By their bits, & −1 or & 0: `np.where` branches on the mask, and a branch on random numbers costs ten times as much.
    """
    if values.itemsize > 8:  # long doubles: no integer is as wide
        return np.where(kept, values, values.dtype.type(0)) * scale
    results, bits = np.empty(values.shape, values.dtype), f"i{values.itemsize}"
    flat = [array.reshape(-1) for array in (values, kept, results)]

    def mask(at: tuple[slice]) -> None:
        value, keep, result = (array[at] for array in flat)
        np.bitwise_and(value.view(bits), -keep.view(np.int8), out=result.view(bits))
        np.multiply(result, scale, out=result)

    kernels.over_blocks(mask, flat[0], axes=(0,), size=_CHUNK)
    return results
