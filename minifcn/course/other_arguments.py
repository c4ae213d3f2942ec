"""Arguments changed in one way: flipped, transposed, in part, with another sign, exchanged with each other."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from minifcn.course.exercises import Answer, Exercise
from minifcn.course.sizes import are_arrays, are_numbers, axes_in_words, subsets

Change = tuple[str, Callable[..., tuple]]  # words, and a function from arguments to arguments


def changed(right: Answer, change: Callable[..., tuple], *arguments: Any) -> Any:
    return right(*change(*arguments))


def changes(exercise: Exercise) -> Iterator[Change]:
    """Each argument changed by itself, then two of a kind exchanged."""
    columns = list(zip(*exercise.cases, strict=True))
    for place, (name, values) in enumerate(zip(exercise.parameters, columns, strict=True)):
        if are_arrays(values):
            spoilt: Iterator[tuple[str, Callable]] = _spoilt_arrays(name, values)
        elif are_numbers(values):
            spoilt = _spoilt_numbers(name, values)
        else:
            continue
        for words, function in spoilt:
            yield words, partial(_at, place, function)
    for one, other in itertools.combinations(range(len(columns)), 2):
        for alike in (are_arrays, are_numbers):
            if alike(columns[one]) and alike(columns[other]):
                names = f"`{exercise.parameters[one]}` and `{exercise.parameters[other]}`"
                yield f"with {names} exchanged", partial(_exchange, one, other)


def _at(place: int, function: Callable[[Any], Any], *arguments: Any) -> tuple:
    return (*arguments[:place], function(arguments[place]), *arguments[place + 1 :])


def _exchange(one: int, other: int, *arguments: Any) -> tuple:
    swapped = list(arguments)
    swapped[one], swapped[other] = arguments[other], arguments[one]
    return tuple(swapped)


def _spoilt_arrays(name: str, values: tuple[np.ndarray, ...]) -> Iterator[tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    axes = [axis for axis in range(values[0].ndim) if any(value.shape[axis] > 1 for value in values)]
    for some in subsets(axes):
        yield (
            f"for `{name}` flipped along {axes_in_words(some)}{' only' if len(axes) > len(some) else ''}",
            partial(np.flip, axis=some),
        )
    for one, other in itertools.combinations(range(values[0].ndim), 2):
        yield f"for `{name}` with axes {one} and {other} exchanged", partial(np.swapaxes, axis1=one, axis2=other)
    for axis in axes:
        for words, index in (("first", slice(1)), ("last", slice(-1, None))):
            yield f"for the {words} index of axis {axis} of `{name}` alone, the others taken as 0", partial(_only, axis, index)
            yield f"without the {words} index of axis {axis} of `{name}`, taken as 0", partial(_without, axis, index)
    for words, end in (("first", 0), ("last", -1)) if len(axes) > 1 else ():
        alone = f"for the {words} number along {axes_in_words(tuple(axes[-2:]))} of `{name}` alone, the others taken as 0"
        yield alone + " (do you assign where you must add, += ?)", partial(_only_one, tuple(axes[-2:]), end)
    yield f"for `{name}` with the other sign", lambda value: -value.astype(np.float64)
    yield f"for `{name}` without its signs", np.abs
    yield f"for `{name}` squared", np.square
    yield f"for `{name}` all 0 (is it left out?)", np.zeros_like
    yield f"for `{name}` all 1", np.ones_like


def _spoilt_numbers(name: str, values: tuple[float, ...]) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    yield f"for {name} = 0", lambda value: 0 * value
    yield f"for {name} = 1", lambda value: 0 * value + 1
    yield f"for {name} + 1 in the place of {name}", lambda value: value + 1
    yield f"for {name} − 1 in the place of {name}", lambda value: value - 1
    yield f"for 2·{name} in the place of {name}", lambda value: 2 * value
    yield f"for −{name} in the place of {name}", lambda value: -value
    if all(isinstance(value, (int, np.integer)) for value in values):
        yield f"for half of {name} in the place of {name}", lambda value: value // 2


def _only(axis: int, index: slice, value: np.ndarray) -> np.ndarray:
    place = (slice(None),) * axis + (index,)
    kept = np.zeros_like(value)
    kept[place] = value[place]
    return kept


def _only_one(axes: tuple[int, ...], index: int, value: np.ndarray) -> np.ndarray:
    place = tuple(index if axis in axes else slice(None) for axis in range(value.ndim))
    kept = np.zeros_like(value)
    kept[place] = value[place]
    return kept


def _without(axis: int, index: slice, value: np.ndarray) -> np.ndarray:
    kept = value.copy()
    kept[(slice(None),) * axis + (index,)] = 0
    return kept
