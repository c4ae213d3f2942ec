"""Working memory: what it is carved from, and that no convolution of the default path takes more than 64 MB."""

from __future__ import annotations

import contextlib
import itertools
import threading
import tracemalloc

import numpy as np
import pytest

from minifcn import kernels
from minifcn.kernels import Geometry, scratch
from minifcn.kernels.scratch import odd_lines, workspace
from minifcn.kernels.threads import parallel_for

pytestmark = pytest.mark.usefixtures("threads")


def in_a_new_thread(function):
    """Runs a function in a thread that has no scratch memory yet, and returns its result."""
    results = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


def test_arrays_are_apart_aligned_and_given_back():
    def look():
        for _ in range(3):  # the first time from fresh memory, then from the thread's own
            with workspace(np.float32) as new:
                a, b = new(3, 5), new(7)
                assert a.shape == (3, 5)
                assert b.shape == (7,)
                assert a.dtype == b.dtype == np.float32
                with workspace(np.float64) as inner:
                    c, empty = inner(4), inner(0, 4)
                    assert c.dtype == np.float64
                    assert empty.size == 0
                    assert not any(np.shares_memory(*two) for two in itertools.combinations((a, b, c), 2))
                with workspace(np.float32) as inner:
                    again = inner(8)
                    assert not any(np.shares_memory(again, one) for one in (a, b))
        assert np.shares_memory(c, again)
        assert all(array.ctypes.data % 64 == 0 for array in (a, b, c))
        return a.ctypes.data

    assert in_a_new_thread(look)


def test_memory_is_reused_and_freed_after_a_failure():
    def look():
        places = set()
        for _ in range(5):
            with contextlib.suppress(ZeroDivisionError), workspace(np.float32) as new:
                places.add(new(1000).ctypes.data)
                raise ZeroDivisionError
        return len(places)

    assert in_a_new_thread(look) <= 2


def test_each_thread_has_its_own():
    kernels.set_num_threads(3)
    together, arrays = threading.Barrier(3, timeout=20), [None] * 3

    def task(index: int) -> None:
        for _ in range(2):
            with workspace(np.float32) as new:
                arrays[index] = new(1000)
                together.wait()

    parallel_for(task, 3)
    assert not any(np.shares_memory(arrays[i], arrays[j]) for i, j in ((0, 1), (0, 2), (1, 2)))


@pytest.mark.parametrize("length", [1, 15, 16, 17, 48, 64, 1000])
def test_odd_lines(length):
    padded = odd_lines(length)
    assert length <= padded < length + 32
    assert padded % 32 == 16


# Shapes chosen to be greedy: wide pictures, many channels, large kernels, many weights, strides, groups, batches
GREEDY = [
    Geometry.of((1, 64, 300, 400), (64, 64, 3, 3), 1, 1),
    Geometry.of((1, 3, 224, 224), (64, 3, 3, 3), 1, 100),
    Geometry.of((2, 512, 28, 28), (512, 512, 3, 3), 1, 1),
    Geometry.of((1, 1024, 20, 20), (1024, 1024, 3, 3), 1, 1),
    Geometry.of((1, 8, 6, 6000), (16, 8, 3, 3), 1, 1),
    Geometry.of((1, 256, 4, 1500), (64, 256, 3, 3), 1, 1),
    Geometry.of((2, 256, 16, 16), (1024, 256, 7, 7)),
    Geometry.of((1, 256, 40, 60), (64, 256, 7, 7), 1, 3),
    Geometry.of((1, 21, 568, 568), (21, 21, 64, 64), 32),
    Geometry.of((1, 64, 512, 512), (64, 64, 2, 2), 2),
    Geometry.of((1, 64, 256, 256), (128, 64, 3, 3), 2, 1),
    Geometry.of((1, 32, 256, 300), (32, 32, 3, 3), 2, 12, 12),
    Geometry.of((1, 256, 96, 96), (256, 1, 3, 3), 1, 1, 1, 256),
    Geometry.of((1, 128, 200, 200), (128, 128, 3, 3), 1, 2, 2),
    Geometry.of((2, 256, 100, 100), (128, 256, 3, 3), 1, 80, 80),
    Geometry.of((32, 256, 14, 14), (128, 256, 1, 1)),
    Geometry.of((1, 96, 60, 1200), (96, 96, 1, 1)),
]


