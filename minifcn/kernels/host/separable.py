"""Linear maps along rows and columns, planes by planes."""

from __future__ import annotations

import numpy as np

from minifcn.kernels.threads import over_blocks


def separable(x: np.ndarray, A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """A · x · Bᵀ, x (N, C, H, W) -> (N, C, OH, OW); BLAS's own threads would make the bits depend on their number."""
    y = np.empty((*x.shape[:2], A.shape[0], B.shape[0]), x.dtype)

    def planes(at: tuple[slice, ...]) -> None:
        y[at] = (A @ x[at]) @ B.T if A.shape[0] <= A.shape[1] else A @ (x[at] @ B.T)  # the smaller result first

    over_blocks(planes, x)
    return y
