"""The stand-in itself: it refuses what CuPy refuses, and knows no more than CuPy does."""

from __future__ import annotations

import importlib.util
import inspect
import types

import numpy as np
import pytest
from cupy_surface import MISSING, MISSING_KEYWORDS


def f(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


REFUSED = {
    "implicit conversion": (lambda xp, x: np.asarray(x), TypeError),
    "conversion by np.array": (lambda xp, x: np.array([x[0, 0], 1.0]), TypeError),
    "adding a NumPy array": (lambda xp, x: x + np.ones(3, np.float32), TypeError),
    "a NumPy array first": (lambda xp, x: np.ones(3, np.float32) + x, TypeError),
    "adding it in place": (lambda xp, x: x.__iadd__(np.ones(3, np.float32)), TypeError),
    "assigning a NumPy array": (lambda xp, x: x.__setitem__(..., np.ones((2, 3), np.float32)), ValueError),
    "np.maximum of both": (lambda xp, x: np.maximum(x, np.zeros(3, np.float32)), TypeError),
    "concatenating both": (lambda xp, x: xp.concatenate([x, np.ones((1, 3), np.float32)]), TypeError),
    "a list operand": (lambda xp, x: x - [1, 2, 3], TypeError),
    "a list to a ufunc": (lambda xp, x: xp.maximum(x, [1, 2, 3]), TypeError),
    "where= of a reduction": (lambda xp, x: xp.sum(x, where=x > 0), TypeError),
    "where= of a method": (lambda xp, x: x.mean(where=x > 0), TypeError),
    "where= of a ufunc": (lambda xp, x: xp.exp(x, where=x > 0), TypeError),
    "out= of einsum": (lambda xp, x: xp.einsum("ij->ij", x, out=x), TypeError),
    "a function CuPy lacks": (lambda xp, x: xp.block([x, x]), AttributeError),
    "a method CuPy lacks": (lambda xp, x: x.setflags(write=False), AttributeError),
    "a permutation": (lambda xp, x: xp.random.default_rng(0).permutation(3), AttributeError),
    "normal": (lambda xp, x: xp.random.default_rng(0).normal(size=3), AttributeError),
    "a truth value of many": (lambda xp, x: bool(x > 0), ValueError),
    "writing one place twice": (lambda xp, x: x.__setitem__(xp.asarray([0, 0]), 1), ValueError),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refuses_what_cupy_refuses(cupy, case):
    attempt, error = REFUSED[case]
    with pytest.raises(error):
        attempt(cupy, cupy.asarray(f(2, 3)))


WAITS = {
    "float": (lambda xp, x: float(x.sum()), 1),
    "item": (lambda xp, x: x[0, 0].item(), 1),
    "if": (lambda xp, x: 1 if (x > 9).any() else 0, 1),
    "get": (lambda xp, x: x.get(), 1),
    "format": (lambda xp, x: f"{x.sum():.3f}", 1),
    "boolean index": (lambda xp, x: x[x > 0], 1),
    "nonzero": (lambda xp, x: xp.nonzero(x), 1),
    "bincount": (lambda xp, x: xp.bincount(xp.arange(3)), 1),
    "sliding_window_view": (lambda xp, x: xp.lib.stride_tricks.sliding_window_view(x, (2, 2)), 2),
    "arithmetic": (lambda xp, x: (x * 2 - x.mean(axis=0, keepdims=True)) @ x.T, 0),
    "assignment under a mask": (lambda xp, x: x.__setitem__(x > 0, 0.0), 0),
    "as_strided": (lambda xp, x: xp.lib.stride_tricks.as_strided(x, (2, 2), (4, 4)).sum(), 0),
}


@pytest.mark.parametrize("case", WAITS)
def test_counts_each_wait_for_the_device(cupy, counts, case):
    action, expected = WAITS[case]
    x = cupy.asarray(f(2, 3))
    counts.clear()
    action(cupy, x)
    assert counts["to_host"] == expected


def test_counts_uploads(cupy, counts):
    x = cupy.asarray(f(2, 3))
    assert counts["to_device"] == 1
    x[np.array([0, 1])]
    assert counts["to_device"] == 2


def test_uploads_are_copies(cupy):
    host = f(2, 3)
    x = cupy.asarray(host)
    host[:] = 0
    assert (x.get() != 0).all()


def test_scalars_are_arrays_and_fresh_memory_is_dirty(cupy):
    x = cupy.asarray(f(2, 3))
    assert isinstance(x.sum(), cupy.ndarray)
    assert isinstance(x[0, 0], cupy.ndarray)
    assert np.isnan(cupy.empty((2, 2), np.float32).get()).all()
    assert (cupy.empty(2, np.uint8).get() == 255).all()


def test_operators_and_functions_give_numpys_numbers(cupy):
    a, b = f(3, 3), f(3, 3) + 2
    x, y = cupy.asarray(a), cupy.asarray(b)
    pairs = [(x + y, a + b), (1 - x, 1 - a), (x / y, a / b), (x @ y, a @ b), (-x, -a), (abs(x), abs(a)), (x > 0, a > 0),
             (np.exp(x), np.exp(a)), (cupy.where(x > 0, x, 0), np.where(a > 0, a, 0)), (x.T[1:], a.T[1:])]  # fmt: skip
    for got, expected in pairs:
        assert isinstance(got, cupy.ndarray)
        np.testing.assert_array_equal(got.get(), expected)
    z = x
    z += y
    np.testing.assert_array_equal(x.get(), a + b)


needs_cupy = pytest.mark.skipif(importlib.util.find_spec("cupy") is None, reason="CuPy is not installed (it needs no GPU)")


@needs_cupy
def test_names_that_cupy_lacks_are_those_of_the_installed_cupy():
    import cupy

    pairs = {"numpy": (np, cupy), "linalg": (np.linalg, cupy.linalg), "random": (np.random, cupy.random),
             "ndarray": (np.ndarray, cupy.ndarray), "Generator": (np.random.Generator, cupy.random.Generator)}  # fmt: skip
    for path, (numpys, cupys) in pairs.items():
        names = {n for n in dir(numpys) if n[0] != "_" and not isinstance(getattr(numpys, n), types.ModuleType)}
        assert {n for n in names if not hasattr(cupys, n)} <= MISSING[path], f"{path}: CuPy lacks more than we thought"
        assert not {n for n in MISSING[path] if hasattr(cupys, n)}, f"{path}: CuPy has what we thought it lacks"


@needs_cupy
def test_keywords_that_cupy_lacks_are_those_of_the_installed_cupy():
    import cupy

    for name in dir(np):
        ours, theirs = getattr(np, name), getattr(cupy, name, None)
        if theirs is None or isinstance(ours, (np.ufunc, type)) or not callable(ours):
            continue
        try:
            numpys, cupys = inspect.signature(ours).parameters, inspect.signature(theirs).parameters
        except ValueError:  # a builtin without a signature
            continue
        if not any(parameter.kind == parameter.VAR_KEYWORD for parameter in cupys.values()):
            lacking = set(numpys) - set(cupys) - {"args", "kwargs", "kw"}
            assert lacking <= MISSING_KEYWORDS.get(name, set()), name
