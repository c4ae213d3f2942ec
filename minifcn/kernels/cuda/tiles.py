"""Which tile of the result a block computes, and into how many pieces the sum is cut: chosen by a model of time.

The choice depends on the shape alone, for a GPU of a fixed size: another GPU of the same kind gives the same bits.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

from minifcn.kernels.cuda.launch import MAX_GRID

_MULTIPROCESSORS = 132  # of an H100 and an H200
_MAX_SPLITS = 128

# The model counts in multiply-adds of one multiprocessor by mma.sync, of which an H100's does 600 in a nanosecond. Its
# constants by mma.sync agree with what tests/gpu/device/tile_times.py printed there. Those by warpgroups were fitted, by hand,
# to the times of the kernels alone, FCN-8s's layers at batch 1 and 4: what it chose took 1.012 times the fastest tiles' time.
_FROM_MEMORY = 120 / _MULTIPROCESSORS  # a float's time when all multiprocessors fetch
_A_KERNEL = 3_000_000
# By mma.sync, where a slab takes as long as the longer of computing and fetching:
_FROM_CACHE = {1: 64, 3: 33, 0: 16}  # a float's time, by PRODUCTS
_FILL = 4  # slabs' worth of time until a block's first slab has come and its result is written
_TOGETHER = 1.15  # times as long where all 8 warps meet at one barrier
_ALONE = 0.4  # of its time is lost to 4 warps that have a multiprocessor for themselves: nobody computes while they wait
# By warpgroups, whose products and copies hinder each other, so that both count:
_WGMMA = 0.22  # a multiply-add
_FROM_CACHE_BY_WARPGROUPS = 31  # a float
_A_BLOCK, _A_RESULT = 570_000, 230  # a block's way to its first product, and each number that it writes
_PAIRED = 0.73  # of both where the other block of a pair computes meanwhile
_WITHOUT_PAIR = 0.33  # of its time is lost to a block that has a multiprocessor for itself


class Tile(NamedTuple):
    """A block's part of the result and how its warps share it."""

    BM: int
    BN: int
    WARPS_M: int
    WARPS_N: int
    BK: int = 16
    STAGES: int = 3
    WGMMA: int = 0  # 1: the tensor cores fetch from shared memory themselves; see tile.cuh
    STRIPS: int = 0  # not 0: neighbouring taps share what they read; see conv_along_rows.cu
    PAIRED: int = 0  # 1: of 256 threads two blocks have room: one multiplies while the other writes

    @property
    def threads(self) -> int:
        return 32 * self.WARPS_M * self.WARPS_N

    @property
    def constants(self) -> dict[str, int]:
        return _constants(self)


@functools.cache
def _constants(tile: Tile) -> dict[str, int]:
    return tile._asdict()


# By PRODUCTS, as in tile.cuh. A warp's part of 64 x 64 reads shared memory least; with three products its splitting into big
# and small needs the registers, and the tensor cores are what one waits for. Of equals the first is taken.
TILES = {
    1: (
        Tile(128, 128, 2, 2),
        Tile(128, 256, 2, 4),
        Tile(32, 128, 1, 4),
        Tile(64, 256, 1, 4),
        Tile(128, 64, 2, 2),
        Tile(64, 192, 2, 2),
    ),
    3: (Tile(128, 64, 2, 2), Tile(64, 128, 1, 4), Tile(32, 128, 1, 4)),
    0: (Tile(128, 128, 2, 2), Tile(64, 128, 1, 4), Tile(32, 128, 1, 4)),
}
# Beside those of one product, where the tensor cores fetch for themselves; slabs of 128 bytes, three of them on their way.
WARPGROUP_TILES = (
    Tile(128, 256, 8, 1, 32, 4, 1), Tile(64, 256, 4, 2, 32, 4, 1), Tile(128, 128, 8, 1, 32, 4, 1),
    Tile(128, 128, 8, 1, 32, 3, 1, 0, 1),
)  # fmt: skip
# And beside those, where neighbouring taps read the same pixels: conv_along_rows.cu.
STRIP_TILES = (
    Tile(128, 256, 8, 1, 32, 5, 1, 3), Tile(64, 512, 4, 2, 32, 4, 1, 2), Tile(64, 256, 4, 2, 32, 4, 1, 2, 1),
    Tile(128, 128, 8, 1, 32, 4, 1, 2, 1),
)  # fmt: skip


