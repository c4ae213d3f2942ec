"""The stand-in itself: it refuses what CuPy refuses, and knows no more than CuPy does."""

from __future__ import annotations

import importlib.util
import inspect
import types

import numpy as np
import pytest

from minifcn.backend import get_xp
from support import strict_cupy
from support.cupy_surface import MISSING, MISSING_KEYWORDS


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
    cupy.asarray(1.0)
    cupy.asarray(np.float32(1))
    assert counts["to_device"] == 4
    cupy.asarray(x)
    cupy.full((), 1.0)
    x * 2.0 + np.float32(1)  # numbers travel as arguments of the kernel
    assert counts["to_device"] == 4


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


def test_get_xp_tells_whose_arrays_they_are_and_refuses_both_at_once(cupy):
    host, device = np.zeros(2), cupy.zeros(2)
    assert get_xp(device, None, device) is cupy
    assert get_xp(None, device) is cupy
    assert get_xp(host, None, host) is np
    assert get_xp(None) is np
    for mixed in ((host, device), (device, host), (None, device, None, host)):
        with pytest.raises(TypeError, match="NumPy and CuPy arrays in one call"):
            get_xp(*mixed)


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


# --------------------------------------------------------------------------------------------------------- streams


def pinned(cupy, host):
    """The numbers in pinned memory."""
    memory = np.frombuffer(cupy.cuda.alloc_pinned_memory(host.nbytes), host.dtype, host.size).reshape(host.shape)
    memory[...] = host
    return memory


def test_a_copy_on_another_stream_is_late(cupy, counts):
    host, x = f(2, 3), cupy.zeros((2, 3), np.float32)
    source, stream = pinned(cupy, host), cupy.cuda.Stream(non_blocking=True)
    x.set(source, stream=stream)
    assert (x.get() == 0).all()
    source[...] = 7
    stream.synchronize()
    assert (x.get() == 7).all(), "the copy read its source when it was made"
    assert (counts["to_device"], counts["arrived"], counts["from_pageable"]) == (1, 1, 0)


def test_a_copy_from_pageable_memory_has_read_it(cupy, counts):
    host, x, stream = f(2, 3), cupy.zeros((2, 3), np.float32), cupy.cuda.Stream(non_blocking=True)
    x.set(host, stream=stream)
    before = host.copy()
    host[...] = 7
    cupy.cuda.Device().synchronize()
    np.testing.assert_array_equal(x.get(), before)
    assert counts["from_pageable"] == 1


@pytest.mark.parametrize("waiting", ["host", "stream", "nobody"])
def test_an_event_is_reached_when_it_is_waited_for(cupy, waiting):
    host, x = f(2, 3), cupy.zeros((2, 3), np.float32)
    first, second, event = cupy.cuda.Stream(non_blocking=True), cupy.cuda.get_current_stream(), cupy.cuda.Event()
    event.synchronize()  # never recorded: nobody waits
    source, later = pinned(cupy, host), pinned(cupy, host + 1)
    x.set(source, stream=first)
    event.record(first)
    x.set(later, stream=first)  # behind the event
    if waiting == "host":
        event.synchronize()
    elif waiting == "stream":
        second.wait_event(event)
        event.record(second)  # what is waited for is the event as it was then
    np.testing.assert_array_equal(x.get(), 0 if waiting == "nobody" else host)
    first.synchronize()


def test_pinned_memory_given_up_too_early_is_somebody_elses(cupy):
    host, x, stream = f(2, 3), cupy.zeros((2, 3), np.float32), cupy.cuda.Stream(non_blocking=True)
    x.set(pinned(cupy, host), stream=stream)
    _other = pinned(cupy, host + 1)
    stream.synchronize()
    np.testing.assert_array_equal(x.get(), host + 1)


def test_a_stream_that_takes_turns_copies_at_once(cupy):
    host, x = f(2, 3), cupy.zeros((2, 3), np.float32)
    x.set(pinned(cupy, host), stream=cupy.cuda.Stream())
    np.testing.assert_array_equal(x.get(), host)


def test_work_catches_up_with_its_own_stream(cupy):
    x, y = cupy.zeros((2, 3), np.float32), cupy.zeros((2, 3), np.float32)
    null = cupy.cuda.get_current_stream()
    for use in (lambda: y + x, lambda: x.__setitem__(0, 5), lambda: np.sqrt(x), lambda: float(x[0, 0]), lambda: x[[0]]):
        done = []
        null.launch_host_func(done.append, 1)
        _views = x.view(np.uint8), x.reshape(-1), x[1:], cupy.empty(3)
        assert not done
        use()
        assert done


def test_a_streams_memory_goes_to_the_next_who_asks(cupy):
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        x = cupy.empty(4, np.float32)
        assert np.isnan(x.get()).all()
        x[...] = 1
        view, kernel = x[1:], strict_cupy.memory_of(x)
        del x
        other = cupy.empty(4, np.float32)
        other[...] = 2
        assert (kernel() == 1).all()  # a view keeps the memory
        del view
        cupy.empty(4, np.float32)[...] = 3
    assert (kernel() == 3).all()


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


@needs_cupy
def test_streams_events_and_pinned_memory_are_named_as_cupys():
    import cupy

    for name in ("Stream", "Event"):
        ours, theirs = getattr(strict_cupy.cupy.cuda, name), getattr(cupy.cuda, name)
        for method in (method for method in vars(ours) if method[0] != "_" and callable(getattr(ours, method))):
            if hasattr(theirs, method):
                wanted = set(inspect.signature(getattr(ours, method)).parameters)
                assert wanted <= set(inspect.signature(getattr(theirs, method)).parameters), method
            else:
                assert method == "catch_up", f"cupy.cuda.{name} has no {method!r}"
        assert set(inspect.signature(ours).parameters) <= set(inspect.signature(theirs).parameters)
    assert callable(cupy.cuda.alloc_pinned_memory)
    assert callable(cupy.cuda.get_current_stream)
    assert "stream" in cupy.ndarray.set.__doc__.splitlines()[0]


@needs_cupy
def test_what_a_launch_uses_is_named_as_cupys():
    import cupy

    assert set(vars(strict_cupy.cupy.cuda.runtime)) <= set(dir(cupy.cuda.runtime))
    kernel = strict_cupy._RawKernel(lambda *_: None)
    assert {name for name in vars(kernel) if name[0] != "_"} <= set(dir(cupy.RawKernel))
    assert callable(cupy.cuda.Function)
    with pytest.raises(TypeError, match="must be tuples"):
        kernel([1], (256,), ())
