"""Every function against PyTorch in float64, to 1e-10 relative, forward and backward: listed, drawn and generated cases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minifcn import functional as F
from minifcn import kernels
from minifcn.checks.cases import Case, cases, make, names
from minifcn.checks.parity import compare, parity

torch = pytest.importorskip("torch")


def agree(case: Case, tolerance: float = 1e-10) -> None:
    """The definitions, and what runs in their place, are PyTorch's."""
    for kernel in (None, "plain"):
        with kernels.using(kernel):
            for what, error in compare(case).items():
                assert error < tolerance, f"{what} of {case} is off by {error:.1e} ({kernel or 'fast'})"


# Sizes that have gone wrong somewhere. Convolutions: (N, C, H, W), O, then options.
CONVOLUTIONS = {
    "one pixel": ((1, 1, 1, 1), 1, (1, 1), {}),
    "one pixel, 7x7 kernel, all padding": ((1, 2, 1, 1), 3, (7, 7), {"padding": 3}),
    "kernel larger than the picture": ((2, 2, 3, 4), 2, (5, 7), {"padding": (2, 3)}),
    "far too much padding": ((1, 3, 4, 3), 2, (3, 3), {"padding": 9}),
    "row kernel": ((1, 2, 5, 9), 3, (1, 5), {}),
    "column kernel, column stride": ((1, 2, 9, 5), 3, (5, 1), {"stride": (2, 1)}),
    "stride larger than kernel": ((2, 2, 11, 13), 3, (2, 3), {"stride": (4, 5)}),
    "stride that leaves pixels unread": ((1, 1, 10, 10), 1, (3, 3), {"stride": 4}),
    "stride larger than the picture": ((1, 2, 4, 5), 2, (2, 2), {"stride": 7}),
    "even kernel, odd padding": ((1, 2, 6, 5), 2, (4, 2), {"padding": 1}),
    "dilation": ((1, 2, 9, 11), 3, (3, 2), {"dilation": (2, 4), "padding": (2, 1)}),
    "dilated past the picture": ((1, 1, 2, 2), 1, (2, 2), {"dilation": 5, "padding": 3}),
    "groups": ((2, 6, 5, 4), 9, (3, 3), {"groups": 3, "padding": 1}),
    "depthwise": ((2, 4, 5, 4), 4, (3, 3), {"groups": 4}),
    "depthwise times two, stride, dilation": ((1, 3, 9, 8), 6, (3, 2), {"groups": 3, "stride": 2, "dilation": 2}),
    "pointwise, strided": ((3, 4, 5, 7), 2, (1, 1), {"stride": 2}),
    "pointwise, padded": ((1, 2, 3, 3), 2, (1, 1), {"padding": 1}),
    "many channels, few pixels": ((1, 65, 2, 3), 33, (3, 3), {"padding": 1}),
    "batch of nine": ((9, 1, 4, 4), 1, (3, 3), {}),
    "3x3, wide": ((1, 2, 3, 130), 3, (3, 3), {"padding": 1}),
}