def scratch_of(what: str, geometry: Geometry, dtype: type, n: int) -> int:
    """Bytes at the peak of a call, over the arguments and the result; in threads that keep nothing from before."""
    kernels.set_num_threads(n)  # a new pool
    shapes = {
        "forward": (geometry.x_shape, geometry.weight_shape, (geometry.O,)),
        "input_gradient": (geometry.y_shape, geometry.weight_shape),
        "weight_gradient": (geometry.x_shape, geometry.y_shape),
    }[what]
    arrays = [np.zeros(shape, dtype) for shape in shapes]

    def measure() -> int:
        tracemalloc.start()
        try:
            result = getattr(kernels, what)(*arrays, geometry)
            return tracemalloc.get_traced_memory()[1] - result.nbytes
        finally:
            tracemalloc.stop()

    return in_a_new_thread(measure)


@pytest.mark.parametrize("geometry", GREEDY, ids=str)
@pytest.mark.parametrize(("dtype", "n"), [(np.float32, 2), (np.float32, 16), (np.float64, 4)])
def test_no_convolution_needs_more_than_the_limit(geometry, dtype, n):
    for what in ("forward", "input_gradient", "weight_gradient"):
        assert scratch_of(what, geometry, dtype, n) < scratch.LIMIT, what


@pytest.mark.parametrize(
    "geometry",
    [
        Geometry.of((1, 8, 1, 8000), (8, 8, 1, 9), (1, 2), (0, 4)),
        Geometry.of((1, 8, 16, 8000), (8, 8, 4, 4), 2, 1),
        Geometry.of((1, 8, 2000, 2000), (8, 8, 16, 16), 8, 4),
    ],
    ids=str,
)
def test_nor_one_whose_weights_keep_channels_apart(geometry):
    weight = np.zeros(geometry.weight_shape, np.float32)
    weight[range(geometry.C), range(geometry.C)] = 1
    for what, shape in (("forward", geometry.x_shape), ("input_gradient", geometry.y_shape)):
        array, bias = np.ones(shape, np.float32), (None,) if what == "forward" else ()
        tracemalloc.start()
        result = getattr(kernels, what)(array, weight, *bias, geometry)
        peak = tracemalloc.get_traced_memory()[1] - result.nbytes
        tracemalloc.stop()
        assert peak < scratch.LIMIT, what


def test_the_measurement_sees_what_im2col_takes():
    """The columns of this layer are 112 MB; a measurement that missed them would hold nothing to anything."""
    with kernels.using("im2col"):
        kernels.set_num_threads(2)
        g = Geometry.of((1, 64, 221, 221), (64, 64, 3, 3), 1, 1)
        x, weight = np.zeros(g.x_shape, np.float32), np.zeros(g.weight_shape, np.float32)
        tracemalloc.start()
        y = kernels.forward(x, weight, None, g)
        peak = tracemalloc.get_traced_memory()[1] - y.nbytes
        tracemalloc.stop()
    assert peak > scratch.LIMIT


def test_large_weights_do_not_stay_in_memory():
    def kept():
        weight = np.ones((scratch.SCALED // 4 // 49 // 16 + 1, 16, 7, 7), np.float32)
        with kernels.scaled(weight, np.arange(len(weight), dtype=np.float32)) as product:
            assert product[-1, 0, 0, 0] == len(weight) - 1
        return scratch._stack.piece.nbytes

    assert in_a_new_thread(kept) < scratch.SCALED
