"""Wrong answers to try, each with the words for a reader who gave it.

First what the exercise lists. Then the library's answer for other arguments (`other_arguments`), then another result of it
(`other_results`), and last two things at once. Every suspect is a function of the arguments, so it can be held against all
cases.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from minifcn.course.exercises import Answer, Exercise, spoil
from minifcn.course.other_arguments import changed, changes
from minifcn.course.other_results import gives_numbers, other_results, scaled

Suspect = tuple[str, Answer]


def listed(exercise: Exercise) -> Iterator[Suspect]:
    """What the exercise lists."""
    for mistake in exercise.mistakes:
        yield words_of(mistake), spoil(mistake, exercise.answer)


def others(exercise: Exercise) -> Iterator[Suspect]:
    """What it does not list, the likeliest first."""
    yield from _for_other_arguments(exercise)
    yield from _with_other_results(exercise)
    yield from _two_listed(exercise)
    yield from _listed_for_other_arguments(exercise)
    yield from _listed_and_scaled(exercise)


def words_of(mistake: Callable[..., Any]) -> str:
    """What somebody who makes this mistake is told."""
    return " ".join((mistake.__doc__ or "").split())


def _for_other_arguments(exercise: Exercise) -> Iterator[Suspect]:
    for words, change in changes(exercise):
        yield f"Your result is the library's answer {words}.", partial(changed, exercise.answer, change)


def _with_other_results(exercise: Exercise) -> Iterator[Suspect]:
    for words, function in other_results(exercise):
        yield f"Your result is {words}.", partial(function, exercise.answer)


def _two_listed(exercise: Exercise) -> Iterator[Suspect]:
    for one, other in itertools.permutations(exercise.mistakes, 2):
        words = f"Two things at once. First: {words_of(one)} Second: {words_of(other)}"
        yield words, spoil(one, spoil(other, exercise.answer))


def _listed_for_other_arguments(exercise: Exercise) -> Iterator[Suspect]:
    for mistake, (words, change) in itertools.product(exercise.mistakes, list(changes(exercise))):
        said = f"Two things at once. First: {words_of(mistake)} Second: your result is that {words}."
        yield said, partial(changed, spoil(mistake, exercise.answer), change)


def _listed_and_scaled(exercise: Exercise) -> Iterator[Suspect]:
    if not gives_numbers(exercise):
        return
    for mistake, (words, function) in itertools.product(exercise.mistakes, list(scaled(exercise))):
        said = f"Two things at once. First: {words_of(mistake)} Second: your result is that {words}."
        yield said, partial(function, spoil(mistake, exercise.answer))
