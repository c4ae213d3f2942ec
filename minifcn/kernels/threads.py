"""Work on all cores: a pool of threads, with BLAS held to one thread inside it.

NumPy releases the interpreter lock in copies, ufuncs and matrix products, so plain Python threads use all cores.
Cutting the *whole* operation into tasks beats a threaded BLAS, because everything around the product is parallel too,
because each task's arrays stay in its core's cache, and because OpenBLAS's own threads spin for tens of milliseconds
after each product and take the core from whoever comes next.

Two rules make results independent of the number of threads, bit for bit:

1. the cut into tasks depends on shapes only, never on the number of threads;
2. inside a task BLAS runs on one thread (OpenBLAS adds in another order when it has two).
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import itertools
import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Any

import numpy as np

from minifcn.backend import get_xp
from minifcn.kernels.scratch import TASKS

Block = tuple[Any, ...]  # a part of an array: slices, or for a single number an ellipsis

BLOCK = 1 << 18  # elements of a block: a megabyte of float32. Between shorter NumPy calls threads wait for each other
_BUFFER = 1 << 10  # numbers: rows that are shorter than NumPy's buffer are copied there, and its own 2^13 is longer than most


# ------------------------------------------------------------------------------------------------ number of threads


class _Job:
    """That a worker shall help with a loop. The worker sets the flags, in this order."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.work = work
        self.begun = self.finished = False
        self.told: SimpleQueue[None] = SimpleQueue()  # gets something once it is finished


class _Pool:
    """The process's worker threads, made at first use. The caller of `parallel_for` is itself one of the n.

    They take jobs from a queue that is written in C. In a pool of Python code, such as ThreadPoolExecutor, a Ctrl-C can hit
    between two lines that belong together, and leave a lock behind that nobody opens again.
    """

    def __init__(self, size: int | None = None) -> None:
        self.size = size
        self.workers = 0
        self.jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self.given: list[_Job] = []  # those that were not finished when the last were given
        self.lock = threading.Lock()

    def submit(self, jobs: list[_Job], count: int, work: Callable[[], object]) -> None:
        """Has so many workers begin, or as many as there can be, and notes them in `jobs`: none in a browser, or where a system
        allows no more."""
        with self.lock:
            self.given = [job for job in self.given if not job.finished]
            wanted = min(len(self.given) + count, max(1, get_num_threads() - 1))  # each keeps scratch memory: no more than that
            with contextlib.suppress(RuntimeError):  # "can't start new thread": the caller does what is left
                while self.workers < wanted:
                    threading.Thread(target=_serve, args=(self.jobs,), name="minifcn", daemon=True).start()
                    self.workers += 1
            for _ in range(min(count, self.workers)):
                # NumPy's error state is a context variable: each worker runs in a copy of the caller's context
                job = _Job(functools.partial(contextvars.copy_context().run, work))
                jobs.append(job)
                self.given.append(job)
                self.jobs.put(job)

    def resize(self, size: int) -> None:
        with self.lock:
            workers, jobs = self.workers, self.jobs
            self.workers, self.jobs, self.given, self.size = 0, SimpleQueue(), [], size
        for _ in range(workers):
            jobs.put(None)


def _serve(jobs: SimpleQueue[_Job | None]) -> None:
    """A worker's life."""
    while (job := jobs.get()) is not None:
        job.begun = True
        try:
            job.work()
        finally:
            del job.work  # and what it holds
            job.finished = True
            job.told.put(None)
        del job


def _wait_for(jobs: list[_Job]) -> None:
    """Returns when no worker is at one of these jobs any more; those that have not begun must find nothing to do.

    What interrupts the waiting is raised behind it: a worker may still be writing into the caller's arrays.
    """
    interrupt: BaseException | None = None
    while True:
        try:
            for job in jobs:
                while job.begun and not job.finished:
                    with contextlib.suppress(Empty):
                        job.told.get(timeout=1)
            break
        except BaseException as late:
            interrupt = late
    if interrupt is not None:
        raise interrupt


_pool = _Pool()


def set_num_threads(n: int) -> None:
    """Uses `n` threads from now on. Results do not depend on it; only time does."""
    _pool.resize(_whole_number(n, "the number of threads"))


def get_num_threads() -> int:
    """Threads in use: what `set_num_threads` said, else the variable MINIFCN_THREADS, else the cores available."""
    if _pool.size is None:
        given = os.environ.get("MINIFCN_THREADS")
        _pool.size = _whole_number(given, "MINIFCN_THREADS") if given else cores()
    return _pool.size


def cores() -> int:
    """Cores that this process may use: in a container fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _whole_number(n: int | str, source: str) -> int:
    try:
        number = int(n)
    except ValueError:
        number = 0
    if number < 1:
        raise ValueError(f"{source} must be a whole number of at least 1, not {n!r}")
    return number


# ------------------------------------------------------------------------------------------------ BLAS on one thread


class _Held:
    """How many hold a library to one thread, and how many threads it had before. The process's, where its library's is."""

    depth = 0
    before: int | None = 1


class _HeldByThread(_Held, threading.local):
    """The same for a library whose number is each thread's own."""


