"""What students write that no exercise lists: none of it passes, most of it is called by a name; odd right answers pass.

A table of `wrong_answers` holds, for each exercise of a lesson, wrong sources and right ones.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from minifcn.course.answer import attempt
from minifcn.course.catalogue import lesson
from minifcn.course.exercises import Exercise, exercises
from minifcn.course.judge import Verdict, verdict_of
from minifcn.course.process import Ran


def _table(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TABLES = {int(path.stem[-2:]): _table(path) for path in sorted((Path(__file__).parent / "wrong_answers").glob("lesson_*.py"))}
EXERCISES = {number: {exercise.name: exercise for exercise in exercises(lesson(number))} for number in TABLES}

SAID: dict[tuple[str, str], Verdict] = {}


def sources(kind: str) -> list[Any]:
    """Every source of that kind: WRONG or RIGHT."""
    return [
        pytest.param(EXERCISES[number][name], source, id=f"{name}-{place}")
        for number, table in TABLES.items()
        for name, some in getattr(table, kind).items()
        for place, source in enumerate(some)
    ]


def verdict(exercise: Exercise, source: str) -> Verdict:
    """What the checker says of a source, without a process for each."""
    if (exercise.name, source) not in SAID:
        SAID[exercise.name, source] = _verdict(exercise, source)
    return SAID[exercise.name, source]


def _verdict(exercise: Exercise, source: str) -> Verdict:
    module = SimpleNamespace()
    events: list[dict] = []
    with np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
        exec(compile(source, "mine.py", "exec"), module.__dict__)
        attempt(exercise, module, Path("mine.py"), lambda **event: events.append(event))
    return verdict_of(exercise, Ran(events, "", 0), Path("mine.py"))


@pytest.mark.parametrize(("exercise", "source"), sources("WRONG"))
def test_no_wrong_answer_passes(exercise, source):
    assert not verdict(exercise, source).passed


@pytest.mark.parametrize(("exercise", "source"), sources("RIGHT"))
def test_right_answers_in_unusual_styles_pass(exercise, source):
    found = verdict(exercise, source)
    assert found.passed, found.said


@pytest.mark.parametrize("number", TABLES)
def test_two_wrong_answers_of_three_are_called_by_a_name(number):
    found = [
        (name, place, verdict(EXERCISES[number][name], source))
        for name, some in TABLES[number].WRONG.items()
        for place, source in enumerate(some)
    ]
    only_numbers = [(name, place, one.said) for name, place, one in found if not one.named]
    assert len(found) >= 30
    assert 3 * len(only_numbers) <= len(found), "\n".join(map(str, only_numbers))


@pytest.mark.parametrize("number", TABLES)
def test_so_are_two_of_three_that_no_mistake_describes(number):
    found = [
        verdict(EXERCISES[number][name], source)
        for name, some in TABLES[number].WRONG.items()
        for source in some
        if verdict(EXERCISES[number][name], source).what not in listed_in(EXERCISES[number][name])
    ]
    assert len(found) >= 30
    assert 3 * sum(one.named for one in found) >= 2 * len(found)


def listed_in(exercise: Exercise) -> set[str]:
    """What the exercise's own mistakes say."""
    return {" ".join(mistake.__doc__.split()) for mistake in exercise.mistakes}


@pytest.mark.parametrize("number", TABLES)
def test_every_exercise_has_wrong_answers_and_three_right_ones(number):
    table = TABLES[number]
    assert set(table.WRONG) == set(table.RIGHT) == set(EXERCISES[number])
    assert all(len(some) >= 3 for some in table.RIGHT.values())
