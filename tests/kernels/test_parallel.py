"""The pool: every index once, failures raised, bits independent of the number of threads, and good behaviour around it."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from minifcn import kernels
from minifcn.kernels import Geometry, select
from minifcn.kernels import threads as parallel
from minifcn.kernels.threads import blocks, matmul, over_blocks, parallel_for

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


@pytest.mark.parametrize("n", [1, 2, 4])
def test_the_failure_of_a_task_is_raised_and_stops_the_rest(n):
    kernels.set_num_threads(n)
    done: list[int] = []

    def task(index: int) -> None:
        if index == 3:
            raise ZeroDivisionError("task 3")
        done.append(index)

    with pytest.raises(ZeroDivisionError, match="task 3"):
        parallel_for(task, 10_000)
    assert len(done) < 10_000
    parallel_for(done.append, 5)  # and the pool goes on working
    assert done[-5:] != []


def test_keyboard_interrupt_comes_through():
    def task(index: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        parallel_for(task, 4)


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
