"""How far a reader is: the answers of one file, checked against all lessons. Nothing is remembered between two runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from minifcn.course.catalogue import Lesson, written
from minifcn.course.exercises import has_exercises
from minifcn.course.judge import Report, check


@dataclass(frozen=True)
class Standing:
    """Of one lesson: how many of the exercises that it needs are right, and how many have an answer at all."""

    lesson: Lesson
    right: int
    answered: int
    needed: int

    @property
    def status(self) -> str:
        """ "right", "missing" where no function is there, "not yet" between the two."""
        return "right" if self.right == self.needed else "not yet" if self.answered else "missing"

    @property
    def minutes_left(self) -> int:
        """The lesson's time, of which every exercise that is right takes its share."""
        return round(self.lesson.minutes * (self.needed - self.right) / self.needed)


def progress(file: Path, timeout: float) -> Iterator[Standing]:
    """One standing a lesson that is written, in order. Raises ValueError where the file cannot be loaded."""
    for one in written():
        if has_exercises(one):
            yield _standing(one, check(one, file, timeout))


def _standing(one: Lesson, report: Report) -> Standing:
    needed = [verdict for verdict in report.verdicts if verdict.exercise.is_needed]
    if all(verdict.status == "not loaded" for verdict in needed):
        raise ValueError(needed[0].said)
    right = sum(verdict.passed for verdict in needed)
    return Standing(one, right, sum(verdict.status != "missing" for verdict in needed), len(needed))
