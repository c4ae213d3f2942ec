"""Every operation on the strict stand-in for CuPy: the same lines, the same numbers, and no wait for the device."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from minifcn import functional as F
from minifcn import layers as L
from minifcn.kernels import dispatch

rng = np.random.default_rng(7)


def draw(*shape, dtype=np.float64):
    return rng.standard_normal(shape).astype(dtype)


X = draw(2, 4, 7, 9)
LABELS = rng.integers(0, 4, (2, 7, 9)).astype(np.uint8)
LABELS[0, :2] = 255

CASES = {  # name: (function, arrays, options)
    "conv2d": (F.conv2d, (X, draw(6, 4, 3, 2), draw(6)), {"stride": (2, 1), "padding": 1}),
    "conv2d, groups and dilation": (F.conv2d, (X, draw(6, 2, 3, 2)), {"dilation": (1, 2), "groups": 2}),
    "conv_transpose2d": (F.conv_transpose2d, (X, draw(4, 3, 4, 3), draw(3)), {"stride": 2, "padding": 1, "output_padding": 1}),
    "max_pool2d": (F.max_pool2d, (X,), {"kernel_size": (2, 3), "stride": 2, "padding": 1, "ceil_mode": True}),
    "avg_pool2d": (F.avg_pool2d, (X,), {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}),
    "adaptive_avg_pool2d": (F.adaptive_avg_pool2d, (X,), {"output_size": (3, 2)}),
    "linear": (F.linear, (draw(3, 5), draw(4, 5), draw(4)), {}),
    "local_response_norm": (F.local_response_norm, (X,), {"size": 3, "alpha": 0.5}),
    "relu": (F.relu, (X,), {}),
    "batch_norm": (F.batch_norm, (X, draw(4), draw(4) ** 2, draw(4), draw(4)), {"training": True}),
    "batch_norm, evaluation": (F.batch_norm, (X, draw(4), draw(4) ** 2), {}),
    "dropout": (F.dropout, (X,), {"p": 0.3, "rng": np.random.default_rng(1)}),
    "dropout, evaluation": (F.dropout, (X,), {"training": False}),
    "interpolate": (F.interpolate, (X,), {"size": (11, 5)}),
    "interpolate, nearest": (F.interpolate, (X,), {"scale_factor": 2, "mode": "nearest"}),
    "add": (F.add, (X, draw(*X.shape)), {}),
    "concat": (F.concat, (X, draw(2, 1, 7, 9), draw(2, 3, 7, 9)), {}),
    "crop": (F.crop, (X,), {"top": 1, "left": 2, "height": 4, "width": 5}),
    "pad": (F.pad, (X,), {"padding": (0, 2, 1, 3), "value": -1.0}),
    "cross_entropy": (F.cross_entropy, (X, LABELS, abs(draw(4))), {"label_smoothing": 0.1}),
    "cross_entropy, none": (F.cross_entropy, (X, LABELS), {"reduction": "none"}),
}


def both(name, to_array, dtype):
    """(y, gradients, other arrays changed in place) of a case, on the arrays that to_array makes."""
    function, arrays, options = CASES[name]
    arrays = [to_array(a.astype(dtype) if a.dtype.kind == "f" else a.copy()) for a in arrays]
    y, cache = function(*arrays, **copy.deepcopy(options))  # a generator draws the same again
    dy = np.random.default_rng(3).standard_normal(y.shape).astype(dtype)
    gradients = getattr(F, f"{function.__name__}_backward")(to_array(dy), cache)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    return [y, *(gradient for gradient in gradients if gradient is not None), *arrays]


def host(array):
    return array.get() if hasattr(array, "get") else np.asarray(array)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
def test_same_numbers_and_no_wait(cupy, counts, name, dtype):
    expected = both(name, np.asarray, dtype)
    got = both(name, cupy.asarray, dtype)
    assert counts["to_host"] == 0, "this operation makes the CPU wait for the GPU"
    assert all(isinstance(array, cupy.ndarray) for array in got)
    for mine, numpys in zip(got, expected, strict=True):
        assert mine.dtype == numpys.dtype
        tolerance = 1e-5 if dtype == np.float32 else 1e-12
        np.testing.assert_allclose(host(mine), numpys, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", CASES)
def test_the_definitions_run_there_too(cupy, monkeypatch, name):
    """Whatever has no CUDA kernel runs as it is defined."""
    monkeypatch.setattr(dispatch, "package", lambda home: None)
    for mine, numpys in zip(both(name, cupy.asarray, np.float64), both(name, np.asarray, np.float64), strict=True):
        np.testing.assert_allclose(host(mine), numpys, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_a_second_step_uploads_nothing(cupy, counts, name):
    """Tables and matrices are brought to the device once, and numbers travel as arguments of the kernels."""
    function, arrays, options = CASES[name]
    arrays = [cupy.asarray(array) for array in arrays]
    for _ in range(2):
        counts.clear()
        y, cache = function(*arrays, **copy.deepcopy(options))
        getattr(F, f"{function.__name__}_backward")(1.0 if y.ndim == 0 else y, cache)
    assert counts["to_device"] == 0


def test_max_unpool2d(cupy, counts):
    results = []
    for to_array in (np.asarray, cupy.asarray):
        y, cache = F.max_pool2d(to_array(X), 2)
        indices = F.max_pool2d_indices(cache)
        back, unpool_cache = F.max_unpool2d(y, indices, X.shape)
        results.append([indices, back, F.max_unpool2d_backward(to_array(X), unpool_cache)])
    assert counts["to_host"] == 0
    for numpys, mine in zip(*results, strict=True):
        np.testing.assert_array_equal(host(mine), numpys)


@pytest.mark.parametrize("p", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("shape", [(3, 5, 7, 11), (4, 2), (0, 3), ()])
def test_dropout_drops_the_same_elements_on_both_and_moves_nothing(cupy, counts, shape, p):
    """One seed, one mask: y and dx have the same bits, and the mask is neither uploaded nor kept."""
    layer, x, dy = L.Dropout(p), np.asarray(draw(*shape, dtype=np.float32)), np.asarray(draw(*shape, dtype=np.float32))
    layer.reseed((2, 7))
    host_y, host_dx = layer(x), layer.backward(dy)
    device_x, device_dy = cupy.asarray(x), cupy.asarray(dy)
    layer.reseed((2, 7))
    counts.clear()
    y = layer(device_x)
    assert not any(isinstance(part, cupy.ndarray) for part in layer._stack[-1])
    dx = layer.backward(device_dy)
    assert not counts
    np.testing.assert_array_equal(host(y), host_y)
    np.testing.assert_array_equal(host(dx), host_dx)
