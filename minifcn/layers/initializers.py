"""First weights. Each draws float32 arrays from a NumPy generator, so one seed gives one network."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator

import numpy as np

from minifcn.functional.arguments import generator

_blank: contextvars.ContextVar[bool] = contextvars.ContextVar("minifcn_blank_weights", default=False)


@contextlib.contextmanager
def blank() -> Iterator[None]:
    """Inside of ``with initializers.blank():`` nothing is drawn: weights have their shape, are zero, cannot be written to and
    take no memory. For looking at a network that will not be run (``minifcn summary``)."""
    token = _blank.set(True)
    try:
        yield
    finally:
        _blank.reset(token)


def zeros(shape: tuple[int, ...]) -> np.ndarray:
    """All zero."""
    return np.broadcast_to(np.float32(0), shape) if _blank.get() else np.zeros(shape, np.float32)


def he_normal(shape: tuple[int, ...], rng: np.random.Generator | None = None, fan_in: int | None = None) -> np.ndarray:
    """Normal with variance 2 / fan_in: keeps the size of activations through ReLU layers (He et al. 2015, equation 10).

    ``fan_in``, the number of products in one output, is C·KH·KW for a weight (O, C, KH, KW) unless given.
    """
    fan_in = fan_in or int(np.prod(shape[1:]))
    return _normal(shape, rng, np.sqrt(2 / fan_in))


def xavier_uniform(shape: tuple[int, ...], rng: np.random.Generator | None = None) -> np.ndarray:
    """Uniform with variance 2 / (fan_in + fan_out), for a weight (O, C, KH, KW) (Glorot and Bengio 2010, equation 16)."""
    if _blank.get():
        return zeros(shape)
    taps = int(np.prod(shape[2:]))
    limit = np.sqrt(6 / (taps * (shape[0] + shape[1])))
    return generator(rng).uniform(-limit, limit, shape).astype(np.float32)


def _normal(shape: tuple[int, ...], rng: np.random.Generator | None, std: float) -> np.ndarray:
    if _blank.get():
        return zeros(shape)
    values = generator(rng).standard_normal(shape, dtype=np.float32)
    values *= np.float32(std)
    return values


def bilinear(channels: int, kernel_size: int) -> np.ndarray:
    """(channels, channels, K, K): a transposed convolution that interpolates each channel by itself.

    w[i, j] = (1 − |i − c| / f)(1 − |j − c| / f), f = (K + 1) // 2, c = f − 1 for an odd K and f − ½ for an even one
    (Long, Shelhamer and Darrell 2015, section 3.3; Caffe's BilinearFiller and the authors' surgery.py).
    """
    f = (kernel_size + 1) // 2
    centre = f - 1 if kernel_size % 2 else f - 0.5
    ramp = 1 - np.abs(np.arange(kernel_size) - centre) / f  # (K,)
    weight = np.zeros((channels, channels, kernel_size, kernel_size), np.float32)
    weight[range(channels), range(channels)] = np.outer(ramp, ramp)
    return weight
