"""Each claim of a lesson is seen to fail: something that it stands on is replaced, and the lesson must stop at an assert."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from minifcn.course.catalogue import lesson
from minifcn.course.runner import LessonFailed, run

TABLES = {}
for path in sorted((Path(__file__).parent / "claims").glob("lesson_*.py")):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    TABLES[int(path.stem[-2:])] = module.CLAIMS

CLAIMS = [(number, *claim) for number, table in TABLES.items() for claim in table]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "claim", "text", "replacement"), CLAIMS, ids=[f"{c[0]:02}-{c[1]}" for c in CLAIMS])
def test_a_claim_fails_where_it_should(number, claim, text, replacement, tmp_path):
    script = lesson(number).script
    source = script.read_text(encoding="utf-8")
    assert source.count(text) == 1, f"{text!r} is {source.count(text)} times in the lesson"
    planted = tmp_path / script.name
    planted.write_text(source.replace(text, replacement), encoding="utf-8")
    with pytest.raises(LessonFailed, match="this claim does not hold"):
        list(run(planted))
