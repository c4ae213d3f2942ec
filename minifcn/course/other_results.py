"""Results changed in one way: flipped, without an index, too large by P, divided by the size of an axis, plus an argument."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from minifcn.course.exercises import Answer, Exercise
from minifcn.course.sizes import are_arrays, axes_in_words, sizes, subsets

Other = tuple[str, Callable[..., Any]]  # words, and a function of the right answer and the arguments


def other_results(exercise: Exercise) -> Iterator[Other]:
    """The library's result changed in one way; none where results are words, tuples or dicts."""
    if not gives_numbers(exercise):
        return
    ndim = np.ndim(exercise.answer(*exercise.cases[0]))
    yield from itertools.chain(_with_arguments(exercise), _spoilt_results(ndim), _by_size(exercise))


def gives_numbers(exercise: Exercise) -> bool:
    """Whether results are arrays or numbers, and not words, tuples or dicts."""
    return not isinstance(exercise.answer(*exercise.cases[0]), (str, tuple, dict))


def _spoilt_results(ndim: int) -> Iterator[Other]:
    def of(function: Callable[[np.ndarray], Any]) -> Callable[..., Any]:
        return lambda right, *arguments: function(np.asarray(right(*arguments), np.float64))

    answer = "the library's answer"
    yield f"{answer} with the other sign", of(np.negative)
    for some in subsets(range(ndim)):
        yield f"{answer} flipped along {axes_in_words(some)}", of(partial(np.flip, axis=some))
    for one, other in itertools.combinations(range(ndim), 2):
        yield f"{answer} with axes {one} and {other} exchanged", of(partial(np.swapaxes, axis1=one, axis2=other))
    yield f"{answer} without its signs", of(np.abs)
    yield f"{answer} with its negative numbers set to 0", of(partial(np.maximum, 0))
    yield f"{answer} squared", of(np.square)
    yield f"the square root of {answer}", of(np.sqrt)
    yield f"1 minus {answer}", of(lambda y: 1 - y)
    yield f"1 / {answer}", of(lambda y: 1 / y)
    yield f"{answer} rounded to whole numbers", of(np.round)
    yield f"{answer} cut to whole numbers", of(np.trunc)
    for axis in range(ndim):
        yield f"{answer} without its last index of axis {axis}", of(partial(_but_last, axis))
        yield f"{answer} without its first index of axis {axis}", of(partial(_but_first, axis))
        for words, place in (("first", 0), ("last", -1)):
            yield f"{answer} with 0 at the {words} index of axis {axis}", of(partial(_zero_at, axis, place))
            yield (
                f"the {words} index of axis {axis} of {answer} alone, so that the axis is missing",
                of(partial(_take, axis, place)),
            )
        yield f"{answer} added up along axis {axis}", of(partial(np.sum, axis=axis))
        yield f"the mean of {answer} along axis {axis}", of(partial(np.mean, axis=axis))
        yield f"the running sum of {answer} along axis {axis}", of(partial(np.cumsum, axis=axis))


def _zero_at(axis: int, place: int, value: np.ndarray) -> np.ndarray:
    kept = value.copy()
    np.moveaxis(kept, axis, 0)[place] = 0
    return kept


def _take(axis: int, place: int, value: np.ndarray) -> np.ndarray:
    return value.take(place, axis)


def _with_arguments(exercise: Exercise) -> Iterator[Other]:
    """An argument that came back as it was, or once more into the result."""
    ways: dict[str, Callable[[Any, Any], Any]] = {
        "`{}` as it was given": lambda y, value: value,
        "the library's answer plus `{}`": np.add,
        "the library's answer minus `{}`": np.subtract,
        "the library's answer times `{}`": np.multiply,
        "the library's answer divided by `{}`": np.divide,
    }
    for place, (name, values) in enumerate(zip(exercise.parameters, zip(*exercise.cases, strict=True), strict=True)):
        if are_arrays(values):
            for words, way in ways.items():
                yield words.format(name), partial(_with_argument, place, way)


def _with_argument(place: int, way: Callable[[Any, Any], Any], right: Answer, *arguments: Any) -> Any:
    return way(np.asarray(right(*arguments), np.float64), np.asarray(arguments[place], np.float64))


def _but_last(axis: int, value: np.ndarray) -> np.ndarray:
    return np.delete(value, -1, axis)


def _but_first(axis: int, value: np.ndarray) -> np.ndarray:
    return np.delete(value, 0, axis)


def _by_size(exercise: Exercise) -> Iterator[Other]:
    """Too large by P, divided by the number of pictures: off by something that the arguments say."""
    for words, size in sizes(exercise):
        for factor, times in ((1, ""), (2, "2·"), (0.5, "half of ")):
            for sign, how in ((1, "large"), (-1, "small")):
                by = f"{times}{words}"
                yield f"too {how} by {by}", partial(_plus, size, sign * factor, 0)
                yield f"too {how} by {by} + 1", partial(_plus, size, sign * factor, sign)
                yield f"too {how} by {by} − 1", partial(_plus, size, sign * factor, -sign)
    for words, function in scaled(exercise):
        yield f"the library's answer {words}", function


def scaled(exercise: Exercise) -> Iterator[Other]:
    """Times a number, a size, or one fact of the case in the place of another."""
    numbers = {"times 100": 100, "divided by 100": 0.01, "with the other sign": -1, "times 2": 2, "halved": 0.5}
    for times, factor in numbers.items():
        yield times, partial(_times, partial(_always, factor), 1)
    for words, size in sizes(exercise):
        yield f"times {words}", partial(_times, size, 1)
        yield f"divided by {words}", partial(_times, size, -1)
    parameters = [(words, size) for words, size in sizes(exercise) if words in exercise.parameters]
    for (one, size), (other, also) in itertools.combinations_with_replacement(parameters, 2):
        yield f"times {one}·{other}", partial(_times, partial(_product, size, also), 1)
        yield f"divided by {one}·{other}", partial(_times, partial(_product, size, also), -1)
    facts = [(words, size) for words, size in sizes(exercise) if words in exercise.facts]
    for (one, above), (other, below) in itertools.permutations(facts, 2):
        yield f"times {one}, divided by {other}", partial(_ratio, above, below)


def _always(number: float, *_: Any) -> float:
    return number


def _plus(size: Callable[..., float], factor: float, more: float, right: Answer, *arguments: Any) -> Any:
    return right(*arguments) + factor * size(*arguments) + more


def _times(size: Callable[..., float], power: int, right: Answer, *arguments: Any) -> Any:
    return right(*arguments) * float(size(*arguments)) ** power


def _product(size: Callable[..., float], also: Callable[..., float], *arguments: Any) -> float:
    return size(*arguments) * also(*arguments)


def _ratio(above: Callable[..., float], below: Callable[..., float], right: Answer, *arguments: Any) -> Any:
    return right(*arguments) * float(above(*arguments)) / float(below(*arguments))
