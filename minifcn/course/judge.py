"""Checks a reader's answers to a lesson's exercises: not yes or no, but what was done instead.

The library's answer is the key. Where the reader's numbers differ, the checker spoils the library's answer in all the ways
that the exercise lists, one at a time and then two at a time, and looks which of them gives the reader's numbers.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import minifcn
from minifcn.checks.diagnose import diagnose
from minifcn.course.catalogue import Lesson
from minifcn.course.exercises import Exercise, exercises, spoil

_TOLERANCE = 1e-5  # relative: somebody may well compute in float32


@dataclass(frozen=True)
class Verdict:
    """Of one exercise: whether the answer is right, and a few sentences."""

    exercise: Exercise
    passed: bool
    said: str


@dataclass(frozen=True)
class Report:
    """Of a file: a verdict for each exercise, and what the file printed while it ran."""

    verdicts: list[Verdict]
    printed: str

    @property
    def passed(self) -> bool:
        return all(verdict.passed for verdict in self.verdicts)


def check(one: Lesson, file: Path, timeout: float = 60) -> Report:
    """Runs the functions in `file` in a process of their own, for at most `timeout` seconds, and judges what they return.

    Raises FileNotFoundError where the file is not there, ValueError where the lesson has no exercises.
    """
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {file}; write your answers into one and give its path")
    asked = exercises(one)
    with tempfile.TemporaryDirectory() as folder:
        events, printed, ended = _run(one, file, Path(folder), timeout)
        verdicts = [_verdict(exercise, events, Path(folder), file, ended) for exercise in asked]
    return Report(verdicts, printed)


def _run(one: Lesson, file: Path, folder: Path, timeout: float) -> tuple[list[dict[str, Any]], str, str]:
    """The events that the process told, what it printed, and how it ended, for the case that it did not tell."""
    command = [sys.executable, "-P", "-m", "minifcn.course.answer", str(one.number), str(file), str(folder)]
    package = Path(minifcn.__file__).resolve().parent.parent
    path = os.pathsep.join(filter(None, [str(package), os.environ.get("PYTHONPATH")]))
    with open(folder / "printed", "w+b") as stream:
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, check=False, timeout=timeout,
                env={**os.environ, "PYTHONPATH": path},
            )  # fmt: skip
            ended = f"ended the whole process, with status {done.returncode}"
        except subprocess.TimeoutExpired:
            ended = f"was still running after {timeout:g} seconds (is there a loop that never ends?)"
        stream.seek(0)
        printed = stream.read().decode("utf-8", "replace")
    log = folder / "events.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines() if log.is_file() else []
    return [json.loads(line) for line in lines], printed, ended


# ------------------------------------------------------------------------------------------------------------ verdicts


def _verdict(exercise: Exercise, events: list[dict[str, Any]], folder: Path, file: Path, ended: str) -> Verdict:
    """Of one exercise: first whether there is an answer at all, then whether its numbers are right."""
    last = events[-1] if events else {"what": "loading"}
    mine = [event for event in events if event.get("exercise") == exercise.name]
    if last["what"] == "file raised":
        return Verdict(exercise, False, f"{file.name} cannot be loaded: {last['said']}.")
    if last["what"] == "loading":
        return Verdict(exercise, False, f"{file.name} {ended}, while it was loaded; let it define functions and no more.")
    if not mine:
        return Verdict(exercise, False, "was not looked at, because an earlier exercise did not come to an end.")
    event, results = mine[-1], _results(exercise, folder)
    said = _no_answer(exercise, event, file)
    if not said and event is last:
        said = f"{ended}, with {exercise.describe(exercise.cases[event['case']])}."
    if not said:
        return judge(exercise, results)
    before = judge(exercise, results)  # what came out before it went wrong may say why
    return Verdict(exercise, False, said if before.passed else f"{said} Before that: {before.said}")


def _results(exercise: Exercise, folder: Path) -> list[np.ndarray]:
    """The arrays that the answer gave, for as many cases as it got through."""
    files = (folder / f"{exercise.name}.{index}.npy" for index in range(len(exercise.cases)))
    return [np.load(file) for file in itertools.takewhile(Path.is_file, files)]


def _no_answer(exercise: Exercise, event: dict[str, Any], file: Path) -> str:
    """The sentence for an answer that gave no numbers; "" where it did."""
    given = exercise.describe(exercise.cases[event.get("case", 0)])
    what, said = event["what"], event.get("said", "")
    if what == "missing":
        return f"{file.name} has no function of this name yet: write `def {exercise.signature}:`."
    if what == "no function":
        return f"{exercise.name} in {file.name} is {said}, not a function: write `def {exercise.signature}:`."
    if what == "signature":
        return f"cannot be called as {exercise.signature}: {said}."
    if what == "raised":
        return f"raised {said} (with {given})."
    if what == "changed":
        return f"changes its argument {said} in place; work on a copy, for the caller still needs it (with {given})."
    if what == "no numbers" and said == "NoneType":
        return f"returned None: is the `return` at its end missing? (with {given})"
    if what == "no numbers":
        return f"returned a {said} that is no array of numbers (with {given})."
    return ""


# ------------------------------------------------------------------------------------------------------------ numbers


def judge(exercise: Exercise, results: list[np.ndarray]) -> Verdict:
    """Of the numbers that an answer gave, one array a case, for the first cases if not for all."""
    keys = [np.asarray(exercise.answer(*case), np.float64) for case in exercise.cases]
    right = [same(mine, key) for mine, key in zip(results, keys, strict=False)]
    if all(right):
        return Verdict(exercise, True, f"right, in all {len(keys)} cases.")
    first = right.index(False)
    said = _explained(exercise, results) or _described(results[first], keys[first])
    return Verdict(exercise, False, f"{said} {_where(exercise, right)}")


def same(mine: np.ndarray, key: np.ndarray) -> bool:
    """Equal in shape, and in numbers up to float32's rounding."""
    scale = np.nan_to_num(np.abs(key)).max(initial=0) or 1.0
    return mine.shape == key.shape and bool(np.allclose(mine, key, rtol=0, atol=_TOLERANCE * scale, equal_nan=True))


