"""What can be checked: a function with its backward, or a layer with its parameters, brought to one form.

Both are run many times at slightly other values, so both are made repeatable here: running statistics are copied before each
run, and random generators start each run in the same state. What the caller gave is never changed.
"""

from __future__ import annotations

import copy
import inspect
import itertools
import sys
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import numpy as np

from minifcn.backend import Array, get_xp
from minifcn.checks.call import Call, is_array, kind_of
from minifcn.layers import Layer

_STATISTICS = {"running_mean", "running_var"}  # floating, but by definition without a gradient
_LET_IT = "let it return an array, or a tuple of several"
Outputs = tuple[Array, ...]


class Subject(Protocol):
    """``values`` are the arrays to differentiate by, under their names, in float64."""

    name: str
    values: dict[str, Array]
    how_to_repeat: str  # what to do where the output is another one each time

    def outputs(self, values: dict[str, Array]) -> Outputs:
        """The forward pass at other values: the floating arrays that come out."""

    def gradients(self, dys: Outputs) -> tuple[dict[str, Array | None], dict[str, str]]:
        """The backward pass at ``values``: each one's gradient, and complaints under the names that they concern."""


class FunctionSubject:
    """A pure function ``f(x, ...) -> (y, cache)`` and its backward ``(dy, cache) -> gradients``."""

    how_to_repeat = "pass it rng=np.random.default_rng(0) or fix its seed"

    def __init__(
        self, function: Callable, inputs: tuple, backward: Callable | None, seed: int, options: dict[str, Any]
    ) -> None:
        self.function, self.backward = function, backward or find_backward(function)
        self.call = Call(function, inputs, options)
        parameters, arguments = self.call.signature.parameters, self.call.arguments
        if "rng" in parameters and arguments.get("rng") is None:
            arguments["rng"] = np.random.default_rng(seed)
        names = self.call.floating(_name(function))
        for name in names:
            arguments[name] = arguments[name].astype(np.float64)
        constants = _STATISTICS | ({"weight"} if "labels" in parameters else set())  # a loss's class weights
        self.values = {name: arguments[name] for name in names if name not in constants}
        said = ", ".join(
            f"{name}={value!r}" for name, value in options.items() if not hasattr(value, "shape") and name != "rng"
        )
        self.name = _name(function) + (f"({said})" if said else "")

    def _run(self, values: dict[str, Array]) -> tuple[Array, Any]:
        result = self.call.of(self.function, copy.deepcopy({**self.call.arguments, **values}))
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(f"{_name(self.function)} must return (y, cache), the cache being what its backward needs")
        y = result[0]
        if isinstance(y, (tuple, list)):
            raise TypeError(
                f"gradcheck: {_name(self.function)} returns {kind_of(y)} of {len(y)} as y, but a function's backward takes one "
                "dy: return one array, or write a Layer, whose backward takes a gradient for each"
            )
        if not is_array(y) or y.dtype.kind != "f":
            what = f"an array of {y.dtype}" if is_array(y) else kind_of(y)
            raise TypeError(f"gradcheck: {_name(self.function)} returns {what} as y; it must be a floating array")
        return result

    def outputs(self, values: dict[str, Array]) -> Outputs:
        return (self._run({**self.values, **values})[0],)

    def gradients(self, dys: Outputs) -> tuple[dict[str, Array | None], dict[str, str]]:
        (dy,) = dys
        _, cache = self._run(self.values)
        given = dy.copy()
        returned = _as_list(self.backward(given, cache), f"{_name(self.function)}'s backward")
        if len(returned) > len(self.values):  # (dx, dweight, None): no bias was given
            returned = [gradient for gradient in returned if gradient is not None]
        gradients, complaints = _under_names(returned, list(self.values))
        if not (given == dy).all():
            complaints[next(iter(self.values))] = "backward changes the dy that it is given, which others may still need"
        return gradients, complaints


def find_backward(function: Callable) -> Callable:
    """``X_backward`` for the function ``X``, by name, as it is now: in X's module, or in a package that re-exports both.

    When the two differ, somebody has replaced one of them (to see the check fail, say): that one is taken, the one which was
    not defined beside X.
    """
    name = f"{_name(function)}_backward"
    parts = function.__module__.split(".")
    modules = [sys.modules.get(".".join(parts[:count])) for count in range(len(parts), 0, -1)]
    found = [getattr(module, name) for module in modules if callable(getattr(module, name, None))]
    if not found:
        raise ValueError(
            f"there is no {name} in {function.__module__}: define it beside {_name(function)}, or give backward=your_function"
        )
    home = inspect.getsourcefile(inspect.unwrap(function))
    replaced = [backward for backward in found if not inspect.isfunction(backward) or backward.__code__.co_filename != home]
    return (replaced or found)[0]


def _name(function: Callable) -> str:
    return getattr(function, "__name__", type(function).__name__)


