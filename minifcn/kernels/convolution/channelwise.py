"""Weights that treat each channel by itself, and in it rows and columns by themselves, as FCN's fixed bilinear enlargements do.

    weight[o, c, kh, kw] = column[kh] · row[kw] where o = c, else 0:      y = Aᵀ · x · B      dx = A · dy · Bᵀ, of each channel

No rung of the ladder: `select` takes it for what the weight holds, and `kernels.using` cannot force it.

A (H, OH) has column[kh] at h = oh·SH − PH + kh·DH, B (W, OW) likewise the row. The forward of a transposed convolution is a
convolution's input gradient; so a deconvolution that an FCN leaves bilinear takes two small matrices here, and multiplies by
none of the weight's C − 1 zeros for each number.

No clock and no thread changes the choice, so a run that is resumed makes the same; a weight that is trained is another after
its first step, and the look at its first channel tells.

What is infinite or not a number in a channel spreads there to some 64 pixels around, here as in an interpolation.

Cost: some N·C·H·W·(64 + 64 / S) multiply-adds for N·C·O·OH·OW·KH·KW. NumPy only: to look at a weight makes a GPU wait.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minifcn.kernels.geometry import Geometry
from minifcn.kernels.host.relu import relu
from minifcn.kernels.host.separable import separable

OFFERS = ("forward", "forward_relu", "input_gradient")
Factors = tuple[np.ndarray, np.ndarray]  # column (KH,) and row (KW,), float64


_FEWEST = 24  # products in a number of the larger array; where there are fewer, the rung of the shape has less to do
_MOST = 1 << 22  # numbers of both matrices: 32 MB


def covers(geometry: Geometry) -> bool:
    """Convolutions with a stride that pass over no pixel and may have such weights; where two matrices are less work, and
    little memory.
    """
    g = geometry
    enlarges = 2 <= g.SH <= g.KH and 2 <= g.SW <= g.KW and g.C == g.O and g.G == 1
    return enlarges and g.C * g.KH * g.KW >= _FEWEST * g.SH * g.SW and g.H * g.OH + g.W * g.OW <= _MOST


def factors(weight: np.ndarray, geometry: Geometry) -> Factors | None:
    """The column and the row whose product each channel's kernel is to the last bits, or None for any other weight."""
    if not covers(geometry) or weight[0, 1:].any():
        return None
    own = np.einsum("cchw->chw", weight)  # (C, KH, KW): each channel to itself
    if np.count_nonzero(weight) != np.count_nonzero(own) or (own != own[0]).any():
        return None
    kernel = own[0].astype(np.float64)
    kh, kw = np.unravel_index(np.abs(kernel).argmax(), kernel.shape)
    root = math.sqrt(abs(kernel[kh, kw]))  # of a kernel that is a column times itself, the column's own number
    if not 0 < root < math.inf:
        return None
    column, row = kernel[:, kw] / math.copysign(root, kernel[kh, kw]), kernel[kh] / root
    with np.errstate(all="ignore"):  # numbers that are far apart do not pass anyway
        product = np.outer(*(factor.astype(weight.dtype).astype(np.longdouble) for factor in (column, row)))
        rounding = 4 * np.finfo(weight.dtype).eps * np.abs(own[0])
        return (column, row) if (np.abs(product - own[0]) <= rounding).all() else None


def forward(x: np.ndarray, column: np.ndarray, row: np.ndarray, bias: Any, geometry: Geometry) -> np.ndarray:
    """y (N, C, OH, OW) of x (N, C, H, W), the weight's factors and bias (C,) or None."""
    A, B = _matrices(column, row, geometry, x.dtype)
    y = separable(x, A.T, B.T)
    return y if bias is None else np.add(y, bias[:, None, None], out=y)


def forward_relu(x: np.ndarray, column: np.ndarray, row: np.ndarray, bias: Any, geometry: Geometry) -> np.ndarray:
    """max(forward, 0)."""
    return relu(forward(x, column, row, bias, geometry), inplace=True)


def input_gradient(dy: np.ndarray, column: np.ndarray, row: np.ndarray, geometry: Geometry) -> np.ndarray:
    """dx (N, C, H, W) of dy (N, C, OH, OW) and the weight's factors."""
    return separable(dy, *_matrices(column, row, geometry, dy.dtype))


def _matrices(column: np.ndarray, row: np.ndarray, g: Geometry, dtype: Any) -> tuple[np.ndarray, np.ndarray]:
    """A (H, OH) and B (W, OW)."""
    A = _matrix(column, g.H, g.OH, g.SH, g.PH, g.DH)
    return A.astype(dtype), _matrix(row, g.W, g.OW, g.SW, g.PW, g.DW).astype(dtype)


def _matrix(taps: np.ndarray, size: int, windows: int, S: int, P: int, D: int) -> np.ndarray:
    """(size, windows): tap k at pixel o·S − P + k·D of window o, where there is one."""
    pixels = np.arange(windows) * S - P + np.arange(len(taps))[:, None] * D  # (K, windows)
    k, o = np.nonzero((pixels >= 0) & (pixels < size))
    matrix = np.zeros((size, windows))
    matrix[pixels[k, o], o] = taps[k]
    return matrix
