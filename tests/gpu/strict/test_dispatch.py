"""On a GPU's arrays the functions of the mathematics run their CUDA kernels, and on NumPy's they do not."""

from __future__ import annotations

import numpy as np
import pytest

from gpu.strict.test_functional_on_strict_cupy import both
from minifcn import functional as F
from minifcn import kernels
from minifcn.kernels.cuda import conv, launch
from support.kernel_cases import draw

EXPECTED = {  # case: kernels that must be among those launched
    "conv2d": {"pack", "conv_gather", "conv_dweight", "dweight_of_parts", "channel_parts"},
    "conv_transpose2d": {"pack", "conv_gather", "conv_dweight", "dweight_of_parts"},
    "max_pool2d": {"max_pool", "max_pool_backward"},
    "relu": {"relu_backward"},
    "batch_norm": {"channel_parts", "add_channel_parts", "normalise", "normalise_backward"},
    "dropout": {"dropout"},
    "cross_entropy": {"pixel_losses", "pixel_losses_backward"},
}


@pytest.fixture
def launched(monkeypatch):
    """The names of the kernels launched by a test."""
    names, original = set(), launch._function

    def recorded(xp, device, file, kernel, *rest, **constants):
        names.add(kernel)
        return original(xp, device, file, kernel, *rest, **constants)

    monkeypatch.setattr(launch, "_function", recorded)
    return names


@pytest.mark.parametrize("name", EXPECTED)
def test_gpu_arrays_go_through_the_kernels(cupy, launched, name):
    both(name, np.asarray, np.float32)
    assert not launched
    both(name, cupy.asarray, np.float32)
    assert launched >= EXPECTED[name]


def test_float64_goes_through_columns(cupy, launched):
    both("conv2d", cupy.asarray, np.float64)
    assert {"im2col", "col2im"} <= launched


def test_the_rung_can_be_named_and_numpy_arrays_ignore_it(cupy, launched):
    with kernels.using("cuda"):
        both("conv2d", np.asarray, np.float32)
        assert not launched
        both("conv2d", cupy.asarray, np.float32)
    assert "conv_gather" in launched


def test_a_convolution_and_its_relu_are_one_kernel(cupy, monkeypatch):
    """On a GPU ReLU costs a pass over memory; the convolution's last step can do it in passing."""
    x, weight, bias = draw(2, 4, 6, 7), draw(3, 4, 3, 3), draw(3)
    with monkeypatch.context() as patched:
        patched.setattr(cupy, "maximum", None, raising=False)  # whoever takes the maximum by itself fails
        y, (_, mask) = F.conv2d_relu(*map(cupy.asarray, (x, weight, bias)), padding=1)
    expected, _ = F.conv2d_relu(x, weight, bias, padding=1)
    np.testing.assert_allclose(y.get(), expected, atol=1e-5)
    assert mask is y
    wide = F.conv2d_relu(*(cupy.asarray(array.astype(np.float64)) for array in (x, weight, bias)), padding=1)[0]
    np.testing.assert_allclose(wide.get(), expected, atol=1e-5)


def test_both_gradients_of_a_convolution_pack_dy_once(cupy, monkeypatch):
    """dx and dweight read dy in the same layout; bringing it there costs a pass over memory."""
    packed, original = [], conv.pack
    monkeypatch.setattr(conv, "pack", lambda source, *sizes: packed.append(source) or original(source, *sizes))
    x, weight = cupy.asarray(draw(1, 4, 6, 7)), cupy.asarray(draw(3, 4, 3, 3))
    y, cache = F.conv2d(x, weight)
    packed.clear()
    dy = cupy.asarray(draw(*y.shape))
    F.conv2d_backward(dy, cache)
    assert len(packed) == 3
    assert sum(one is dy for one in packed) == 1
    packed.clear()
    dx, dweight, _ = F.conv2d_backward(dy, cache, (False, True, True))
    assert dx is None
    assert dweight is not None
    assert len(packed) == 2
