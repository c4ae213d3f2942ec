"""What students write that nobody listed: no wrong answer passes, most are told by a pattern, and odd right ones pass."""

from __future__ import annotations

import contextlib
import copy
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from minifcn.course.catalogue import lesson
from minifcn.course.exercises import exercises
from minifcn.course.judge import judge
from minifcn.course.results import plain

TABLES = {}
for path in sorted((Path(__file__).parent / "wrong_answers").glob("lesson_*.py")):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    TABLES[int(path.stem[-2:])] = module

EXERCISES = {exercise.name: exercise for number in TABLES for exercise in exercises(lesson(number))}
WRONG = [(name, source) for table in TABLES.values() for name, sources in table.WRONG.items() for source in sources]
RIGHT = [(name, source) for table in TABLES.values() for name, sources in table.RIGHT.items() for source in sources]


def verdict(name: str, source: str) -> tuple[bool, bool]:
    """Of a source, as the checker judges it, whether it passes and whether more than a number is told."""
    names: dict = {}
    exec(source, names)
    exercise, results = EXERCISES[name], []
    with contextlib.suppress(Exception), np.errstate(all="ignore"):  # what it gave before it raised is judged
        for case in exercise.cases:
            given = copy.deepcopy(case)
            results.append(plain(names[name](*given)))
            if not all(np.array_equal(before, after) for before, after in zip(case, given, strict=True)):
                return False, True
    found = judge(exercise, results)
    return found.passed, found.named


@pytest.mark.parametrize(("name", "source"), WRONG)
def test_no_wrong_answer_passes(name, source):
    assert not verdict(name, source)[0]


@pytest.mark.parametrize(("name", "source"), RIGHT)
def test_right_answers_in_unusual_styles_pass(name, source):
    assert verdict(name, source)[0]


@pytest.mark.parametrize("number", TABLES)
def test_most_wrong_answers_are_told_by_a_pattern(number):
    told = [verdict(name, source)[1] for name, sources in TABLES[number].WRONG.items() for source in sources]
    assert len(told) >= 30
    assert sum(told) >= 2 / 3 * len(told)


@pytest.mark.parametrize("number", TABLES)
def test_there_are_three_unusual_right_answers_for_each(number):
    names = {exercise.name for exercise in exercises(lesson(number))}
    assert set(TABLES[number].WRONG) == set(TABLES[number].RIGHT) == names
    assert all(len(sources) >= 3 for sources in TABLES[number].RIGHT.values())
