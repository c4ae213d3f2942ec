"""The pool: every index once, failures raised, bits independent of the number of threads, and good behaviour around it."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from threadpoolctl import ThreadpoolController, threadpool_info, threadpool_limits

from minifcn import functional as F
from minifcn import kernels, models
from minifcn.kernels import Geometry, select
from minifcn.kernels import threads as parallel
from minifcn.kernels.threads import blocks, matmul, over_blocks, parallel_for
from minifcn.layers import CrossEntropyLoss
from minifcn.training import SGD

pytestmark = pytest.mark.usefixtures("threads")


@pytest.mark.parametrize("n", [1, 2, 3, 8])
@pytest.mark.parametrize("count", [0, 1, 2, 7, 100])
def test_every_index_runs_once(n, count):
    kernels.set_num_threads(n)
    done: list[int] = []
    parallel_for(done.append, count)
    assert sorted(done) == list(range(count))


def test_all_threads_take_part():
    kernels.set_num_threads(3)
    together = threading.Barrier(3, timeout=20)  # passes only when three tasks run at the same time
    parallel_for(lambda _: together.wait(), 3)


def test_a_task_that_needs_much_memory_runs_with_fewer_others():
    kernels.set_num_threads(8)
    running, most, lock = 0, 0, threading.Lock()

    def task(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        np.ones((200, 200)) @ np.ones((200, 200))
        with lock:
            running -= 1

    parallel_for(task, 40, memory=parallel.TASKS // 2)
    assert most <= 2
    parallel_for(task, 3, memory=parallel.TASKS * 10)  # too much even for one: it runs all the same


def test_keyboard_interrupt_comes_through():
    def task(index: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        parallel_for(task, 4)


def test_of_several_failures_that_of_the_lowest_index_is_raised():
    kernels.set_num_threads(2)
    together, second_failed = threading.Barrier(2, timeout=20), threading.Event()

    def task(index: int) -> None:
        together.wait()
        if index == 0:
            second_failed.wait(20)
        else:
            threading.Timer(0.01, second_failed.set).start()  # when this failure has been noted
        raise ZeroDivisionError(f"task {index}")

    with pytest.raises(ZeroDivisionError, match="task 0"):
        parallel_for(task, 2)


def test_an_interrupt_comes_before_errors():
    kernels.set_num_threads(2)
    together = threading.Barrier(2, timeout=20)

    def task(index: int) -> None:
        together.wait()
        raise KeyboardInterrupt if index else ZeroDivisionError

    with pytest.raises(KeyboardInterrupt):
        parallel_for(task, 2)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_the_failure_of_a_task_is_raised_and_stops_the_rest(n):
    kernels.set_num_threads(n)
    done: list[int] = []

    def task(index: int) -> None:
        if index == 3:
            raise ZeroDivisionError("task 3")
        np.ones(100_000).sum()  # lets go of Python's lock
        done.append(index)

    with pytest.raises(ZeroDivisionError, match="task 3"):
        parallel_for(task, 100_000)
    assert len(done) < 1000
    assert n > 1 or done == [0, 1, 2]
    parallel_for(done.append, 5)  # and the pool goes on working
    assert done[-5:] != []


def test_an_interrupt_on_a_worker_comes_through_too():
    kernels.set_num_threads(2)
    together = threading.Barrier(2, timeout=20)

    def task(_: int) -> None:
        together.wait()
        if threading.current_thread() is not threading.main_thread():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        parallel_for(task, 2)


def test_the_pool_keeps_nothing_of_a_loop_that_is_over():
    kernels.set_num_threads(2)
    together, array = threading.Barrier(2, timeout=20), np.ones(9)
    gone = weakref.ref(array)
    parallel_for(lambda _, array=array: together.wait() and array.sum(), 2)
    del array
    assert gone() is None


class Interrupted(parallel._Loop):
    """Its caller is interrupted between two tasks."""

    def work(self) -> None:
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        super().work()


def test_after_an_interrupt_between_tasks_workers_begin_nothing_more():
    kernels.set_num_threads(2)
    done: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        Interrupted(lambda index: np.ones(100_000).sum() and done.append(index), 100_000).run(2)
    assert len(done) < 1000


def test_an_interrupt_of_the_waiting_is_raised_when_the_worker_is_done():
    """Until then it may write into what belongs to the caller."""
    job, asked = parallel._Job(lambda: None), []

    def get(timeout: float) -> None:
        asked.append(timeout)
        if len(asked) == 1:
            raise KeyboardInterrupt
        job.finished = True

    job.begun, job.told = True, SimpleNamespace(get=get)
    with pytest.raises(KeyboardInterrupt):
        parallel._wait_for([job])
    assert len(asked) == 2


def test_an_interrupt_of_the_handing_out_leaves_a_pool_that_works(monkeypatch):
    kernels.set_num_threads(3)
    copied, right = [], parallel.contextvars.copy_context

    def copy_context():
        copied.append(1)
        if len(copied) == 2:
            raise KeyboardInterrupt
        return right()

    monkeypatch.setattr(parallel.contextvars, "copy_context", copy_context)
    done: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        parallel_for(done.append, 100)
    together = threading.Barrier(3, timeout=20)
    parallel_for(lambda _: together.wait(), 3)
    assert len(done) <= 100


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_child_that_is_forked_inside_of_a_task_has_all_threads():
    code = (
        "import os, sys, threading; from minifcn import kernels\n"
        "kernels.set_num_threads(2); codes = []\n"
        "def task(index):\n"
        "    if index: return\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        both = threading.Barrier(2, timeout=10)\n"
        "        try: kernels.parallel_for(lambda _: both.wait(), 2)\n"
        "        except threading.BrokenBarrierError: os._exit(1)\n"
        "        os._exit(0)\n"
        "    codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "kernels.parallel_for(task, 2); sys.exit(codes[0])\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=60, check=False)
    assert done.returncode == 0


def test_a_loop_inside_of_a_loop_runs_on_its_thread():
    kernels.set_num_threads(4)
    threads: list[set[int]] = [set() for _ in range(6)]

    def outer(i: int) -> None:
        parallel_for(lambda _: threads[i].add(threading.get_ident()), 5)

    parallel_for(outer, 6)
    assert all(len(seen) == 1 for seen in threads)


def test_loops_from_several_threads_at_once():
    kernels.set_num_threads(3)
    results: list[list[int]] = [[] for _ in range(4)]
    callers = [threading.Thread(target=parallel_for, args=(result.append, 200)) for result in results]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(20)
    assert all(sorted(result) == list(range(200)) for result in results)


def test_numpys_error_state_is_the_callers():
    kernels.set_num_threads(3)
    zeros = np.zeros(3)
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        parallel_for(lambda _: 1 / zeros, 3)
    with np.errstate(divide="ignore"):
        parallel_for(lambda _: 1 / zeros, 3)


@pytest.mark.parametrize("fails", [False, True])
def test_numpys_buffer_is_short_on_every_thread_and_the_users_again_afterwards(fails):
    kernels.set_num_threads(2)
    meet = threading.Barrier(2, timeout=30)

    def task() -> int:
        meet.wait()  # one task a thread
        if fails:
            raise ZeroDivisionError
        return np.getbufsize()

    with np.errstate():
        np.setbufsize(4096)  # the user's
        with pytest.raises(ZeroDivisionError) if fails else contextlib.nullcontext():
            inside = parallel.at_once(task, task)
            assert inside[0] == inside[1] < 4096
        assert np.getbufsize() == 4096


def test_blas_has_one_thread_inside_and_the_users_number_outside():
    def blas_threads() -> list[int]:
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    with threadpool_limits(2, user_api="blas"):
        before, inside = blas_threads(), []
        parallel_for(lambda _: inside.append(blas_threads()), 3)
        assert all(set(seen) == {1} for seen in inside)
        assert blas_threads() == before
        with pytest.raises(ZeroDivisionError):
            parallel_for(lambda _: 1 // 0, 3)
        assert blas_threads() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_has_a_pool_of_its_own():
    """In a process of its own, because a test run has threads that a fork would leave behind."""
    code = (
        "import os, sys; from minifcn import kernels\n"
        "kernels.set_num_threads(3); done = []\n"
        "kernels.parallel_for(done.append, 50)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    done = []; kernels.parallel_for(done.append, 50)\n"
        "    os._exit(0 if sorted(done) == list(range(50)) and kernels.get_num_threads() == 3 else 1)\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=60, check=False)
    assert done.returncode == 0


def test_number_of_threads_from_the_environment():
    code = "from minifcn import kernels; print(kernels.get_num_threads())"
    for given, said in (("3", "3"), ("0", "MINIFCN_THREADS must be a whole number"), ("many", "not 'many'")):
        done = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "MINIFCN_THREADS": given},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert said in done.stdout + done.stderr


@pytest.mark.parametrize("wrong", [0, -1, "x"])
def test_a_wrong_number_of_threads_is_refused(wrong):
    with pytest.raises(ValueError, match="whole number of at least 1"):
        kernels.set_num_threads(wrong)


# ------------------------------------------------------------------------------- BLAS's threads, whichever thread asks


def _openblas() -> list[tuple[Any, Callable[[int], object]]]:
    """Each OpenBLAS whose threads are the process's: threadpoolctl's controller, and the library's own way to set them."""
    found = []
    for library in ThreadpoolController().lib_controllers:
        if library.internal_api == "openblas" and library.threading_layer != "openmp":
            affixes = itertools.product(("", "scipy_"), ("", "64_", "_64"))
            names = [f"{prefix}openblas_set_num_threads{suffix}" for prefix, suffix in affixes]
            found.append((library, next(getattr(library.dynlib, name) for name in names if hasattr(library.dynlib, name))))
    return found


