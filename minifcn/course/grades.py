"""A class's answers to one lesson: a row for each exercise of each file, and the mistakes that are made most."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from minifcn.course.catalogue import Lesson
from minifcn.course.judge import Verdict, check
from minifcn.safe_file import write_text

COLUMNS = ("file", "exercise", "step", "status", "cases_right", "cases", "diagnosis")


@dataclass(frozen=True)
class Grade:
    """One exercise of one file."""

    file: str
    verdict: Verdict

    @property
    def row(self) -> tuple[str, ...]:
        verdict, exercise = self.verdict, self.verdict.exercise
        cases = str(verdict.right), str(len(exercise.cases))
        return (_harmless(self.file), exercise.name, exercise.step, verdict.status, *cases, verdict.said)


def answers_in(folder: Path) -> list[Path]:
    """The files to grade: all .py and .ipynb in the folder and below, but for hidden ones.

    Raises FileNotFoundError where there is no such folder, ValueError where it has none.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}; give the one that holds your students' files")
    files = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in (".py", ".ipynb") and path.is_file()]
    found = [path for path in files if not any(part.startswith((".", "__")) for part in path.relative_to(folder).parts)]
    if not found:
        raise ValueError(f"{folder} has no .py and no .ipynb; give the folder that holds your students' files")
    return found


def grade(one: Lesson, file: Path, name: str, timeout: float) -> list[Grade]:
    """The grades of one file, whatever it does; `name` is what to call it."""
    return [Grade(name, verdict) for verdict in check(one, file, timeout).verdicts]


def look_at(out: Path) -> None:
    """Raises ValueError where grades cannot be written to `out`: it holds something else, or its folder is not there."""
    if not out.parent.is_dir():
        raise ValueError(f"there is no folder {out.parent} to write {out.name} into")
    if out.exists() and not _is_ours(out):
        raise ValueError(f"{out} is there already and holds no grades; choose another name with --out")


def save(grades: Sequence[Grade], out: Path) -> None:
    """Writes the grades as a table of comma-separated values. Raises ValueError as `look_at` does."""
    look_at(out)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(one.row for one in grades)
    write_text(out, table.getvalue())


def commonest(grades: Sequence[Grade], count: int = 5) -> list[tuple[int, str, str]]:
    """The mistakes that most files make: (how many files, exercise, what is wrong)."""
    seen = Counter(
        (one.verdict.exercise.name, one.verdict.what)
        for one in grades
        if one.verdict.what and one.verdict.named and not one.verdict.passed
    )
    return [(times, name, what) for (name, what), times in seen.most_common(count)]


def _is_ours(out: Path) -> bool:
    try:
        with open(out, encoding="utf-8", errors="replace") as file:
            return file.readline().rstrip("\r\n") == ",".join(COLUMNS)
    except OSError:  # a folder, or a file that may not be read
        return False


def _harmless(name: str) -> str:
    """A file's name as a spreadsheet shows it; one that begins like a formula is not computed."""
    return f"'{name}" if name.startswith(("=", "+", "-", "@")) else name
