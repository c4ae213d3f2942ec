"""Rung `loops`: the definition. Seven nested loops, one multiply-add in the middle. Every other rung is held to it.

Cost: N*O*OH*OW * C/G*KH*KW multiply-adds, and as many turns of a Python loop: about two million a second, so only for
tiny arrays. It needs no memory but its result.

Run it: `minifcn bench ladder`, or `with kernels.using("loops"): ...`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minifcn.kernels.geometry import Geometry


def covers(geometry: Geometry, dtype: Any) -> bool:
    """Everything."""
    return True


def forward(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, geometry: Geometry) -> np.ndarray:
    """y[n,o,oh,ow] = bias[o] + sum over c,kh,kw of x[n, c, h, w] * weight[o, c, kh, kw]."""
    y = np.zeros(geometry.y_shape, x.dtype)
    for n, o, oh, ow, c, kh, kw, h, w in _products(geometry):
        y[n, o, oh, ow] += x[n, c, h, w] * weight[o, c % (geometry.C // geometry.G), kh, kw]
    return y if bias is None else y + bias[:, None, None]


def input_gradient(dy: np.ndarray, weight: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Each product x * weight of the forward sends dy * weight back to its x."""
    dx = np.zeros(geometry.x_shape, dy.dtype)
    for n, o, oh, ow, c, kh, kw, h, w in _products(geometry):
        dx[n, c, h, w] += dy[n, o, oh, ow] * weight[o, c % (geometry.C // geometry.G), kh, kw]
    return dx


def weight_gradient(x: np.ndarray, dy: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Each product x * weight of the forward sends dy * x back to its weight."""
    dweight = np.zeros(geometry.weight_shape, dy.dtype)
    for n, o, oh, ow, c, kh, kw, h, w in _products(geometry):
        dweight[o, c % (geometry.C // geometry.G), kh, kw] += dy[n, o, oh, ow] * x[n, c, h, w]
    return dweight


def _products(g: Geometry) -> Iterator[tuple[int, ...]]:
    """Every product of the convolution, as (n, o, oh, ow, c, kh, kw, h, w); those with padding (a zero) are left out."""
    for n in range(g.N):
        for o in range(g.O):
            group = o // (g.O // g.G)
            for oh in range(g.OH):
                for ow in range(g.OW):
                    for c in range(group * (g.C // g.G), (group + 1) * (g.C // g.G)):
                        for kh in range(g.KH):
                            for kw in range(g.KW):
                                h = oh * g.SH - g.PH + kh * g.DH
                                w = ow * g.SW - g.PW + kw * g.DW
                                if 0 <= h < g.H and 0 <= w < g.W:
                                    yield n, o, oh, ow, c, kh, kw, h, w
