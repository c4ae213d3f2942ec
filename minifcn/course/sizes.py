"""What the arguments of a case say in numbers, and how axes are called."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from minifcn.course.exercises import Exercise


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
        if are_numbers(values) and len(set(values)) > 1:
            yield name, partial(_argument, place)
    for place, (name, values) in enumerate(columns):
        for some in subsets(range(values[0].ndim)) if are_arrays(values) else []:
            if len({tuple(value.shape[axis] for axis in some) for value in values}) > 1:
                yield "·".join(f"{name}.shape[{axis}]" for axis in some), partial(_size, place, some)


def _argument(place: int, *arguments: Any) -> float:
    return arguments[place]


def _size(place: int, axes: tuple[int, ...], *arguments: Any) -> float:
    return float(np.prod([arguments[place].shape[axis] for axis in axes]))


def are_arrays(values: tuple) -> bool:
    return all(isinstance(value, np.ndarray) and value.ndim and value.ndim == values[0].ndim for value in values)


def are_numbers(values: tuple) -> bool:
    return all(isinstance(value, (int, float, np.number)) and not isinstance(value, bool) for value in values)


def subsets(axes: Any) -> list[tuple[int, ...]]:
    axes = list(axes)
    return [some for count in range(1, len(axes) + 1) for some in itertools.combinations(axes, count)]


def axes_in_words(axes: tuple[int, ...]) -> str:
    head = ", ".join(map(str, axes[:-1]))
    return f"axes {head} and {axes[-1]}" if head else f"axis {axes[0]}"
