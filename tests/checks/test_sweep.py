"""The tables of ``minifcn gradcheck``, and the cases behind them."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from minifcn import functional as F
from minifcn import kernels
from minifcn.checks import parity, sweep
from minifcn.checks.cases import Case, cases, make, names


@pytest.mark.parametrize("kernel", [None, "plain"])
def test_every_function_passes_its_sweep(kernel):
    with kernels.using(kernel):
        table = sweep(count=4)
    assert table, str(table)
    assert [row.function for row in table.rows] == names()
    assert max(row.error for row in table.rows) < 1e-6
    assert "all right" in str(table)


def test_the_sweep_shows_the_first_wrong_case(monkeypatch):
    right = F.relu_backward
    monkeypatch.setattr("minifcn.functional.activation.relu_backward", lambda dy, cache: 1.01 * right(dy, cache))
    table = sweep(["relu", "dropout"], count=3)
    assert [row.passed for row in table.rows] == [False, True]
    assert "NOT right" in str(table)
    assert "relu(x " in str(table)
    assert "times 1.01" in str(table)


def test_functions_that_do_not_exist_are_refused():
    for table in (sweep, parity):
        with pytest.raises(ValueError, match="no function 'conv3d' to check; possible are conv2d"):
            table(["conv3d"])


def test_without_pytorch_parity_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="pip install 'minifcn"):
        parity()


def test_every_function_of_the_package_has_cases():
    assert {f"{name}_backward" for name in names()} == {name for name in F.__all__ if name.endswith("_backward")}


def test_cases_repeat_for_a_seed():
    for name in names():
        one, two, other = ([str(case) for case in cases(name, 5, seed)] for seed in (0, 0, 1))
        assert one == two
        assert one != other


def test_the_smallest_and_the_largest_choices_are_valid():
    for name in names():
        for choice in (lambda low, high: low, lambda low, high: high):
            case = make(name, choice)
            y, _ = case.forward()
            assert np.size(y) > 0


def test_cases_are_adversarial():
    """Over 60 cases each of these must have happened, or the parity table proves less than it says."""
    convolutions = list(cases("conv2d", 60))
    shapes = [(case, case.inputs["x"].shape, case.inputs["weight"].shape, case.options) for case in convolutions]
    assert any(options["stride"][0] > w[2] for _, _, w, options in shapes)
    assert any(w[2] > x[2] for _, x, w, _ in shapes)
    assert any(options["groups"] > 1 for *_, options in shapes)
    assert any(options["dilation"][1] > 1 for *_, options in shapes)
    assert any(x[0] > 1 and x[2] != x[3] for _, x, _, _ in shapes)
    assert any("bias" not in case.inputs for case in convolutions)
    transposed = [case.options for case in cases("conv_transpose2d", 60)]
    assert any(max(options["output_padding"]) >= min(options["stride"]) for options in transposed)
    poolings = list(cases("max_pool2d", 60))
    assert any(case.options["ceil_mode"] for case in poolings)
    assert any(len(np.unique(case.inputs["x"])) < case.inputs["x"].size for case in poolings)
    concatenations = [case.inputs.values() for case in cases("concat", 60)]
    assert {len(parts) for parts in concatenations} == {1, 2, 3, 4}
    assert any(len({part.shape[1] for part in parts}) == len(parts) > 1 for parts in concatenations)
    paddings = [case.options["padding"] for case in cases("pad", 60)]
    assert any(len(set(padding)) == 4 for padding in paddings)
    assert any(left > case.inputs["x"].shape[3] for case in cases("pad", 60) for left in case.options["padding"][:1])
    crops = [(case.inputs["x"].shape, case.options) for case in cases("crop", 60)]
    assert any(shape[2:] == (options["height"], options["width"]) for shape, options in crops)
    assert any(options["top"] and options["top"] + options["height"] < shape[2] for shape, options in crops)
    losses = list(cases("cross_entropy", 60))
    assert any((case.inputs["labels"] == 255).any() for case in losses)
    assert {case.options["reduction"] for case in losses} == {"mean", "sum", "none"}


def test_a_case_prints_as_the_call_that_it_is():
    case = Case("conv2d", {"x": np.ones((1, 2, 3, 4)), "weight": np.ones((5, 2, 1, 1))}, {"stride": (1, 2)})
    assert str(case) == "conv2d(x 1×2×3×4, weight 5×2×1×1, stride=(1, 2))"
