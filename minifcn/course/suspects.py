"""Wrong answers to try, each with the words for a reader who gave it.

First what the exercise lists. Then the library's answer for arguments that are changed in one way (flipped, transposed, in
part, with another sign, exchanged), then its result changed in one way (flipped, too large by P, divided by the size of an
axis), and last two things at once. Every suspect is a function of the arguments, so it can be held against all cases.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from minifcn.course.exercises import Answer, Exercise, spoil

Suspect = tuple[str, Answer]
Change = tuple[str, Callable[..., tuple]]  # of arguments: words, and a function from arguments to arguments


def listed(exercise: Exercise) -> Iterator[Suspect]:
    """What the exercise lists."""
    for mistake in exercise.mistakes:
        yield words_of(mistake), spoil(mistake, exercise.answer)


def others(exercise: Exercise) -> Iterator[Suspect]:
    """What it does not list, the likeliest first."""
    yield from _for_other_arguments(exercise)
    yield from _other_results(exercise)
    yield from _two_listed(exercise)
    yield from _listed_for_other_arguments(exercise)
    yield from _listed_and_scaled(exercise)


def words_of(mistake: Callable[..., Any]) -> str:
    """What somebody who makes this mistake is told."""
    return " ".join((mistake.__doc__ or "").split())


def _two_listed(exercise: Exercise) -> Iterator[Suspect]:
    for one, other in itertools.permutations(exercise.mistakes, 2):
        words = f"Two things at once. First: {words_of(one)} Second: {words_of(other)}"
        yield words, spoil(one, spoil(other, exercise.answer))


def _listed_for_other_arguments(exercise: Exercise) -> Iterator[Suspect]:
    for mistake, (words, change) in itertools.product(exercise.mistakes, list(_changes(exercise))):
        said = f"Two things at once. First: {words_of(mistake)} Second: your result is that {words}."
        yield said, partial(_changed, spoil(mistake, exercise.answer), change)


def _listed_and_scaled(exercise: Exercise) -> Iterator[Suspect]:
    if not _gives_numbers(exercise):
        return
    for mistake, (words, function) in itertools.product(exercise.mistakes, list(_scaled(exercise))):
        said = f"Two things at once. First: {words_of(mistake)} Second: your result is that {words}."
        yield said, partial(function, spoil(mistake, exercise.answer))


# --------------------------------------------------------------------------------------------------- changed arguments


def _for_other_arguments(exercise: Exercise) -> Iterator[Suspect]:
    for words, change in _changes(exercise):
        yield f"Your result is the library's answer {words}.", partial(_changed, exercise.answer, change)


def _changed(right: Answer, change: Callable[..., tuple], *arguments: Any) -> Any:
    return right(*change(*arguments))


def _changes(exercise: Exercise) -> Iterator[Change]:
    """Each argument changed by itself, then two of a kind exchanged."""
    columns = list(zip(*exercise.cases, strict=True))
    for place, (name, values) in enumerate(zip(exercise.parameters, columns, strict=True)):
        if _are_arrays(values):
            spoilt: Iterator[tuple[str, Callable]] = _spoilt_arrays(name, values)
        elif _are_numbers(values):
            spoilt = _spoilt_numbers(name, values)
        else:
            continue
        for words, function in spoilt:
            yield words, partial(_at, place, function)
    for one, other in itertools.combinations(range(len(columns)), 2):
        for alike in (_are_arrays, _are_numbers):
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
    for some in _subsets(axes):
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
    yield f"for `{name}` all 0", np.zeros_like
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


# ----------------------------------------------------------------------------------------------------- changed results


def _other_results(exercise: Exercise) -> Iterator[Suspect]:
    """The library's result changed in one way; only where results are arrays or numbers."""
    if not _gives_numbers(exercise):
        return
    ndim = np.ndim(exercise.answer(*exercise.cases[0]))
    for words, function in itertools.chain(_spoilt_results(ndim), _by_size(exercise)):
        yield f"Your result is {words}.", partial(function, exercise.answer)


