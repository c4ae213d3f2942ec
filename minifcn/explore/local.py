"""A layer by itself, run again on what it was given: what any layer, yesterday's too, says of its own numbers.

Where the index formula of a layer is not known here, its derivatives are: ``backward`` of a 1 at one place gives every weight
with which that number hangs on the inputs. For a layer that is affine (interpolation, mean, sum, crop ...) these are the terms
of a sum, and what it makes of zeros is the bias. For another they are the tangent, and the bias is what is left over.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minifcn.explore.steps import TERM, Step, Sum, as_maps, is_floating


def forward(step: Step, xs: tuple[np.ndarray, ...]) -> Any:
    """The layer's outputs for other floating inputs; the rest of what it was given stays."""
    assert step.layer is not None
    queue = [x.copy() for x in xs]  # it may write over what it is given
    inputs = [queue.pop(0) if is_floating(value) else value for value in step.inputs]
    return step.layer(*inputs)


def response(step: Step, xs: tuple[np.ndarray, ...]) -> np.ndarray:
    """The first output (C, H, W) for other inputs, and nothing is kept."""
    assert step.layer is not None
    with np.errstate(all="ignore"):  # what a layer makes of zeros or of noise is its own business
        outputs = forward(step, xs)
    step.layer.forget()
    return as_maps(outputs[0] if isinstance(outputs, tuple) else outputs)


def backward(step: Step, dy: np.ndarray) -> tuple[np.ndarray, ...]:
    """The gradients of the floating inputs, for a gradient ``dy`` of the first output."""
    assert step.layer is not None
    outputs = forward(step, step.xs)
    others = [np.zeros_like(y) for y in (outputs[1:] if isinstance(outputs, tuple) else ()) if is_floating(y)]
    dxs = step.layer.backward(dy.copy(), *others)
    step.layer.forget()
    step.layer.zero_grad()
    return dxs if isinstance(dxs, tuple) else (dxs,)


def seed(y: np.ndarray, channel: int, row: int, column: int) -> np.ndarray:
    """Zeros of y's shape, and a 1 at one place."""
    dy = np.zeros(y.shape, y.dtype)
    as_maps(dy)[channel, row, column] = 1
    return dy


def is_affine(step: Step) -> bool:
    """Whether f(a) + f(b) = f(a + b) + f(0) for the inputs a and a random b: so it is a sum of products and a constant."""
    rng = np.random.default_rng(0)
    others = tuple(rng.standard_normal(x.shape).astype(x.dtype) for x in step.xs)
    both = tuple(x + other for x, other in zip(step.xs, others, strict=True))
    nothing = tuple(np.zeros_like(x) for x in step.xs)
    a, b, ab, zero = (response(step, xs).astype(np.float64) for xs in (step.xs, others, both, nothing))
    if not all(np.isfinite(part).all() for part in (a, b, ab, zero)):
        return False
    scale = max(float(np.abs(part).max()) for part in (a, b, ab, zero)) or 1.0
    return bool(np.abs(a + b - ab - zero).max() <= 64 * scale * float(np.finfo(step.y.dtype).eps) ** 0.75)


def sum_of(step: Step, channel: int, row: int, column: int, affine: bool) -> Sum:
    """The sum behind one number of any layer; of the tangent, where the layer is not ``affine``."""
    dxs = backward(step, seed(step.y, channel, row, column))
    parts = []
    for source, (x, dx) in enumerate(zip(step.xs, dxs, strict=True)):
        weights, values = as_maps(dx), as_maps(x)
        places = np.nonzero(weights)
        terms = np.zeros(len(places[0]), TERM)
        terms["source"], terms["channel"], terms["row"], terms["column"] = source, *places
        terms["weight"], terms["x"] = weights[places], values[places]
        parts.append(terms)
    terms = np.concatenate([np.zeros(0, TERM), *parts])
    value = float(step.maps[channel, row, column])
    if affine:
        bias = float(response(step, tuple(np.zeros_like(x) for x in step.xs))[channel, row, column])
    else:
        bias = value - float((terms["weight"] * terms["x"]).sum())
    return Sum(terms, bias, value)


def column_of(step: Step, slot: int, channel: int, row: int, column: int) -> np.ndarray:
    """(C, H, W): how much of the number at a place of input ``slot`` each output of an affine layer takes."""
    nothing = [np.zeros_like(x) for x in step.xs]
    one = list(nothing)
    one[slot] = seed(nothing[slot], channel, row, column)
    return response(step, tuple(one)) - response(step, tuple(nothing))
