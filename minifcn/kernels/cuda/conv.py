"""The host's side of the convolution kernels: which taps, which tiles, which cut. See conv_gather.cu for the algebra.

    y       = forward(x, weight, bias, geometry)            conv_gather.cu, one phase
    dx      = input_gradient(dy, weight, geometry)          conv_gather.cu, SH·SW phases
    dweight = weight_gradient(x, dy, geometry)              conv_dweight.cu, then add_parts

All three pack their operands channels last first (pack.cu). Precision "tf32" rounds them to TF32 there and multiplies on the
tensor cores, sums in float32: about three decimal digits a product, what PyTorch's convolutions do by default on a GPU.
"float32" keeps all digits, on the ordinary units.
"""

from __future__ import annotations

import functools
from types import ModuleType
from typing import NamedTuple

import numpy as np

from minifcn.backend import Array, get_xp
from minifcn.kernels.cuda.launch import blocks_for, launch
from minifcn.kernels.geometry import Geometry

BK, STAGES = 16, 3  # as in tile.cuh
_MULTIPROCESSORS = 128  # of a large GPU: a fixed number, so that the cut of a sum, and with it its bits, is the same everywhere


class Tile(NamedTuple):
    """A block's part of the result and how its warps share it; `speed` is its arithmetic rate against the largest's."""

    BM: int
    BN: int
    WARPS_M: int
    WARPS_N: int
    speed: float

    @property
    def threads(self) -> int:
        return 32 * self.WARPS_M * self.WARPS_N

    @property
    def constants(self) -> dict[str, int]:
        return {"BM": self.BM, "BN": self.BN, "WARPS_M": self.WARPS_M, "WARPS_N": self.WARPS_N}


TILES = (Tile(128, 128, 2, 4, 1.0), Tile(64, 64, 2, 2, 0.7), Tile(32, 128, 1, 4, 0.6))

_precision = "tf32"


def set_precision(precision: str) -> None:
    """What float32 convolutions on a GPU multiply with: "tf32" (tensor cores) or "float32"."""
    global _precision
    if precision not in ("tf32", "float32"):
        raise ValueError(f"precision {precision!r} is unknown; possible are 'tf32' and 'float32'")
    _precision = precision


def get_precision() -> str:
    """The precision in use, "tf32" or "float32"."""
    return _precision


# ------------------------------------------------------------------------------------------------------ the three passes


def forward(x: Array, weight: Array, bias: Array | None, geometry: Geometry, relu: bool = False) -> Array:
    """y (N, O, OH, OW) of x (N, C, H, W), weight (O, C/G, KH, KW), bias (O,) or None; with ReLU in the same pass if asked."""
    g, xp = geometry, get_xp(x)
    CG, OG, T = g.C // g.G, g.O // g.G, g.KH * g.KW
    packed_x = pack(x, g.N, g.G, CG, g.H * g.W)  # (G, N, H·W, CG4)
    packed_weight = pack(weight, g.O, 1, CG, T)  # (O, T, CG4)
    y = xp.empty(g.y_shape, x.dtype)
    sizes = (g.H, g.W, OG, T, g.OH, g.OW, g.SH, g.SW, 1, 1)
    _gather(packed_x, packed_weight, bias, y, g, _forward_taps, g.OH * g.OW, sizes, relu)
    return y


