"""The exercises: one module a lesson, each with a tuple ``EXERCISES``.

An exercise is the library's own answer, arrays to try it on, and the mistakes that people make:

    def flipped(right, x, weight, bias):
        \"\"\"Equal after flipping the kernel: you computed a convolution, the library computes a correlation.\"\"\"
        return right(x, weight[:, :, ::-1, ::-1], bias)

A mistake is a function that is given the right answer and the arguments, and spoils it; its docstring is what the reader is
told. Mistakes therefore combine: when no single one explains an answer, pairs are tried.

Answers return numbers and arrays, True or False, words from a list, and tuples or dicts of these (`minifcn.course.results`).
Arguments may be functions: give each a name, for that is how a case is described to the reader.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from minifcn.course.catalogue import Lesson

Answer = Callable[..., Any]
STEPS = ("warm-up", "main", "stretch")


@dataclass(frozen=True)
class Exercise:
    """One function that the reader writes.

    `answer` is the library's, with the reader's name and parameters; its docstring is the task. `cases` are tuples of
    arguments, the simplest first. `mistakes` are functions (right, *arguments) -> wrong result. `step` is one of `STEPS`; a
    stretch is not needed for a lesson to be right. `parts` name the parts of a tuple ("dx", "dweight"); `words` are the words
    that an answer may choose from. `facts` say what matters of a case beyond the sizes of its arguments, each by a function of
    them: conditions ("no pixel is void" -> True) and numbers ("the number of void pixels" -> 7). `against` gives, for a wrong
    answer and the arguments, what speaks against it; where it is there, nothing else is said.
    """

    answer: Answer
    cases: Sequence[tuple]
    mistakes: Sequence[Callable[..., Any]]
    step: str = "main"
    parts: Sequence[str] = ()
    words: Sequence[str] = ()
    facts: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    against: Callable[..., str] | None = None

    def __post_init__(self) -> None:
        if self.step not in STEPS:
            raise ValueError(f"{self.name} is a step {self.step!r}; the steps are {', '.join(STEPS)}")

    @property
    def name(self) -> str:
        return self.answer.__name__

    @property
    def parameters(self) -> list[str]:
        return list(inspect.signature(self.answer).parameters)

    @property
    def signature(self) -> str:
        """As the reader writes it: ``conv2d(x, weight, bias, stride, padding)``."""
        return f"{self.name}({', '.join(self.parameters)})"

    @property
    def is_needed(self) -> bool:
        """Whether the lesson is right only with it."""
        return self.step != "stretch"

    @property
    def task(self) -> str:
        """What is asked, in words."""
        return inspect.getdoc(self.answer) or ""

    def describe(self, case: tuple) -> str:
        """A case in words: shapes of arrays, values of numbers, names of functions."""
        return ", ".join(f"{name} {_shown(value)}" for name, value in zip(self.parameters, case, strict=True))


def exercises(lesson: Lesson) -> tuple[Exercise, ...]:
    """The exercises of a lesson. Raises ValueError where it has none."""
    if not has_exercises(lesson):
        raise ValueError(f"lesson {lesson.number:02} ({lesson.title}) has no exercises yet")
    return importlib.import_module(_module(lesson)).EXERCISES


def has_exercises(lesson: Lesson) -> bool:
    return importlib.util.find_spec(_module(lesson)) is not None


def _module(lesson: Lesson) -> str:
    return f"minifcn.course.exercises.lesson_{lesson.number:02}"


def spoil(mistake: Callable[..., Any], right: Answer) -> Answer:
    """The answer of somebody who makes this mistake and no other than those already in `right`."""
    return partial(mistake, right)


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.ndim:
        return f"of shape {value.shape}"
    return f"= {value.__name__}" if callable(value) and hasattr(value, "__name__") else f"= {value}"
