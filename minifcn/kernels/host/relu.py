"""ReLU and its gradient, block by block."""

from __future__ import annotations

import numpy as np

from minifcn.kernels.threads import over_blocks


def relu(x: np.ndarray, inplace: bool) -> np.ndarray:
    """x of any shape -> max(x, 0), written over x if ``inplace``."""
    y = x if inplace else np.empty_like(x)
    over_blocks(lambda at: np.maximum(x[at], 0, out=y[at]), x, axes=range(x.ndim), size=1 << 18)
    return y


def relu_backward(dy: np.ndarray, y: np.ndarray, inplace: bool) -> np.ndarray:
    """dy where y > 0, else 0; written over dy if ``inplace``."""
    dx = dy if inplace else np.empty_like(dy)
    over_blocks(lambda at: np.multiply(dy[at], y[at] > 0, out=dx[at]), dy, axes=range(dy.ndim))
    return dx
