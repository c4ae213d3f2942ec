"""Which lessons there are, and where."""

from __future__ import annotations

import pytest

import minifcn
from minifcn.course import catalogue
from minifcn.course.catalogue import LESSONS, lesson, lessons_folder, written


def test_lessons_are_numbered_as_they_stand():
    assert [one.number for one in LESSONS] == list(range(1, 19))
    assert all(one.name.startswith(f"{one.number:02}_") and one.minutes % 5 == 0 for one in LESSONS)
    assert {1, 2, 4, 10} <= {one.number for one in written()}


@pytest.mark.parametrize("number", [0, 19, -1])
def test_a_lesson_that_the_course_does_not_have(number):
    with pytest.raises(ValueError, match=f"there is no lesson {number}; the course has lessons 1 to 18"):
        lesson(number)


def test_a_lesson_that_is_still_to_come_is_called_that(monkeypatch, tmp_path):
    (tmp_path / "02_convolution_by_hand.py").write_text("")
    monkeypatch.setattr(catalogue, "lessons_folder", lambda: tmp_path)
    with pytest.raises(FileNotFoundError, match=r"lesson 18 \(The clinic\) is not written yet; there are lessons 02"):
        _ = lesson(18).script


def test_an_installed_package_finds_the_lessons_inside_itself(monkeypatch, tmp_path):
    package = tmp_path / "site-packages" / "minifcn"
    (package / "lessons").mkdir(parents=True)
    monkeypatch.setattr(minifcn, "__file__", str(package / "__init__.py"))
    with pytest.raises(FileNotFoundError, match="the lessons are not installed with this copy of minifcn"):
        lessons_folder()
    (package / "lessons" / "02_convolution_by_hand.py").write_text("")
    assert lessons_folder() == package / "lessons"