@contextlib.contextmanager
def _blas_set_to(count: int) -> Iterator[list[Any]]:
    """OpenBLAS has `count` threads, said to itself, and the calling thread is the one that threadpoolctl lets control it."""
    libraries = _openblas()
    if not libraries:
        pytest.skip("NumPy's BLAS is no OpenBLAS with threads of its own")
    before = [library.get_num_threads() for library, _ in libraries]
    for library, set_openblas in libraries:
        getattr(library, "clear_controlling_thread", lambda force: None)(force=True)
        library.set_num_threads(count)
        set_openblas(count)
    try:
        yield [library for library, _ in libraries]
    finally:
        for (_, set_openblas), old in zip(libraries, before, strict=True):
            set_openblas(old)


def _in_new_thread(function: Callable[[], Any]) -> Any:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join(120)
    assert results, "the thread failed or hangs"
    return results[0]


def _counts(libraries: list[Any]) -> list[int]:
    return [library.num_threads for library in libraries]


def _counts_inside(libraries: list[Any]) -> set[int]:
    seen: list[list[int]] = []
    parallel_for(lambda _: seen.append(_counts(libraries)), 6)
    return {count for counts in seen for count in counts}


def _weights_after_two_steps() -> str:
    """sha256 of a small FCN-8s's weights, trained for two steps."""
    rng = np.random.default_rng(7)
    images, labels = rng.standard_normal((2, 3, 64, 96), dtype=np.float32), rng.integers(0, 5, (2, 64, 96), np.uint8)
    net = models.build("fcn8s", 5, width=1 / 16, padding=1, seed=0)
    net.reseed(0)
    criterion, optimizer = CrossEntropyLoss(), SGD(net.parameters(), lr=1e-2, momentum=0.9)
    for _ in range(2):
        net.zero_grad()
        criterion(net(images), labels)
        net.backward(criterion.backward())
        optimizer.step()
    return hashlib.sha256(b"".join(parameter.data.tobytes() for parameter in net.parameters())).hexdigest()


