"""The stand-in's streams, events and memory pools: what CuPy leaves to the device's own time.

A stream here is a queue. Copies are done as late as events and waits allow, and memory that Python forgets is handed out again
at once, so where a wait is missing, wrong numbers arrive.
"""

from __future__ import annotations

import ctypes
import functools
import weakref
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from typing import Any

import numpy as np

counts: Counter[str] = Counter()  # "to_host", "to_device", "arrived" (which may be late), "from_pageable", "event_waits"


class Stream:
    """A queue of copies and waits, each done only when somebody needs what it gives, or waits for it.

    Kernels and everything else of NumPy's run at once, when the current stream has caught up with all that they may rely
    on. A stream that is not `non_blocking` takes turns with the null stream: its work is done at once, too.
    """

    null: Stream

    def __init__(self, null: bool = False, non_blocking: bool = False) -> None:
        self.pool = Pool()
        self._takes_turns = not (null or non_blocking)
        self._queue: deque[Callable[[], Any]] = deque()
        self._enqueued = self._finished = 0
        streams.add(self)

    def __enter__(self) -> Stream:
        _entered.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _entered.pop()

    def synchronize(self) -> None:
        counts["to_host"] += 1
        self.catch_up()

    def record(self, event: Any = None) -> Any:
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        self._enqueue(event._reached)  # as it was recorded last by now

    def launch_host_func(self, callback: Callable[[Any], Any], arg: Any) -> None:
        self._enqueue(lambda: callback(arg))

    def _enqueue(self, work: Callable[[], Any]) -> None:
        self._queue.append(work)
        self._enqueued += 1
        if self._takes_turns:
            Stream.null.catch_up()
            self.catch_up()

    def catch_up(self, position: int | None = None) -> None:
        """Does what was enqueued, up to a position."""
        while self._finished < (self._enqueued if position is None else position):
            self._finished += 1
            self._queue.popleft()()


class Event:
    """A position in the queue of the stream that it was recorded on last."""

    def __init__(self, block: bool = False, disable_timing: bool = False, interprocess: bool = False) -> None:
        self._reached: Callable[[], None] = lambda: None  # never recorded: nobody waits

    def record(self, stream: Stream | None = None) -> None:
        stream = stream or current()
        self._reached = functools.partial(stream.catch_up, stream._enqueued)

    def synchronize(self) -> None:
        counts["event_waits"] += 1
        self._reached()


class Pool:
    """Memory that goes to the next who asks as soon as Python forgets it, whoever on the device may still be using it."""

    def __init__(self, pinned: bool = False) -> None:
        self._pinned = pinned
        self._free: defaultdict[int, list[bytearray]] = defaultdict(list)

    def take(self, nbytes: int) -> Any:
        """Memory of at least that many bytes, rounded up; dirty."""
        size = max(512, 1 << (nbytes - 1).bit_length())
        block = self._free[size].pop() if self._free[size] else bytearray(b"\xff" * size)
        memory = (ctypes.c_char * size).from_buffer(block)
        memory.block, memory.pinned = block, self._pinned
        weakref.finalize(memory, self._free[size].append, block)
        return memory

    def array(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        size = int(np.prod(shape))
        return np.frombuffer(self.take(size * dtype.itemsize), dtype, size).reshape(shape)


streams: weakref.WeakSet[Stream] = weakref.WeakSet()
Stream.null = Stream(null=True)
_entered = [Stream.null]
pinned_pool = Pool(pinned=True)


def current() -> Stream:
    return _entered[-1]


class Place:
    """An address, as the hardware has it: a pool's memory is not kept from being handed out again, only mapped."""

    def __init__(self, array: np.ndarray) -> None:
        self.address = array.ctypes.data
        self._mapped = getattr(_owner(array), "block", array)


def _owner(array: Any) -> Any:
    """What a pool gave out for the array; None where it lies in NumPy's own memory."""
    while isinstance(array, np.ndarray):
        array = array.base
    return array


def is_pinned(array: np.ndarray) -> bool:
    return getattr(_owner(array), "pinned", False)
