"""Rung `phases`: a transposed convolution that never multiplies by an inserted zero. Only an input gradient.

With stride SH, the padded rows of dx with the same remainder r = (h + PH) mod SH (a *phase*) meet only every SH-th row
of the kernel, and meet it at neighbouring rows of dy:

    dx[u*SH + r - PH] = sum over q of dy[u - q] * weight[r + q*SH]

so each of the SH*SW phases is a small stride-1 convolution of dy, and dx is their interleaving. Phases with equally many
taps, ceil or floor of KH/SH, share one convolution with that many times more output channels: at most 2 x 2 of them.

Cost: exactly the multiply-adds of the forward, at the speed of an ordinary convolution, then one pass over dx.

NumPy and CuPy. Run it: `with kernels.using("phases"): ...`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from minifcn.backend import get_xp
from minifcn.kernels import select
from minifcn.kernels.convolution.cuts import Strip, length, strips
from minifcn.kernels.convolution.windows import read
from minifcn.kernels.geometry import Geometry
from minifcn.kernels.threads import parallel_for

_CHUNK = 2 << 20  # bytes of dx made at a time, so that the phases are still in cache when they are interleaved


def covers(geometry: Geometry, dtype: Any) -> bool:
    """Every input gradient, unless one axis has both a stride and a dilation."""
    g = geometry
    return (g.SH == 1 or g.DH == 1) and (g.SW == 1 or g.DW == 1)


@dataclass(frozen=True, slots=True)
class _Phases:
    """Phases first..last of one axis, which all have the same number of taps."""

    first: int
    last: int
    taps: int

    @property
    def count(self) -> int:
        return self.last - self.first


def _groups_of_phases(kernel: int, stride: int) -> list[_Phases]:
    """The remainders 0..stride, grouped by how many taps r, r + stride, r + 2 stride ... lie inside of the kernel."""
    most, rest = -(-kernel // stride), kernel % stride or stride
    groups = [_Phases(0, rest, most), _Phases(rest, stride, most - 1)]
    return [group for group in groups if group.count and group.taps]


@dataclass(frozen=True, slots=True)
class _Axis:
    """One axis of dx: pixel h of it is number u = (h + padding) // stride of phase (h + padding) % stride."""

    size: int
    kernel: int
    stride: int
    padding: int
    dilation: int  # 1 where there is a stride

    @property
    def first(self) -> int:
        """The least u."""
        return self.padding // self.stride

    @property
    def count(self) -> int:
        """How many u there are."""
        return (self.padding + self.size - 1) // self.stride + 1 - self.first

    def place(self, part: slice) -> tuple[slice, slice]:
        """The pixels of dx that a part of the u (counted from `first`) covers; and which of its own are inside of dx."""
        start = (self.first + part.start) * self.stride - self.padding
        stop = start + length(part) * self.stride
        inside = slice(max(0, start), min(self.size, stop))
        return inside, slice(inside.start - start, inside.stop - start)


def input_gradient(dy: Any, weight: Any, geometry: Geometry) -> Any:
    """dx (N, C, H, W) of dy (N, O, OH, OW) and weight (O, C/G, KH, KW)."""
    g, xp = geometry, get_xp(dy)
    dx = xp.empty(g.x_shape, dy.dtype)
    rows, columns = _Axis(g.H, g.KH, g.SH, g.PH, g.DH), _Axis(g.W, g.KW, g.SW, g.PW, g.DW)
    groups = list(itertools.product(_groups_of_phases(g.KH, g.SH), _groups_of_phases(g.KW, g.SW)))
    kernels = [_kernels(weight, *group, g) for group in groups]
    pixels = _CHUNK // (g.C * g.SH * g.SW * dy.dtype.itemsize) if xp is np else g.N * rows.count * columns.count
    chunks = strips(g.N, rows.count, columns.count, max(1, pixels))

    def task(index: int) -> None:
        chunk = chunks[index]
        N, U, V = chunk.shape
        whole = len(chunks) == 1 and (U * g.SH, V * g.SW) == (g.H, g.W)  # nothing to cut off: made where it belongs
        block = (dx if whole else xp.empty((N, g.C, U * g.SH, V * g.SW), dy.dtype)).reshape(N, g.C, U, g.SH, V, g.SW)
        if g.KH < g.SH or g.KW < g.SW:
            block[...] = 0  # some phases have no tap at all
        for (vertical, horizontal), kernel in zip(groups, kernels, strict=True):
            made = _convolve(dy, kernel, chunk, (rows, columns), (vertical, horizontal), g)  # (N', C·RH·RW, U, V)
            made = made.reshape(N, g.C, vertical.count, horizontal.count, U, V)
            for j in range(horizontal.count):  # (N', C, U, RH, V) from (N', C, RH, U, V)
                block[:, :, :, vertical.first : vertical.last, :, horizontal.first + j] = made[:, :, :, j].swapaxes(2, 3)
        if whole:
            return
        block = block.reshape(N, g.C, U * g.SH, V * g.SW)
        (to_rows, from_rows), (to_columns, from_columns) = rows.place(chunk.rows), columns.place(chunk.columns)
        dx[chunk.pictures, :, to_rows, to_columns] = block[:, :, from_rows, from_columns]

    if xp is np:
        parallel_for(task, len(chunks), 6 * _CHUNK)
    else:
        task(0)
    return dx


def _kernels(weight: Any, vertical: _Phases, horizontal: _Phases, g: Geometry) -> Any:
    """The kernels of one group of phases, as the weight of one convolution: (C·RH·RW, O/G, TH, TW).

    Tap q of phase r is weight[r + q*S], and comes last to first, because u - q falls as q grows.
    """
    cut = weight[:, :, vertical.first :, horizontal.first :]
    output, channel, row, column = cut.strides
    taps = get_xp(weight).lib.stride_tricks.as_strided(
        cut,
        shape=(g.O, g.C // g.G, vertical.count, vertical.taps, horizontal.count, horizontal.taps),
        strides=(output, channel, row, row * g.SH, column, column * g.SW),
    )[:, :, :, ::-1, :, ::-1]  # (O, C/G, RH, TH, RW, TW)
    taps = taps.reshape(g.G, g.O // g.G, *taps.shape[1:])  # (G, O/G, C/G, RH, TH, RW, TW)
    taps = taps.transpose(0, 2, 3, 5, 1, 4, 6)  # (G, C/G, RH, RW, O/G, TH, TW)
    return taps.reshape(-1, g.O // g.G, vertical.taps, horizontal.taps)  # (C·RH·RW, O/G, TH, TW)


def _convolve(
    dy: Any, kernel: Any, chunk: Strip, axes: tuple[_Axis, _Axis], phases: tuple[_Phases, _Phases], g: Geometry
) -> Any:
    """One group of phases at the rows and columns u of a chunk: (N', C·RH·RW, U, V)."""
    reach = [axis.dilation * (group.taps - 1) for axis, group in zip(axes, phases, strict=True)]  # rows above u
    top, left = (
        axis.first + part.start - more for axis, part, more in zip(axes, (chunk.rows, chunk.columns), reach, strict=True)
    )
    N, U, V = chunk.shape
    small = Geometry(
        N, g.O, U + reach[0], V + reach[1], kernel.shape[0], phases[0].taps, phases[1].taps,
        DH=axes[0].dilation, DW=axes[1].dilation, G=g.G,
    )  # fmt: skip
    patch = get_xp(dy).empty(small.x_shape, dy.dtype)
    read(dy[chunk.pictures], top, left, patch)
    return select.forward(patch, kernel, None, small)
