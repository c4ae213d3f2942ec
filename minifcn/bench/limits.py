"""What the machine can do at most: whatever is measured has this distance to go, and no more."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minifcn.kernels.threads import over_blocks

_ROWS = 1536  # of the matrices: 3.6 thousand million multiply-adds, 28 MB
_FLOATS = 1 << 25  # that are copied: 128 MB, more than caches hold
_TIMES = 5


@dataclass(frozen=True)
class Limits:
    """Of all threads together: float32 multiply-adds a second by the BLAS, and bytes a second, read and written, by a copy."""

    macs: float
    bytes: float

    def seconds(self, macs: int, moved: int) -> float | None:
        """The least time of so many multiply-adds and of so many bytes to and from memory; None where neither is known.

        A shorter time is possible: Winograd's convolutions multiply less, and what lies in a cache need not come from memory.
        """
        return max(macs / self.macs, moved / self.bytes) if macs or moved else None


def measure(clock: Callable[[], float] = time.perf_counter) -> Limits:
    """The best of several runs, with the threads that NumPy and we use at the moment."""
    a = np.random.default_rng(0).standard_normal((_ROWS, _ROWS), np.float32)
    c = np.empty_like(a)
    source, target = np.ones((64, _FLOATS // 64), np.float32), np.empty((64, _FLOATS // 64), np.float32)
    product = _best(lambda: np.matmul(a, a.T, out=c), clock)
    copy = _best(lambda: over_blocks(lambda at: np.copyto(target[at], source[at]), target), clock)
    return Limits(_ROWS**3 / product, 2 * target.nbytes / copy)


def _best(function: Callable[[], object], clock: Callable[[], float]) -> float:
    seconds = []
    for _ in range(1 + _TIMES):  # the first one touches new memory
        start = clock()
        function()
        seconds.append(clock() - start)
    return min(seconds[1:])