def test_the_openblas_in_numpys_wheels_is_known():
    """threadpoolctl 3.4 did not know it: BLAS kept its threads inside of tasks, and nothing said so."""
    if np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"] != "scipy-openblas":
        pytest.skip("NumPy comes from elsewhere")
    assert _openblas()


def test_every_thread_computes_the_same_weights_with_blas_on_one_thread():
    kernels.set_num_threads(2)
    with _blas_set_to(3) as libraries:

        def work() -> tuple[set[int], str, list[int]]:
            return _counts_inside(libraries), _weights_after_two_steps(), _counts(libraries)

        results = {
            "main": work(), "new": _in_new_thread(work), "after another": _in_new_thread(work), "main again": work(),
        }  # fmt: skip
        _, weights, _ = results["main"]
        expected = ({1}, weights, [3] * len(libraries))
        assert {who: result for who, result in results.items() if result != expected} == {}


def test_the_thread_that_computes_first_need_not_be_the_main_one():
    """In a process of its own, where nobody controls BLAS yet; the first thread stays alive while the main one computes."""
    code = (
        "import threading\n"
        "from threadpoolctl import ThreadpoolController\n"
        "from minifcn.kernels import parallel_for\n"
        "import numpy\n"
        "libraries = ThreadpoolController().select(user_api='blas').lib_controllers\n"
        "[library.set_num_threads(3) for library in libraries]\n"
        "[getattr(library, 'clear_controlling_thread', lambda: None)() for library in libraries]\n"
        "def work():\n"
        "    parallel_for(lambda _: inside.extend(library.num_threads for library in libraries), 4)\n"
        "    inside.extend(-library.num_threads for library in libraries)\n"
        "def first(): work(); done.set(); leave.wait(20)\n"
        "inside = []; done, leave = threading.Event(), threading.Event()\n"
        "thread = threading.Thread(target=first); thread.start(); done.wait(20)\n"
        "work(); leave.set(); thread.join()\n"
        "print(sorted(set(inside)) == [-3, 1], len(libraries))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    says, _, libraries = done.stdout.partition(" ")
    if libraries.strip() == "0":
        pytest.skip("threadpoolctl knows no BLAS here")
    assert says == "True", done.stdout + done.stderr


def test_the_thread_that_controls_blas_goes_on_controlling_it():
    """threadpoolctl 3.8 and later: neither in a loop nor after it does another thread gain what it had not before."""
    with _blas_set_to(3) as libraries:
        if not hasattr(libraries[0], "clear_controlling_thread"):
            pytest.skip("with this threadpoolctl every thread may set BLAS's number")
        _in_new_thread(lambda: _counts_inside(libraries))
        _in_new_thread(lambda: [library.set_num_threads(2) for library in libraries])
        assert set(_counts(libraries)) == {3}, "a thread that controlled nothing now does"
        with threadpool_limits(2, user_api="blas"):
            assert _in_new_thread(lambda: _counts_inside(libraries)) == {1}
            assert set(_counts(libraries)) == {2}
        assert set(_counts(libraries)) == {3}


@pytest.mark.parametrize("first_leaves_first", [True, False])
def test_two_threads_inside_at_once(first_leaves_first):
    kernels.set_num_threads(1)
    with _blas_set_to(3) as libraries:
        leave = [threading.Event(), threading.Event()]
        inside, seen = [threading.Event(), threading.Event()], [[], []]

        def call(who: int) -> None:
            def task(index: int) -> None:
                inside[who].set()
                leave[who].wait(20)
                seen[who].extend(_counts(libraries))

            parallel_for(task, 2)

        callers = [threading.Thread(target=call, args=(who,)) for who in (0, 1)]
        for who in (0, 1):
            callers[who].start()
            assert inside[who].wait(20)
        for who in (0, 1) if first_leaves_first else (1, 0):
            leave[who].set()
            callers[who].join(20)
        assert set(seen[0] + seen[1]) == {1}
        assert set(_counts(libraries)) == {3}


# Libraries that are not on every machine, and threadpoolctl's ways through its versions


class FakeBlas:
    """A controller as threadpoolctl up to 3.7 has it: whoever sets the number sets the process's."""

    internal_api, threading_layer = "openblas", "pthreads"
    dynlib: Any = None

    def __init__(self, count: int = 4) -> None:
        self.count: int | None = count

    def get_num_threads(self) -> int:
        return self.count

    def set_num_threads(self, count: int) -> None:
        self.count = count


class ControlledBlas(FakeBlas):
    """As 3.8 has it: one thread controls, what another sets is dropped in silence."""

    controlling: threading.Thread | None = None

    def set_num_threads(self, count: int) -> None:
        if self.controlling is None or not self.controlling.is_alive():
            self.controlling = threading.current_thread()
        if self.controlling is threading.current_thread():
            self.count = count

    def clear_controlling_thread(self, force: bool = False) -> None:
        if force or self.controlling is threading.current_thread():
            self.controlling = None


class OpenBlas(ControlledBlas):
    """As 3.8 has it, with OpenBLAS's own function, under the name that it has in NumPy's wheels."""

    @property
    def dynlib(self) -> Any:
        return type("CDLL", (), {"scipy_openblas_set_num_threads64_": lambda _, count: setattr(self, "count", count)})()


class BlasOfEachThread(FakeBlas):
    """MKL, and OpenBLAS on OpenMP: a thread sets its own number, and a new thread starts with many."""

    internal_api, threading_layer = "mkl", "intel"

    def __init__(self, count: int = 4) -> None:
        self.own, self.many = threading.local(), count

    @property
    def count(self) -> int:
        return getattr(self.own, "count", self.many)

    @count.setter
    def count(self, count: int) -> None:
        self.own.count = count


class OpenBlasOnOpenMP(BlasOfEachThread):
    internal_api, threading_layer = "openblas", "openmp"


class FlexiBlas(FakeBlas):
    internal_api = "flexiblas"
    threading_layer = property()  # it has none: to ask raises AttributeError


class FlexiBlasOnMkl(BlasOfEachThread):
    internal_api = "flexiblas"
    threading_layer = property()


KINDS = [FakeBlas, ControlledBlas, OpenBlas, BlasOfEachThread, OpenBlasOnOpenMP, FlexiBlas, FlexiBlasOnMkl]
OF_THE_PROCESS = [FakeBlas, ControlledBlas, OpenBlas, FlexiBlas]


@pytest.fixture
def fake(monkeypatch) -> Callable[[type[FakeBlas]], FakeBlas]:
    """fake(kind): the only BLAS that loops know in this test, with a pool of fresh workers."""

    def make(kind: type[FakeBlas]) -> FakeBlas:
        controller = kind()
        held = parallel._OneBlasThread()
        held.libraries = [parallel._BlasLibrary(controller)]
        monkeypatch.setattr(parallel, "_one_blas_thread", held)
        kernels.set_num_threads(3)
        return controller

    return make


def _fake_counts_inside(blas: FakeBlas) -> set[int]:
    seen: list[int] = []
    together = threading.Barrier(3, timeout=20)  # so that the caller and both workers have a task

    def task(_: int) -> None:
        together.wait()
        seen.append(blas.count)

    parallel_for(task, 3)
    return set(seen)


@pytest.mark.parametrize("kind", KINDS)
def test_one_thread_inside_and_the_users_number_after_it_with_any_blas(kind, fake):
    blas = fake(kind)
    blas.set_num_threads(5)  # as the main thread's, which controls from now on
    for who in ("new", "after another", "main", "new"):
        inside = _fake_counts_inside(blas) if who == "main" else _in_new_thread(lambda: _fake_counts_inside(blas))
        assert (who, inside, blas.count) == (who, {1}, 5)
        assert _in_new_thread(blas.get_num_threads) == (5 if kind in OF_THE_PROCESS else 4)


def test_each_caller_gets_its_own_number_back_where_each_thread_has_one(fake):
    blas = fake(BlasOfEachThread)

    def call() -> tuple[set[int], int]:
        blas.set_num_threads(7)
        return _fake_counts_inside(blas), blas.count

    blas.set_num_threads(6)
    with parallel._one_blas_thread:
        assert _in_new_thread(call) == ({1}, 7)
        assert blas.count == 1
    assert blas.count == 6


@pytest.mark.parametrize("kind", KINDS)
def test_entering_twice_and_leaving_twice(kind, fake):
    blas = fake(kind)
    with parallel._one_blas_thread:
        with parallel._one_blas_thread:
            assert blas.count == 1
        assert blas.count == 1
    assert blas.count == 4


def test_control_is_left_with_whoever_had_it(fake):
    """Where OpenBLAS's own function is known. Where it is not, control is taken, and left to the next that asks."""
    blas = fake(OpenBlas)
    blas.set_num_threads(5)
    _in_new_thread(lambda: _fake_counts_inside(blas))
    assert blas.controlling is threading.current_thread()
    blas = fake(ControlledBlas)
    blas.set_num_threads(5)
    _in_new_thread(lambda: _fake_counts_inside(blas))
    assert blas.controlling is None


@pytest.mark.parametrize("kind", OF_THE_PROCESS)
def test_a_number_that_the_user_sets_meanwhile_stays(kind, fake):
    """A `threadpool_limits` of another thread that ends while a loop runs puts its own old number back: that is right."""
    blas = fake(kind)
    with parallel._one_blas_thread:
        blas.count = 8
    assert blas.count == 8
    with parallel._one_blas_thread:
        blas.count = 6
        with parallel._one_blas_thread:
            assert blas.count == 1
    assert blas.count == 6


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_child_that_is_forked_while_another_thread_is_inside_has_the_users_number():
    code = (
        "import os, sys, threading; import numpy as np\n"
        "from minifcn import kernels\n"
        "from threadpoolctl import ThreadpoolController\n"
        "libraries = ThreadpoolController().select(user_api='blas').lib_controllers\n"
        "[library.set_num_threads(3) for library in libraries]\n"
        "a = np.ones((300, 300)); a @ a\n"
        "inside, leave = threading.Event(), threading.Event()\n"
        "thread = threading.Thread(target=kernels.parallel_for, args=(lambda _: (inside.set(), leave.wait(20)), 1))\n"
        "thread.start(); inside.wait(20)\n"
        "counts = lambda: {library.num_threads for library in libraries} - {3}\n"
        "assert counts() == ({1} if libraries else set())\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    left = counts(); seen = []; a @ a\n"
        "    kernels.parallel_for(lambda _: seen.extend(counts()), 2)\n"
        "    os._exit(len(left) + 2 * len(counts()) + 4 * (set(seen) != ({1} if libraries else set())))\n"
        "leave.set(); thread.join()\n"
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) + 8 * len(counts()))\n"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=60, check=False)
    assert done.returncode == 0


