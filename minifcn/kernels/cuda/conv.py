"""The host's side of the convolution kernels: which taps, which tiles, which cut. See conv_gather.cu for the algebra.

    y       = forward(x, weight, bias, geometry)            conv_gather.cu, one phase; or conv_along_rows.cu
    dx      = input_gradient(dy, weight, geometry)          conv_gather.cu, SH·SW phases; or conv_along_rows.cu
    dweight = weight_gradient(x, dy, geometry)              conv_dweight.cu, then add_parts.cu

All three pack their operands channels last first (pack.cu). Precision "tf32" rounds them to TF32 there and multiplies on the
tensor cores, sums in float32: about three decimal digits a product, what PyTorch's convolutions do by default on a GPU.
"float32" keeps all digits: by three such products where tensor cores are that fast, else on the ordinary units (tile.cuh).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from types import ModuleType

import numpy as np

from minifcn.backend import Array, get_xp, import_cupy
from minifcn.kernels.cuda.launch import MAX_GRID, blocks_for_planes, launch
from minifcn.kernels.cuda.tiles import STRIP_TILES, AlongRows, plan
from minifcn.kernels.geometry import Geometry

Phase = tuple[int, int, int, int, int, int]  # first row and column, rows and columns, first tap, taps
Tap = tuple[int, int, int, int]  # rows and columns away, place in the kernel, 0
TapsOf = Callable[[Geometry], tuple[list[Phase], list[Tap]]]

_MOST_CHUNKS = 1024  # of pixels whose sums are left to be added
_EXTRA = 8  # pixels of a strip behind a tile's: conv_along_rows.cu
_ENOUGH_BLOCKS = 1056  # 8 for each of an H100's multiprocessors

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


_TENSOR_CORES_8_TIMES_AS_FAST = ("80", "90")  # compute capabilities of the A100, and of the H100 and H200


def multiplier() -> str:
    """In words, what multiplies in convolutions on the present GPU."""
    return {1: "TF32", 3: "float32 by three TF32 products", 0: "float32"}[_products(import_cupy())]


def _products(xp: ModuleType) -> int:
    """What multiplies on the present device, as tile.cuh's PRODUCTS: 1 in TF32; in float32 3, or 0 where that is faster."""
    if _precision == "tf32":
        return 1
    return 3 if xp.cuda.Device().compute_capability in _TENSOR_CORES_8_TIMES_AS_FAST else 0


def _has_warpgroups(xp: ModuleType) -> bool:
    """Whether the tensor cores of the present device fetch from shared memory themselves: warpgroup.cuh."""
    return xp.cuda.Device().compute_capability == "90"


# ------------------------------------------------------------------------------------------------------ the three passes


def forward(x: Array, weight: Array, bias: Array | None, geometry: Geometry, relu: bool = False) -> Array:
    """y (N, O, OH, OW) of x (N, C, H, W), weight (O, C/G, KH, KW), bias (O,) or None; with ReLU in the same pass if asked."""
    g = geometry
    CG, OG, T = g.C // g.G, g.O // g.G, g.KH * g.KW
    packed_x = _pack_x(x, g)  # (G, N, H·W, CG4)
    packed_weight = pack(weight, g.O, 1, CG, T)  # (O, T, CG4)
    sizes = (g.H, g.W, OG, T, g.OH, g.OW, g.SH, g.SW, 1, 1)
    start = (-g.PH, -g.PW, 0, 1)
    return _gather(packed_x, packed_weight, bias, g, _forward_taps, g.y_shape, g.OH * g.OW, sizes, start, relu)


def input_gradient(dy: Array, weight: Array, geometry: Geometry) -> Array:
    """dx (N, C, H, W) of dy (N, O, OH, OW), weight (O, C/G, KH, KW)."""
    return _input_gradient(_pack_dy(dy, geometry), weight, geometry)


def weight_gradient(x: Array, dy: Array, geometry: Geometry) -> Array:
    """dweight (O, C/G, KH, KW) of x (N, C, H, W), dy (N, O, OH, OW)."""
    return _weight_gradient(_pack_x(x, geometry), _pack_dy(dy, geometry), geometry)


def gradients(x: Array, dy: Array, weight: Array, geometry: Geometry) -> tuple[Array, Array]:
    """dx and dweight: dy is packed once for both."""
    packed_dy = _pack_dy(dy, geometry)  # (G, N, OH·OW, OG4)
    dx = _input_gradient(packed_dy, weight, geometry)
    return dx, _weight_gradient(_pack_x(x, geometry), packed_dy, geometry)


def relu_gradients(
    x: Array, dy: Array, y: Array, weight: Array, geometry: Geometry, needs: tuple[bool, bool]
) -> tuple[Array | None, Array | None, Array]:
    """dx and dweight, each None unless it is in `needs`, and dbias, of max(y, 0) and its dy.

    What ReLU lets through is packed and added up in the pass in which it is found.
    """
    packed_dy, dbias = _pack_behind_relu(dy, y, geometry)
    dx = _input_gradient(packed_dy, weight, geometry) if needs[0] else None
    return dx, _weight_gradient(_pack_x(x, geometry), packed_dy, geometry) if needs[1] else None, dbias


