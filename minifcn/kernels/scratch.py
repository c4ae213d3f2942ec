"""Working memory that is reused, and bounded.

Fresh memory costs a page fault for every 4 KB, often more than the work done in it, so each thread keeps one piece and
carves its arrays out of it. No convolution of the default path needs more than `LIMIT` bytes of it, whatever the picture.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

LIMIT = 64 << 20  # bytes of scratch that one convolution may use, all threads together
SHARED = 20 << 20  # of these, for arrays that all tasks of one convolution read
TASKS = LIMIT - SHARED  # and for those of the tasks that run at one time

_ALIGNMENT = 64  # bytes: a cache line, and an AVX-512 register


class _Arenas(threading.local):
    """One thread's memory: one piece for the tasks that it runs, one for what it shares with other threads' tasks."""

    def __init__(self) -> None:
        self.pieces: dict[bool, np.ndarray] = {}


_arenas = _Arenas()


def scratch(dtype: Any, *shapes: Sequence[int], shared: bool = False) -> list[np.ndarray]:
    """Uninitialised arrays of the given shapes, in memory that this thread keeps for its next call.

    They last until the same thread calls `scratch` again with the same `shared`: ask for all that a task needs at once.
    `shared=True` is for the thread that starts a `parallel_for`, whose own tasks use the other piece.
    """
    itemsize = np.dtype(dtype).itemsize
    sizes = [math.prod(shape) * itemsize for shape in shapes]
    starts = [0]
    for size in sizes:
        starts.append(starts[-1] + -(-size // _ALIGNMENT) * _ALIGNMENT)
    piece = _arenas.pieces.get(shared)
    if piece is None or piece.nbytes < starts[-1] + _ALIGNMENT:
        _arenas.pieces.pop(shared, None)  # freed before the larger one is made
        del piece
        piece = _arenas.pieces[shared] = np.empty(starts[-1] + _ALIGNMENT, np.uint8)
    first = -piece.ctypes.data % _ALIGNMENT
    return [
        piece[first + start : first + start + size].view(dtype).reshape(shape)
        for start, size, shape in zip(starts, sizes, shapes, strict=False)
    ]


def odd_lines(length: int) -> int:
    """`length` float32 numbers, rounded up to an odd number of cache lines.

    A walk down a column of a matrix whose rows are a power of two long meets the same few sets of the cache again and
    again. Rows of an odd number of lines spread it over all of them: a transposed copy takes half the time.
    """
    lines = -(-length * 4 // _ALIGNMENT)
    return (lines + 1 - lines % 2) * _ALIGNMENT // 4


def scratch_bytes(dtype: Any, *shapes: Sequence[int]) -> int:
    """What `scratch` would take for these shapes."""
    return sum(math.prod(shape) * np.dtype(dtype).itemsize + _ALIGNMENT for shape in shapes) + _ALIGNMENT