# ------------------------------------------------------------------------------------------------------------- blocks


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (3, 5, 7, 11), (1, 64, 20, 20), (9, 1, 1, 2), (2, 3, 50, 1)])
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("size", [1, 16, 100, 10**6])
def test_blocks_cover_everything_once_and_are_no_larger_than_asked(shape, axes, size):
    counted = np.zeros(shape, int)
    smallest = int(np.prod([shape[axis] for axis in range(4) if axis not in axes]))  # what is never cut
    for at in blocks(shape, axes, size):
        counted[at] += 1
        assert counted[at].size <= max(size, smallest)
        assert all(at[axis] == slice(None) for axis in range(len(at)) if axis not in axes)
    assert (counted == 1).all()


@pytest.mark.parametrize("n", [1, 3])
def test_over_blocks_returns_results_in_block_order(n):
    kernels.set_num_threads(n)
    x = np.random.default_rng(0).standard_normal((4, 9, 50, 70)).astype(np.float32)
    y = np.empty_like(x)

    def block(at):
        np.maximum(x[at], 0, out=y[at])
        return float(x[at].sum())

    sums = over_blocks(block, x, size=5000)
    np.testing.assert_array_equal(y, np.maximum(x, 0))
    assert sums == [float(x[at].sum()) for at in blocks(x.shape, (0, 1), 5000)]
    assert len(sums) > 10