@pytest.mark.parametrize("name", CONVOLUTIONS)
@pytest.mark.parametrize("bias", [True, False])
def test_conv2d_listed(name, bias, rng):
    shape, O, kernel, options = CONVOLUTIONS[name]
    weight = rng.standard_normal((O, shape[1] // options.get("groups", 1), *kernel))
    inputs = {"x": rng.standard_normal(shape), "weight": weight} | ({"bias": rng.standard_normal(O)} if bias else {})
    agree(Case("conv2d", inputs, options))


TRANSPOSED = {
    "one pixel": ((1, 1, 1, 1), 1, (1, 1), {}),
    "stride 2, the FCN's k4": ((1, 3, 3, 4), 3, (4, 4), {"stride": 2}),
    "stride 8, the FCN's k16": ((1, 2, 3, 2), 2, (16, 16), {"stride": 8}),
    "stride 32, the FCN's k64": ((1, 1, 2, 1), 1, (64, 64), {"stride": 32}),
    "k63 s32": ((1, 1, 1, 2), 1, (63, 63), {"stride": 32}),
    "k2 s2, no overlap": ((2, 4, 3, 5), 2, (2, 2), {"stride": 2}),
    "k3 s2 p1 op1": ((1, 2, 4, 3), 3, (3, 3), {"stride": 2, "padding": 1, "output_padding": 1}),
    "stride larger than kernel: gaps": ((1, 2, 3, 4), 2, (2, 3), {"stride": (5, 4)}),
    "stride larger than kernel, output_padding": ((1, 2, 3, 3), 2, (1, 2), {"stride": 4, "output_padding": (3, 2)}),
    "not strided": ((1, 2, 4, 5), 3, (3, 3), {}),
    "not strided, padding eats the border": ((1, 2, 5, 5), 3, (3, 3), {"padding": 2}),
    "padding larger than the kernel": ((1, 1, 9, 9), 1, (2, 2), {"padding": 3}),
    "row stride": ((1, 2, 4, 3), 3, (3, 2), {"stride": (3, 1)}),
    "asymmetric everything": ((2, 3, 3, 4), 2, (5, 2), {"stride": (2, 3), "padding": (2, 0), "output_padding": (1, 2)}),
    "dilation": ((1, 2, 3, 4), 2, (3, 2), {"dilation": (2, 3), "stride": 2}),
    "dilation, output_padding >= stride": ((1, 2, 3, 4), 2, (2, 2), {"dilation": 4, "stride": 1, "output_padding": 2}),
    "groups": ((1, 6, 3, 2), 9, (3, 3), {"groups": 3, "stride": 2}),
    "depthwise": ((2, 3, 4, 2), 3, (4, 4), {"groups": 3, "stride": 2, "padding": 1}),
    "batch of seven": ((7, 1, 2, 2), 1, (3, 3), {"stride": 2}),
}


@pytest.mark.parametrize("name", TRANSPOSED)
@pytest.mark.parametrize("bias", [True, False])
def test_conv_transpose2d_listed(name, bias, rng):
    shape, O, kernel, options = TRANSPOSED[name]
    weight = rng.standard_normal((shape[1], O // options.get("groups", 1), *kernel))
    inputs = {"x": rng.standard_normal(shape), "weight": weight} | ({"bias": rng.standard_normal(O)} if bias else {})
    agree(Case("conv_transpose2d", inputs, options))


POOLINGS = {
    "2x2, odd sizes": ((2, 3, 5, 7), {"kernel_size": 2}),
    "2x2, odd sizes, ceil": ((2, 3, 5, 7), {"kernel_size": 2, "ceil_mode": True}),
    "VGG's sizes, ceil": ((1, 1, 573, 3), {"kernel_size": 2, "stride": 2, "ceil_mode": True}),
    "overlapping": ((1, 2, 7, 8), {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
    "overlapping, padded": ((1, 2, 7, 8), {"kernel_size": 3, "stride": 1, "padding": 1}),
    "gaps": ((1, 2, 9, 8), {"kernel_size": 2, "stride": (3, 4)}),
    "ceil, last window would start in the padding": (
        (1, 1, 4, 4),
        {"kernel_size": 3, "stride": 3, "padding": 1, "ceil_mode": True},
    ),
    "kernel larger than the picture": ((1, 2, 2, 3), {"kernel_size": (4, 5), "padding": (2, 2)}),
    "not square": ((1, 2, 6, 9), {"kernel_size": (1, 4), "stride": (2, 3), "padding": (0, 2)}),
    "one pixel": ((3, 1, 1, 1), {"kernel_size": 1}),
    "the whole picture": ((1, 2, 4, 6), {"kernel_size": (4, 6)}),
    "many planes": ((5, 40, 3, 3), {"kernel_size": 2, "stride": 1}),
}


@pytest.mark.parametrize("name", POOLINGS)
@pytest.mark.parametrize("ties", [True, False], ids=["ties", "no ties"])
def test_max_pool2d_listed(name, ties, rng):
    shape, options = POOLINGS[name]
    x = rng.integers(0, 3, shape).astype(float) if ties else rng.standard_normal(shape)
    agree(Case("max_pool2d", {"x": x}, options))
    indices = F.max_pool2d_indices(F.max_pool2d(x, **options)[1])
    assert (indices == torch.nn.functional.max_pool2d(torch.tensor(x), return_indices=True, **options)[1].numpy()).all()


@pytest.mark.parametrize("name", POOLINGS)
@pytest.mark.parametrize("count_include_pad", [True, False])
def test_avg_pool2d_listed(name, count_include_pad, rng):
    shape, options = POOLINGS[name]
    agree(Case("avg_pool2d", {"x": rng.standard_normal(shape)}, {**options, "count_include_pad": count_include_pad}))


RESIZES = {
    "to one pixel": ((1, 2, 5, 7), {"size": 1}),
    "from one pixel": ((2, 1, 1, 1), {"size": (4, 6)}),
    "the same size": ((1, 2, 5, 4), {"size": (5, 4)}),
    "doubled": ((1, 2, 5, 4), {"scale_factor": 2}),
    "a little more than doubled": ((1, 1, 4, 6), {"scale_factor": 2.125}),  # PyTorch's nearest takes exactly 2
    "a little more than the same": ((1, 1, 5, 4), {"scale_factor": 1.1}),  # and copies here
    "a third": ((1, 2, 10, 11), {"scale_factor": 1 / 3}),
    "each side its own": ((1, 2, 6, 5), {"scale_factor": (0.5, 3.7)}),
    "one side only": ((1, 2, 6, 5), {"size": (6, 13)}),
    "many pixels, where float32 rounds": ((1, 1, 1, 1023), {"size": (1, 3001)}),
    "VOC's size from a stride of 32": ((1, 1, 12, 16), {"size": (375, 500)}),
}


@pytest.mark.parametrize("name", RESIZES)
@pytest.mark.parametrize(("mode", "align_corners"), [("nearest", False), ("bilinear", False), ("bilinear", True)])
def test_interpolate_listed(name, mode, align_corners, rng):
    shape, options = RESIZES[name]
    agree(Case("interpolate", {"x": rng.standard_normal(shape)}, {**options, "mode": mode, "align_corners": align_corners}))


@pytest.mark.parametrize("kernel", [None, "plain"])
@pytest.mark.parametrize("function", names())
def test_drawn_cases(function, kernel):
    """45 cases a function, the ones that ``minifcn gradcheck`` shows."""
    with kernels.using(kernel):
        report = parity([function], count=45)
    assert report, str(report)


@pytest.mark.parametrize("function", names())
def test_plain_and_fast_keep_the_same_caches(function):
    """Equal results, and caches of the same arrays: what is kept is predicted from them, whichever version runs."""
    for case in cases(function, 10, seed=2):
        runs = []
        for kernel in (None, "plain"):
            options = {"rng": np.random.default_rng(0)} if function == "dropout" else {}
            inputs = {name: array.copy() for name, array in case.inputs.items()}
            with kernels.using(kernel):
                y, cache = replace(case, inputs=inputs).forward(**options)
                gradients = getattr(F, f"{function}_backward")(np.ones_like(y), cache)
            kept = arrays_of(cache)
            known = [y, *inputs.values()]
            runs.append(([*arrays_of((y, gradients)), *kept], [[mine is one for one in known] for mine in kept]))
        (fast, of_fast), (plain, of_plain) = runs
        assert of_fast == of_plain
        for mine, definitions in zip(fast, plain, strict=True):
            assert (mine.dtype, mine.shape) == (definitions.dtype, definitions.shape)
            np.testing.assert_allclose(mine, definitions, rtol=1e-12, atol=1e-12)


def arrays_of(found) -> list:
    """The arrays of a result or a cache, in order."""
    if isinstance(found, (tuple, list)):
        return [array for part in found for array in arrays_of(part)]
    return [found] if isinstance(found, (np.ndarray, np.generic)) else []


@pytest.mark.parametrize("function", names())
@given(data=st.data())
def test_generated_cases(function, data):
    """The same makers, driven by Hypothesis, which looks for small and extreme ones and shrinks what fails."""
    agree(make(function, lambda low, high: data.draw(st.integers(low, high))))


@pytest.mark.parametrize("function", names())
def test_float32_stays_float32_and_agrees(function):
    for case in cases(function, 10, seed=1):
        inputs = {name: array.astype(np.float32) if array.dtype.kind == "f" else array for name, array in case.inputs.items()}
        case = replace(case, inputs=inputs)
        y, cache = case.forward(**({"rng": np.random.default_rng(0)} if function == "dropout" else {}))
        for array in (y, *case.backward(np.ones_like(y), cache)):
            assert array is None or array.dtype == np.float32
        agree(case, tolerance=2e-3 if function == "batch_norm" else 2e-5)


def test_parity_would_notice(monkeypatch):
    """A backward that is off by one part in a million is not within 1e-10, and the table says where."""
    right = F.relu_backward
    monkeypatch.setattr(F, "relu_backward", lambda dy, cache: right(dy, cache) * (1 + 1e-6))
    report = parity(["relu"], count=3)
    assert not report
    assert "dx of relu(" in str(report)


def test_a_wrong_shape_is_infinitely_wrong(monkeypatch):
    right = F.relu
    monkeypatch.setattr(F, "relu", lambda x: (right(x)[0][:, :1], right(x)[1]))
    assert compare(Case("relu", {"x": np.ones((1, 2, 3, 3))}, {})) == {"y": float("inf")}
