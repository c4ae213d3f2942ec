"""A call taken apart into its arguments by name, so that a check can move one of them and call again."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np


def is_array(value: Any) -> bool:
    """Whether ``value`` is an array, or a scalar with a dtype, NumPy's or CuPy's; a PyTorch tensor is none."""
    return isinstance(getattr(value, "dtype", None), np.dtype) and hasattr(value, "shape")


def is_floating(value: Any) -> bool:
    """Whether ``value`` is a floating array, NumPy's or CuPy's."""
    return is_array(value) and value.dtype.kind == "f" and not isinstance(value, np.generic)


def kind_of(value: Any) -> str:
    """What ``value`` is, for a sentence: "a float", "a torch Tensor", "None"."""
    if value is None:
        return "None"
    package = type(value).__module__.partition(".")[0]
    return f"a {type(value).__name__}" if package in ("builtins", "numpy") else f"a {package} {type(value).__name__}"


class Call:
    """``function(*inputs, **options)``, its ``arguments`` under their names.

    Those of ``*parts`` are called parts[0], parts[1] and so on; those of ``**options`` bear their own names.
    """

    def __init__(self, function: Callable, inputs: tuple, options: dict[str, Any]) -> None:
        self.signature = inspect.signature(function)
        bound = self.signature.bind(*inputs, **options)
        names: list[str] = []
        for name, parameter in self.signature.parameters.items():
            variadic = parameter.kind is parameter.VAR_POSITIONAL
            names += [f"{name}[{place}]" for place in range(len(bound.arguments.get(name, ())))] if variadic else [name]
        self.positional = names[: len(bound.args)]
        self.arguments: dict[str, Any] = dict(zip(self.positional, bound.args, strict=True)) | bound.kwargs

    def of(self, function: Callable, arguments: dict[str, Any]) -> Any:
        """``function`` called with other arguments under the same names."""
        named = {name: value for name, value in arguments.items() if name not in self.positional}
        return function(*(arguments[name] for name in self.positional), **named)

    def floating(self, what: str) -> list[str]:
        """The names of the floating arrays, which have a gradient.

        Raises TypeError for arrays that no check would reach, a PyTorch tensor or a list of arrays, and ValueError for
        empty ones.
        """
        for name, value in self.arguments.items():
            if hasattr(value, "dtype") and not is_array(value):
                raise TypeError(f"gradcheck: {name} of {what} is {kind_of(value)}; give NumPy or CuPy arrays")
            entries = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
            if any(is_floating(entry) for entry in entries):
                raise TypeError(
                    f"gradcheck: {name} of {what} is {kind_of(value)} of arrays, which would not be checked; "
                    "let each be an argument of its own"
                )
            if is_floating(value) and value.size == 0:
                raise ValueError(f"gradcheck: {name} of {what} has shape {value.shape}, which is empty: nothing to check")
        return [name for name, value in self.arguments.items() if is_floating(value)]
