"""What is chosen, forced and refused."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from minifcn import kernels
from minifcn.anatomy.standin import Standin
from minifcn.kernels import Geometry, select
from minifcn.kernels.convolution import costs, inside
from minifcn.kernels.select import choose

VGG = Geometry.of((1, 64, 56, 56), (64, 64, 3, 3), 1, 1)
FC6 = Geometry.of((1, 512, 13, 13), (4096, 512, 7, 7))
SCORE = Geometry.of((1, 512, 27, 27), (21, 512, 1, 1))
DECONVOLUTION = Geometry.of((1, 21, 64, 64), (21, 21, 16, 16), 8)
FUNCTIONS = ("forward", "input_gradient", "weight_gradient")


@pytest.fixture(autouse=True)
def nothing_forced():
    """Whatever the variable MINIFCN_KERNEL says to the process that runs the tests."""
    with kernels.using(None):
        yield


def test_the_fastest_for_each_kind_of_shape():
    assert {choose(what, VGG) for what in FUNCTIONS} == {"winograd"}
    assert {choose(what, FC6) for what in FUNCTIONS} == {"strips"}
    assert {choose(what, SCORE) for what in FUNCTIONS} == {"one_by_one"}
    assert choose("input_gradient", DECONVOLUTION) == "phases"
    assert choose("forward", DECONVOLUTION) == "strips"
    tiny = Geometry.of((1, 3, 5, 5), (4, 3, 3, 3), 1, 1)
    assert choose("forward", Geometry.of((4, 3, 224, 224), (64, 3, 3, 3), 1, 1)) == "strips"
    assert choose("forward", tiny) == "strips"


@pytest.mark.parametrize("dtype", [np.float64, np.longdouble])
def test_a_precise_type_never_takes_an_approximate_rung(dtype):
    assert {choose(what, VGG, dtype) for what in FUNCTIONS} == {"strips"}
    with kernels.using("winograd"):
        assert {choose(what, VGG, dtype) for what in FUNCTIONS} == {"strips"}


def test_on_a_gpu_cuda_or_a_rung_that_knows_cupy():
    gpu = {"dtype": np.float32, "on_gpu": True}
    assert {choose(what, g, **gpu) for what in FUNCTIONS for g in (VGG, FC6, SCORE, DECONVOLUTION)} == {"cuda"}
    for name, expected in (("im2col", "im2col"), ("taps", "taps"), ("strips", "cuda"), ("winograd", "cuda"), ("loops", "cuda")):
        with kernels.using(name):
            assert choose("forward", VGG, **gpu) == expected
    with kernels.using("cuda"):
        assert choose("forward", VGG) == "winograd"


def test_using_forces_and_gives_back():
    with kernels.using("taps"):
        assert choose("forward", VGG) == "taps"
        with kernels.using("im2col"):
            assert choose("forward", VGG) == "im2col"
            with kernels.using(None):
                assert choose("forward", VGG) == "winograd"
        assert choose("forward", VGG) == "taps"
    assert choose("forward", VGG) == "winograd"
    with pytest.raises(ZeroDivisionError), kernels.using("taps"):
        raise ZeroDivisionError
    assert choose("forward", VGG) == "winograd"


def test_a_forced_rung_really_runs(monkeypatch):
    calls = []
    monkeypatch.setattr(select.rung("taps"), "forward", lambda *arguments: calls.append("taps"))
    x, weight = np.zeros(SCORE.x_shape, np.float32), np.zeros(SCORE.weight_shape, np.float32)
    with kernels.using("taps"):
        kernels.forward(x, weight, None, SCORE)
    assert calls == ["taps"]


def test_where_the_forced_rung_does_not_cover_the_choice_is_by_shape():
    with kernels.using("winograd"):
        assert choose("forward", FC6) == "strips"
        assert choose("forward", SCORE) == "one_by_one"
    with kernels.using("zero_insertion"):
        assert choose("input_gradient", VGG) == "zero_insertion"
        assert choose("forward", VGG) == "winograd"


def test_forcing_is_for_one_thread():
    seen = []
    with kernels.using("taps"):
        other = threading.Thread(target=lambda: seen.append(choose("forward", VGG)))
        other.start()
        other.join()
    assert seen == ["winograd"]


@pytest.mark.parametrize(("name", "chosen"), [("im2col", "im2col"), ("plain", "winograd"), ("fast", "no kernel 'fast'")])
def test_the_environment_forces_for_the_process(name, chosen):
    code = (
        "from minifcn.kernels import Geometry, using; from minifcn.kernels.select import choose\n"
        "vgg = Geometry.of((1, 64, 56, 56), (64, 64, 3, 3), 1, 1)\n"
        "for name in ('taps', None):\n"
        "    with using(name): print(choose('forward', vgg))\n"
        "print(choose('forward', vgg))"
    )
    environment = {**os.environ, "MINIFCN_KERNEL": name}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert run.stdout.split()[:2] == ["taps", "winograd"]
    assert chosen in (run.stdout.split()[2] if run.returncode == 0 else run.stderr)


def test_an_unknown_rung_is_refused():
    with pytest.raises(ValueError, match="no kernel 'cudnn': choose one of loops, taps, im2col"), kernels.using("cudnn"):
        pass


def test_plain_leaves_convolutions_as_they_are():
    """Their definition, `loops`, would take minutes for one picture."""
    with kernels.using("plain"):
        assert {choose(what, VGG) for what in FUNCTIONS} == {"winograd"}
        assert choose("forward", VGG, on_gpu=True) == "cuda"


def test_the_same_choice_in_every_process():
    """A resumed run must round as the first one did; a choice by timing would not."""
    code = (
        "from minifcn.kernels import Geometry; from minifcn.kernels.select import choose\n"
        "print([choose(w, Geometry.of((n, c, s, s), (c, c, 3, 3), 1, 1)) for n in (1, 4) for c in (8, 16, 24, 64)\n"
        "       for s in (4, 9, 14, 30) for w in ('forward', 'input_gradient', 'weight_gradient')])"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "MINIFCN_THREADS": n}, capture_output=True, text=True,
            timeout=60, check=True,
        ).stdout
        for n in ("1", "2", "5")
    }  # fmt: skip
    assert len(said) == 1
    assert "strips" in said.pop()


def test_the_cost_model_grows_with_the_work():
    for what in FUNCTIONS:
        for rung in ("strips", "F2", "F4"):
            small, large = (Geometry.of((1, c, 28, 28), (c, c, 3, 3), 1, 1) for c in (32, 64))
            assert 0 < costs.nanoseconds(what, rung, small) < costs.nanoseconds(what, rung, large)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (lambda x, w, dy: (x[:, :3], w, dy), ValueError, r"\(1, 3, 56, 56\)"),
        (lambda x, w, dy: (x, w[:, :, :2], dy[:, :, 1:]), ValueError, "forward needs arrays of shapes"),
        (lambda x, w, dy: (x.astype(np.float64), w, dy), TypeError, "one float type, not float64, float32"),
        (lambda x, w, dy: (x.astype(int), w.astype(int), dy), TypeError, "one float type, not int64"),
        (lambda x, w, dy: (x.astype(complex), w.astype(complex), dy), TypeError, "one float type"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, error, says):
    arrays = (np.zeros(shape, np.float32) for shape in (VGG.x_shape, VGG.weight_shape, VGG.y_shape))
    x, weight, _ = change(*arrays)
    with pytest.raises(error, match=says):
        kernels.forward(x, weight, None, VGG)


@pytest.mark.parametrize(("padding", "dilation"), [((4, 2), (4, 2)), ((3, 8), (3, 8)), ((1, 5), (2, 3))])
def test_the_share_is_what_a_picture_of_ones_counts(padding, dilation):
    for size in ((5, 9), (7, 3)):
        g = Geometry.of((1, 1, *size), (1, 1, 3, 3), 1, padding, dilation)
        assert inside.share(g) == kernels.forward(np.ones(g.x_shape), np.ones(g.weight_shape), None, g).sum() / g.macs


# ------------------------------------------------------------------------------------------ dx and dweight side by side

SMALL = Geometry.of((2, 24, 40, 30), (40, 24, 3, 3), 1, 1)
LARGE = Geometry.of((1, 256, 60, 60), (256, 256, 3, 3), 1, 1)
TINY = Geometry.of((1, 8, 12, 16), (8, 8, 3, 3), 1, 1)


@pytest.fixture
def side_by_side(monkeypatch):
    """The functions that ran at once."""
    seen, right = [], select.at_once
    monkeypatch.setattr(select, "at_once", lambda *functions: seen.extend(functions) or right(*functions))
    return seen


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("form", [{}, {"kernel": (1, 1), "padding": 0}, {"stride": 2}, {"dilation": 2, "padding": 2}])
def test_side_by_side_the_bits_are_those_of_one_after_the_other(rng, side_by_side, form):
    kernel, padding = form.pop("kernel", (3, 3)), form.pop("padding", 1)
    g = Geometry.of((2, 64, 50, 46), (96, 64, *kernel), form.get("stride", 1), padding, form.get("dilation", 1))
    x, dy, weight = (rng.standard_normal(shape).astype(np.float32) for shape in (g.x_shape, g.y_shape, g.weight_shape))
    kernels.set_num_threads(1)
    dx, dweight = kernels.gradients(x, dy, weight, g, (True, True))
    assert side_by_side == []
    kernels.set_num_threads(2)
    for got, expected in zip(kernels.gradients(x, dy, weight, g, (True, True)), (dx, dweight), strict=True):
        np.testing.assert_array_equal(got, expected)
    assert len(side_by_side) == 2


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(
    ("geometry", "threads", "needs", "expected"),
    [
        (SMALL, 2, (True, True), True),
        (SMALL, 8, (True, True), True),  # one task each: eight threads would wait
        (SMALL, 1, (True, True), False),
        (SMALL, 2, (True, False), False),
        (SMALL, 2, (False, True), False),
        (TINY, 2, (True, True), False),
        (LARGE, 2, (True, True), False),
        (Geometry.of((2, 64, 64, 64), (64, 64, 3, 3), 1, 1), 8, (True, True), False),  # 16 tasks: each has enough for all
        (Geometry.of((1, 64, 40, 40), (64, 64, 3, 3), 1, 1), 8, (True, True), False),  # 3
    ],
)
def test_where_two_threads_have_one_each(rng, side_by_side, geometry, threads, needs, expected):
    kernels.set_num_threads(threads)
    shapes = (geometry.x_shape, geometry.y_shape, geometry.weight_shape)
    dx, dweight = kernels.gradients(*(rng.standard_normal(shape).astype(np.float32) for shape in shapes), geometry, needs)
    assert (len(side_by_side) == 2) == expected
    assert (dx is not None, dweight is not None) == needs


@pytest.mark.usefixtures("threads")
def test_what_is_forced_is_forced_in_both(rng, side_by_side, monkeypatch):
    kernels.set_num_threads(2)
    called, right = [], select._module
    monkeypatch.setattr(
        select, "_module", lambda what, *rest: called.append((what, right(what, *rest).__name__)) or right(what, *rest)
    )
    shapes = (SMALL.x_shape, SMALL.y_shape, SMALL.weight_shape)
    x, dy, weight = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
    with kernels.using("im2col"):
        kernels.gradients(x, dy, weight, SMALL, (True, True))
    assert len(side_by_side) == 2
    assert {(what, name.rsplit(".")[-1]) for what, name in called[-2:]} == {
        ("input_gradient", "im2col"),
        ("weight_gradient", "im2col"),
    }
    with pytest.raises(ValueError, match="input_gradient needs arrays of shapes"):
        kernels.gradients(x, dy[:1], weight, SMALL, (True, True))


@pytest.mark.usefixtures("threads")
def test_what_has_no_numbers_is_not_brought_to_threads(monkeypatch):
    kernels.set_num_threads(2)
    monkeypatch.setattr(select, "at_once", None)
    shapes = (SMALL.x_shape, SMALL.y_shape, SMALL.weight_shape)
    dx, dweight = kernels.gradients(*(Standin(shape, np.dtype("f")) for shape in shapes), SMALL, (True, True))
    assert (dx.shape, dweight.shape) == (SMALL.x_shape, SMALL.weight_shape)


def test_half_precision_is_rounded_once_with_a_relu_too(rng):
    x, weight = (rng.standard_normal(shape).astype(np.float16) for shape in (SMALL.x_shape, SMALL.weight_shape))
    wide = kernels.forward_relu(x.astype(np.float32), weight.astype(np.float32), None, SMALL)
    np.testing.assert_array_equal(kernels.forward_relu(x, weight, None, SMALL), wide.astype(np.float16))


@pytest.mark.parametrize("dtype", [np.int32, ">f4"])
def test_two_types_of_one_size_are_refused(dtype):
    with pytest.raises(TypeError, match="one float type"):
        kernels.forward(np.zeros(VGG.x_shape, np.float32), np.zeros(VGG.weight_shape, dtype), None, VGG)
