"""How far each rung's float32 and float16 results are from float64: the figures that the headers state."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn import kernels
from minifcn.kernels import Geometry, host, select
from minifcn.kernels.convolution import winograd

# deep: long sums; wide: many pixels in dweight's sums; VGG's own 3x3 layers in small
SHAPES = [
    Geometry.of((1, 256, 20, 18), (64, 256, 3, 3), 1, 1),
    Geometry.of((2, 32, 70, 66), (32, 32, 3, 3), 1, 1),
    Geometry.of((1, 64, 33, 31), (128, 64, 3, 3), 1, 2),
]
BOUNDS = {"taps": 1e-5, "im2col": 1e-5, "strips": 1e-5, "F2": 2e-5, "F4": 4e-4}


def error(g: Geometry, run) -> float:
    """Largest error over the three functions, relative to the standard deviation of the float64 result."""
    rng = np.random.default_rng(3)
    x, weight, dy = (rng.standard_normal(s, dtype=np.float32) for s in (g.x_shape, g.weight_shape, g.y_shape))
    worst = 0.0
    for what, arguments in (("forward", (x, weight, None)), ("input_gradient", (dy, weight)), ("weight_gradient", (x, dy))):
        wide = [None if array is None else array.astype(np.float64) for array in arguments]
        exact = getattr(kernels, what)(*wide, g)
        worst = max(worst, float(abs(run(what, arguments, g) - exact).max() / exact.std()))
    return worst


@pytest.mark.parametrize("g", SHAPES, ids=str)
@pytest.mark.parametrize("name", BOUNDS)
def test_float32_error_is_below_what_the_header_states(name, g):
    def run(what, arguments, geometry):
        if name in ("F2", "F4"):
            return getattr(winograd, what)(*arguments, geometry, getattr(winograd, name))
        return getattr(select.rung(name), what)(*arguments, geometry)

    found = error(g, run)
    assert BOUNDS[name] / 200 < found < BOUNDS[name]  # a bound that is never approached says nothing


def test_the_headers_state_these_bounds():
    assert "2e-5 for m = 2 and 4e-4 for m = 4 (direct: 1e-5)" in " ".join(winograd.__doc__.split())


@pytest.mark.parametrize("g", SHAPES, ids=str)
def test_float16_is_added_up_in_float32(g):
    """Added up in float16 itself, a sum of a thousand products is off by several per cent."""
    rng = np.random.default_rng(4)
    x, weight, dy = (rng.standard_normal(s).astype(np.float16) for s in (g.x_shape, g.weight_shape, g.y_shape))
    for what, arguments in (("forward", (x, weight, weight[:, 0, 0, 0])), ("input_gradient", (dy, weight))):
        got = getattr(kernels, what)(*arguments, g)
        exact = getattr(kernels, what)(*(array.astype(np.float64) for array in arguments), g)
        assert got.dtype == np.float16
        np.testing.assert_allclose(got, exact, rtol=2**-10, atol=exact.std() * 4e-4)


def test_float64_results_are_float64_results():
    g = SHAPES[0]
    rng = np.random.default_rng(5)
    x, weight = rng.standard_normal(g.x_shape), rng.standard_normal(g.weight_shape)
    with kernels.using("im2col"):
        expected = kernels.forward(x, weight, None, g)
    for name in (None, *[rung for rung in kernels.rungs() if rung != "loops"]):
        with kernels.using(name):
            np.testing.assert_allclose(kernels.forward(x, weight, None, g), expected, rtol=0, atol=1e-11)


@pytest.mark.parametrize("pixels", [33 * 33, 130 * 127])
def test_sums_over_a_channel_are_as_exact_as_numpys(pixels):
    """Added up in a few running totals, as BLAS does for a matrix and a vector, they were off a hundred times as far."""
    x = (np.random.default_rng(6).standard_normal((2, 3, pixels)) + 5).astype(np.float32)
    mean, var = host.batch_norm.channel_statistics(x)
    wide = x.astype(np.float64)
    np.testing.assert_allclose(host.batch_norm.channel_sum(x[:, :, None]), wide.sum(axis=(0, 2)), rtol=1.2e-7)
    np.testing.assert_allclose(mean, wide.mean(axis=(0, 2)), rtol=1.2e-7)
    np.testing.assert_allclose(var, wide.var(axis=(0, 2)), rtol=3e-7)


def test_batch_norm_of_a_channel_far_from_zero_loses_nothing():
    """x·scale + (shift − mean·scale) would be one pass less, and lose the digits that its two halves share."""
    x = (np.random.default_rng(7).standard_normal((1, 2, 500)) + 1000).astype(np.float32)
    mean, var = host.batch_norm.channel_statistics(x)
    inv_std = 1 / np.sqrt(var)
    exact = (x.astype(np.float64) - mean[:, None]) * inv_std[:, None] + 0.5
    np.testing.assert_allclose(
        host.batch_norm.normalise(x, mean, inv_std, np.full(2, 0.5, np.float32)), exact, rtol=0, atol=1e-6
    )
