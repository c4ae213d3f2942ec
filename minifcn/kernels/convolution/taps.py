"""Rung `taps`: a KH x KW convolution is the sum of KH*KW shifted 1x1 convolutions, each one matrix product.

    y[oh, ow] = sum over (kh, kw) of weight[:, :, kh, kw] @ x[:, oh*SH - PH + kh*DH, ow*SW - PW + kw*DW]

Cost: the multiply-adds of `loops` in KH*KW products whose inner side is only C/G, and KH*KW passes over y. Memory: one
shifted copy of the input at a time, where `im2col` keeps KH*KW of them.

NumPy and CuPy. Run it: `minifcn bench ladder`, or `with kernels.using("taps"): ...`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from minifcn.backend import get_xp
from minifcn.kernels.convolution.windows import read, windows
from minifcn.kernels.geometry import Geometry
from minifcn.kernels.threads import matmul


def covers(geometry: Geometry, dtype: Any) -> bool:
    """Everything."""
    return True


def forward(x: Any, weight: Any, bias: Any, geometry: Geometry) -> Any:
    """y (N, O, OH, OW) of x (N, C, H, W), weight (O, C/G, KH, KW) and bias (O,) or None."""
    g = geometry
    y = get_xp(x).zeros((g.N, g.G, g.O // g.G, g.OH * g.OW), x.dtype)
    for n in range(g.N):
        view = windows(_padded(x[n], g), g, g.OH, g.OW)  # (C, KH, KW, 1, OH, OW)
        for kh, kw in _taps(g):
            shifted = view[:, kh, kw].reshape(g.G, g.C // g.G, g.OH * g.OW)  # (G, C/G, OH·OW)
            for group, matrix in enumerate(_by_group(weight[:, :, kh, kw], g)):
                y[n, group] += matmul(matrix, shifted[group])  # (O/G, OH·OW) = (O/G, C/G) @ (C/G, OH·OW)
    y = y.reshape(g.y_shape)
    if bias is not None:
        y += bias[:, None, None]
    return y


def input_gradient(dy: Any, weight: Any, geometry: Geometry) -> Any:
    """dx (N, C, H, W) of dy (N, O, OH, OW) and weight (O, C/G, KH, KW)."""
    xp, g = get_xp(dy), geometry
    dy = dy.reshape(g.N, g.G, g.O // g.G, g.OH * g.OW)  # (N, G, O/G, OH·OW)
    dx = xp.empty(g.x_shape, dy.dtype)
    for n in range(g.N):
        padded = xp.zeros((g.C, 1, g.H + 2 * g.PH, g.W + 2 * g.PW), dy.dtype)
        places = windows(padded, g, g.OH, g.OW)[:, :, :, 0]  # (C, KH, KW, OH, OW): a view, adding to it adds to padded
        for kh, kw in _taps(g):
            for group, matrix in enumerate(_by_group(weight[:, :, kh, kw], g)):
                # (C/G, OH·OW) = (C/G, O/G) @ (O/G, OH·OW)
                part = slice(group * (g.C // g.G), (group + 1) * (g.C // g.G))
                places[part, kh, kw] += matmul(matrix.T, dy[n, group]).reshape(-1, g.OH, g.OW)
        dx[n] = padded[:, 0, g.PH : g.PH + g.H, g.PW : g.PW + g.W]
    return dx


def weight_gradient(x: Any, dy: Any, geometry: Geometry) -> Any:
    """dweight (O, C/G, KH, KW) of x (N, C, H, W) and dy (N, O, OH, OW)."""
    g = geometry
    dy = dy.reshape(g.N, g.G, g.O // g.G, g.OH * g.OW)  # (N, G, O/G, OH·OW)
    dweight = get_xp(x).zeros(g.weight_shape, dy.dtype)
    for n in range(g.N):
        view = windows(_padded(x[n], g), g, g.OH, g.OW)  # (C, KH, KW, 1, OH, OW)
        for kh, kw in _taps(g):
            shifted = view[:, kh, kw].reshape(g.G, g.C // g.G, g.OH * g.OW)  # (G, C/G, OH·OW)
            for group, matrix in enumerate(_by_group(dweight[:, :, kh, kw], g)):
                matrix += matmul(dy[n, group], shifted[group].T)  # (O/G, C/G) += (O/G, OH·OW) @ (OH·OW, C/G)
    return dweight


def _taps(g: Geometry) -> Iterator[tuple[int, int]]:
    return ((kh, kw) for kh in range(g.KH) for kw in range(g.KW))


def _by_group(tap: Any, g: Geometry) -> list[Any]:
    """One tap (O, C/G) of the weight, cut into a view (O/G, C/G) for each group."""
    O = g.O // g.G
    return [tap[group * O : (group + 1) * O] for group in range(g.G)]


def _padded(picture: Any, g: Geometry) -> Any:
    """A picture (C, H, W) with its padding: (C, 1, H + 2PH, W + 2PW)."""
    padded = get_xp(picture).empty((g.C, 1, g.H + 2 * g.PH, g.W + 2 * g.PW), picture.dtype)
    read(picture[:, None], -g.PH, -g.PW, padded)
    return padded