def _explained(exercise: Exercise, results: list[np.ndarray]) -> str:
    """What the mistake, or the pair of mistakes, that gives these very numbers says; "" where none does."""
    for mistake in exercise.mistakes:
        if _gives(spoil(mistake, exercise.answer), exercise, results):
            return _words(mistake)
    for one, other in itertools.permutations(exercise.mistakes, 2):
        if _gives(spoil(one, spoil(other, exercise.answer)), exercise, results):
            return f"Two things at once. First: {_words(one)} Second: {_words(other)}"
    return ""


def _gives(wrong: Any, exercise: Exercise, results: list[np.ndarray]) -> bool:
    """Whether this wrong answer gives the reader's numbers in every case."""
    for case, mine in zip(exercise.cases, results, strict=False):
        try:
            if not same(mine, np.asarray(wrong(*case), np.float64)):
                return False
        except (ValueError, IndexError):  # a mistake that cannot be made with these sizes
            return False
    return True


def _words(mistake: Any) -> str:
    return " ".join(mistake.__doc__.split())


def _described(mine: np.ndarray, key: np.ndarray) -> str:
    """What a wrong result looks like, where no known mistake explains it."""
    found = diagnose(mine, key, name="the library's answer", tolerance=_TOLERANCE)
    if found:
        return f"Your result {found}."
    off = np.abs(mine - key)
    place = tuple(int(i) for i in np.unravel_index(off.argmax(), off.shape))
    at = f" at {list(place)}" if place else ""
    return f"Your result has {mine[place]:.6g}{at} where the library's answer has {key[place]:.6g}."


def _where(exercise: Exercise, right: list[bool]) -> str:
    """Which case was the first to differ."""
    first = right.index(False)
    before = f"Right in {sum(right)} of {len(right)} cases; the first that differs has" if any(right) else "Seen with"
    return f"({before} {exercise.describe(exercise.cases[first])}.)"
