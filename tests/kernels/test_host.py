"""The fast NumPy of `kernels/host` computes what the definitions of `functional/` say, and runs where it should."""

from __future__ import annotations

import sys
from types import ModuleType

import numpy as np
import pytest

import minifcn.training.optimizers  # noqa: F401, its updates are accelerated too
from minifcn import functional as F
from minifcn import kernels
from minifcn.kernels import Geometry, cuda, dispatch, host
from support.host_cases import difference

CONVOLUTION = {"covers", "forward", "forward_relu", "gradients", "input_gradient", "relu_gradients", "weight_gradient"}
PRECISION = {"get_precision", "multiplier", "set_precision"}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", host.__all__)
def test_fast_is_plain(name, dtype):
    """Small odd shapes, and shapes cut into several blocks. Where nothing is summed, to the bit."""
    summed = name not in (
        "dropout",
        "dropout_backward",
        "max_pool",
        "max_pool_backward",
        "max_pool_values",
        "relu",
        "relu_backward",
    )
    assert difference(name, dtype) <= summed * (1e-5 if dtype == np.float32 else 1e-12)


def test_every_fast_function_has_a_definition():
    assert {*host.__all__, *cuda.__all__} - CONVOLUTION - PRECISION == {*dispatch.definitions}


class Shape(np.lib.mixins.NDArrayOperatorsMixin):
    """An array of another kind: it has a shape and a dtype, and its class says who serves it."""

    kernels = "shape_kernels_of_this_test"

    def __init__(self, *shape: int) -> None:
        self.shape, self.dtype, self.ndim = shape, np.dtype(np.float32), len(shape)

    def __array_ufunc__(self, ufunc, method, *arrays, **options):
        return Shape(*np.broadcast_shapes(*(getattr(array, "shape", ()) for array in arrays)))


class Stranger(Shape):
    kernels = None


@pytest.fixture
def shape_kernels(monkeypatch):
    package = ModuleType(Shape.kernels)
    package.relu = lambda x, inplace: "its own"
    package.forward = lambda x, weight, bias, geometry: Shape(*geometry.y_shape)
    package.input_gradient = lambda dy, weight, geometry: Shape(*geometry.x_shape)
    package.weight_gradient = lambda x, dy, geometry: Shape(*geometry.weight_shape)
    monkeypatch.setitem(sys.modules, Shape.kernels, package)
    yield
    dispatch.package.cache_clear()


def test_a_class_may_name_the_package_that_serves_it(shape_kernels):
    assert F.relu(Shape(2, 3))[0] == "its own"
    with kernels.using("plain"):
        assert F.relu(Shape(2, 3))[0] == "its own"  # plain is about NumPy's arrays
    assert F.relu_backward(Shape(2, 3), Shape(2, 3)).shape == (2, 3)  # not in the package: the definition runs


def test_other_kinds_of_arrays_get_the_definition(shape_kernels):
    assert F.relu(Stranger(2, 3))[0].shape == (2, 3)
    g = Geometry.of((1, 1, 2, 2), (1, 1, 1, 1))
    assert dispatch.package_for(Stranger(1, 1, 2, 2)) is None
    assert kernels.select._module("forward", Stranger(1, 1, 2, 2), g) is kernels.select.rung("loops")


@pytest.mark.parametrize("rung", [None, "im2col", "plain"])
def test_its_convolutions_are_served_too(rung, shape_kernels):
    x, weight = Shape(2, 4, 7, 8), np.zeros((6, 4, 3, 3), np.float32)
    with kernels.using(rung):
        y, cache = F.conv2d(x, weight)
        dx, dweight, _ = F.conv2d_backward(Shape(2, 6, 5, 6), cache)
        relu, _ = F.conv2d_relu(x, weight)
    assert [array.shape for array in (y, dx, dweight)] == [(2, 6, 5, 6), (2, 4, 7, 8), (6, 4, 3, 3)]
    assert relu == "its own"


def test_plain_runs_the_definition(monkeypatch):
    monkeypatch.setattr(host, "relu", lambda x, inplace: "fast")
    assert F.relu(np.ones(3))[0] == "fast"
    with kernels.using("plain"):
        assert F.relu(np.ones(3))[0].tolist() == [1, 1, 1]
        with kernels.using(None):
            assert F.relu(np.ones(3))[0] == "fast"


def test_a_fast_function_takes_keywords_as_its_definition_does(monkeypatch):
    @kernels.accelerated("scaled")
    def scaled(x, factor=1):
        return x * factor

    monkeypatch.delitem(dispatch.definitions, "scaled")
    assert scaled(np.ones(2), factor=3).tolist() == [3, 3]
    monkeypatch.setattr(host, "scaled", lambda x, factor=1: factor, raising=False)
    assert scaled(np.ones(2), factor=3) == 3
