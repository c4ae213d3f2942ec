"""Dropout: in training each element is set to zero with probability p, and the rest is scaled up by 1 / (1 − p).

The scaling keeps the expected value, so that evaluation needs no change at all. Elements are dropped one by one (PyTorch's
``Dropout``), not whole channels (``Dropout2d``). The gradient passes through the same mask and scale.

Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014.
"""

from __future__ import annotations

import numpy as np

from minifcn.backend import Array, device_of, get_xp, to_device
from minifcn.functional.arguments import check_floating, check_gradient


def dropout(x: Array, p: float = 0.5, training: bool = True, rng: np.random.Generator | None = None) -> tuple[Array, tuple]:
    """x of any shape -> y of the same, and the cache. ``rng`` makes it reproducible.

    The mask is drawn on the host, also for a GPU: one seed gives one mask on both. Raises ValueError unless 0 <= p <= 1.
    """
    check_floating("dropout", x=x)
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p={p} must be a probability, from 0 (keep all) to 1 (drop all)")
    if not training or p == 0:
        return x, (x.shape, None, 1.0)
    kept = (rng or np.random.default_rng()).random(x.shape, dtype=np.float32) >= p
    kept = to_device(kept, device_of(x))
    scale = x.dtype.type(1 / (1 - p) if p < 1 else 0)
    return _masked(x, kept, scale), (x.shape, kept, scale)


def dropout_backward(dy: Array, cache: tuple) -> Array:
    """dy -> dx: what was dropped gets 0, what was kept gets dy / (1 − p)."""
    shape, kept, scale = cache
    check_gradient("dropout_backward", dy, shape)
    return dy if kept is None else _masked(dy, kept, scale)


def _masked(values: Array, kept: Array, scale: np.floating) -> Array:
    """values·scale where kept, exactly 0 elsewhere (also where values are infinite)."""
    return get_xp(values).where(kept, values, values.dtype.type(0)) * scale
