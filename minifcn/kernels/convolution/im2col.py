"""Rung `im2col`: every window of the input becomes a column of one matrix, and the convolution one matrix product.

    columns[g, (c, kh, kw), (oh, ow)] = x[g*C/G + c, oh*SH - PH + kh*DH, ow*SW - PW + kw*DW]

    forward           y       = weight   @ columns     (O/G, OH·OW) = (O/G, C/G·KH·KW) @ (C/G·KH·KW, OH·OW)
    weight_gradient   dweight = dy       @ columns^T   summed over the batch
    input_gradient    columns = weight^T @ dy          then col2im: each number is added to the pixel that it came from

Cost: the multiply-adds of `loops`, at the speed of BLAS. Memory: C*KH*KW*OH*OW numbers a picture, KH*KW/(SH*SW) times
the input: 0.9 GB for VGG's second layer on one 375x500 picture. The rung `strips` is the answer to that.

NumPy and CuPy. Run it: `minifcn bench ladder`, or `with kernels.using("im2col"): ...`.
"""

from __future__ import annotations

from typing import Any

from minifcn.backend import get_xp
from minifcn.kernels.convolution.windows import add_windows, read, windows
from minifcn.kernels.geometry import Geometry
from minifcn.kernels.threads import matmul


def covers(geometry: Geometry, dtype: Any) -> bool:
    """Everything."""
    return True


def forward(x: Any, weight: Any, bias: Any, geometry: Geometry) -> Any:
    """y (N, O, OH, OW) of x (N, C, H, W), weight (O, C/G, KH, KW) and bias (O,) or None."""
    g = geometry
    matrix = weight.reshape(g.G, g.O // g.G, -1)  # (G, O/G, C/G·KH·KW)
    y = get_xp(x).empty((g.N, g.G, g.O // g.G, g.OH * g.OW), x.dtype)
    for n in range(g.N):
        columns = im2col(x[n], g)  # (G, C/G·KH·KW, OH·OW)
        for group in range(g.G):
            # (O/G, OH·OW) = (O/G, C/G·KH·KW) @ (C/G·KH·KW, OH·OW)
            matmul(matrix[group], columns[group], out=y[n, group])
    y = y.reshape(g.y_shape)  # (N, O, OH, OW)
    if bias is not None:
        y += bias[:, None, None]
    return y


def input_gradient(dy: Any, weight: Any, geometry: Geometry) -> Any:
    """dx (N, C, H, W) of dy (N, O, OH, OW) and weight (O, C/G, KH, KW)."""
    xp, g = get_xp(dy), geometry
    matrix = weight.reshape(g.G, g.O // g.G, -1)  # (G, O/G, C/G·KH·KW)
    dy = dy.reshape(g.N, g.G, g.O // g.G, g.OH * g.OW)  # (N, G, O/G, OH·OW)
    columns = xp.empty((g.G, g.C // g.G * g.KH * g.KW, g.OH * g.OW), dy.dtype)
    dx = xp.empty(g.x_shape, dy.dtype)
    for n in range(g.N):
        for group in range(g.G):
            # (C/G·KH·KW, OH·OW) = (C/G·KH·KW, O/G) @ (O/G, OH·OW)
            matmul(matrix[group].T, dy[n, group], out=columns[group])
        dx[n] = col2im(columns, g)
    return dx


def weight_gradient(x: Any, dy: Any, geometry: Geometry) -> Any:
    """dweight (O, C/G, KH, KW) of x (N, C, H, W) and dy (N, O, OH, OW)."""
    g = geometry
    dy = dy.reshape(g.N, g.G, g.O // g.G, g.OH * g.OW)  # (N, G, O/G, OH·OW)
    dweight = get_xp(x).zeros((g.G, g.O // g.G, g.C // g.G * g.KH * g.KW), dy.dtype)
    for n in range(g.N):
        columns = im2col(x[n], g)  # (G, C/G·KH·KW, OH·OW)
        for group in range(g.G):
            # (O/G, C/G·KH·KW) = (O/G, OH·OW) @ (OH·OW, C/G·KH·KW)
            dweight[group] += matmul(dy[n, group], columns[group].T)
    return dweight.reshape(g.weight_shape)  # (O, C/G, KH, KW)


def im2col(picture: Any, geometry: Geometry) -> Any:
    """All windows of one picture (C, H, W) as the columns of a matrix for each group: (G, C/G·KH·KW, OH·OW)."""
    g = geometry
    padded = get_xp(picture).empty((g.C, 1, g.H + 2 * g.PH, g.W + 2 * g.PW), picture.dtype)
    read(picture[:, None], -g.PH, -g.PW, padded)
    view = windows(padded, g, g.OH, g.OW)  # (C, KH, KW, 1, OH, OW): no number has been copied yet
    return view.reshape(g.G, g.C // g.G * g.KH * g.KW, g.OH * g.OW)  # here all of them are, KH·KW times


def col2im(columns: Any, geometry: Geometry) -> Any:
    """The adjoint (not the inverse) of `im2col`: adds (G, C/G·KH·KW, OH·OW) up into one picture (C, H, W)."""
    g = geometry
    padded = get_xp(columns).zeros((g.C, 1, g.H + 2 * g.PH, g.W + 2 * g.PW), columns.dtype)
    add_windows(columns.reshape(g.C, g.KH, g.KW, 1, g.OH, g.OW), padded, g)
    return padded[:, 0, g.PH : g.PH + g.H, g.PW : g.PW + g.W]
