"""Weights that keep channels apart: told from all others, and computed as any weight is."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from minifcn import functional as F
from minifcn import kernels, models
from minifcn.kernels import Geometry, scratch, select, threads
from minifcn.kernels.convolution import channelwise, loops
from minifcn.kernels.host.separable import _LONG, _pieces, separable
from minifcn.kernels.threads import parallel_for
from minifcn.layers import ConvTranspose2d
from minifcn.layers.initializers import bilinear

GEOMETRIES = {
    "bilinear": Geometry.of((2, 3, 29, 21), (3, 3, 5, 4), (3, 2)),
    "padded": Geometry.of((1, 2, 13, 18), (2, 2, 4, 7), (2, 3), (3, 5)),
    "a row at the end that no window meets": Geometry.of((1, 2, 19, 14), (2, 2, 5, 4), (5, 4), (1, 0)),
    "dilated": Geometry.of((1, 3, 23, 31), (3, 3, 3, 4), (2, 4), (1, 2), (3, 5)),
    "in pieces": Geometry.of((1, 2, 211, 150), (2, 2, 6, 3), (3, 2), (2, 1)),
}


@pytest.fixture(autouse=True)
def nothing_forced(monkeypatch):
    """Whatever the variable MINIFCN_KERNEL says to the process that runs the tests; with few channels, too."""
    monkeypatch.setattr(channelwise, "_FEWEST", 0)
    with kernels.using(None):
        yield


def weight_of(geometry: Geometry, rng: np.random.Generator, dtype: type = np.float64) -> np.ndarray:
    """One column and one row, both of either sign, between each channel and itself."""
    weight = np.zeros(geometry.weight_shape, dtype)
    own = np.arange(geometry.C)
    weight[own, own] = np.outer(rng.standard_normal(geometry.KH), rng.standard_normal(geometry.KW))
    return weight


@pytest.mark.parametrize("name", GEOMETRIES)
def test_what_the_definition_computes(rng, name, monkeypatch):
    g = GEOMETRIES[name]
    x, dy, bias = (rng.standard_normal(shape) for shape in (g.x_shape, g.y_shape, (g.C,)))
    for _ in range(3):  # pivots of both signs
        weight = weight_of(g, rng)
        y, dx = kernels.forward(x, weight, bias, g), kernels.input_gradient(dy, weight, g)
        np.testing.assert_allclose(y, loops.forward(x, weight, bias, g), rtol=0, atol=1e-12)
        np.testing.assert_allclose(dx, loops.input_gradient(dy, weight, g), rtol=0, atol=1e-12)
        np.testing.assert_allclose(kernels.forward(x, weight, None, g) + bias[:, None, None], y, rtol=0, atol=1e-12)
        assert y.flags.c_contiguous
        assert dx.flags.c_contiguous
    monkeypatch.setattr(select, "_module", None)  # all of this was computed here, no other rung is asked
    kernels.forward(x, weight, bias, g)
    kernels.input_gradient(dy, weight, g)


@pytest.mark.parametrize("name", ["fcn32s", "fcn16s", "fcn8s", "fcn8s-atonce", "fcn-alexnet", "fcn-squeezenet"])
def test_fixed_deconvolutions_of_fcns_are_such(name):
    for learned in (False, True):  # one that is learned begins as the other stays
        net = models.build(name, width=0.02, learn_upsampling=learned)
        layers = [layer for _, layer in net.named_layers() if isinstance(layer, ConvTranspose2d)]
        assert layers
        for layer in layers:
            weight = layer.weight.data
            _, _, KH, KW = weight.shape
            g = Geometry.of((1, 21, 4 * KH, 4 * KW), weight.shape, layer.stride)
            column, row = channelwise.factors(weight, g)
            np.testing.assert_array_equal(np.outer(column, row), weight[0, 0])


@pytest.mark.parametrize(("kernel_size", "stride"), [(6, 3), (9, 5), (14, 7), (4, 2)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_numbers_that_are_rounded_are_such_too(kernel_size, stride, dtype):
    ramp = 1 - np.abs(np.arange(kernel_size) - (kernel_size - 1) / 2) / stride
    weight = np.zeros((2, 2, kernel_size, kernel_size), dtype)
    weight[range(2), range(2)] = np.outer(ramp, ramp)
    column, row = channelwise.factors(weight, Geometry.of((1, 2, 50, 50), weight.shape, stride))
    np.testing.assert_allclose(np.outer(column, row), weight[0, 0].astype(np.float64), rtol=4 * np.finfo(dtype).eps)


def changed(place, by):
    def change(weight):
        weight[place] += by

    return change


CHANGES = {
    "one number to another channel, first": changed((0, 1, 0, 0), 1e-7),
    "one number to another channel, last": changed((2, 1, 4, 3), 1e-7),
    "one number to another channel, subnormal": changed((1, 0, 2, 2), 1e-40),
    "another channel's kernel": changed((2, 2, 1, 1), 1e-5),
    "another channel's kernel, zero": changed((1, 1), -1.0),
    "no column times a row": lambda weight: weight.__setitem__((range(3), range(3), 4, 3), weight[0, 0, 4, 3] * 1.00001),
    "not a number": lambda weight: weight.__setitem__((range(3), range(3), 4, 3), np.nan),
    "not a number to another channel": changed((2, 0, 0, 0), np.nan),
    "infinite": lambda weight: weight.__setitem__((range(3), range(3), 2, 2), np.inf),
    "nothing": lambda weight: weight.fill(0),
}


@pytest.mark.parametrize("change", CHANGES)
def test_no_other_weight_is_taken_for_one(rng, change):
    g = GEOMETRIES["bilinear"]
    weight = np.zeros(g.weight_shape, np.float32)
    weight[range(3), range(3)] = np.outer([1, 2, 3, -2, 1], [1, 3, 2, 1])  # whole numbers: nothing is rounded
    assert channelwise.factors(weight, g)
    CHANGES[change](weight)
    assert channelwise.factors(weight, g) is None
    x = rng.standard_normal(g.x_shape).astype(np.float32)
    np.testing.assert_allclose(kernels.forward(x, weight, None, g), loops.forward(x, weight, None, g), rtol=1e-4, atol=1e-4)


def test_numbers_that_are_far_apart_are_not_multiplied(rng):
    weight = np.array([1e30, 1e-30], np.float32).reshape(1, 1, 1, 2)
    with np.errstate(all="raise"):
        y, _ = F.conv_transpose2d(np.ones((1, 1, 1, 3), np.float32), weight, None, 2)
    np.testing.assert_array_equal(y.ravel(), np.tile(weight.ravel(), 3))


def test_long_numbers_keep_their_digits():
    third = np.longdouble(1) / 3
    y, _ = F.conv_transpose2d(np.ones((1, 1, 2, 2), np.longdouble), np.full((1, 1, 1, 1), third), None, 2)
    assert y[0, 0, 0, 0] == third


def own(kernel, dtype=np.float32):
    """One kernel between each of two channels and itself."""
    weight = np.zeros((2, 2, *np.shape(kernel)), dtype)
    weight[range(2), range(2)] = kernel
    return weight


WIDE = Geometry.of((1, 2, 9, 9), (2, 2, 2, 3), 2)


def test_a_kernel_without_a_positive_number_is_such():
    assert channelwise.factors(own(-np.outer([1, 2], [0, 1, 2])), WIDE)


def test_small_numbers_count_as_much_as_large_ones():
    weight = own(np.outer([1, 2.0**-12], [1, 2.0**-12, 2]))
    assert channelwise.factors(weight, WIDE)
    weight[:, :, 1, 1] *= 1.01
    assert channelwise.factors(weight, WIDE) is None


def test_a_few_last_bits_count():
    weight = own(np.outer([1, 2], [1, 2, 4]))
    weight[range(2), range(2), 0, 0] = 1 + 8 * np.finfo(np.float32).eps
    assert channelwise.factors(weight, WIDE) is None


def test_bytes_in_the_other_order_stay_so(rng):
    x, bias = rng.standard_normal(WIDE.x_shape).astype(">f4"), np.ones(2, ">f4")
    weight = own(np.outer([1, 2], [1, 2, 4]), ">f4")
    y = kernels.forward(x, weight, bias, WIDE)
    assert y.dtype == ">f4"
    np.testing.assert_allclose(y, loops.forward(x, weight, bias, WIDE), rtol=1e-5, atol=1e-5)


def test_with_a_relu_behind_it(rng):
    x, weight = rng.standard_normal(WIDE.x_shape).astype(np.float32), own(np.outer([1, 2], [1, 2, 4]))
    y, _ = F.conv2d_relu(x, weight, None, 2)
    np.testing.assert_allclose(y, np.maximum(loops.forward(x, weight, None, WIDE), 0), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(y, np.maximum(F.conv2d(x, weight, None, 2)[0], 0))  # the same road in two steps


def test_only_of_strides_and_of_whole_convolutions():
    for g in (
        Geometry.of((1, 3, 9, 9), (3, 3, 3, 3)),
        Geometry.of((1, 3, 9, 9), (3, 3, 3, 3), (1, 2)),
        Geometry.of((1, 4, 9, 9), (4, 2, 3, 3), 2, groups=2),
        Geometry.of((1, 3, 9, 9), (2, 3, 3, 3), 2),
        Geometry.of((1, 3, 9, 9), (3, 3, 1, 3), 2),  # every second row is passed over, and may hold what is not a number
        Geometry.of((1, 3, 9, 9), (3, 3, 3, 2), (2, 3)),
        Geometry.of((1, 3, 4, 20000), (3, 3, 4, 4), 2),  # a matrix of 20000 x 10000
    ):
        weight = np.zeros(g.weight_shape, np.float32)
        own = range(min(weight.shape[:2]))
        weight[own, own] = 1
        assert channelwise.factors(weight, g) is None


def test_few_channels_are_left_to_the_rung_of_the_shape(monkeypatch):
    monkeypatch.undo()  # the usual bound
    taken = [C for C in (1, 2, 5, 6, 21) if channelwise.covers(Geometry.of((1, C, 64, 64), (C, C, 16, 16), 8, 4))]
    assert taken == [6, 21]


def test_a_weight_that_changes_in_place_is_looked_at_again(rng):
    g = GEOMETRIES["bilinear"]
    dy, weight = rng.standard_normal(g.y_shape), weight_of(g, rng)
    for _ in range(2):
        np.testing.assert_allclose(kernels.input_gradient(dy, weight, g), loops.input_gradient(dy, weight, g), atol=1e-12)
        weight += rng.standard_normal(weight.shape)


def test_a_forced_rung_is_not_passed_over(rng, monkeypatch):
    g = GEOMETRIES["bilinear"]
    monkeypatch.setattr(channelwise, "factors", None)
    for name in ("phases", "loops", "plain"):
        with kernels.using(name):
            kernels.input_gradient(rng.standard_normal(g.y_shape), weight_of(g, rng), g)


def test_half_precision_is_rounded_once(rng):
    g = GEOMETRIES["padded"]
    dy, weight = rng.standard_normal(g.y_shape).astype(np.float16), weight_of(g, rng, np.float16)
    weight[range(2), range(2)] = np.outer([1, 2, 2, 1], [1, 2, 3, 4, 3, 2, 1])
    dx = kernels.input_gradient(dy, weight, g)
    assert dx.dtype == np.float16
    np.testing.assert_array_equal(
        dx, kernels.input_gradient(dy.astype(np.float32), weight.astype(np.float32), g).astype(np.float16)
    )


@pytest.mark.parametrize(
    ("OH", "H", "OW", "W"), [(400, 51, 260, 33), (51, 400, 33, 260), (300, 3, 3, 300), (65, 64, 64, 65), (1, 200, 200, 1)]
)
def test_matrices_in_pieces(rng, OH, H, OW, W):
    """Bands, whose pieces leave most of the matrix out; bands with holes and edges of zeros; and matrices without one zero."""
    x = rng.standard_normal((2, 3, H, W))
    for reach in (1.5, 0.3, np.inf):
        A, B = (
            rng.standard_normal(shape)
            * (np.abs(np.arange(shape[0])[:, None] / shape[0] * shape[1] - np.arange(shape[1])) < reach)
            for shape in ((OH, H), (OW, W))
        )
        A[: OH // 3] = 0
        np.testing.assert_allclose(separable(x, A, B), np.einsum("oh,nchw,pw->ncop", A, x, B), rtol=0, atol=1e-11)


def test_planes_larger_than_a_block(rng):
    x, A = rng.standard_normal((1, 2, 70, 70)), rng.standard_normal((600, 70))
    np.testing.assert_allclose(separable(x, A, A), A @ x @ A.T, rtol=0, atol=1e-9)


def test_the_loop_is_told_what_a_task_takes(monkeypatch):
    """Halves of 8 MB a plane: of such tasks only so many run at a time as fit the limit."""
    told, right = [], parallel_for
    monkeypatch.setattr(
        threads, "parallel_for", lambda function, count, memory: told.append(memory) or right(function, count, memory)
    )
    A, B = np.ones((2, 2), np.float32), np.ones((4, 1 << 20), np.float32)
    separable(np.ones((2, 1, 2, 1 << 20), np.float32), A, B)
    separable(np.ones((2, 1, 1, 4), np.float32), np.ones((2, 1), np.float32), B.T)
    assert told == [8 << 20, 4 << 20]


def test_threads_leave_the_bits_alone(rng):
    g = Geometry.of((2, 7, 263, 271), (7, 7, 15, 15), 8)
    dy, weight = rng.standard_normal(g.y_shape).astype(np.float32), bilinear(7, 15).astype(np.float32)
    before, results = kernels.get_num_threads(), []
    try:
        for threads in (1, 3):
            kernels.set_num_threads(threads)
            dx = kernels.input_gradient(dy, weight, g)
            results.append((dx, kernels.forward(dx, weight, None, g)))
    finally:
        kernels.set_num_threads(before)
    for one, several in zip(*results, strict=True):
        np.testing.assert_array_equal(one, several)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(
    ("H", "W", "OH", "OW"),
    [(8, 8, 16, 16), (16, 16, 8, 8), (16, 8, 8, 16), (8, 16, 16, 8), (16, 8, 8, 9), (600, 500, 300, 700)],
)
def test_a_task_takes_what_the_loop_is_told(monkeypatch, H, W, OH, OW):
    told, taken, right = [], [], parallel_for
    monkeypatch.setattr(
        threads, "parallel_for", lambda function, count, memory: told.append(memory) or right(function, count, memory)
    )
    kernels.set_num_threads(1)
    x = np.ones((3, 4000 if H < 100 else 1, H, W), np.float32)

    def work() -> None:  # in a thread that has taken nothing before
        separable(x, np.ones((OH, H), np.float32), np.ones((OW, W), np.float32))
        taken.append(scratch._stack.most)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert told == taken


def test_pieces_are_short():
    assert max(outputs.stop - outputs.start for outputs, _ in _pieces(np.eye(400, 50))) <= _LONG