def _input_gradient(packed_dy: Array, weight: Array, g: Geometry) -> Array:
    """dx (N, C, H, W) of dy (G, N, OH·OW, OG4)."""
    CG, OG, T = g.C // g.G, g.O // g.G, g.KH * g.KW
    packed_weight = pack(weight, g.G, 1, OG, CG * T)  # (G, CG·T, OG4)
    largest_phase = -(-g.H // g.SH) * -(-g.W // g.SW)
    sizes = (g.OH, g.OW, CG, T, g.H, g.W, 1, 1, g.SH, g.SW)
    start = (g.PH - (g.KH - 1) * g.DH, g.PW - (g.KW - 1) * g.DW, T - 1, -1)
    return _gather(packed_dy, packed_weight, None, g, _gradient_taps, g.x_shape, largest_phase, sizes, start, False)


def _weight_gradient(packed_x: Array, packed_dy: Array, g: Geometry) -> Array:
    """dweight (O, C/G, KH, KW) of x (G, N, H·W, CG4), dy (G, N, OH·OW, OG4)."""
    xp = get_xp(packed_x)
    CG, OG, T, CG4, OG4 = g.C // g.G, g.O // g.G, g.KH * g.KW, packed_x.shape[-1], packed_dy.shape[-1]
    pixels, columns, products = g.N * g.OH * g.OW, T * CG4, _products(xp)
    tile, splits = plan(OG4, columns, pixels, g.G, products)
    pixels_a_split = -(-pixels // (splits * tile.BK)) * tile.BK  # whole slabs
    dweight = xp.empty(g.weight_shape, packed_x.dtype)
    whole = splits == 1 and T == 1 and (OG, CG) == (OG4, CG4)  # in the layout of the weights already
    parts = dweight if whole else xp.empty((splits, g.G, OG4, columns), packed_x.dtype)
    _, taps = _table(xp, xp.cuda.Device().id, _forward_taps, g)
    launch(
        "conv_dweight.cu", "conv_dweight",
        (-(-columns // tile.BN), -(-OG4 // tile.BM), splits * g.G), tile.threads,
        (packed_dy, packed_x, parts, taps, g.N, g.G, g.H, g.W, CG4, OG4, T, g.OH, g.OW, g.SH, g.SW, pixels_a_split),
        shared=4 * tile.STAGES * tile.BK * (tile.BM + 8 + tile.BN + 8), PRODUCTS=products, **tile.constants,
    )  # fmt: skip
    if whole:
        return dweight
    width, taps_at_once = (256, 4) if T <= 4 and CG > 128 else (32, 64)
    grid, sizes = (-(-CG // width), min(g.O, MAX_GRID[1])), (splits, g.G, OG, OG4, CG, CG4, T)
    launch("add_parts.cu", "dweight_of_parts", grid, 256, (parts, dweight, *sizes), WIDTH=width, TAPS=taps_at_once)
    return dweight


def _gather(
    x: Array, weight: Array, bias: Array | None, g: Geometry, taps_of: TapsOf, shape: tuple[int, ...], pixels: int,
    sizes: tuple[int, ...], start: tuple[int, int, int, int], relu: bool,
) -> Array:  # fmt: skip
    """y of `shape` by conv_gather or conv_along_rows, of packed x and weight.

    Args:
        pixels: of one picture in the largest phase.
        sizes: conv_gather's, from H on.
        start: conv_along_rows' dh, dw, first_tap and next_tap.
    """
    xp = get_xp(x)
    phases, taps = _table(xp, xp.cuda.Device().id, taps_of, g)
    H, W, O, T, YH, YW, *_ = sizes
    C, products, count = x.shape[-1], _products(xp), len(phases) * g.G
    along_rows = _along_rows(g, C, YH, YW)
    K, warpgroups = -(-T // len(phases)) * C, products == 1 and _has_warpgroups(xp)
    tile, splits = plan(O, g.N * pixels, K, count, products, warpgroups=warpgroups, along_rows=along_rows)
    y = xp.empty(shape, x.dtype)
    whole = splits == 1
    parts = y if whole else xp.empty((splits, *shape), x.dtype)
    given, end = (x, weight, bias if whole else None, parts), (splits, whole and relu)
    if tile.STRIPS and along_rows:
        kernel, P = "conv_along_rows", along_rows.P
        arguments = (*given, g.N, g.G, H, W, C, O, g.KH, g.KW, g.DH, g.DW, YH, YW, *start, *end)
        shared = tile.STAGES * tile.BM + tile.STRIPS * (tile.BN + _EXTRA)
    else:
        kernel, P = "conv_gather", g.N * pixels
        arguments = (*given, phases, taps, g.N, g.G, H, W, C, *sizes[2:], *end)
        shared = tile.STAGES * (tile.BM + tile.BN)
    grid = (-(-P // tile.BN), -(-O // tile.BM), count * splits)
    constants = {"PRODUCTS": products, **tile.constants}
    launch(f"{kernel}.cu", kernel, grid, tile.threads, arguments, shared=4 * tile.BK * shared, **constants)
    if not whole:
        N, C, *plane = shape
        added = (parts, bias, y, splits, N * C, C, math.prod(plane), relu)
        launch("add_parts.cu", "y_of_parts", blocks_for_planes(shape), 256, added, WIDTH=256, TAPS=4)
    return y


def _along_rows(g: Geometry, C: int, YH: int, YW: int) -> AlongRows | None:
    """How conv_along_rows would count a convolution with rows of YW results; None where it does not apply."""
    beyond = (g.KW - 1) * g.DW
    P = g.N * YH * (YW + beyond)
    if g.SH > 1 or g.SW > 1 or g.KW < 3 or beyond > _EXTRA or P >= 2**31:
        return None
    return AlongRows(P, g.KH * -(-C // STRIP_TILES[0].BK), g.KW)


def _pack_x(x: Array, g: Geometry) -> Array:
    """x (N, C, H, W) -> (G, N, H·W, CG4)."""
    return pack(x, g.N, g.G, g.C // g.G, g.H * g.W)


def _pack_dy(dy: Array, g: Geometry) -> Array:
    """dy (N, O, OH, OW) -> (G, N, OH·OW, OG4)."""
    return pack(dy, g.N, g.G, g.O // g.G, g.OH * g.OW)


def pack(source: Array, N: int, G: int, R: int, P: int) -> Array:
    """source, seen as (N, G, R, P) -> (G, N, P, R4): R filled with zeros to a multiple of 4, rounded to TF32 where in use."""
    R4 = -(-R // 4) * 4
    packed = get_xp(source).empty((G, N, P, R4), source.dtype)
    TP, TR = _packing_tile(P)
    grid = (min(N * G * -(-P // TP) * -(-R4 // TR), _ENOUGH_BLOCKS),)
    launch("pack.cu", "pack", grid, 256, (source, packed, N, G, R, P, R4), TF32=int(_precision == "tf32"), TP=TP, TR=TR)
    return packed


def _packing_tile(P: int) -> tuple[int, int]:
    """TP and TR of pack.cu: all of a few p, and so many r, a power of 2, that a tile has about 2000 numbers."""
    return (P, min(1024, 1 << (2304 // P).bit_length() - 1)) if P < 64 else (64, 64)


def _pack_behind_relu(dy: Array, y: Array, g: Geometry) -> tuple[Array, Array]:
    """dy (N, O, OH, OW) where y > 0 -> (G, N, OH·OW, OG4), and its sums (O,): relu_pack.cu."""
    xp, OG, P = get_xp(dy), g.O // g.G, g.OH * g.OW
    TR = 32 if OG <= 32 else 64
    rows, turned = -(-OG // TR), -(-P // 32)  # tiles along the channels, and along the pixels
    # Tiles that a block turns one after the other: as few as leave blocks for all multiprocessors, and not too many sums.
    tiles = max(1, g.N * g.G * rows * turned // _ENOUGH_BLOCKS, -(-g.N * turned // _MOST_CHUNKS))
    chunks = -(-turned // tiles)
    packed = xp.empty((g.G, g.N, P, -(-OG // 4) * 4), dy.dtype)
    parts, sums = xp.empty((g.N * chunks, g.O), dy.dtype), xp.empty(g.O, dy.dtype)
    arguments = (dy, y, packed, parts, g.N, g.G, OG, P, packed.shape[-1], chunks, tiles)
    constants = {"TF32": int(_precision == "tf32"), "TR": TR}
    launch("relu_pack.cu", "relu_pack", (chunks * rows, min(g.N * g.G, MAX_GRID[1])), 256, arguments, **constants)
    launch("relu_pack.cu", "add_rows", (-(-g.O // 32),), 1024, (parts, sums, g.N * chunks, g.O), **constants)
    return packed, sums


# ------------------------------------------------------------------------------------------------------------- the taps


def _forward_taps(g: Geometry) -> tuple[list[Phase], list[Tap]]:
    """(phases, taps): one phase of all output pixels; tap (kh, kw) reads the input at oh·SH + kh·DH − PH."""
    taps = [(kh * g.DH - g.PH, kw * g.DW - g.PW, kh * g.KW + kw, 0) for kh in range(g.KH) for kw in range(g.KW)]
    return [(0, 0, g.OH, g.OW, 0, len(taps))], taps


def _gradient_taps(g: Geometry) -> tuple[list[Phase], list[Tap]]:
    """(phases, taps): dx's pixels h = rh + i·SH of one phase read dy at i + (rh + PH − kh·DH) / SH, where that is whole."""
    phases: list[Phase] = []
    taps: list[Tap] = []
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
    return phases, taps


@functools.lru_cache(maxsize=1024)
def _table(xp: ModuleType, device: int, taps_of: TapsOf, geometry: Geometry) -> tuple[Array, Array]:
    """Phases and taps on the device: uploaded once a geometry, not once a step. The last tap is one too many."""
    phases, taps = taps_of(geometry)
    return xp.asarray(np.array(phases, np.int32)), xp.asarray(np.array([*taps, (0, 0, 0, 0)], np.int32))
