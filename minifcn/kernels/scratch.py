"""Working memory that is reused, and bounded.

Fresh memory costs a page fault for every 4 KB, often more than the work done in it. So each thread keeps one piece and
uses it as a stack: a `workspace` takes arrays from its top, and gives them all back when its `with` block ends. Work
inside of other work (a transform inside of a task, a task inside of a convolution) opens a workspace on top.

No convolution of the default path takes more than `LIMIT` bytes in this way, whatever the picture; where its weights are
multiplied by a scale first, these take `SCALED` more.
"""

from __future__ import annotations

import math
import threading
from types import TracebackType
from typing import Any

import numpy as np

LIMIT = 96 << 20  # bytes of scratch that one convolution may use, all threads together
SHARED = 36 << 20  # of these, for arrays that all tasks of one convolution read
SCALED = 20 << 20  # beside them, for weights with a factor for each output; larger ones take fresh memory
TASKS = LIMIT - SHARED  # and for those of the tasks that run at one time

_LINE = 64  # bytes of a cache line, and of an AVX-512 register


class _Stack(threading.local):
    """One thread's working memory."""

    def __init__(self) -> None:
        self.piece = np.empty(0, np.uint8)
        self.used = 0  # bytes taken by the workspaces that are open
        self.most = 0  # and the most that ever were
        self.depth = 0  # how many are open


_stack = _Stack()


class workspace:
    """Uninitialised arrays of one dtype for the length of a `with` block.

    >>> with workspace(np.float32) as new:
    ...     new(27, 196).shape
    (27, 196)
    """

    __slots__ = ("_bottom", "_depth", "_dtype")

    def __init__(self, dtype: Any) -> None:
        self._dtype = np.dtype(dtype)

    def __enter__(self) -> workspace:
        self._bottom, self._depth = _stack.used, _stack.depth
        _stack.depth += 1
        return self

    def __call__(self, *shape: int) -> np.ndarray:
        """An array of this shape, which begins on a cache line."""
        size = math.prod(shape) * self._dtype.itemsize
        first = _stack.used
        _stack.used = last = first + -(-size // _LINE) * _LINE
        _stack.most = max(_stack.most, last)
        if last > _stack.piece.nbytes:
            return np.empty(shape, self._dtype)  # this once; there is room for it next time
        return _stack.piece[first : first + size].view(self._dtype).reshape(shape)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        _stack.used, _stack.depth = self._bottom, self._depth  # also of one further in that an interrupt kept from its end
        if _stack.depth == 0 and _stack.most > _stack.piece.nbytes:
            _stack.piece = np.empty(0, np.uint8)  # the old piece is freed before the new one is made
            _stack.piece = _aligned(_stack.most)


def _aligned(size: int) -> np.ndarray:
    memory = np.empty(size + _LINE, np.uint8)
    first = -memory.ctypes.data % _LINE
    return memory[first : first + size]


def odd_lines(length: int) -> int:
    """`length` float32 numbers, rounded up to an odd number of cache lines.

    A walk down a column of a matrix whose rows are a power of two long meets the same few sets of the cache again and
    again. Rows of an odd number of lines spread it over all of them: a transposed copy takes half the time.
    """
    lines = -(-length * 4 // _LINE)
    return (lines + 1 - lines % 2) * _LINE // 4
