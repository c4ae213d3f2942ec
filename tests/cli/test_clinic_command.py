"""``minifcn lesson clinic``: charts, diagnoses and cures."""

from __future__ import annotations

import pytest

from minifcn.course.clinic import charts, procedure
from minifcn.course.clinic.illnesses import NAMES, against
from minifcn.course.clinic.pictures import draw_chart, table


def test_the_chart_is_printed_and_drawn(minifcn, tmp_path):
    result = minifcn("lesson", "clinic", 6, "--pictures", tmp_path)
    assert result.status == 0
    assert table(charts.chart(6)) in result.out
    assert "when moved 2 down and 2 to the right" in result.out
    assert (tmp_path / "patient_6.png").is_file()
    assert draw_chart(charts.chart(6)).bbox.width > 0


def test_the_list_is_printed(minifcn):
    result = minifcn("lesson", "clinic")
    assert result.status == 0
    assert [line.strip() for line in result.out.splitlines() if line.startswith("  ")] == list(NAMES)


def test_a_wrong_name_is_answered_by_what_speaks_against_it(minifcn):
    result = minifcn("lesson", "clinic", 6, "--name", "rate too small")
    assert result.status == 1
    assert against("rate too small", charts.chart(6)) in " ".join(result.out.split())
    result = minifcn("lesson", "clinic", 6, "--name", "crop off by two")
    assert result.status == 0
    assert result.out.startswith("Yes, crop off by two.")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("11",), "there is no patient 11"),
        (("3", "--seed", "4"), "not both"),
        (("--name", "rate too small"), "say which patient: 1 to 10, or --seed"),
        (("3", "--name", "flu"), "there is no illness 'flu' in the list; choose one of averaged by picture"),
        (("3", "--cure", __file__), "asks for cures of the patients 4, 5, 6, 8"),
        (("6", "--cure", __file__), "cannot import"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(minifcn, arguments, words, tmp_path):
    if words == "cannot import":
        (tmp_path / "mine.py").write_text("def cure(x): ...")
        arguments, words = ("6", "--cure", tmp_path / "mine.py"), "defines no cure_crop, which is to heal patient 6"
    result = minifcn("lesson", "clinic", *arguments)
    assert result.status == 2
    assert words in result.err
    assert result.err.count("\n") == 1


def test_a_cure_that_fails_is_told_where(minifcn, tmp_path, monkeypatch):
    monkeypatch.setattr(procedure, "STEPS", 1)
    (tmp_path / "mine.py").write_text("def cure_crop(scores, H, W):\n    return scores / nought\n")
    result = minifcn("lesson", "clinic", 6, "--cure", tmp_path / "mine.py")
    assert result.status == 2
    assert "name 'nought' is not defined, in line 2: return scores / nought" in result.err
