"""Every claim of a lesson can fail: something that it stands on is replaced, and the lesson must stop at an assert.

A table claims/lesson_NN.py has CLAIMS = [(claim in words, text in the script, its replacement), ...]. A lesson is run once, and
where a cell holds texts to be replaced, a child of the process (fork) goes on with each replacement, until an assert fails.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
from functools import cache
from pathlib import Path

import pytest

from minifcn.course.catalogue import lesson
from minifcn.course.runner import LessonFailed, Result, _execute
from minifcn.course.script import parse

SEEN, UNSEEN, BROKEN = 0, 1, 2  # an assert failed; nothing did; the lesson raised something else


def _table(path: Path) -> list[tuple[str, str, str]]:
    spec = importlib.util.spec_from_file_location(f"claims_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.CLAIMS


TABLES = {int(path.stem[-2:]): _table(path) for path in sorted((Path(__file__).parent / "claims").glob("lesson_*.py"))}
CLAIMS = [
    pytest.param(number, i, id=f"{number:02}-{table[i][0]}") for number, table in TABLES.items() for i in range(len(table))
]


@pytest.fixture(scope="session")
def planted(tmp_path_factory):
    """One folder for all, so that a lesson is run once."""
    return tmp_path_factory.mktemp("planted")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs to fork")
@pytest.mark.parametrize(("number", "claim"), CLAIMS)
def test_a_claim_fails_where_it_should(number, claim, planted):
    outcome = outcomes(number, planted)[claim]
    assert outcome != BROKEN, "the replacement does not break the claim but the lesson"
    assert outcome == SEEN, "no assert of the lesson notices"


@pytest.mark.parametrize("number", TABLES)
def test_each_text_is_once_in_its_lesson(number):
    source = lesson(number).script.read_text(encoding="utf-8")
    for claim, text, replacement in TABLES[number]:
        assert source.count(text) == 1, f"{claim}: {text!r} is {source.count(text)} times in the lesson"
        assert text != replacement


@cache
def outcomes(number: int, folder: Path) -> list[int]:
    """What came of each claim of a lesson."""
    source = lesson(number).script.read_text(encoding="utf-8")
    planted = [source.replace(text, replacement) for _, text, replacement in TABLES[number]]
    first = [
        min(i for i, pair in enumerate(zip(parse(source), parse(other), strict=True)) if _differ(*pair)) for other in planted
    ]
    found, namespace = [UNSEEN] * len(planted), _namespace()
    path = folder / "lesson.py"
    for place, cell in enumerate(parse(source)):
        for claim in (claim for claim, start in enumerate(first) if start == place):
            path.write_text(planted[claim], encoding="utf-8")
            found[claim] = _in_a_child(path, place, namespace)
        path.write_text(source, encoding="utf-8")
        if cell.is_code:
            _execute(cell, path, namespace, Result(cell), lambda _: None)
    return found


def _differ(one, other) -> bool:
    return one.text != other.text


def _namespace() -> dict:
    return {"__name__": "__main__", "__builtins__": __builtins__}


def _in_a_child(path: Path, place: int, namespace: dict) -> int:
    """Goes on from cell `place` with the lesson at `path`, in a child; what came of it."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    outcome = BROKEN
    with contextlib.suppress(BaseException):
        outcome = _rest(path, place, namespace)
    os._exit(outcome)


def _rest(path: Path, place: int, namespace: dict) -> int:
    for cell in parse(path.read_text(encoding="utf-8"))[place:]:
        try:
            if cell.is_code:
                _execute(cell, path, namespace, Result(cell), lambda _: None)
        except LessonFailed as error:
            return SEEN if "this claim does not hold" in str(error) else BROKEN
    return UNSEEN