class LayerSubject:
    """A layer in float64, all of it thawed: its inputs and every parameter, each once however many layers share it."""

    how_to_repeat = "let it draw from self.rng, and say draws = True in its class, as Dropout does"

    def __init__(self, layer: Layer, inputs: tuple, options: dict[str, Any]) -> None:
        self.call = Call(layer.forward, inputs, options)
        self.inputs = self.call.floating(type(layer).__name__)
        self.layer = copy.deepcopy(layer).to("float64").requires_grad_(True)
        self.layer.forget()
        for _, part in self.layer.named_layers():
            part.needs_dx = True
        self.state = {key: array.copy() for key, array in self.layer.named_buffers()}
        self.generators = [(part, copy.deepcopy(part.rng)) for _, part in self.layer.named_layers() if part.draws]
        arguments = self.call.arguments
        arguments |= {name: arguments[name].astype(np.float64) for name in self.inputs}
        self.parameters = dict(self.layer.named_parameters())
        self.values = {name: arguments[name] for name in self.inputs}
        self.values |= {key: parameter.data.copy() for key, parameter in self.parameters.items()}
        self.name = type(layer).__name__ + (f"({layer.options()})" if layer.options() else "")

    def outputs(self, values: dict[str, Array]) -> Outputs:
        ys = self._forward({**self.values, **values})
        self.layer.forget()
        return ys

    def gradients(self, dys: Outputs) -> tuple[dict[str, Array | None], dict[str, str]]:
        self.layer.zero_grad()
        dxs = self._backward(dys)
        gradients, complaints = _under_names(dxs, self.inputs)
        learnt = {key: parameter.grad for key, parameter in self.parameters.items()}
        complaints |= _shared_memory(gradients, learnt)
        gradients = {name: None if gradient is None else gradient.copy() for name, gradient in (gradients | learnt).items()}
        self._backward(dys)  # once more, without zero_grad
        for key, parameter in self.parameters.items():
            once, twice = gradients[key], parameter.grad
            if once is not None and (twice is None or not np.allclose(2 * once, twice, rtol=1e-9, atol=0)):
                complaints[key] = (
                    "backward must add to .grad what it computes; after a second pass .grad is not twice the first"
                )
        return {name: gradients.get(name) for name in self.values}, complaints

    def _forward(self, values: dict[str, Array]) -> Outputs:
        for key, buffer in self.layer.named_buffers():
            buffer[...] = self.state[key]
        for part, generator in self.generators:
            part.rng = copy.deepcopy(generator)
        for key, parameter in self.parameters.items():
            parameter.data = values[key].copy()
        arguments = copy.deepcopy(self.call.arguments) | {name: values[name].copy() for name in self.inputs}
        return self._floating(self.call.of(self.layer, arguments))

    def _floating(self, ys: Any) -> Outputs:
        """What has a gradient of what came out: a max-pooling's indices, say, have none."""
        every = ys if isinstance(ys, tuple) else (ys,)
        for y in every:
            if not is_array(y):
                raise TypeError(f"gradcheck: {type(self.layer).__name__} returns {kind_of(y)}; {_LET_IT}")
        floating = tuple(y for y in every if y.dtype.kind == "f")
        if not floating:
            kinds = " and ".join(str(y.dtype) for y in every)
            raise TypeError(f"gradcheck: {type(self.layer).__name__} returns {kinds}, of which nothing is floating")
        return floating

    def _backward(self, dys: Outputs) -> list[Array | None]:
        self._forward(self.values)
        dxs = self.layer.backward(*(dy.copy() for dy in dys))
        name = f"{type(self.layer).__name__}.backward"
        if isinstance(dxs, list):
            raise TypeError(f"gradcheck: {name} returns a list; {_LET_IT}")
        return _as_list(dxs, name)


def _as_list(gradients: Any, whose: str) -> list[Array | None]:
    """The gradients one by one. Raises TypeError for what is neither an array, nor None, nor a tuple or list of those."""
    every = list(gradients) if isinstance(gradients, (tuple, list)) else [gradients]
    for gradient in every:
        if gradient is not None and not is_array(gradient):
            raise TypeError(f"gradcheck: {whose} returns {kind_of(gradient)}; {_LET_IT}, in the order of the inputs")
    return every


def _under_names(gradients: list[Array | None], names: list[str]) -> tuple[dict[str, Array | None], dict[str, str]]:
    """The gradients under the names of the inputs; where there are more or fewer, a complaint under the names without one."""
    complaints = {}
    if len(gradients) != len(names):
        short = names[len(gradients) :] or names[-1:]
        words = f"backward returned {len(gradients)} gradients for {len(names)} floating inputs"
        complaints = dict.fromkeys(short, words)
    return dict(itertools.zip_longest(names, gradients[: len(names)])), complaints


def _shared_memory(dxs: dict[str, Array | None], learnt: dict[str, Array | None]) -> dict[str, str]:
    """Complaints about gradients that lie in one piece of memory: each dx is given away, to be written over."""
    complaints = {}
    for (one, dx), (other, gradient) in _pairs(dxs, learnt):
        if dx is not None and gradient is not None and get_xp(dx).shares_memory(dx, gradient):
            if other in dxs:
                words = f"the gradients of {one} and {other} share memory: each road needs an array of its own to write over"
            else:
                words = f"its .grad shares memory with the gradient of {one}, which is given away to be written over"
            complaints[other] = words
    return complaints


def _pairs(dxs: dict[str, Any], learnt: dict[str, Any]) -> Iterable[tuple[tuple[str, Any], tuple[str, Any]]]:
    return itertools.chain(itertools.combinations(dxs.items(), 2), itertools.product(dxs.items(), learnt.items()))
