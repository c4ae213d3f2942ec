"""Resizing by nearest neighbour or by bilinear interpolation.

Both read each output row from fixed input rows with fixed weights, and columns likewise: a matrix a side
(:mod:`minifcn.functional.separable`). Pixels are little squares: output pixel i has its centre at (i + ½)·scale − ½ in input
coordinates, unless ``align_corners`` puts the centres of the corner pixels on top of each other.
"""

from __future__ import annotations

import numpy as np

from minifcn.backend import Array
from minifcn.functional import separable
from minifcn.functional.arguments import check_gradient, check_images
from minifcn.kernels.geometry import pair


def interpolate(
    x: Array, size: int | tuple[int, int] | None = None, scale_factor: float | tuple[float, float] | None = None,
    mode: str = "bilinear", align_corners: bool = False,
) -> tuple[Array, tuple]:  # fmt: skip
    """x (N, C, H, W) -> y (N, C, OH, OW) and the cache. Give either ``size`` = (OH, OW) or ``scale_factor``.

    ``mode`` is "bilinear" or "nearest" (``torch.nn.functional.interpolate``'s, whose default is "nearest"). By ``scale_factor``
    OH = floor(H·factor). Output pixel i reads its input at (i + ½)·s − ½, where s is H / OH, or 1 / factor if that was given;
    with ``align_corners`` at i·(H − 1) / (OH − 1), so that the outermost pixels meet. "nearest" reads pixel floor(i·s).

    Raises TypeError unless x is floating, ValueError when sizes or options do not fit. Source: PyTorch's interpolate.
    """
    check_images("interpolate", x)
    if (size is None) == (scale_factor is None):
        raise ValueError(
            f"interpolate: give size or scale_factor, one of the two; got size={size}, scale_factor={scale_factor}"
        )
    if mode not in ("bilinear", "nearest"):
        raise ValueError(f"interpolate: mode={mode!r}; possible are 'bilinear' and 'nearest'")
    if mode == "nearest" and align_corners:
        raise ValueError("interpolate: align_corners applies to mode='bilinear' only")
    recipes = []
    for axis, n_in in enumerate(x.shape[2:]):
        if size is not None:
            n_out = pair(size, "size", 1)[axis]
            scale = n_in / n_out
        elif scale_factor is not None:
            factor = scale_factor[axis] if isinstance(scale_factor, (tuple, list)) else scale_factor
            n_out = int(np.floor(n_in * factor))
            if n_out < 1:
                raise ValueError(f"interpolate: scale_factor={scale_factor} makes an empty picture of {x.shape[2:]}")
            scale = 1 / factor
        recipes.append((_matrix, n_in, n_out, scale, mode, align_corners))
    y = separable.apply(x, *recipes)
    return y, (recipes, y.shape)


def interpolate_backward(dy: Array, cache: tuple) -> Array:
    """dy (N, C, OH, OW) -> dx (N, C, H, W)."""
    recipes, shape = cache
    check_gradient("interpolate_backward", dy, shape)
    return separable.apply_backward(dy, *recipes)


def _matrix(n_in: int, n_out: int, scale: float, mode: str, align_corners: bool) -> np.ndarray:
    """The (n_out, n_in) matrix whose row i holds the weights with which output i reads the inputs."""
    if n_out == n_in:
        return np.eye(n_in)  # a copy, even when scale_factor was not quite 1: PyTorch's rule
    out = np.arange(n_out)
    matrix = np.zeros((n_out, n_in))
    if mode == "nearest":
        if n_out == 2 * n_in:
            scale = 0.5  # likewise: a doubled size means a factor of exactly 2
        source = np.floor(out.astype(np.float32) * np.float32(scale)).astype(int)  # and rounds the scale to float32
        matrix[out, np.minimum(source, n_in - 1)] = 1
        return matrix
    if align_corners:
        source = out * ((n_in - 1) / (n_out - 1) if n_out > 1 else 0.0)
    else:
        source = np.maximum((out + 0.5) * scale - 0.5, 0)  # outside the first centre the border is repeated
    low = np.minimum(np.floor(source).astype(int), n_in - 1)
    fraction = source - low
    np.add.at(matrix, (out, low), 1 - fraction)
    np.add.at(matrix, (out, np.minimum(low + 1, n_in - 1)), fraction)
    return matrix
