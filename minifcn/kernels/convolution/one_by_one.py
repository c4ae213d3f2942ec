"""Rung `one_by_one`: a 1x1 convolution needs no unfolding. Each pixel is a vector of channels, the weight a matrix.

    y = weight @ x        dx = weight^T @ dy        dweight = dy @ x^T, summed over the batch

Cost: N*O*C*H*W multiply-adds, and no memory beyond the result; small pictures of a batch are laid side by side first,
so that the weights are read once and not once a picture.

NumPy and CuPy. Run it: `minifcn bench ladder`, or `with kernels.using("one_by_one"): ...`.
"""

from __future__ import annotations

from typing import Any

from minifcn.backend import get_xp
from minifcn.kernels.convolution.cuts import even_parts, length
from minifcn.kernels.geometry import Geometry
from minifcn.kernels.threads import matmul

_SMALL = 1024  # pixels of a picture up to which several are multiplied at once
_MEMORY = 16 << 20  # and the bytes that they may take side by side


def covers(geometry: Geometry, dtype: Any) -> bool:
    """1x1 kernels of stride 1, without padding or groups."""
    g = geometry
    return (g.KH, g.KW, g.SH, g.SW, g.PH, g.PW, g.G) == (1, 1, 1, 1, 0, 0, 1)


def forward(x: Any, weight: Any, bias: Any, geometry: Geometry) -> Any:
    """y (N, O, H, W) of x (N, C, H, W), weight (O, C, 1, 1) and bias (O,) or None."""
    y = _product(weight[:, :, 0, 0], x, geometry)  # (O, C) @ (C, pixels)
    if bias is not None:
        y += bias[:, None, None]
    return y


def input_gradient(dy: Any, weight: Any, geometry: Geometry) -> Any:
    """dx (N, C, H, W) of dy (N, O, H, W) and weight (O, C, 1, 1)."""
    return _product(weight[:, :, 0, 0].T, dy, geometry)  # (C, O) @ (O, pixels)


def weight_gradient(x: Any, dy: Any, geometry: Geometry) -> Any:
    """dweight (O, C, 1, 1) of x (N, C, H, W) and dy (N, O, H, W)."""
    g = geometry
    dweight: Any = None
    for pictures in _together(g, x.dtype.itemsize):
        # (O, C) = (O, pixels) @ (pixels, C)
        product = matmul(_side_by_side(dy[pictures]), _side_by_side(x[pictures]).T)
        dweight = product if dweight is None else dweight + product
    return dweight.reshape(g.weight_shape)


def _product(matrix: Any, x: Any, g: Geometry) -> Any:
    """matrix (B, A) @ each pixel of x (N, A, H, W): (N, B, H, W)."""
    B = matrix.shape[0]
    y = get_xp(x).empty((g.N, B, g.H, g.W), x.dtype)
    for pictures in _together(g, x.dtype.itemsize):
        if length(pictures) == 1:
            matmul(matrix, x[pictures.start].reshape(-1, g.H * g.W), out=y[pictures.start].reshape(B, -1))
        else:
            product = matmul(matrix, _side_by_side(x[pictures]))  # (B, N'·H·W)
            y[pictures] = product.reshape(B, -1, g.H, g.W).transpose(1, 0, 2, 3)
    return y


def _together(g: Geometry, itemsize: int) -> list[slice]:
    """The pictures of the batch in parts that are multiplied at once."""
    most = _MEMORY // ((g.C + g.O) * g.H * g.W * itemsize) if g.H * g.W <= _SMALL else 1
    return even_parts(g.N, max(1, most))


def _side_by_side(x: Any) -> Any:
    """x (N, A, H, W) as a matrix (A, N·H·W): a view of one picture, a copy of several."""
    return x.transpose(1, 0, 2, 3).reshape(x.shape[1], -1)
