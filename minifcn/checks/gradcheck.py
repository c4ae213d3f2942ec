"""A gradient check that can fail.

Forward and backward must tell the same story: moving an input a little changes sum(y · dy) by as much as backward's gradient
says. The check moves each input along random directions, with a *random* dy: with dy all ones, a batch norm whose dx is zero
would pass, for there the right answer is zero. Everything is float64, kinks are noticed (:mod:`minifcn.checks.numeric`), and
where a direction disagrees every element is measured by itself, to say which one is wrong and what the error looks like.

Sources: Chainer's gradient_check (random directions, kinks); Karpathy, CS231n notes, "Gradient checks".
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from minifcn.backend import get_xp
from minifcn.checks.examination import Examination, normal
from minifcn.checks.report import Report
from minifcn.checks.subjects import FunctionSubject, LayerSubject, Outputs, Subject
from minifcn.layers import Layer

_SALT = 2015  # an input drawn from default_rng(0) must not meet itself as dy: batch norm's dx is 0 along its own input


def gradcheck(
    function: Callable | Any, *inputs: Any, backward: Callable | None = None, directions: int = 3,
    elements: bool = False, tolerance: float = 1e-6, seed: int = 0, **options: Any,
) -> Report:  # fmt: skip
    """Checks the gradients of a function or a layer; the report is true when all are right, and prints as a table.

        report = minifcn.gradcheck(minifcn.functional.conv2d, x, weight, bias, stride=2)
        report = minifcn.gradcheck(minifcn.layers.BatchNorm2d(3), x)

    A function returns ``(y, cache)``; its backward, ``X_backward`` of its own module or ``backward=``, takes ``(dy, cache)``.
    ``options`` are passed on to it, and every floating array among inputs and options is checked, but for running statistics
    and a loss's class weights. Of a layer, the inputs and every parameter (frozen ones too) are, with a random dy for every
    floating array that it returns. A function may not change its dy. A layer may write over it, but may not return two
    gradients that lie in one piece of memory.

    So many ``directions`` are tried for each input; every element is measured where one of them disagrees, or always with
    ``elements``; of more than 2000, it is 200 drawn at random. ``tolerance`` is relative. Inputs are converted to float64;
    give tie-free ones (:func:`tie_free`) to a maximum. Raises ValueError for what cannot be checked: no floating input, no
    backward, an output that is not repeatable, not finite, or narrower than float64.
    """
    if inspect.isclass(function):
        raise TypeError(f"gradcheck: {function.__name__} is a class; give a layer made of it, e.g. {function.__name__}(...)")
    subject: Subject
    if isinstance(function, Layer):
        subject = LayerSubject(function, inputs, options)
    elif hasattr(function, "forward") and hasattr(function, "backward"):
        raise TypeError(f"gradcheck: {type(function).__name__} has forward and backward but is no Layer; derive it from Layer")
    else:
        subject = FunctionSubject(function, inputs, backward, seed, options)
    if not subject.values:
        raise ValueError(f"gradcheck: {subject.name} was given no floating array, so there is no gradient to check")
    rng = np.random.default_rng((seed, _SALT))
    dys = tuple(normal(rng, y) for y in _repeatable(subject))  # random, never ones
    gradients, complaints = subject.gradients(dys)
    rows = [
        Examination(subject, name, gradients[name], dys, rng, tolerance).row(directions, elements, complaints.get(name))
        for name in subject.values
    ]
    return Report(subject.name, rows)


def tie_free(shape: tuple[int, ...], rng: np.random.Generator | None = None) -> np.ndarray:
    """Float64 numbers between −2 and 2, in random order, evenly spaced and none of them 0: no ties, no kinks nearby."""
    size = int(np.prod(shape))
    numbers = (np.arange(size) + 0.5) * 4 / max(size, 1) - 2
    numbers += 1 / max(size, 1) if size % 2 else 0  # an odd count would have 0 in its middle
    return (rng or np.random.default_rng(0)).permutation(numbers).reshape(shape)


def _repeatable(subject: Subject) -> Outputs:
    """The outputs, or ValueError when numeric gradients make no sense for them."""
    ys, others = subject.outputs({}), subject.outputs({})
    for y, again in zip(ys, others, strict=True):
        if y.dtype.itemsize < 8:
            raise ValueError(
                f"gradcheck: {subject.name} turns float64 into {y.dtype}, whose rounding hides a gradient: compute in the "
                "dtype that comes in"
            )
        if not bool(get_xp(y).isfinite(y).all()):
            raise ValueError(f"gradcheck: the output of {subject.name} has NaN or infinity, where no gradient can be measured")
        if y.shape != again.shape or not bool((y == again).all()):
            raise ValueError(f"gradcheck: {subject.name} gives another output each time; {subject.how_to_repeat}")
    return ys
