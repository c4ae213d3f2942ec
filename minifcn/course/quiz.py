"""Questions made from a lesson's exercises: what does this function give for these small numbers?

The wrong answers to choose from are the exercise's own listed mistakes, run on the same numbers, so that each wrong choice has
its explanation. Nothing is stored, so nothing can drift from the exercises.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minifcn.course.catalogue import Lesson
from minifcn.course.exercises import Exercise, exercises, spoil
from minifcn.course.results import Result, plain
from minifcn.course.suspects import words_of

_MOST_GIVEN, _MOST_ASKED = 90, 24  # numbers that a reader can take in: all arguments together, the result


@dataclass(frozen=True)
class Choice:
    """One of a question's answers as it is shown, and what who chooses it is told; "" for the right one."""

    shown: str
    said: str

    @property
    def is_right(self) -> bool:
        return not self.said


@dataclass(frozen=True)
class Question:
    """What does the exercise's function give for these arguments? One of the choices is right."""

    exercise: Exercise
    given: str
    choices: list[Choice]


def questions(one: Lesson, count: int, seed: int) -> list[Question]:
    """At most `count` questions about a lesson, from all its exercises in turn; another seed gives others.

    Raises ValueError where the lesson has no exercises, or none that is small enough to be asked.
    """
    rng = np.random.default_rng(seed)
    sources = [_of(exercise, rng) for exercise in exercises(one)]
    found: list[Question] = []
    while sources and len(found) < count:
        for source in list(sources):
            question = next(source, None)
            if question is None:
                sources.remove(source)
            elif len(found) < count:
                found.append(question)
    if not found:
        raise ValueError(f"the exercises of lesson {one.number:02} are too large to be asked in a quiz")
    return found


def _of(exercise: Exercise, rng: np.random.Generator) -> Iterator[Question]:
    """Questions about one exercise: its small cases in another order each time, with whole numbers."""
    small = [case for case in exercise.cases if _size(case) <= _MOST_GIVEN]
    for place in rng.permutation(len(small)):
        case = tuple(_whole(value, rng) for value in small[place])
        with np.errstate(all="ignore"):
            choices = _choices(exercise, case, rng)
        if choices:
            yield Question(exercise, _given(exercise, case), choices)


def _choices(exercise: Exercise, case: tuple, rng: np.random.Generator) -> list[Choice]:
    """The right answer among three mistakes, all of which look different; [] where there are not two such mistakes."""
    right = plain(exercise.answer(*copy.deepcopy(case)))
    if _count(right) > _MOST_ASKED:
        return []
    choices = {shown(right): ""}
    for mistake in rng.permutation(np.array(exercise.mistakes, object)):
        try:
            wrong = plain(spoil(mistake, exercise.answer)(*copy.deepcopy(case)))
        except Exception:  # a mistake that cannot be made with these sizes
            continue
        if _count(wrong) <= 2 * _MOST_ASKED and len(choices) < 4:
            choices.setdefault(shown(wrong), words_of(mistake))
    if len(choices) < 3:
        return []
    found = [Choice(text, said) for text, said in choices.items()]
    return [found[place] for place in rng.permutation(len(found))]


def _whole(value: Any, rng: np.random.Generator) -> Any:
    """An array of fractions as one of small whole numbers; anything else as it is."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return rng.integers(-2, 4, value.shape).astype(np.float64)
    return value


def _size(value: Any) -> int:
    """How many numbers an argument has, those of arrays in a list among them."""
    return sum(map(_size, value)) if isinstance(value, (list, tuple)) else int(np.size(value))


def _count(result: Result) -> int:
    if isinstance(result, (tuple, dict)):
        return sum(map(_count, result.values() if isinstance(result, dict) else result))
    return int(np.size(result)) if isinstance(result, np.ndarray) else 1


# --------------------------------------------------------------------------------------------------------------- shown


def _given(exercise: Exercise, case: tuple) -> str:
    return "\n".join(
        f"{name} = {_indented(_argument(value), name)}" for name, value in zip(exercise.parameters, case, strict=True)
    )


def _argument(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return shown(value.astype(np.float64))
    if isinstance(value, list) and any(isinstance(one, np.ndarray) for one in value):
        return f"[{', '.join(map(_argument, value))}]"
    if callable(value):
        said = (inspect.getdoc(value) or "").split("\n")[0]
        return f"{getattr(value, '__name__', value)}{f' ({said})' if said else ''}"
    return str(value)


def shown(result: Result) -> str:
    """A result as a reader sees it: at most three digits behind the point, and the shape where there are more than two axes."""
    if isinstance(result, str):
        return result
    if isinstance(result, tuple):
        return f"({', '.join(map(shown, result))})"
    if isinstance(result, dict):
        return f"{{{', '.join(f'{name}: {shown(one)}' for name, one in result.items())}}}"
    rounded = np.round(result, 3) + 0.0  # no -0
    if np.isfinite(rounded).all() and (rounded == np.round(rounded)).all():
        rounded = rounded.astype(int)
    text = np.array2string(rounded, separator=" ", max_line_width=200, threshold=10**6)
    return f"{_blocks(text)}   of shape {result.shape}" if result.ndim > 2 else text


def _blocks(text: str) -> str:
    """An array's text without the empty lines that NumPy puts between its matrices."""
    return "\n".join(line for line in text.split("\n") if line.strip())


def _indented(text: str, name: str) -> str:
    return text.replace("\n", "\n" + " " * (len(name) + 3))