# ---------------------------------------------------------------------------------------------------- matrix product


@pytest.mark.parametrize(
    ("M", "K", "P"), [(1, 1, 1), (3, 5, 2), (300, 7, 40), (40, 7, 3000), (8, 50_000, 9), (2100, 64, 2), (5, 0, 3)]
)
def test_matmul_is_a_matrix_product(M, K, P):
    rng = np.random.default_rng(M + K + P)
    a, b = rng.standard_normal((M, K)), rng.standard_normal((K, P))
    np.testing.assert_allclose(matmul(a, b), a @ b, rtol=0, atol=1e-11)
    out = np.empty((P, M)).T
    assert matmul(a, b, out=out) is out
    np.testing.assert_allclose(out, a @ b, rtol=0, atol=1e-11)


# ------------------------------------------------------------------------- bits do not depend on the number of threads


CASES = [
    Geometry.of((2, 24, 40, 33), (40, 24, 3, 3), 1, 1),
    Geometry.of((1, 130, 14, 15), (520, 130, 3, 3), 1, 1),
    Geometry.of((3, 4, 70, 51), (10, 2, 5, 4), (1, 2), (2, 1), 1, 2),
    Geometry.of((1, 256, 9, 9), (300, 256, 7, 7)),
    Geometry.of((2, 21, 72, 72), (21, 21, 16, 16), 8),
    Geometry.of((2, 512, 6, 6), (512, 512, 1, 1)),
    Geometry.of((1, 16, 90, 90), (21, 16, 1, 1)),
    Geometry.of((2, 24, 33, 40), (40, 24, 3, 3), 1, 4, 4),
    Geometry.of((2, 64, 13, 12), (130, 64, 3, 3), 1, 13, 13),
]


