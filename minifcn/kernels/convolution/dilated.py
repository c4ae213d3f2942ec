"""Rung `dilated`: a dilated convolution is DH x DW ordinary ones, each of every DH-th row and every DW-th column.

    y[oh] = sum over kh of weight[kh] * x[oh - PH + kh*DH]

Rows oh with the same remainder r modulo DH (a *phase*) meet only rows of x with one remainder, which is r as well where PH is
a multiple of DH. Of these rows it is an ordinary convolution with padding PH/DH, and so for columns. The phases of all
pictures together are one batch of small pictures, of which Winograd makes four times fewer multiplications.

    forward           the small pictures of x; Winograd; each number of the small results to its place in y
    input_gradient    the same of dy
    weight_gradient   the small pictures of both: dweight adds over the batch, which is over the phases

Cost: that of `winograd` for DH*DW times as many pictures, and one copy of x and y, in pieces that fit in cache. Where the sides
are no multiple of the dilation the last row or column of some small pictures is made of zeros.

NumPy only. Run it: `with kernels.using("dilated"): ...`.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from minifcn.kernels.convolution import winograd
from minifcn.kernels.convolution.cuts import even_parts, length
from minifcn.kernels.geometry import Geometry
from minifcn.kernels.threads import parallel_for

_PIECE = 12 << 20  # bytes of small pictures, those of x and y together, that are made at a time


def covers(geometry: Geometry, dtype: Any) -> bool:
    """3x3 kernels of stride 1 that are dilated and padded by a multiple of it, without groups, in float32."""
    g = geometry
    return (g.DH, g.DW) != (1, 1) and g.PH % g.DH == g.PW % g.DW == 0 and winograd.covers(small(g), dtype)


def small(g: Geometry) -> Geometry:
    """The ordinary convolution of all small pictures."""
    H, W = -(-g.H // g.DH), -(-g.W // g.DW)
    return replace(g, N=g.N * g.DH * g.DW, H=H, W=W, PH=g.PH // g.DH, PW=g.PW // g.DW, DH=1, DW=1)


def forward(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, geometry: Geometry) -> np.ndarray:
    """y (N, O, OH, OW) of x (N, C, H, W), weight (O, C, 3, 3) and bias (O,) or None."""
    y = np.empty(geometry.y_shape, x.dtype)
    for phases, piece in _pieces(geometry):
        _join(winograd.forward(_parted(x, phases, piece.x_shape), weight, bias, piece), phases, y)
    return y


def input_gradient(dy: np.ndarray, weight: np.ndarray, geometry: Geometry) -> np.ndarray:
    """dx (N, C, H, W) of dy (N, O, OH, OW) and weight (O, C, 3, 3)."""
    dx = np.empty(geometry.x_shape, dy.dtype)
    for phases, piece in _pieces(geometry):
        _join(winograd.input_gradient(_parted(dy, phases, piece.y_shape), weight, piece), phases, dx)
    return dx


def weight_gradient(x: np.ndarray, dy: np.ndarray, geometry: Geometry) -> np.ndarray:
    """dweight (O, C, 3, 3) of x (N, C, H, W) and dy (N, O, OH, OW)."""
    dweight: Any = 0
    for phases, piece in _pieces(geometry):
        small_x, small_dy = _parted(x, phases, piece.x_shape), _parted(dy, phases, piece.y_shape)
        dweight = winograd.weight_gradient(small_x, small_dy, piece) + dweight
    return dweight


class _Phase(NamedTuple):
    """Of one picture every DH-th row and DW-th column: a view of any array of feature maps (N, C, H, W)."""

    picture: int
    rows: slice
    columns: slice

    def of(self, maps: np.ndarray) -> np.ndarray:
        """(C, H', W'), H' and W' rounded up or down."""
        return maps[self.picture, :, self.rows, self.columns]


def _pieces(g: Geometry) -> list[tuple[list[_Phase], Geometry]]:
    """All phases of all pictures, in parts; and the ordinary convolution of each part."""
    rows, columns = [slice(r, None, g.DH) for r in range(g.DH)], [slice(s, None, g.DW) for s in range(g.DW)]
    phases = [_Phase(*one) for one in itertools.product(range(g.N), rows, columns)]
    one = replace(small(g), N=1)
    bytes_a_phase = 4 * (one.C * one.H * one.W + one.O * one.OH * one.OW)
    parts = even_parts(len(phases), max(1, _PIECE // bytes_a_phase))
    return [(phases[part], replace(one, N=length(part))) for part in parts]


def _parted(maps: np.ndarray, phases: list[_Phase], shape: tuple[int, ...]) -> np.ndarray:
    """The small pictures of these phases, (N', C, H', W'), zero where a phase has a row or column less."""
    pictures = np.empty(shape, maps.dtype)

    def task(index: int) -> None:
        phase, picture = phases[index].of(maps), pictures[index]
        picture[:, phase.shape[1] :] = 0
        picture[:, :, phase.shape[2] :] = 0
        picture[:, : phase.shape[1], : phase.shape[2]] = phase

    parallel_for(task, len(phases))
    return pictures


def _join(pictures: np.ndarray, phases: list[_Phase], maps: np.ndarray) -> None:
    """Writes the small pictures to where their phases lie in maps (N, C, H, W)."""

    def task(index: int) -> None:
        phase = phases[index].of(maps)
        phase[...] = pictures[index, :, : phase.shape[1], : phase.shape[2]]

    parallel_for(task, len(phases))
