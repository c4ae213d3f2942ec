"""Which tile of the result a block computes, and into how many pieces the sum is cut: chosen by a model of time.

The choice depends on the shape alone, for a GPU of a fixed size: another GPU of the same kind gives the same bits.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

from minifcn.kernels.cuda.launch import MAX_GRID

BK, STAGES = 16, 3  # as in tile.cuh
_MULTIPROCESSORS = 128  # of a large GPU
_MAX_SPLITS = 128

# The model counts in multiply-adds of one multiprocessor. A large GPU does about 500 of them while it moves 16 bytes, and
# 3 million while it starts a kernel.
_FILL = 4  # slabs' worth of time until a block's first slab has come and its result is written
_ALONE = 0.4  # of its time is lost to a block that has a multiprocessor for itself: nobody computes while it waits
_A_FLOAT, _A_KERNEL = 125 / _MULTIPROCESSORS, 3_000_000


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


# By PRODUCTS, as in tile.cuh. A warp's part of 64 x 64 reads shared memory least; with three products its splitting into big
# and small needs the registers, and the tensor cores are what one waits for.
TILES = {
    1: (Tile(128, 128, 2, 2, 1.0), Tile(64, 256, 1, 4, 0.95), Tile(128, 64, 2, 2, 0.8), Tile(32, 128, 1, 4, 0.6)),
    3: (Tile(128, 64, 2, 2, 1.0), Tile(64, 128, 1, 4, 1.0), Tile(32, 128, 1, 4, 0.9)),
    0: (Tile(128, 128, 2, 2, 1.0), Tile(64, 128, 1, 4, 0.8), Tile(32, 128, 1, 4, 0.7)),
}  # fmt: skip


class Plan(NamedTuple):
    """A tile, and the number of pieces that each sum is cut into."""

    tile: Tile
    splits: int


@functools.lru_cache(maxsize=4096)
def plan(M: int, P: int, K: int, count: int, products: int) -> Plan:
    """The plan that should finish `count` products (M, K) @ (K, P) first."""
    slabs = -(-K // BK)
    splits = range(1, max(1, min(_MAX_SPLITS, slabs // _FILL, MAX_GRID[2] // count)) + 1)
    plans = [Plan(tile, pieces) for tile in TILES[products] for pieces in splits]
    return min(plans, key=lambda one: _time(one, M, P, slabs, count))


def _time(plan: Plan, M: int, P: int, slabs: int, count: int) -> float:
    """Blocks two by two on every multiprocessor, and where sums are cut, writing the pieces and adding them up."""
    tile, splits = plan
    blocks = -(-M // tile.BM) * -(-P // tile.BN) * count * splits
    rounds = -(-blocks // _MULTIPROCESSORS)
    a_block = (-(-slabs // splits) + _FILL) * tile.BM * tile.BN * BK / tile.speed
    pieces = (2 * splits + 1) * M * P * count * _A_FLOAT + _A_KERNEL if splits > 1 else 0
    return (rounds + _ALONE * (rounds % 2)) * a_block + pieces
