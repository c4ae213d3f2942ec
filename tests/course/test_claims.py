"""Every claim of a new lesson can fail: a mistake is planted for each, and the lesson's own assert must see it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from minifcn.course import runner
from minifcn.course.catalogue import lesson

TABLES = sorted((Path(__file__).parent / "claims").glob("lesson_*.py"))


def _claims() -> list:
    found = []
    for path in TABLES:
        spec = importlib.util.spec_from_file_location(f"claims_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found += [pytest.param(int(path.stem[-2:]), old, new, id=f"{path.stem}-{claim}") for claim, old, new in module.CLAIMS]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("number", "old", "new"), _claims())
def test_a_planted_mistake_is_seen(number, old, new, tmp_path):
    source = lesson(number).script.read_text(encoding="utf-8")
    assert source.count(old) == 1, f"{old!r} is {source.count(old)} times in the script"
    path = tmp_path / "planted.py"
    path.write_text(source.replace(old, new), encoding="utf-8")
    with pytest.raises(runner.LessonFailed, match="this claim does not hold"):
        list(runner.run(path))