class _BlasLibrary:
    """One BLAS library, by threadpoolctl's controller of it, that can be held to one thread and let go again."""

    def __init__(self, controller: Any) -> None:
        self.scope = _scope(controller)
        self.held = _HeldByThread() if self.scope == "thread" else _Held()
        self.get: Callable[[], int | None] = controller.get_num_threads
        self.set = _openblas_setter(controller) if self.scope == "process" else controller.set_num_threads

    def hold(self) -> None:
        """One thread from now on. What is found is the user's, unless it is the 1 of another caller that holds it too."""
        count = self.get()
        if not self.held.depth or count != 1:
            self.held.before = count
        self.held.depth += 1  # before the change: a child forked in between must know of it
        self.set(1)

    def release(self) -> None:
        """The last to leave gives the user's number back, unless somebody has set another one meanwhile, who knew why."""
        if self.held.depth == 1 and (before := self.held.before or 1) != 1 and self.get() == 1:
            self.set(before)
        self.held.depth -= 1

    def release_after_fork(self) -> None:
        """In a forked child nobody is left who would let a process's number go."""
        if self.scope != "thread" and self.held.depth:
            self.held.depth = 1
            self.release()


def _scope(controller: Any) -> str:
    """Whose a library's number of threads is: the "process"'s, each "thread"'s, or "unknown".

    OpenBLAS's own threads are one pool for the process. With MKL, and with an OpenBLAS that was built on OpenMP, each
    thread that calls has a number of its own. FlexiBLAS hands the number on to a library behind it.
    """
    if controller.internal_api == "openblas":
        return "thread" if controller.threading_layer == "openmp" else "process"
    return "thread" if controller.internal_api == "mkl" else "unknown"


def _openblas_setter(controller: Any) -> Callable[[int], object]:
    """Sets OpenBLAS's number of threads, from whichever thread calls it.

    Since 3.8 threadpoolctl lets one thread control OpenBLAS, the first that sets a number, and what any other sets is
    dropped in silence. A loop may run in any thread, so OpenBLAS's own function is called, past that rule: whoever
    controls goes on doing so. Only where the function has a name unknown here is control taken, and then left to nobody.
    """
    for prefix, suffix in itertools.product(("", "scipy_"), ("", "64_", "_64")):
        function = getattr(controller.dynlib, f"{prefix}openblas_set_num_threads{suffix}", None)
        if function is not None:
            return function
    clear = getattr(controller, "clear_controlling_thread", None)
    if clear is None:
        return controller.set_num_threads

    def set_in_control(count: int) -> None:
        clear(force=True)
        controller.set_num_threads(count)
        clear(force=True)

    return set_in_control


class _OneBlasThread:
    """Context in which BLAS uses one thread, whichever thread enters it; outside of it BLAS is as the user left it.

    Several threads may be inside at once, and one thread more than once. The libraries are looked up once (a
    millisecond); entering and leaving then costs two microseconds.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.libraries: list[_BlasLibrary] | None = None

    def __enter__(self) -> None:
        with self.lock:
            if self.libraries is None:
                from threadpoolctl import ThreadpoolController  # here: `import minifcn` must not pay for it

                controllers = ThreadpoolController().select(user_api="blas").lib_controllers
                self.libraries = [_BlasLibrary(controller) for controller in controllers]
            for library in self.libraries:
                library.hold()

    def __exit__(self, *_: object) -> None:
        with self.lock:
            for library in self.libraries or ():
                library.release()

    def hold_worker(self) -> None:
        """For a worker of the pool, while its caller is inside. It need not leave: only tasks ever run on it."""
        for library in self.libraries or ():
            if library.scope != "process":
                library.set(1)

    def start_afresh_after_fork(self) -> None:
        self.lock = threading.Lock()
        for library in self.libraries or ():
            library.release_after_fork()


_one_blas_thread = _OneBlasThread()


# ------------------------------------------------------------------------------------------------- loops on the pool


class _Here(threading.local):
    """What belongs to one thread: whether it is inside a `parallel_for` already."""

    def __init__(self) -> None:
        self.inside = False


_here = _Here()


class _Loop:
    """One running `parallel_for`: threads take the next index until there is none left or one of them failed."""

    def __init__(self, function: Callable[[int], object], count: int) -> None:
        self.function = function
        self.count = count
        self.indices: Iterator[int] = itertools.count()  # next() on it is atomic
        self.failures: list[tuple[int, BaseException]] = []

    def work(self) -> None:
        _here.inside = True
        try:
            while not self.failures and (index := next(self.indices)) < self.count:
                try:
                    self.function(index)
                except BaseException as failure:
                    self.failures.append((index, failure))
        finally:
            _here.inside = False

    def help(self) -> None:
        """`work`, on a worker of the pool."""
        _one_blas_thread.hold_worker()
        self.work()

    def run(self, threads: int) -> None:
        jobs: list[_Job] = []
        try:
            if threads > 1:
                _pool.submit(jobs, threads - 1, self.help)
            self.work()
        finally:
            self.indices = itertools.repeat(self.count)  # nothing more is begun, whatever happened here
            _wait_for(jobs)
        if self.failures:  # an interrupt before all errors, and of these the first
            raise min(self.failures, key=lambda failure: (isinstance(failure[1], Exception), failure[0]))[1]


def parallel_for(function: Callable[[int], object], count: int, memory: int = 0) -> None:
    """Calls `function(i)` for i in 0..count-1 on all threads, BLAS held to one thread; returns when all are done.

    The tasks must not depend on each other. Inside a task a further `parallel_for` runs on the same thread. When tasks
    fail no new ones start, and the failure of the lowest index is raised here. NumPy's error state is the caller's, its
    buffer is one for maps, on every thread.

    Args:
        memory: bytes of `scratch` that one task takes; only so many tasks run at a time as fit its limit.
    """
    if _here.inside:
        for index in range(count):
            function(index)
        return
    threads = min(get_num_threads(), count, max(1, TASKS // memory) if memory else count)
    with _one_blas_thread, np.errstate():  # which also gives the caller's buffer size back
        np.setbufsize(_BUFFER)
        _Loop(function, count).run(threads)


def at_once(*functions: Callable[[], Any], memory: int = 0) -> list[Any]:
    """What the functions return, each called on one thread, with the loops that it has inside; `memory` as above."""
    results: list[Any] = [None] * len(functions)

    def task(index: int) -> None:
        results[index] = functions[index]()

    parallel_for(task, len(functions), memory)
    return results


def _start_afresh_after_fork() -> None:
    """A forked child inherits the pool's object but none of its threads, and locks in whatever state they were."""
    global _pool
    _pool = _Pool(_pool.size)
    _one_blas_thread.start_afresh_after_fork()
    _here.inside = False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh_after_fork)


