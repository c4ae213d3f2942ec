"""Linear maps along rows and columns, planes by planes.

The matrices of an average or an interpolation are bands: an output reads its neighbours alone. So outputs are taken some at a
time, with the inputs between the first and the last of which one of them reads.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minifcn.kernels.scratch import workspace
from minifcn.kernels.threads import BLOCK, over_blocks

_LONG = 64  # numbers on the longer side of a piece of a matrix: fewer cost more calls than they save products


def separable(x: np.ndarray, A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """A · x · Bᵀ, x (N, C, H, W) -> (N, C, OH, OW); BLAS's own threads would make the bits depend on their number."""
    (N, C, H, W), (OH, OW) = x.shape, (len(A), len(B))
    y = np.empty((N, C, OH, OW), x.dtype)
    rows, columns = _pieces(A), _pieces(B)

    def down(x: np.ndarray, out: np.ndarray) -> None:
        for outputs, inputs in rows:
            np.matmul(A[outputs, inputs], x[:, :, inputs], out=out[:, :, outputs])

    def across(x: np.ndarray, out: np.ndarray) -> None:
        x, out = x.reshape(-1, W), out.reshape(-1, OW)  # all rows of all planes
        for outputs, inputs in columns:
            np.matmul(x[:, inputs], B[outputs, inputs].T, out=out[:, outputs])

    def planes(at: tuple[slice, ...]) -> None:
        with workspace(x.dtype) as new:
            if OH <= H:  # the smaller result first
                half = new(*x[at].shape[:2], OH, W)
                down(x[at], half)
                across(half, y[at])
            else:
                half = new(*x[at].shape[:2], H, OW)
                across(x[at], half)
                down(half, y[at])

    plane, half = max(1, H * W, OH * OW), OH * W if OH <= H else H * OW
    over_blocks(planes, y if y.size > x.size else x, memory=max(1, BLOCK // plane) * half * x.itemsize)
    return y


def _pieces(matrix: np.ndarray) -> list[tuple[slice, slice]]:
    """Outputs (rows of the matrix), and the inputs (columns) that they read."""
    outputs, inputs = matrix.shape
    if max(outputs, inputs) <= _LONG:
        return [(slice(None), slice(None))]
    step = max(8, min(_LONG, _LONG * outputs // inputs))
    return [(slice(start, start + step), _reach(matrix[start : start + step])) for start in range(0, outputs, step)]


def _reach(matrix: Any) -> slice:
    """From the first column that is not all zero to the last."""
    read = np.flatnonzero(matrix.any(axis=0))
    return slice(int(read[0]), int(read[-1]) + 1) if read.size else slice(0, 1)
