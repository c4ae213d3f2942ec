"""Linear maps that treat rows and columns alike: averages and interpolation are two small matrices.

    y = A · x · Bᵀ      for each channel, with A (OH, H) and B (OW, W)

so the gradient needs no thought: dx = Aᵀ · dy · B.
"""

from __future__ import annotations

import numpy as np

from minifcn.backend import Array, device_of, to_device


def apply(x: Array, rows: np.ndarray, columns: np.ndarray) -> Array:
    """x (N, C, H, W), rows (OH, H), columns (OW, W) -> (N, C, OH, OW). The smaller result first: it costs less."""
    rows = to_device(rows.astype(x.dtype), device_of(x))
    columns = to_device(columns.astype(x.dtype), device_of(x))
    if rows.shape[0] <= rows.shape[1]:
        return (rows @ x) @ columns.T  # (N, C, OH, W) -> (N, C, OH, OW)
    return rows @ (x @ columns.T)  # (N, C, H, OW) -> (N, C, OH, OW)


def apply_backward(dy: Array, rows: np.ndarray, columns: np.ndarray) -> Array:
    """dy (N, C, OH, OW) -> dx (N, C, H, W): the same maps, transposed."""
    return apply(dy, rows.T, columns.T)
