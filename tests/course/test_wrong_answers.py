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

TABLES = {}
for path in sorted((Path(__file__).parent / "wrong_answers").glob("lesson_*.py")):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    TABLES[int(path.stem[-2:])] = module

EXERCISES = {exercise.name: exercise for number in TABLES for exercise in exercises(lesson(number))}
WRONG = [(name, source) for table in TABLES.values() for name, sources in table.WRONG.items() for source in sources]
RIGHT = [(name, source) for table in TABLES.values() for name, sources in table.RIGHT.items() for source in sources]


def verdict(name: str, source: str):
    """Of a source, as the checker judges it: it may break, and may not change its arguments."""
    names: dict = {}
    exec(source, names)
    exercise, results = EXERCISES[name], []
    with contextlib.suppress(ValueError, IndexError, ZeroDivisionError), np.errstate(all="ignore"):
        for case in exercise.cases:
            given = copy.deepcopy(case)
            results.append(np.asarray(names[name](*given), np.float64))
            if not all(np.array_equal(before, after) for before, after in zip(case, given, strict=True)):
                return False, "changes its argument"
    if len(results) < len(exercise.cases):
        return False, "raised" if not results else judge(exercise, results).said
    found = judge(exercise, results)
    return found.passed, found.said


@pytest.mark.parametrize(("name", "source"), WRONG)
def test_no_wrong_answer_passes(name, source):
    assert not verdict(name, source)[0]


@pytest.mark.parametrize(("name", "source"), RIGHT)
def test_right_answers_in_unusual_styles_pass(name, source):
    passed, said = verdict(name, source)
    assert passed, said


@pytest.mark.parametrize("number", TABLES)
def test_most_wrong_answers_are_told_by_a_pattern(number):
    said = [verdict(name, source)[1] for name, sources in TABLES[number].WRONG.items() for source in sources]
    assert len(said) >= 30
    numbers_only = [words for words in said if words.startswith("Your result has ") and "where the library's" in words]
    assert len(numbers_only) <= len(said) / 3, numbers_only


@pytest.mark.parametrize("number", TABLES)
def test_there_are_three_unusual_right_answers_for_each(number):
    names = {exercise.name for exercise in exercises(lesson(number))}
    assert set(TABLES[number].WRONG) == set(TABLES[number].RIGHT) == names
    assert all(len(sources) >= 3 for sources in TABLES[number].RIGHT.values())
