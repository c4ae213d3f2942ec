"""Rung `trimmed`: taps of a kernel that never meet the picture are not computed.

A dilated kernel may reach further than the picture is wide: DeepLab's 3x3 kernel of rate 36 on a feature map of 32 x 32 pixels
sees nothing but padding with eight of its nine taps. Without them it is a 1x1 convolution.

Cost: that of the convolution which is left, on whichever rung suits it.

NumPy and CuPy. Run it: `with kernels.using("trimmed"): ...`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from minifcn.backend import get_xp
from minifcn.kernels import select
from minifcn.kernels.geometry import Geometry


def covers(geometry: Geometry, dtype: Any) -> bool:
    """Kernels of stride 1 that lose as many taps on one side as on the other."""
    g = geometry
    rows, columns = _met(g.H, g.OH, g.KH, g.DH, g.PH), _met(g.W, g.OW, g.KW, g.DW, g.PW)
    loses = (rows.start, columns.start) != (0, 0)
    evenly = rows.start + rows.stop == g.KH and columns.start + columns.stop == g.KW
    return g.SH == g.SW == 1 and loses and evenly and rows.start < rows.stop and columns.start < columns.stop


def forward(x: Any, weight: Any, bias: Any, geometry: Geometry) -> Any:
    """y (N, O, OH, OW) of x (N, C, H, W), weight (O, C/G, KH, KW) and bias (O,) or None."""
    left, taps = _trimmed(geometry)
    return select.forward(x, get_xp(x).ascontiguousarray(weight[taps]), bias, left)


def input_gradient(dy: Any, weight: Any, geometry: Geometry) -> Any:
    """dx (N, C, H, W) of dy (N, O, OH, OW) and weight (O, C/G, KH, KW)."""
    left, taps = _trimmed(geometry)
    return select.input_gradient(dy, get_xp(dy).ascontiguousarray(weight[taps]), left)


def weight_gradient(x: Any, dy: Any, geometry: Geometry) -> Any:
    """dweight (O, C/G, KH, KW) of x (N, C, H, W) and dy (N, O, OH, OW): zero at the taps that meet nothing."""
    left, taps = _trimmed(geometry)
    dweight = get_xp(x).zeros(geometry.weight_shape, x.dtype)
    dweight[taps] = select.weight_gradient(x, dy, left)
    return dweight


def _trimmed(g: Geometry) -> tuple[Geometry, tuple[Any, ...]]:
    """What is left of a convolution; and which taps of its weight (O, C/G, KH, KW) these are."""
    rows, columns = _met(g.H, g.OH, g.KH, g.DH, g.PH), _met(g.W, g.OW, g.KW, g.DW, g.PW)
    KH, KW = rows.stop - rows.start, columns.stop - columns.start
    left = replace(
        g, KH=KH, KW=KW, PH=g.PH - g.DH * rows.start, PW=g.PW - g.DW * columns.start,
        DH=g.DH if KH > 1 else 1, DW=g.DW if KW > 1 else 1,
    )  # fmt: skip
    return left, (..., rows, columns)


def _met(size: int, outputs: int, kernel: int, dilation: int, padding: int) -> slice:
    """The taps k of one axis that meet a pixel: 0 <= o - padding + k*dilation < size for some output o."""
    met = [k for k in range(kernel) if -outputs < k * dilation - padding < size]
    return slice(met[0], met[-1] + 1) if met else slice(0, 0)
