"""Every second number of rows, whatever their type, length and place in memory: to the bit, and nothing else is touched."""

import numpy as np
import pytest

from minifcn.kernels.host import stride
from minifcn.kernels.host.stride import every_second


@pytest.fixture(autouse=True, params=[0, 1 << 30], ids=["by pairs", "one by one"])
def either_way(monkeypatch, request):
    monkeypatch.setattr(stride, "_FEW", request.param)


def drawn(dtype, *shape):
    return np.random.default_rng(0).integers(0, 256, (*shape, np.dtype(dtype).itemsize), dtype=np.uint8).view(dtype)[..., 0]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.uint8])
@pytest.mark.parametrize("n", [0, 1, 2, 7, 8])
@pytest.mark.parametrize("more", [0, 1, 2, 5])  # numbers of a row beyond the last that is wanted
def test_it_takes_bits_as_they_are(dtype, n, more):
    row = drawn(dtype, 3, 5, max(0, 2 * n - 1) + more)  # any bits, so NaNs with a payload, too
    out = np.zeros((3, 5, n + 2), dtype)
    every_second(row, out[..., 1 : n + 1])
    assert out[..., 1 : n + 1].tobytes() == row[..., : 2 * n : 2].copy().tobytes()
    assert not out[..., [0, -1]].any()


@pytest.mark.parametrize("start", [0, 1, 2, 3])
def test_rows_may_begin_anywhere_and_overlap(start):
    numbers = drawn(np.float32, 64)
    rows = np.lib.stride_tricks.sliding_window_view(numbers, 11)[::3]  # (18, 11)
    out = np.empty((18, 4), np.float32)
    every_second(rows[:, start:], out)
    assert out.tobytes() == np.ascontiguousarray(rows[:, start : start + 7 : 2]).tobytes()


def test_rows_and_results_that_are_not_in_one_run_take_the_long_way():
    row, out = drawn(np.float32, 4, 18)[:, ::2], np.zeros((4, 10), np.float32)[:, ::2]
    every_second(row, out)
    assert out.tobytes() == row[:, ::2].copy().tobytes()
    column, back = drawn(np.float32, 9, 4).T, np.zeros((4, 5), np.float32)
    every_second(column, back)
    assert back.tobytes() == column[:, ::2].copy().tobytes()
    every_second(column[:, ::-1], back)
    assert back.tobytes() == column[:, ::-2].copy().tobytes()
