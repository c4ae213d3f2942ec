"""Answers of students that have become listed mistakes: none passes, and each is called by a name or a pattern."""

from __future__ import annotations

import contextlib
import importlib.util
import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from minifcn.course.answer import attempt
from minifcn.course.catalogue import lesson
from minifcn.course.exercises import exercises
from minifcn.course.judge import verdict_of
from minifcn.course.process import Ran


def _listed() -> list:
    found = []
    for number in (5, 6):
        spec = importlib.util.spec_from_file_location(
            f"listed_{number}", Path(__file__).parent / "wrong_answers" / f"lesson_{number:02}.py"
        )
        table = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(table)
        by_name = {exercise.name: exercise for exercise in exercises(lesson(number))}
        found += [
            pytest.param(by_name[name], source, id=f"{name}-{place}")
            for name, sources in table.LISTED.items()
            for place, source in enumerate(sources)
        ]
    return found


LISTED = _listed()


def verdict(exercise, source):
    events, module = [], SimpleNamespace()
    with np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
        exec(compile(source, "mine.py", "exec"), module.__dict__)
        attempt(exercise, module, Path("mine.py"), lambda **event: events.append(event))
    return verdict_of(exercise, Ran(events, "", 0), Path("mine.py"))


@pytest.mark.parametrize(("exercise", "source"), LISTED)
def test_none_of_them_passes(exercise, source):
    assert not verdict(exercise, source).passed


def test_nine_of_ten_are_called_by_a_name():
    told = [verdict(*parameters.values).named for parameters in LISTED]
    assert sum(told) >= 0.9 * len(told) > 70