def input_gradient(dy: Array, weight: Array, geometry: Geometry) -> Array:
    """dx (N, C, H, W) of dy (N, O, OH, OW), weight (O, C/G, KH, KW)."""
    g, xp = geometry, get_xp(dy)
    CG, OG, T = g.C // g.G, g.O // g.G, g.KH * g.KW
    packed_dy = pack(dy, g.N, g.G, OG, g.OH * g.OW)  # (G, N, OH·OW, OG4)
    packed_weight = pack(weight, g.G, 1, OG, CG * T)  # (G, CG·T, OG4)
    dx = xp.empty(g.x_shape, dy.dtype)
    largest_phase = -(-g.H // g.SH) * -(-g.W // g.SW)
    sizes = (g.OH, g.OW, CG, T, g.H, g.W, 1, 1, g.SH, g.SW)
    _gather(packed_dy, packed_weight, None, dx, g, _gradient_taps, largest_phase, sizes, False)
    return dx


def weight_gradient(x: Array, dy: Array, geometry: Geometry) -> Array:
    """dweight (O, C/G, KH, KW) of x (N, C, H, W), dy (N, O, OH, OW)."""
    g, xp = geometry, get_xp(x)
    CG, OG, T = g.C // g.G, g.O // g.G, g.KH * g.KW
    packed_x = pack(x, g.N, g.G, CG, g.H * g.W)  # (G, N, H·W, CG4)
    packed_dy = pack(dy, g.N, g.G, OG, g.OH * g.OW)  # (G, N, OH·OW, OG4)
    CG4, OG4 = packed_x.shape[-1], packed_dy.shape[-1]
    pixels, columns = g.N * g.OH * g.OW, T * CG4
    tile = choose_tile(OG4, columns, g.G * -(-pixels // 4096))
    splits, pixels_a_split = cut(pixels, g.G * -(-OG4 // tile.BM) * -(-columns // tile.BN))
    parts = xp.empty((splits, g.G, OG4, columns), x.dtype)
    _, taps = _table(xp, xp.cuda.Device().id, _forward_taps, g)
    launch(
        "conv_dweight.cu", "conv_dweight",
        (-(-columns // tile.BN), -(-OG4 // tile.BM), splits * g.G), tile.threads,
        (packed_dy, packed_x, parts, taps, g.N, g.G, g.H, g.W, CG4, OG4, T, g.OH, g.OW, g.SH, g.SW, pixels_a_split),
        shared=4 * STAGES * BK * (tile.BM + 8 + tile.BN + 8), TF32=_tf32(), **tile.constants,
    )  # fmt: skip
    dweight = xp.empty(g.weight_shape, x.dtype)
    sizes = (splits, g.G, OG, OG4, CG, CG4, T)
    launch("pack.cu", "add_parts", blocks_for(dweight.size), 256, (parts, dweight, *sizes), TF32=0)
    return dweight


def _gather(x, weight, bias, y, g: Geometry, taps_of, pixels: int, sizes: tuple[int, ...], relu: bool) -> None:
    """Launches conv_gather: packed x and weight -> y, `pixels` of each picture in the largest phase."""
    xp = get_xp(x)
    phases, taps = _table(xp, xp.cuda.Device().id, taps_of, g)
    H, W, O, *_ = sizes
    count = len(phases) * g.G
    tile = choose_tile(O, g.N * pixels, count)
    launch(
        "conv_gather.cu", "conv_gather",
        (-(-g.N * pixels // tile.BN), -(-O // tile.BM), count), tile.threads,
        (x, weight, bias, y, phases, taps, g.N, g.G, H, W, x.shape[-1], *sizes[2:], int(relu)),
        shared=4 * STAGES * (tile.BM + tile.BN) * (BK + 4), TF32=_tf32(), **tile.constants,
    )  # fmt: skip


def pack(source: Array, N: int, G: int, R: int, P: int) -> Array:
    """source, seen as (N, G, R, P) -> (G, N, P, R4): R filled with zeros to a multiple of 4, rounded to TF32 where in use."""
    R4 = -(-R // 4) * 4
    packed = get_xp(source).empty((G, N, P, R4), source.dtype)
    grid = (-(-P // 32), -(-R4 // 32), min(N * G, 65535))
    launch("pack.cu", "pack", grid, 256, (source, packed, N, G, R, P, R4), TF32=_tf32())
    return packed


def _tf32() -> int:
    return int(_precision == "tf32")


# ------------------------------------------------------------------------------------------------------------- the taps


def _forward_taps(g: Geometry) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """(phases, taps): one phase of all output pixels; tap (kh, kw) reads the input at oh·SH + kh·DH − PH."""
    taps = [(kh * g.DH - g.PH, kw * g.DW - g.PW, kh * g.KW + kw, 0) for kh in range(g.KH) for kw in range(g.KW)]
    return [(0, 0, g.OH, g.OW, 0, len(taps))], taps


def _gradient_taps(g: Geometry) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """(phases, taps): dx's pixels h = rh + i·SH of one phase read dy at i + (rh + PH − kh·DH) / SH, where that is whole."""
    phases, taps = [], []
    for rh in range(min(g.SH, g.H)):
        for rw in range(min(g.SW, g.W)):
            fitting = [
                ((rh + g.PH - kh * g.DH) // g.SH, (rw + g.PW - kw * g.DW) // g.SW, kh * g.KW + kw, 0)
                for kh in range(g.KH) if (rh + g.PH - kh * g.DH) % g.SH == 0
                for kw in range(g.KW) if (rw + g.PW - kw * g.DW) % g.SW == 0
            ]  # fmt: skip
            rows, columns = -(-(g.H - rh) // g.SH), -(-(g.W - rw) // g.SW)
            phases.append((rh, rw, rows, columns, len(taps), len(fitting)))
            taps += fitting
    return phases, taps or [(0, 0, 0, 0)]


@functools.lru_cache(maxsize=1024)
def _table(xp: ModuleType, device: int, taps_of, geometry: Geometry) -> tuple[Array, Array]:
    """Phases and taps on the device: uploaded once a geometry, not once a step."""
    return tuple(xp.asarray(np.array(rows, np.int32)) for rows in taps_of(geometry))


# ------------------------------------------------------------------------------------------------------------ the tiles


def choose_tile(M: int, P: int, count: int) -> Tile:
    """The tile that should finish `count` products (M, K) @ (K, P) first: whole waves of blocks, at the tile's own speed."""

    def time(tile: Tile) -> float:
        blocks = -(-M // tile.BM) * -(-P // tile.BN) * count
        return -(-blocks // _MULTIPROCESSORS) * tile.BM * tile.BN / tile.speed

    return min(TILES, key=time)


def cut(pixels: int, tiles: int) -> tuple[int, int]:
    """(splits, pixels a split) of a sum over `pixels`, so that `tiles` of it keep all multiprocessors busy.

    A split has at least 512 pixels, in whole slabs. The cut depends on the shape alone: the sum has the same bits everywhere.
    """
    wanted = max(1, 4 * _MULTIPROCESSORS // tiles)
    each = max(512, -(-pixels // wanted))
    each = -(-each // BK) * BK
    return -(-pixels // each), each