class Plan(NamedTuple):
    """A tile, and the number of pieces that each sum is cut into."""

    tile: Tile
    splits: int


class AlongRows(NamedTuple):
    """The same convolution as conv_along_rows.cu counts it."""

    P: int  # pixels, those behind the rows' ends among them
    strips: int  # that K is made of
    KW: int  # slabs of each


@functools.lru_cache(maxsize=4096)
def plan(
    M: int, P: int, K: int, count: int, products: int, warpgroups: bool = False, along_rows: AlongRows | None = None
) -> Plan:
    """The plan that should finish `count` products (M, K) @ (K, P) first.

    Args:
        warpgroups: by WGMMA, too.
        along_rows: by strips, too, where that is possible.
    """
    plans = [Plan(tile, pieces) for tile in tiles_for(products, warpgroups, along_rows)
             for pieces in _pieces(-(-K // tile.BK), count)]  # fmt: skip
    return min(plans, key=lambda one: model_time(one, M, P, K, count, products, along_rows))


def tiles_for(products: int, warpgroups: bool = False, along_rows: AlongRows | None = None) -> tuple[Tile, ...]:
    """The tiles that there are."""
    return TILES[products] + (WARPGROUP_TILES if warpgroups else ()) + (STRIP_TILES if warpgroups and along_rows else ())


def _pieces(slabs: int, count: int) -> range:
    """Into how many pieces a sum of so many slabs may be cut."""
    return range(1, max(1, min(_MAX_SPLITS, slabs // _FILL, MAX_GRID[2] // count)) + 1)


def model_time(plan: Plan, M: int, P: int, K: int, count: int, products: int, along_rows: AlongRows | None = None) -> float:
    """The model: blocks on every multiprocessor, as fast as they compute and fetch; where sums are cut, the pieces' way.

    In multiply-adds of one multiprocessor by mma.sync.
    """
    tile, splits = plan
    slabs = math.ceil(math.ceil(K / tile.BK) / splits)  # of a piece
    fetched: float = tile.BM + tile.BN  # numbers for each k of a slab
    pieces = (2 * splits + 1) * M * P * count * _FROM_MEMORY + _A_KERNEL if splits > 1 else 0
    if tile.STRIPS and along_rows:
        P, fetched = along_rows.P, tile.BM + tile.BN / along_rows.KW
        slabs = -(-along_rows.strips // splits) * along_rows.KW
    blocks = -(-M // tile.BM) * -(-P // tile.BN) * count * splits
    rounds = -(-blocks // _MULTIPROCESSORS)
    if tile.WGMMA:
        a_slab = (tile.BM * tile.BN * _WGMMA + fetched * _FROM_CACHE_BY_WARPGROUPS) * tile.BK
        besides = (_A_BLOCK + _A_RESULT * tile.BM * tile.BN) * (_PAIRED if tile.PAIRED else 1)
        alone = _WITHOUT_PAIR * (rounds % 2) if tile.PAIRED else 0
    else:
        together = _TOGETHER if tile.threads == 256 else 1
        a_slab = max(tile.BM * tile.BN, fetched * _FROM_CACHE[products]) * together * tile.BK
        besides = _FILL * a_slab
        alone = _ALONE * (rounds % 2) if tile.threads == 128 else 0  # of 128 threads two blocks have room
    return (rounds + alone) * (slabs * a_slab + besides) + pieces
