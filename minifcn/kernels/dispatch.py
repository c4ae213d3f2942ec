"""Where the mathematics meets a GPU: one line over a function says that a CUDA kernel computes the same there."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

Function = TypeVar("Function", bound=Callable[..., Any])


def on_gpu(name: str) -> Callable[[Function], Function]:
    """Decorates a function of arrays: on a GPU, `kernels.cuda.NAME` is called in its place, with the same arguments.

        @kernels.on_gpu("max_pool")
        def _max_pool(x, windows): ...

    What is below the decorator is the definition: NumPy runs it, and the tests hold the kernel to it.
    """

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def dispatch(first: Any, *rest: Any) -> Any:
            if isinstance(first, (np.ndarray, np.generic)):
                return function(first, *rest)
            return getattr(importlib.import_module("minifcn.kernels.cuda"), name)(first, *rest)

        return dispatch  # type: ignore[return-value]

    return decorate
