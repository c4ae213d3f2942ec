"""Parity with PyTorch: the same inputs through both, forward and backward, in float64.

PyTorch is needed for nothing else in this package, and is imported only when :func:`parity` is called.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from minifcn.checks.cases import Case, cases, names
from minifcn.checks.sweep import Sweep, SweepRow

_TOLERANCE = 1e-10  # relative, the promise


def available() -> bool:
    """Whether PyTorch can be imported here."""
    return importlib.util.find_spec("torch") is not None


def parity(functions: Sequence[str] | None = None, count: int = 40, seed: int = 0) -> Sweep:
    """Every function (or those named) against PyTorch over ``count`` adversarial cases each.

    Raises ValueError when PyTorch is not installed, with the line that installs it.
    """
    if not available():
        raise ValueError("the comparison with PyTorch needs PyTorch, which is not installed: pip install 'minifcn[test]'")
    rows = []
    for function in functions or names():
        worst, place, done = 0.0, "", 0
        for case in cases(function, count, seed):
            done += 1
            for what, error in compare(case).items():
                if not error <= worst:  # NaN is the worst of all
                    worst, place = error, f"{what} of {case}"
        rows.append(SweepRow(function, done, worst, worst <= _TOLERANCE, "" if worst <= _TOLERANCE else f"{place} differs"))
    return Sweep("against PyTorch, float64, forward and backward", rows)


def compare(case: Case) -> dict[str, float]:
    """Relative errors of the output ("y"), of each gradient ("dx", ...) and of the running statistics, under their names."""
    import torch

    rng = np.random.default_rng(1)
    inputs = {name: array.copy() for name, array in case.inputs.items()}
    theirs = {name: torch.tensor(array) for name, array in case.inputs.items()}
    wanted = [name for name in gradients_of(case) if name in theirs]
    for name in wanted:
        theirs[name].requires_grad_(True)

    more = {"rng": np.random.default_rng(2)} if case.function == "dropout" else {}
    y, cache = replace(case, inputs=inputs).forward(**more)
    their_y = _in_torch(case, theirs, cache)
    errors = {"y": relative_error(y, their_y)}
    if errors["y"] == float("inf"):
        return errors
    dy = rng.standard_normal(np.shape(y)).astype(y.dtype)
    given = [gradient for gradient in case.backward(dy, cache) if gradient is not None]
    their_y.backward(torch.tensor(dy))

    for name, gradient in zip(wanted, given, strict=True):
        errors[f"d{name}"] = relative_error(gradient, theirs[name].grad)
    for name in ("running_mean", "running_var"):
        if name in inputs:
            errors[name] = relative_error(inputs[name], theirs[name])
    return errors


def relative_error(mine: Any, theirs: Any) -> float:
    """The largest difference over the largest magnitude of PyTorch's; infinite when the shapes differ."""
    mine, theirs = np.asarray(mine), theirs.detach().numpy()
    if mine.shape != theirs.shape:
        return float("inf")
    return float(np.abs(mine - theirs).max(initial=0) / (np.abs(theirs).max(initial=0) or 1))


def gradients_of(case: Case) -> list[str]:
    """The inputs whose gradients the backward returns, in its order."""
    if case.function == "cross_entropy":
        return ["scores"]
    if case.function in ("add", "concat"):
        return list(case.inputs)
    return ["x", "weight", "bias"]  # those of them that the case has


def _in_torch(case: Case, inputs: dict[str, Any], cache: Any) -> Any:
    """PyTorch's output for the same case."""
    import torch
    import torch.nn.functional as T

    options = dict(case.options)
    if case.function == "cross_entropy":
        return T.cross_entropy(inputs["scores"], inputs["labels"].long(), inputs.get("weight"), **options)
    if case.function in ("add", "concat"):
        return inputs["a"] + inputs["b"] if case.function == "add" else torch.cat(list(inputs.values()), dim=1)
    x = inputs["x"]
    if case.function == "crop":
        return x.narrow(2, options["top"], options["height"]).narrow(3, options["left"], options["width"])
    if case.function == "pad":
        return T.pad(x, options["padding"], value=options["value"])
    if case.function == "dropout":
        if options["training"] and 0 < options["p"] < 1:  # generators differ, so PyTorch is given this one's mask
            return x * torch.tensor(cache[1]) / (1 - options["p"])
        return T.dropout(x, **options)
    if case.function == "interpolate" and options["mode"] == "nearest":
        options["align_corners"] = None
    if case.function == "max_unpool2d":
        return torch.ops.aten.max_unpool2d(x, inputs["indices"], options["output_size"])
    others = {name: tensor for name, tensor in inputs.items() if name != "x"}
    if case.function == "conv2d_relu":
        return T.relu(T.conv2d(x, **others, **options))
    return getattr(T, case.function)(x, **others, **options)