def _spoilt_results(ndim: int) -> Iterator[tuple[str, Callable[..., Any]]]:
    def of(function: Callable[[np.ndarray], Any]) -> Callable[..., Any]:
        return lambda right, *arguments: function(np.asarray(right(*arguments), np.float64))

    answer = "the library's answer"
    yield f"{answer} with the other sign", of(np.negative)
    for some in _subsets(range(ndim)):
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


def _but_last(axis: int, value: np.ndarray) -> np.ndarray:
    return np.delete(value, -1, axis)


def _but_first(axis: int, value: np.ndarray) -> np.ndarray:
    return np.delete(value, 0, axis)


def _by_size(exercise: Exercise) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Too large by P, divided by the number of pictures: off by something that the arguments say."""
    for words, size in sizes(exercise):
        for factor, times in ((1, ""), (2, "2·"), (0.5, "half of ")):
            for sign, how in ((1, "large"), (-1, "small")):
                by = f"{times}{words}"
                yield f"too {how} by {by}", partial(_plus, size, sign * factor, 0)
                yield f"too {how} by {by} + 1", partial(_plus, size, sign * factor, sign)
                yield f"too {how} by {by} − 1", partial(_plus, size, sign * factor, -sign)
    for words, function in _scaled(exercise):
        yield f"the library's answer {words}", function


def _scaled(exercise: Exercise) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Times a number, a size, or one fact of the case in the place of another."""
    for factor, times in (
        (100, "times 100"),
        (0.01, "divided by 100"),
        (-1, "with the other sign"),
        (2, "times 2"),
        (0.5, "halved"),
    ):
        yield times, partial(_times, partial(_always, factor), 1)
    for words, size in sizes(exercise):
        yield f"times {words}", partial(_times, size, 1)
        yield f"divided by {words}", partial(_times, size, -1)
    numbers = [(words, size) for words, size in sizes(exercise) if words in exercise.parameters]
    for (one, size), (other, also) in itertools.combinations_with_replacement(numbers, 2):
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


def sizes(exercise: Exercise) -> Iterator[tuple[str, Callable[..., float]]]:
    """What the arguments say in numbers: each number itself, the exercise's facts, each axis of an array, several together.

    Only those that differ between cases; a size that is the same in all of them cannot be told from a number.
    """
    for words, fact in exercise.facts.items():
        found = [fact(*case) for case in exercise.cases]
        if len(set(found)) > 1 and not any(isinstance(one, (bool, np.bool_)) for one in found):
            yield words, fact
    columns = list(zip(exercise.parameters, zip(*exercise.cases, strict=True), strict=True))
    for place, (name, values) in enumerate(columns):
        if _are_numbers(values) and len(set(values)) > 1:
            yield name, partial(_argument, place)
    for place, (name, values) in enumerate(columns):
        for some in _subsets(range(values[0].ndim)) if _are_arrays(values) else []:
            if len({tuple(value.shape[axis] for axis in some) for value in values}) > 1:
                yield "·".join(f"{name}.shape[{axis}]" for axis in some), partial(_size, place, some)


def _argument(place: int, *arguments: Any) -> float:
    return arguments[place]


def _size(place: int, axes: tuple[int, ...], *arguments: Any) -> float:
    return float(np.prod([arguments[place].shape[axis] for axis in axes]))


# --------------------------------------------------------------------------------------------------------------- small


def _gives_numbers(exercise: Exercise) -> bool:
    return not isinstance(exercise.answer(*exercise.cases[0]), (str, tuple, dict))


def _are_arrays(values: tuple) -> bool:
    return all(isinstance(value, np.ndarray) and value.ndim and value.ndim == values[0].ndim for value in values)


def _are_numbers(values: tuple) -> bool:
    return all(isinstance(value, (int, float, np.number)) and not isinstance(value, bool) for value in values)


def _subsets(axes: Any) -> list[tuple[int, ...]]:
    axes = list(axes)
    return [some for count in range(1, len(axes) + 1) for some in itertools.combinations(axes, count)]


def axes_in_words(axes: tuple[int, ...]) -> str:
    head = ", ".join(map(str, axes[:-1]))
    return f"axes {head} and {axes[-1]}" if head else f"axis {axes[0]}"