# ------------------------------------------------------------------------------------------------------------ blocks


def blocks(shape: Sequence[int], axes: Sequence[int], size: int = BLOCK) -> list[Block]:
    """Cuts an array of `shape` along `axes` (outermost first) into blocks of about `size` elements.

    Each block is a tuple of slices, good for every array that shares those axes. An axis is cut only when one step
    along the axes before it is still larger than `size`.
    """
    if not axes:
        return [(...,)]  # a single number: an ellipsis, unlike an empty index, gives an array that can be written to
    elements = math.prod(shape)
    cuts: list[list[slice]] = [[slice(None)] for _ in range(max(axes) + 1)]
    for axis in axes:
        if elements <= size:
            break
        elements //= shape[axis]  # elements of one step along this axis
        step = max(1, min(shape[axis], size // max(1, elements)))
        cuts[axis] = [slice(start, min(start + step, shape[axis])) for start in range(0, shape[axis], step)]
        elements *= step
    return list(itertools.product(*cuts))


def over_blocks(
    function: Callable[[Block], Any], array: np.ndarray, axes: Sequence[int] = (0, 1), size: int = BLOCK, memory: int = 0
) -> list[Any]:
    """Calls `function(at)` for cache-sized blocks of `array` on all threads; returns the results in block order.

        def block(at):
            np.maximum(x[at], 0, out=y[at])
        over_blocks(block, x)

    `at` is a tuple of slices along `axes`, the only axes that may be cut; index every array that shares them. The
    cut depends on the shape alone, so partial sums added in the order of the list do not depend on the threads.
    `memory` is that of `parallel_for`.
    """
    return at_once(*(functools.partial(function, at) for at in blocks(array.shape, axes, size)), memory=memory)


# ---------------------------------------------------------------------------------------------------- matrix product


def matmul(a: Any, b: Any, out: Any = None) -> Any:
    """a @ b of two matrices, (M, K) and (K, P), on all threads; the bits do not depend on their number.

    The longer side of the result is cut into as many parts as the work is worth, 16 at most. Where the inner side is
    much the longest it is cut instead, and the partial products are added in order.
    """
    if not isinstance(a, np.ndarray):
        return get_xp(a).matmul(a, b, out=out)
    (M, K), P = a.shape, b.shape[1]
    y = np.empty((M, P), np.result_type(a, b)) if out is None else out
    count = max(1, min(16, M * K * P >> 22))  # parts of 4 million multiply-adds: some 50 us of a core
    if K > 4096 and 16 * max(M, P) < K:
        inner = _parts(K, max(2, count))
        partial: list[Any] = [None] * len(inner)

        def add(index: int) -> None:
            partial[index] = a[:, inner[index]] @ b[inner[index]]

        parallel_for(add, len(inner))
        y[...] = sum(partial[1:], partial[0])
        return y
    whole = [slice(None)]
    places = list(itertools.product(_parts(M, count), whole) if M > P else itertools.product(whole, _parts(P, count)))
    parallel_for(lambda index: np.matmul(a[places[index][0]], b[:, places[index][1]], out=y[places[index]]), len(places))
    return y


def _parts(length: int, count: int) -> list[slice]:
    """0..length in at most `count` slices of equal length, a multiple of 64: the other matrix is read again for each."""
    step = max(128, -(-length // (count * 64)) * 64)
    return [slice(start, min(start + step, length)) for start in range(0, length, step)]