@pytest.mark.parametrize("rung", [None, *[name for name in kernels.rungs() if name != "loops"]])
def test_bits_do_not_depend_on_the_number_of_threads(rung):
    module = kernels if rung is None else select.rung(rung)
    rng = np.random.default_rng(1)
    ran = 0
    for g in CASES:
        if rung is not None and not module.covers(g, np.float32):
            continue
        x, w, dy = (rng.standard_normal(s, dtype=np.float32) for s in (g.x_shape, g.weight_shape, g.y_shape))
        for what, arguments in (("forward", (x, w, w[:, 0, 0, 0])), ("input_gradient", (dy, w)), ("weight_gradient", (x, dy))):
            if hasattr(module, what):
                results = []
                for n, blas in itertools.product((1, 2, 3, 7), (1, 2)):
                    kernels.set_num_threads(n)
                    with threadpool_limits(blas, user_api="blas"):
                        results.append(getattr(module, what)(*arguments, g).tobytes())
                assert len(set(results)) == 1, (what, g)
                ran += 1
    assert ran >= 2


@pytest.mark.parametrize(("shape", "size"), [((2, 21, 64, 64), (500, 500)), ((1, 8, 700, 900), (350, 500))])
def test_bits_of_a_resize_do_not_depend_on_blas(shape, size):
    x = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    results = []
    for blas in (1, 2, 3):
        with _blas_set_to(blas):
            y, cache = F.interpolate(x, size=size)
            results.append((y.tobytes(), F.interpolate_backward(y, cache).tobytes()))
    assert len(set(results)) == 1


