"""Every rung is compared with `loops`, the definition, by one function."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from minifcn import kernels
from minifcn.kernels import select
from minifcn.kernels.convolution import dilated, inside, loops, one_by_one, phases, strips, winograd
from minifcn.kernels.geometry import Geometry

_truth: dict[Geometry, dict[str, tuple[tuple, np.ndarray]]] = {}


def _arguments(geometry: Geometry) -> dict[str, tuple]:
    """Random x, weight, bias and dy of a geometry in float64, as the arguments of the three functions."""
    rng = np.random.default_rng(abs(hash(geometry)) % 2**32)
    x, weight, dy = (rng.standard_normal(shape) for shape in (geometry.x_shape, geometry.weight_shape, geometry.y_shape))
    bias = rng.standard_normal(geometry.O)
    return {"forward": (x, weight, bias), "input_gradient": (dy, weight), "weight_gradient": (x, dy)}


def _difference(rung: str | None, geometry: Geometry, dtype: type = np.float64) -> float:
    """The largest difference between a rung (None: the choice by shape) and `loops`, over its functions.

    "F2" and "F4" are the two methods of the rung winograd. Relative to the largest number of the true result, or 1.
    Also holds the result's shape, dtype and layout.
    """
    if geometry not in _truth:
        _truth[geometry] = {
            what: (arguments, getattr(loops, what)(*arguments, geometry)) for what, arguments in _arguments(geometry).items()
        }
        arguments, y = _truth[geometry]["forward"]
        _truth[geometry]["forward_relu"] = arguments, np.maximum(y, 0)
    method = (getattr(winograd, rung),) if rung in ("F2", "F4") else ()
    module = kernels if rung is None else winograd if method else select.rung(rung)
    worst = 0.0
    for what, (arguments, true) in _truth[geometry].items():
        if not hasattr(module, what):
            continue
        got = getattr(module, what)(*(argument.astype(dtype) for argument in arguments), geometry, *method)
        assert got.shape == true.shape
        assert got.dtype == dtype
        assert got.flags.c_contiguous
        worst = max(worst, float(abs(got - true).max() / max(1.0, abs(true).max())))
    return worst


@pytest.fixture(scope="session")
def difference() -> Callable[..., float]:
    """difference(rung, geometry, dtype): how far a rung is from `loops`."""
    return _difference


@pytest.fixture(scope="session")
def arguments() -> Callable[[Geometry], dict[str, tuple]]:
    """arguments(geometry): random arguments of the three functions, in float64."""
    return _arguments


def _cut_small(patch: pytest.MonkeyPatch, heavy: bool) -> None:
    for module, name, value in (
        (strips, "_COLUMNS", 600), (strips, "_PARTIAL", 3000), (strips, "_PIXELS", 12), (strips, "SHARED", 3000),
        (strips, "_HEAVY", 1 if heavy else 1 << 30), (phases, "_CHUNK", 400), (winograd, "_TASK", 1),
        (winograd, "SHARED", 1), (winograd, "_LIGHT", 1 if heavy else 1 << 30),
        (one_by_one, "_SMALL", 1), (one_by_one, "_TASK", 1), (one_by_one, "_PIXELS", 3), (one_by_one, "_LONG", 5),
        (one_by_one, "_ROWS", 2), (one_by_one, "_PARTIAL", 1 if heavy else 1 << 30),
        (one_by_one, "_rounded", lambda count: count),
        (strips, "_LONG", 5), (dilated, "_PIECE", 600), (inside, "_PIECE", 600),
    ):  # fmt: skip
        patch.setattr(module, name, value)
    patch.setattr(Geometry, "tasks", property(lambda geometry: 2))


@pytest.fixture(scope="session")
def cut_small() -> Callable[[pytest.MonkeyPatch, bool], None]:
    """cut_small(patch, heavy) makes every rung cut even the smallest convolution into many pieces.

    With `heavy` the rungs believe that it has many weights, and cut these; else that it has few, and cut the pixels.
    """
    return _cut_small


@pytest.fixture
def threads():
    """Whatever a test does with the number of threads is undone."""
    before = kernels.get_num_threads()
    yield
    kernels.set_num_threads(before)
