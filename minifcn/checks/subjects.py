"""What can be checked: a function with its backward, or a layer with its parameters, brought to one form.

Both are run many times at slightly other values, so both are made repeatable here: running statistics are copied before each
run, and random generators start each run in the same state. What the caller gave is never changed.
"""

from __future__ import annotations

import copy
import inspect
import sys
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from minifcn.backend import Array

_STATISTICS = {"running_mean", "running_var"}  # floating, but by definition without a gradient


class Subject(Protocol):
    """``values`` are the arrays to differentiate by, under their names, in float64."""

    name: str
    values: dict[str, Array]

    def output(self, values: dict[str, Array]) -> Array:
        """The forward pass at other values."""

    def gradients(self, dy: Array) -> tuple[dict[str, Array | None], dict[str, str]]:
        """The backward pass at ``values``: each one's gradient, and complaints under the names that they concern."""


def is_floating(value: Any) -> bool:
    """Whether ``value`` is a floating array, NumPy's or CuPy's."""
    return hasattr(value, "dtype") and hasattr(value, "shape") and value.dtype.kind == "f" and not isinstance(value, np.generic)


class FunctionSubject:
    """A pure function ``f(x, ...) -> (y, cache)`` and its backward ``(dy, cache) -> gradients``."""

    def __init__(
        self, function: Callable, inputs: tuple, backward: Callable | None, seed: int, options: dict[str, Any]
    ) -> None:
        self.function, self.backward = function, backward or find_backward(function)
        signature = inspect.signature(function)
        self.bound = signature.bind(*inputs, **options)
        if "rng" in signature.parameters and self.bound.arguments.get("rng") is None:
            self.bound.arguments["rng"] = np.random.default_rng(seed)
        arrays = {name: value for name, value in self.bound.arguments.items() if is_floating(value)}
        for name, array in arrays.items():
            self.bound.arguments[name] = array.astype(np.float64)
        constants = _STATISTICS | ({"weight"} if "labels" in signature.parameters else set())  # a loss's class weights
        self.values = {name: self.bound.arguments[name] for name in arrays if name not in constants}
        said = ", ".join(
            f"{name}={value!r}" for name, value in options.items() if not hasattr(value, "shape") and name != "rng"
        )
        self.name = _name(function) + (f"({said})" if said else "")

    def _run(self, values: dict[str, Array]) -> tuple[Array, Any]:
        arguments = copy.deepcopy({**self.bound.arguments, **values})
        bound = inspect.BoundArguments(self.bound.signature, arguments)
        result = self.function(*bound.args, **bound.kwargs)
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(f"{_name(self.function)} must return (y, cache), the cache being what its backward needs")
        return result

    def output(self, values: dict[str, Array]) -> Array:
        return self._run({**self.values, **values})[0]

    def gradients(self, dy: Array) -> tuple[dict[str, Array | None], dict[str, str]]:
        _, cache = self._run(self.values)
        given = dy.copy()
        returned = self.backward(given, cache)
        returned = list(returned) if isinstance(returned, (tuple, list)) else [returned]
        if len(returned) > len(self.values):  # (dx, dweight, None): no bias was given
            returned = [gradient for gradient in returned if gradient is not None]
        complaints = {}
        if not (given == dy).all():
            complaints[next(iter(self.values))] = "backward changes the dy that it is given, which others may still need"
        for name in list(self.values)[len(returned) :]:
            complaints[name] = f"backward returned {len(returned)} gradients for {len(self.values)} floating inputs"
        returned += [None] * (len(self.values) - len(returned))
        return dict(zip(self.values, returned, strict=False)), complaints


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
    replaced = [one for one in found if not inspect.isfunction(one) or one.__code__.co_filename != home]
    return (replaced or found)[0]


def _name(function: Callable) -> str:
    return getattr(function, "__name__", type(function).__name__)


class LayerSubject:
    """A layer in float64, all of it thawed: its inputs and every parameter."""

    def __init__(self, layer: Any, inputs: tuple, options: dict[str, Any]) -> None:
        self.layer = copy.deepcopy(layer).to("float64").requires_grad_(True)
        self.layer.forget()
        for _, part in self.layer.named_layers():
            if hasattr(part, "needs_dx"):
                part.needs_dx = True
        self.state = {key: array.copy() for key, array in self.layer.named_buffers()}
        self.generators = [(part, copy.deepcopy(part.rng)) for _, part in self.layer.named_layers() if hasattr(part, "rng")]
        names = list(inspect.signature(layer.forward).parameters)
        inputs = [value.astype(np.float64) if is_floating(value) else value for value in inputs]
        self.arguments = dict(zip(names, inputs, strict=False)) | options
        self.inputs = [name for name in names if is_floating(self.arguments.get(name))]
        self.parameters = dict(self.layer.named_parameters())
        self.values = {name: self.arguments[name] for name in self.inputs}
        self.values |= {key: parameter.data.copy() for key, parameter in self.parameters.items()}
        self.name = type(layer).__name__ + (f"({layer.options()})" if layer.options() else "")

    def output(self, values: dict[str, Array]) -> Array:
        y = self._forward({**self.values, **values})
        self.layer.forget()
        return y

    def gradients(self, dy: Array) -> tuple[dict[str, Array | None], dict[str, str]]:
        self.layer.zero_grad()
        dx = self._backward(dy)
        gradients = dict(zip(self.inputs, dx if isinstance(dx, tuple) else (dx,), strict=False))
        gradients |= {
            key: None if parameter.grad is None else parameter.grad.copy() for key, parameter in self.parameters.items()
        }
        self._backward(dy)  # once more, without zero_grad
        complaints = {}
        for key, parameter in self.parameters.items():
            once, twice = gradients[key], parameter.grad
            if once is not None and not np.allclose(2 * once, twice, rtol=1e-9, atol=0):
                complaints[key] = (
                    "backward must add to .grad what it computes; after a second pass .grad is not twice the first"
                )
        return {name: gradients.get(name) for name in self.values}, complaints

    def _forward(self, values: dict[str, Array]) -> Array:
        for key, buffer in self.layer.named_buffers():
            buffer[...] = self.state[key]
        for part, generator in self.generators:
            part.rng = copy.deepcopy(generator)
        for key, parameter in self.parameters.items():
            parameter.data = values[key].copy()
        y = self.layer.forward(**{**copy.deepcopy(self.arguments), **{name: values[name].copy() for name in self.inputs}})
        return y[0] if isinstance(y, tuple) else y

    def _backward(self, dy: Array) -> Any:
        self._forward(self.values)
        return self.layer.backward(dy.copy())
