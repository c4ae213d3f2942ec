"""Which rung computes which convolution: forced by the user, else chosen by shape.

`kernels.using("im2col")` forces a rung inside a `with`, the variable MINIFCN_KERNEL forces one for the process; where
the forced rung does not cover a geometry the choice by shape is made as usual.
"""

from __future__ import annotations

import contextlib
import contextvars
import importlib
import os
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from minifcn.kernels.geometry import Geometry

_RUNGS = ("loops", "im2col", "strips", "winograd")

_forced: contextvars.ContextVar[str | None] = contextvars.ContextVar("minifcn_kernel", default=None)


def rungs() -> tuple[str, ...]:
    """The names of all rungs, from the definition upwards."""
    return _RUNGS


def rung(name: str) -> ModuleType:
    """The module of a rung: `covers`, `forward`, `input_gradient`, `weight_gradient`."""
    if name not in _RUNGS:
        raise ValueError(f"There is no kernel {name!r}: choose one of {', '.join(_RUNGS)}.")
    return importlib.import_module(f"minifcn.kernels.{name}")


@contextlib.contextmanager
def using(name: str | None) -> Iterator[None]:
    """Forces one rung inside a `with` block, for this thread; None gives the choice by shape back."""
    if name is not None:
        rung(name)
    token = _forced.set(name)
    try:
        yield
    finally:
        _forced.reset(token)


def choose(what: str, geometry: Geometry, dtype: Any, on_gpu: bool = False) -> ModuleType:
    """The rung for `what` ("forward", "input_gradient", "weight_gradient") of this geometry."""
    name = _forced.get() or os.environ.get("MINIFCN_KERNEL")
    if name:
        forced = rung(name)
        if forced.covers(geometry, dtype):
            return forced
    return rung("im2col")


def forward(x: Any, weight: Any, bias: Any, geometry: Geometry) -> Any:
    """y (N, O, OH, OW) of x (N, C, H, W), weight (O, C/G, KH, KW) and bias (O,) or None."""
    return _run("forward", geometry, x, weight, bias)


def input_gradient(dy: Any, weight: Any, geometry: Geometry) -> Any:
    """dx (N, C, H, W) of dy (N, O, OH, OW) and weight (O, C/G, KH, KW): also a transposed convolution's forward."""
    return _run("input_gradient", geometry, dy, weight)


def weight_gradient(x: Any, dy: Any, geometry: Geometry) -> Any:
    """dweight (O, C/G, KH, KW) of x (N, C, H, W) and dy (N, O, OH, OW)."""
    return _run("weight_gradient", geometry, x, dy)


def _run(what: str, geometry: Geometry, *arrays: Any) -> Any:
    """Runs one of the three functions; float16 is computed in float32 and rounded once, at the end."""
    dtype = np.dtype(arrays[0].dtype)
    if dtype == np.float16:
        wide = [None if array is None else array.astype(np.float32) for array in arrays]
        return _run(what, geometry, *wide).astype(dtype)
    module = choose(what, geometry, dtype, not isinstance(arrays[0], np.ndarray))
    return getattr(module, what)(*arrays, geometry)
