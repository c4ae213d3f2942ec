"""Linear maps that treat rows and columns alike: averages and interpolation are two small matrices.

    y = A · x · Bᵀ      for each channel, with A (OH, H) and B (OW, W)

so the gradient needs no thought: dx = Aᵀ · dy · B.

A matrix is given by its recipe, the function that makes it and that function's arguments. So it can be made, and brought to a
GPU, once for all steps.
"""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

import numpy as np

from minifcn import kernels
from minifcn.backend import Array, get_xp

Recipe = tuple[Any, ...]  # (function, *its arguments), all hashable; the function gives a NumPy matrix


def apply(x: Array, rows: Recipe, columns: Recipe) -> Array:
    """x (N, C, H, W), rows of A (OH, H), columns of B (OW, W) -> (N, C, OH, OW)."""
    return _apply(x, _matrix_for(x, rows), _matrix_for(x, columns))


def apply_backward(dy: Array, rows: Recipe, columns: Recipe) -> Array:
    """dy (N, C, OH, OW) -> dx (N, C, H, W): the same maps, transposed."""
    return _apply(dy, _matrix_for(dy, rows).T, _matrix_for(dy, columns).T)


@kernels.accelerated("separable")
def _apply(x: Array, A: Array, B: Array) -> Array:
    """A · x · Bᵀ, the smaller result first: it costs less."""
    if A.shape[0] <= A.shape[1]:
        return (A @ x) @ B.T  # (N, C, OH, W) -> (N, C, OH, OW)
    return A @ (x @ B.T)  # (N, C, H, OW) -> (N, C, OH, OW)


def _matrix_for(x: Array, recipe: Recipe) -> Array:
    """The recipe's matrix, where x is and of its dtype."""
    xp = get_xp(x)
    if xp is not np and not hasattr(xp, "cuda"):
        xp = np  # a stand-in: the matrix is small, and real
    return _matrix(xp, 0 if xp is np else xp.cuda.Device().id, x.dtype, recipe)


@functools.lru_cache(maxsize=64)
def _matrix(xp: ModuleType, device: int, dtype: np.dtype, recipe: Recipe) -> Array:
    """Made and uploaded once a recipe, not once a step."""
    make, *arguments = recipe
    return xp.asarray(make(*arguments).astype(dtype))
