"""Checks of what the functions of this package are given, each with one sentence that says what to do."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np

from minifcn.backend import Array


def check_floating(function: str, **arrays: Array | None) -> None:
    """Raises TypeError unless every array is floating and all share one dtype."""
    given = {name: array for name, array in arrays.items() if array is not None}
    for name, array in given.items():
        if getattr(array, "dtype", None) is None:
            raise TypeError(f"{function}: {name} is a {type(array).__name__}; give a NumPy or CuPy array")
        if array.dtype.kind != "f":
            raise TypeError(f"{function}: {name} has dtype {array.dtype}; convert it, e.g. {name}.astype('float32')")
    if len({array.dtype for array in given.values()}) > 1:
        dtypes = ", ".join(f"{name} {array.dtype}" for name, array in given.items())
        raise TypeError(f"{function}: the dtypes differ ({dtypes}); convert all to one, e.g. with .astype or net.to(dtype)")


def check_images(function: str, x: Array) -> None:
    """Raises TypeError unless x is floating, ValueError unless it is (N, C, H, W) with at least one of each."""
    check_axes(function, x)
    if 0 in x.shape:
        raise ValueError(f"{function}: x has shape {x.shape}, which is empty; every one of N, C, H, W must be at least 1")


def check_axes(function: str, x: Array) -> None:
    """Raises TypeError unless x is floating, ValueError unless it has the four axes N, C, H, W."""
    check_floating(function, x=x)
    if x.ndim != 4:
        raise ValueError(
            f"{function}: x has shape {x.shape}; images are (N, C, H, W): add an axis for a single picture, x[None]"
        )


def check_bias(function: str, bias: Array | None, channels: int) -> None:
    """Raises ValueError unless bias is None or (channels,)."""
    if bias is not None and bias.shape != (channels,):
        raise ValueError(f"{function}: bias has shape {bias.shape}; it must be ({channels},), one number an output channel")


def check_gradient(function: str, dy: Array, shape: tuple[int, ...]) -> None:
    """Raises ValueError unless dy has the shape of the forward's output."""
    if dy.shape != tuple(shape):
        raise ValueError(f"{function}: dy has shape {dy.shape}; the forward's output, and so its gradient, has {tuple(shape)}")


def check_integers(function: str, **options: Any) -> None:
    """Raises TypeError unless all are integers, NumPy's included."""
    for name, value in options.items():
        if not isinstance(value, Integral) or isinstance(value, bool):
            raise TypeError(f"{function}: {name}={value!r} must be an integer, not a {type(value).__name__}")


def check_probability(function: str, p: Any) -> None:
    """Raises TypeError unless p is a number, ValueError unless it lies from 0 to 1."""
    if not isinstance(p, Real):
        raise TypeError(f"{function}: p={p!r} must be a number from 0 (keep all) to 1 (drop all), not a {type(p).__name__}")
    if not 0 <= float(p) <= 1:
        raise ValueError(f"{function}: p={p} must be a probability, from 0 (keep all) to 1 (drop all)")


def generator(rng: np.random.Generator | None) -> np.random.Generator:
    """``rng``, or a fresh one for None. Raises TypeError for what is no generator of NumPy's."""
    if rng is not None and not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng is a {type(rng).__name__}; give a numpy.random.Generator, e.g. numpy.random.default_rng(0)")
    return np.random.default_rng() if rng is None else rng