@pytest.mark.parametrize("allowed", [0, 1])
def test_where_no_thread_can_be_started_the_caller_works_alone(monkeypatch, allowed):
    """In a browser, and under a limit of the system, `Thread.start` raises; results do not depend on it."""
    start, started = threading.Thread.start, []

    def refuse(self):
        if len(started) >= allowed:
            raise RuntimeError("can't start new thread")
        started.append(self)
        start(self)

    monkeypatch.setattr(parallel, "_pool", parallel._Pool(4))
    monkeypatch.setattr(threading.Thread, "start", refuse)
    done = np.zeros(50, int)

    def task(i):
        done[i] += 1

    for _ in range(3):
        parallel_for(task, len(done))
    assert (done == 3).all()
    assert len(started) == allowed
    parallel._pool.resize(1)


def test_two_of_the_users_threads_do_not_share_what_inside_works_in():
    g = Geometry.of((1, 30, 60, 60), (32, 30, 3, 3), 1, 4, 4)
    draw, inside, wrong = np.random.default_rng(0), select.rung("inside"), []
    weight = draw.standard_normal(g.weight_shape)

    def again(x):
        expected = select.rung("im2col").forward(x, weight, None, g)
        for _ in range(10):
            wrong.append(np.abs(inside.forward(x, weight, None, g) - expected).max() > 1e-10)

    several = [threading.Thread(target=again, args=(draw.standard_normal(g.x_shape),)) for _ in range(4)]
    for thread in several:
        thread.start()
    for thread in several:
        thread.join()
    assert len(wrong) == 40
    assert not any(wrong)


def test_at_once_each_has_a_thread_and_results_are_in_order():
    kernels.set_num_threads(2)
    both_here = threading.Barrier(2)
    assert sorted(parallel.at_once(lambda: both_here.wait(10), lambda: both_here.wait(10))) == [0, 1]
    assert parallel.at_once(*(lambda number=number: number for number in range(3))) == [0, 1, 2]
