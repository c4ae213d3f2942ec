"""Rung `zero_insertion`: the definition of the transposed convolution, as slides draw it. Only an input gradient.

    1. spread: put SH - 1 zero rows and SW - 1 zero columns between the pixels of dy
    2. pad it, so that the kernel reaches every pixel of dx
    3. convolve with stride 1, the kernel turned by 180 degrees and its two channel axes exchanged

The forward of a transposed convolution is the input gradient of the convolution that maps its output to its input, so
this one function serves both.

Cost: SH*SW times the multiply-adds that matter, the others being with inserted zeros: 409 billion for FCN-32s's last
layer, where `phases` needs 0.4. That rung computes the same numbers and is the default; this one is to be read.

NumPy and CuPy. Run it: `with kernels.using("zero_insertion"): ...`.
"""

from __future__ import annotations

from typing import Any

from minifcn.backend import get_xp
from minifcn.kernels import select
from minifcn.kernels.convolution.windows import turned
from minifcn.kernels.geometry import Geometry


def covers(geometry: Geometry, dtype: Any) -> bool:
    """Every input gradient."""
    return True


def input_gradient(dy: Any, weight: Any, geometry: Geometry) -> Any:
    """dx (N, C, H, W) of dy (N, O, OH, OW) and weight (O, C/G, KH, KW)."""
    g = geometry
    spread = spread_and_pad(dy, g)  # (N, O, H + DH·(KH-1), W + DW·(KW-1))
    N, O, H, W = spread.shape
    dense = Geometry(N, O, H, W, g.C, g.KH, g.KW, 1, 1, 0, 0, g.DH, g.DW, g.G)
    return select.forward(spread, turned(weight, g), None, dense)


def spread_and_pad(dy: Any, geometry: Geometry) -> Any:
    """Steps 1 and 2: dy (N, O, OH, OW) among zeros, as (N, O, H + DH·(KH-1), W + DW·(KW-1)).

    spread[DH·(KH-1) - PH + oh·SH, DW·(KW-1) - PW + ow·SW] = dy[oh, ow]; where padding is so large that a pixel of dy
    would fall outside, no pixel of the input has met it, and it is dropped.
    """
    g = geometry
    spread = get_xp(dy).zeros((g.N, g.O, g.H + g.DH * (g.KH - 1), g.W + g.DW * (g.KW - 1)), dy.dtype)
    rows, from_rows = _places(g.DH * (g.KH - 1) - g.PH, g.SH, g.OH, spread.shape[2])
    columns, from_columns = _places(g.DW * (g.KW - 1) - g.PW, g.SW, g.OW, spread.shape[3])
    spread[:, :, rows, columns] = dy[:, :, from_rows, from_columns]
    return spread


def _places(start: int, step: int, count: int, size: int) -> tuple[slice, slice]:
    """Where start + i*step, for i in 0..count, falls inside of 0..size: the places, and the i's."""
    first = max(0, -(start // step))  # the least i with start + i*step >= 0
    last = min(count, -((start - size) // step))  # one more than the greatest with start + i*step < size
    last = max(first, last)
    return slice(start + first * step, max(0, start + (last - 1) * step + 1), step), slice(first, last)
