"""Every rung computes what `loops` computes, and `loops` what PyTorch does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from minifcn import kernels
from minifcn.kernels import select
from minifcn.kernels.geometry import Geometry

# (N, C, H, W, O, KH, KW, SH, SW, PH, PW, DH, DW, G): each has something that a careless kernel gets wrong
LISTED = {
    "plain": (2, 3, 6, 7, 4, 3, 3, 1, 1, 1, 1, 1, 1, 1),
    "no tap meets a pixel": (1, 2, 1, 1, 2, 2, 2, 1, 1, 5, 5, 10, 10, 1),
    "one pixel": (1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1),
    "1x1": (2, 5, 4, 3, 3, 1, 1, 1, 1, 0, 0, 1, 1, 1),
    "1x1, padded": (1, 2, 3, 3, 3, 1, 1, 1, 1, 1, 2, 1, 1, 1),
    "1x1, strided": (1, 2, 5, 6, 3, 1, 1, 2, 3, 0, 0, 1, 1, 1),
    "tall kernel": (1, 2, 9, 4, 2, 5, 1, 1, 1, 2, 0, 1, 1, 1),
    "wide kernel": (1, 2, 4, 9, 2, 1, 5, 1, 1, 0, 2, 1, 1, 1),
    "even kernel": (2, 2, 5, 6, 3, 4, 2, 1, 1, 2, 1, 1, 1, 1),
    "stride divides kernel": (1, 2, 10, 10, 3, 4, 4, 2, 2, 0, 0, 1, 1, 1),
    "stride does not": (1, 2, 9, 8, 3, 3, 5, 2, 3, 1, 2, 1, 1, 1),
    "stride above kernel": (1, 2, 11, 9, 3, 2, 1, 3, 4, 0, 0, 1, 1, 1),
    "stride above kernel, padded": (2, 1, 8, 9, 2, 2, 2, 5, 3, 1, 1, 1, 1, 1),
    "rows no window reaches": (1, 2, 8, 11, 2, 3, 2, 3, 4, 0, 0, 1, 1, 1),
    "kernel above input": (1, 2, 2, 3, 2, 5, 4, 1, 1, 2, 1, 1, 1, 1),
    "kernel fills input": (3, 2, 4, 5, 3, 4, 5, 1, 1, 0, 0, 1, 1, 1),
    "padding above kernel": (1, 2, 3, 2, 2, 3, 3, 1, 1, 5, 4, 1, 1, 1),
    "padding above kernel, strided": (1, 2, 3, 2, 2, 3, 2, 2, 3, 7, 6, 1, 1, 1),
    "dilated": (1, 2, 8, 9, 2, 3, 3, 1, 1, 2, 1, 2, 3, 1),
    "dilated, padded by its dilation": (2, 3, 8, 9, 4, 3, 3, 1, 1, 2, 3, 2, 3, 1),
    "dilated one way": (1, 2, 7, 5, 3, 3, 3, 1, 1, 0, 4, 1, 2, 1),
    "dilation above input": (2, 3, 2, 3, 4, 3, 3, 1, 1, 3, 4, 3, 4, 1),
    "taps that meet one row": (2, 3, 4, 7, 2, 3, 3, 1, 1, 4, 4, 4, 4, 1),
    "dilated and strided": (1, 2, 9, 9, 2, 3, 2, 2, 2, 1, 1, 2, 3, 1),
    "dilated one way, strided the other": (1, 2, 9, 9, 2, 3, 3, 2, 1, 1, 1, 1, 2, 1),
    "groups": (2, 6, 5, 4, 4, 3, 3, 1, 1, 1, 1, 1, 1, 2),
    "groups, more outputs": (1, 4, 5, 5, 12, 2, 3, 2, 1, 1, 0, 1, 1, 4),
    "depthwise": (2, 5, 6, 5, 5, 3, 3, 1, 1, 1, 1, 1, 1, 5),
    "1x1, groups": (1, 6, 3, 4, 4, 1, 1, 1, 1, 0, 0, 1, 1, 2),
    "one row": (2, 3, 1, 12, 2, 1, 3, 1, 2, 0, 1, 1, 1, 1),
    "ragged tiles": (2, 3, 9, 6, 2, 3, 3, 1, 1, 0, 2, 1, 1, 1),
    "eight channels": (2, 8, 5, 6, 3, 3, 3, 1, 1, 1, 0, 1, 1, 1),
    "eight channels a group, dilated": (1, 16, 6, 7, 4, 2, 3, 1, 1, 3, 1, 2, 1, 2),
    "3x3 of 2x1": (1, 2, 2, 1, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1),
}
OTHERS = [name for name in kernels.rungs() if name != "loops"]
ROUNDING = {"F2": 1e-5} | dict.fromkeys((None, "F4", "dilated"), 1e-4)  # the others stay below 2e-6
METHODS = [name for name in OTHERS if name != "winograd"] + ["F2", "F4"]


@st.composite
def geometries(draw, largest: int = 7) -> Geometry:
    """Small convolutions of any kind that `loops` can do in a moment."""
    G = draw(st.sampled_from([1, 1, 1, 2, 3]))
    C, O = G * draw(st.integers(1, 3)), G * draw(st.integers(1, 3))
    kernel, size = st.integers(1, 4), st.integers(1, largest)
    stride, padding, dilation = st.sampled_from([1, 1, 2, 3, 5]), st.integers(0, 5), st.sampled_from([1, 1, 1, 2, 3])
    if draw(st.booleans()):  # half of them in Winograd's territory
        kernel, stride, dilation = st.just(3), st.just(1), st.sampled_from([1, 1, 2])
    geometry = Geometry(
        draw(st.integers(1, 3)), C, draw(size), draw(size), O, draw(kernel), draw(kernel), draw(stride), draw(stride),
        draw(padding), draw(padding), draw(dilation), draw(dilation), G,
    )  # fmt: skip
    assume(geometry.OH > 0 and geometry.OW > 0 and geometry.macs < 20_000)
    return geometry


def check(difference, rung: str | None, geometry: Geometry) -> None:
    module = select.rung("winograd" if rung in ("F2", "F4") else rung or "loops")
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, ROUNDING.get(rung, 2e-6))):
        if module.covers(geometry, dtype):
            assert difference(rung, geometry, dtype) < tolerance, (rung, geometry, dtype)


@pytest.mark.parametrize("sizes", LISTED.values(), ids=LISTED.keys())
def test_loops_are_pytorchs_convolution(sizes, arguments):
    geometry = Geometry(*sizes)
    of = arguments(geometry)
    (x, weight, bias), (dy, _) = of["forward"], of["input_gradient"]
    tensors = [torch.tensor(array, requires_grad=True) for array in (x, weight, bias)]
    g = geometry
    y = torch.nn.functional.conv2d(*tensors, (g.SH, g.SW), (g.PH, g.PW), (g.DH, g.DW), g.G)
    y.backward(torch.tensor(dy))
    loops = select.rung("loops")
    np.testing.assert_allclose(loops.forward(x, weight, bias, g), y.detach(), rtol=0, atol=1e-12)
    np.testing.assert_allclose(loops.input_gradient(dy, weight, g), tensors[0].grad, rtol=0, atol=1e-12)
    np.testing.assert_allclose(loops.weight_gradient(x, dy, g), tensors[1].grad, rtol=0, atol=1e-12)


@pytest.mark.parametrize("rung", [None, *METHODS])
@pytest.mark.parametrize("sizes", LISTED.values(), ids=LISTED.keys())
def test_listed_geometries(rung, sizes, difference):
    check(difference, rung, Geometry(*sizes))


@pytest.mark.parametrize("rung", METHODS)
@pytest.mark.parametrize("sizes", LISTED.values(), ids=LISTED.keys())
@pytest.mark.parametrize("heavy", [False, True])
def test_listed_geometries_in_many_pieces(rung, sizes, heavy, difference, cut_small, monkeypatch):
    cut_small(monkeypatch, heavy)
    check(difference, rung, Geometry(*sizes))


@settings(max_examples=80)
@given(geometry=geometries())
def test_any_geometry(geometry, difference):
    for rung in [None, *METHODS]:
        check(difference, rung, geometry)


@settings(max_examples=80)
@given(geometry=geometries(largest=9), heavy=st.booleans())
def test_any_geometry_in_many_pieces(geometry, heavy, difference, cut_small):
    with pytest.MonkeyPatch.context() as patch:
        cut_small(patch, heavy)
        for rung in METHODS:
            check(difference, rung, geometry)


@pytest.mark.parametrize("rung", OTHERS)
def test_arrays_need_not_be_contiguous(rung, difference, arguments):
    geometry = Geometry(2, 4, 6, 5, 4, 3, 3, 1, 1, 1, 1)
    if rung == "one_by_one":
        geometry = Geometry(2, 4, 6, 5, 4, 1, 1)
    dtype = np.float32 if rung == "winograd" else np.float64
    module = select.rung(rung)
    for what, given_arrays in arguments(geometry).items():
        if hasattr(module, what):
            plain = [array.astype(dtype) for array in given_arrays]
            odd = [np.repeat(array, 2, axis=-1)[..., ::2].copy(order="F") for array in plain]
            backwards = [np.ascontiguousarray(array[::-1])[::-1] for array in plain]
            expected = getattr(module, what)(*plain, geometry)
            np.testing.assert_allclose(getattr(module, what)(*odd, geometry), expected, rtol=0, atol=1e-5)
            np.testing.assert_allclose(getattr(module, what)(*backwards, geometry), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("rung", OTHERS)
def test_arguments_are_not_written_to(rung, arguments):
    geometry = Geometry(2, 4, 6, 5, 4, 1 if rung == "one_by_one" else 3, 1 if rung == "one_by_one" else 3)
    module = select.rung(rung)
    for what, given_arrays in arguments(geometry).items():
        if hasattr(module, what):
            arrays = [array.astype(np.float32) for array in given_arrays]
            for array in arrays:
                array.flags.writeable = False
            first = getattr(module, what)(*arrays, geometry)
            second = getattr(module, what)(*arrays, geometry)
            assert first is not second
            assert not np.shares_memory(first, second)
            np.testing.assert_array_equal(first, second)


# Sizes at which nothing is forced to be small: all branches of the default path as users meet them
LARGE = [
    Geometry.of((2, 16, 61, 47), (24, 16, 3, 3), 1, 1),
    Geometry.of((3, 96, 9, 11), (128, 96, 3, 3), 1, 1),
    Geometry.of((1, 200, 15, 13), (210, 200, 3, 3), 1, 1),
    Geometry.of((2, 64, 14, 13), (512, 64, 7, 7)),
    Geometry.of((2, 512, 9, 8), (1100, 512, 1, 1)),
    Geometry.of((1, 3, 90, 75), (20, 3, 5, 5), 2, 2),
    Geometry.of((2, 21, 64, 56), (21, 21, 16, 16), 8),
    Geometry.of((1, 40, 33, 35), (48, 20, 3, 3), 1, 2, 2, 2),
    Geometry.of((1, 3, 60, 70), (64, 3, 3, 3), 1, 100),
    Geometry.of((1, 128, 20, 22), (256, 128, 3, 3), 2, 1),
]


@pytest.mark.parametrize("g", LARGE, ids=str)
def test_larger_convolutions_are_pytorchs(g):
    rng = np.random.default_rng(5)
    x, weight, dy = (rng.standard_normal(s, dtype=np.float32) for s in (g.x_shape, g.weight_shape, g.y_shape))
    bias = rng.standard_normal(g.O, dtype=np.float32)
    tensors = [torch.tensor(array, dtype=torch.float64, requires_grad=True) for array in (x, weight, bias)]
    y = torch.nn.functional.conv2d(*tensors, (g.SH, g.SW), (g.PH, g.PW), (g.DH, g.DW), g.G)
    y.backward(torch.tensor(dy, dtype=torch.float64))
    for got, expected in (
        (kernels.forward(x, weight, bias, g), y.detach()),
        (kernels.input_gradient(dy, weight, g), tensors[0].grad),
        (kernels.weight_gradient(x, dy, g), tensors[1].grad),
    ):
        assert abs(got - expected.numpy()).max() < 4e-4 * float(expected.std())
    wide = [array.astype(np.float64) for array in (x, weight, bias, dy)]
    for got, expected in (
        (kernels.forward(*wide[:3], g), y.detach()),
        (kernels.input_gradient(wide[3], wide[1], g), tensors[0].grad),
        (kernels.weight_gradient(wide[0], wide[3], g), tensors[1].grad),
    ):
        assert abs(got - expected.numpy()).max() < 1e-12 * float(abs(expected).max())


@pytest.mark.parametrize(
    "sizes", [(2, 30, 70, 70, 40, 3, 3, 1, 1, 2, 2, 1, 1, 1), (1, 180, 6, 7, 170, 3, 3, 1, 1, 3, 3, 1, 1, 1)]
)
def test_inside_in_several_blocks(rng, sizes):
    """More pixels, then more weights, than one block holds."""
    g = Geometry(*sizes)
    x, weight, bias, dy = (rng.standard_normal(shape) for shape in (g.x_shape, g.weight_shape, g.O, g.y_shape))
    for what, arrays in (("forward", (x, weight, bias)), ("input_gradient", (dy, weight)), ("weight_gradient", (x, dy))):
        expected = getattr(select.rung("im2col"), what)(*arrays, g)
        got = getattr(select.rung("inside"), what)(*arrays, g)
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12 * np.abs(expected).max())
