"""A GPU in Python, to learn on: runs a kernel for every thread, under any schedule, counts what it reads, and catches races.

A kernel is a function of a thread and of arrays, once for each thread of a grid:

    def relu_backward(t, dy, y, dx):
        i = t.block * t.size + t.thread
        if i < dx.size:
            dx[i] = dy[i] if y[i] > 0 else 0.0

    launch(relu_backward, 4, 256, dy, y, dx)  # 4 blocks of 256 threads

Where the threads of a block have to wait for one another (``__syncthreads()``), the kernel says ``yield``; what they share is
``t.shared``. Arrays are indexed flat, as pointers are.
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np

SCHEDULES = ("in order", "backwards", "shuffled", "all read, then all write", "by turns")

Place = int | tuple[int, str]  # the number of an array that was given, or a block and the name of what its threads share
Cell = tuple[Place, int]


@dataclass
class Run:
    """What was seen during a launch: how often each array was read, and the cells where two threads were in a race."""

    reads: Counter[Place] = field(default_factory=Counter)
    races: list[Cell] = field(default_factory=list)


class OutOfBounds(IndexError):
    """A thread used a number that its array does not have."""


class Deadlock(RuntimeError):
    """Some threads of a block wait for others that never come."""


def launch(kernel: Callable[..., Any], blocks: int, size: int, *arrays: np.ndarray, schedule: str = SCHEDULES[0]) -> Run:
    """Runs the kernel for `blocks` blocks of `size` threads; what it writes is in the arrays.

    Raises OutOfBounds and Deadlock, and ValueError for a schedule that is none of `SCHEDULES`.
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule {schedule!r} is not known; choose one of {', '.join(SCHEDULES)}")
    grid = _Grid(kernel, arrays, schedule)
    order = list(range(blocks))[:: -1 if schedule == "backwards" else 1]
    if schedule == "shuffled":
        np.random.default_rng(blocks).shuffle(order)
    threads = []
    for block in order:
        shared: dict[str, np.ndarray] = {}
        threads.append([Thread(block, thread, size, blocks, grid, shared) for thread in range(size)])
    if grid.late and not inspect.isgeneratorfunction(kernel):
        grid.phase(list(chain(*threads)))  # no block waits for another
    else:
        for block_threads in threads:
            grid.block(block_threads)
    return grid.run


class Thread:
    """One thread of a grid: ``t.block`` of ``t.blocks``, ``t.thread`` of ``t.size``, and what it may do beside arithmetic."""

    def __init__(self, block: int, thread: int, size: int, blocks: int, grid: _Grid, shared: dict[str, np.ndarray]) -> None:
        self.block, self.thread, self.size, self.blocks = block, thread, size, blocks
        self._grid, self._shared = grid, shared
        self._pending: dict[Cell, tuple[np.ndarray, float]] = {}  # what it has written and nobody else sees yet

    def shared(self, name: str, count: int) -> Memory:
        """The block's own array of so many numbers; NaN until somebody writes."""
        return Memory(self, (self.block, name), self._shared.setdefault(name, np.full(count, np.nan)))

    def atomic_add(self, memory: Memory, i: int, value: float) -> None:
        """memory[i] += value in one piece: no other thread comes between the reading and the writing."""
        memory.check(i)
        memory.array.flat[i] += value
        self._grid.saw(self, (memory.place, int(i)), "atomic")


class Memory:
    """An array as one thread sees it."""

    def __init__(self, thread: Thread, place: Place, array: np.ndarray) -> None:
        self.thread, self.place, self.array = thread, place, array
        self.size, self.shape = array.size, array.shape

    def __getitem__(self, i: int) -> float:
        self.check(i)
        self.thread._grid.saw(self.thread, (self.place, int(i)), "read")
        own = self.thread._pending.get((self.place, int(i)))
        return self.array.flat[i] if own is None else own[1]

    def __setitem__(self, i: int, value: float) -> None:
        self.check(i)
        self.thread._grid.saw(self.thread, (self.place, int(i)), "write")
        if self.thread._grid.late:
            self.thread._pending[self.place, int(i)] = self.array, value
        else:
            self.array.flat[i] = value

    def check(self, i: int) -> None:
        if not isinstance(i, (int, np.integer)) or not 0 <= i < self.size:
            where = f"block {self.thread.block}, thread {self.thread.thread}"
            raise OutOfBounds(f"{where} uses number {i} of an array of {self.size}")


class _Grid:
    """A launch under way: who has used which cell since the last time that all had waited for all."""

    def __init__(self, kernel: Callable[..., Any], arrays: Sequence[np.ndarray], schedule: str) -> None:
        self.kernel, self.arrays, self.schedule = kernel, arrays, schedule
        self.late = schedule == "all read, then all write"
        self.run = Run()
        self.used: dict[Cell, dict[tuple[int, int, int], set[str]]] = {}  # cell -> (block, thread, phase) -> how
        self.number = 0  # of the phase

    def block(self, threads: list[Thread]) -> None:
        """Runs the threads of one block, from one barrier to the next."""
        if not inspect.isgeneratorfunction(self.kernel):
            return self.phase(threads)
        going = {thread: self._started(thread) for thread in threads}
        while going:
            ended = [thread for thread in self._ordered(list(going)) if next(going[thread]) is _END]
            self._settle(threads)
            self.number += 1
            if 0 < len(ended) < len(going):
                said = f"{len(going) - len(ended)} threads of block {threads[0].block} wait"
                raise Deadlock(f"{said} for {len(ended)} that have ended")
            if ended:
                break
        return None

    def phase(self, threads: list[Thread]) -> None:
        """Runs threads that do not wait for one another."""
        for thread in self._ordered(threads):
            self.kernel(thread, *self._seen_by(thread))
        self._settle(threads)

    def saw(self, thread: Thread, cell: Cell, how: str) -> None:
        """A thread has read or written a cell: a race, where another has too, with nothing that keeps the two apart."""
        self.run.reads[cell[0]] += how == "read"
        users = self.used.setdefault(cell, {})
        for (block, other, phase), ways in users.items():
            apart = block == thread.block and (other == thread.thread or phase != self.number)
            harmless = ways | {how} in ({"read"}, {"atomic"})
            if not apart and not harmless and cell not in self.run.races:
                self.run.races.append(cell)
        users.setdefault((thread.block, thread.thread, self.number), set()).add(how)

    def _started(self, thread: Thread) -> Iterator[object]:
        yield from self.kernel(thread, *self._seen_by(thread))
        yield _END

    def _seen_by(self, thread: Thread) -> list[Memory]:
        return [Memory(thread, number, array) for number, array in enumerate(self.arrays)]

    def _ordered(self, threads: list[Thread]) -> list[Thread]:
        if self.schedule == "backwards":
            return threads[::-1]
        if self.schedule == "shuffled":
            return [threads[k] for k in np.random.default_rng(len(threads)).permutation(len(threads))]
        return threads[::2] + threads[1::2] if self.schedule == "by turns" else threads

    def _settle(self, threads: list[Thread]) -> None:
        """What was written and held back becomes seen."""
        for thread in threads:
            for (_, i), (array, value) in thread._pending.items():
                array.flat[i] = value
            thread._pending.clear()


_END = object()
