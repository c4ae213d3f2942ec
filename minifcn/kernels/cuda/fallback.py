"""Convolution by im2col and cuBLAS, for what the tensor-core kernels do not cover: float64, and GPUs before capability 8.0.

As the rung `im2col`, with the two copies written in CUDA (im2col.cu): one picture's columns at a time.
"""

from __future__ import annotations

from minifcn.backend import Array, get_xp
from minifcn.kernels.cuda.launch import blocks_for, c_type, launch
from minifcn.kernels.cuda.rest import channel_sum, relu_backward
from minifcn.kernels.geometry import Geometry


def forward(x: Array, weight: Array, bias: Array | None, geometry: Geometry, relu: bool = False) -> Array:
    """y (N, O, OH, OW) of x (N, C, H, W), weight (O, C/G, KH, KW), bias (O,) or None."""
    xp, g = get_xp(x), geometry
    matrix = weight.reshape(g.G, g.O // g.G, -1)  # (G, O/G, C/G·KH·KW)
    y = xp.empty((g.N, g.G, g.O // g.G, g.OH * g.OW), x.dtype)
    for n in range(g.N):
        y[n] = matrix @ im2col(x[n], g)  # (G, O/G, OH·OW)
    y = y.reshape(g.y_shape)  # (N, O, OH, OW)
    if bias is not None:
        y += bias[:, None, None]
    return xp.maximum(y, 0, out=y) if relu else y


def input_gradient(dy: Array, weight: Array, geometry: Geometry) -> Array:
    """dx (N, C, H, W) of dy (N, O, OH, OW), weight (O, C/G, KH, KW)."""
    xp, g = get_xp(dy), geometry
    matrix = weight.reshape(g.G, g.O // g.G, -1).transpose(0, 2, 1)  # (G, C/G·KH·KW, O/G)
    dy = dy.reshape(g.N, g.G, g.O // g.G, g.OH * g.OW)  # (N, G, O/G, OH·OW)
    dx = xp.empty(g.x_shape, dy.dtype)
    for n in range(g.N):
        col2im(matrix @ dy[n], dx[n], g)
    return dx


def weight_gradient(x: Array, dy: Array, geometry: Geometry) -> Array:
    """dweight (O, C/G, KH, KW) of x (N, C, H, W), dy (N, O, OH, OW)."""
    xp, g = get_xp(x), geometry
    dy = dy.reshape(g.N, g.G, g.O // g.G, g.OH * g.OW)  # (N, G, O/G, OH·OW)
    dweight = xp.zeros((g.G, g.O // g.G, g.C // g.G * g.KH * g.KW), dy.dtype)
    for n in range(g.N):
        dweight += dy[n] @ im2col(x[n], g).transpose(0, 2, 1)  # (G, O/G, C/G·KH·KW)
    return dweight.reshape(g.weight_shape)  # (O, C/G, KH, KW)


def gradients(x: Array, dy: Array, weight: Array, geometry: Geometry) -> tuple[Array, Array]:
    """dx and dweight."""
    return input_gradient(dy, weight, geometry), weight_gradient(x, dy, geometry)


def relu_gradients(
    x: Array, dy: Array, y: Array, weight: Array, geometry: Geometry, needs: tuple[bool, bool]
) -> tuple[Array | None, Array | None, Array]:
    """dx and dweight, each None unless it is in `needs`, and dbias, of max(y, 0) and its dy."""
    dy = relu_backward(dy, y)
    dx = input_gradient(dy, weight, geometry) if needs[0] else None
    return dx, weight_gradient(x, dy, geometry) if needs[1] else None, channel_sum(dy)


def im2col(picture: Array, geometry: Geometry) -> Array:
    """All windows of one picture (C, H, W) as the columns of a matrix for each group: (G, C/G·KH·KW, OH·OW)."""
    g = geometry
    columns = get_xp(picture).empty((g.G, g.C // g.G * g.KH * g.KW, g.OH * g.OW), picture.dtype)
    launch("im2col.cu", "im2col", blocks_for(columns.size), 256, (picture, columns, *_sizes(g)), REAL=c_type(picture.dtype))
    return columns


def col2im(columns: Array, dx: Array, geometry: Geometry) -> None:
    """The adjoint of `im2col`, written into one picture dx (C, H, W)."""
    g = geometry
    launch("im2col.cu", "col2im", blocks_for(dx.size), 256, (columns, dx, *_sizes(g)), REAL=c_type(dx.dtype))


def _sizes(g: Geometry) -> tuple[int, ...]:
    return g.C, g.H, g.W, g.KH, g.KW, g.OH, g.OW, g.SH, g.SW, g.PH, g.PW, g.DH, g.DW
