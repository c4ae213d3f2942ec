"""Where the mathematics meets the speed: one line over a definition says that faster functions compute the same.

    @kernels.accelerated("max_pool")
    def _max_pool(x, windows): ...

What is below the decorator is the definition, and the tests hold every faster function to it. The kind of the first array
decides whose `max_pool` is called in its place, with the same arguments:

    NumPy                           kernels.host, unless `kernels.using("plain")` is in force
    CuPy                            kernels.cuda
    a class with a name `kernels`   the package of that name, e.g. `kernels = "minifcn.kernels.shapes"`

Where there is none, and for any other kind of array, the definition itself runs.
"""

from __future__ import annotations

import contextvars
import functools
import importlib
import os
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numpy as np

from minifcn.backend import device_of

HOST, CUDA = "minifcn.kernels.host", "minifcn.kernels.cuda"

P = ParamSpec("P")
R = TypeVar("R")

definitions: dict[str, Callable[..., Any]] = {}  # of every accelerated operation that has been imported
package = functools.cache(importlib.import_module)

# What the user forces: for the process by the variable, for a block of code by `kernels.using`
_for_the_process = os.environ.get("MINIFCN_KERNEL")
forced: contextvars.ContextVar[str | None] = contextvars.ContextVar("forced", default=_for_the_process)


def package_for(array: Any) -> str | None:
    """The name of the package whose functions serve this kind of array, None where there is none."""
    if isinstance(array, (np.ndarray, np.generic)):
        return HOST
    return getattr(type(array), "kernels", None) or (CUDA if device_of(array) == "cuda" else None)


def accelerated(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorates the definition of an operation: `name` of the package that serves the first array runs in its place."""

    def decorate(definition: Callable[P, R]) -> Callable[P, R]:
        definitions[name] = definition

        @functools.wraps(definition)
        def dispatch(*arguments: P.args, **options: P.kwargs) -> R:
            home = package_for(arguments[0])
            if home is None or (home is HOST and forced.get() == "plain"):
                return definition(*arguments, **options)
            return getattr(package(home), name, definition)(*arguments, **options)

        return dispatch

    return decorate
