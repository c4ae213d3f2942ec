"""Checks a reader's answers to a lesson's exercises: not yes or no, but what was done instead.

The library's answer is the key. What the reader's functions return comes from a process of its own (`process`, `answer`); where
it differs from the key, `explain` looks for what was done instead.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minifcn.course.catalogue import Lesson
from minifcn.course.exercises import Exercise, exercises
from minifcn.course.explain import explain
from minifcn.course.process import Event, Ran, run
from minifcn.course.results import Result, kind, plain, same, unpack


@dataclass(frozen=True)
class Verdict:
    """Of one exercise: its status, a few sentences, in how many cases it was right.

    `status` is "right", "not yet", "missing", "raised", "stopped" (it hung, or ended the process) or "not loaded" (the whole
    file raised or hung). `named` is False where nothing better than a number or a shape could be told; `what` says
    what was done instead, without the case where it shows.
    """

    exercise: Exercise
    status: str
    said: str
    right: int = 0
    named: bool = True
    what: str = ""

    @property
    def passed(self) -> bool:
        return self.status == "right"


@dataclass(frozen=True)
class Report:
    """Of a file: a verdict for each exercise, the end of what the file printed while it ran, and how many lines that was."""

    verdicts: list[Verdict]
    printed: str
    lines: int

    @property
    def passed(self) -> bool:
        """Whether all is right that the lesson needs; a stretch is not needed."""
        return all(verdict.passed for verdict in self.verdicts if verdict.exercise.is_needed)


def check(one: Lesson, file: Path, timeout: float = 60) -> Report:
    """Runs the functions in `file` in a process of their own and judges what they return.

    One that is still running after `timeout` seconds is stopped, and the others run without it. Raises FileNotFoundError where
    the file is not there, ValueError where the lesson has no exercises.
    """
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {file}; write your answers into one and give its path")
    asked = exercises(one)
    ran = run(one, file, [exercise.name for exercise in asked], timeout)
    return Report([verdict_of(exercise, ran, file) for exercise in asked], ran.printed, ran.lines)


def judge(exercise: Exercise, results: Sequence[Result]) -> Verdict:
    """Of what an answer gave, one result a case, for the first cases if not for all."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mistakes divide by 0 and take means of nothing
        keys = [plain(exercise.answer(*case)) for case in exercise.cases]
        right = [same(mine, key) for mine, key in zip(results, keys, strict=False)]
        if all(right):
            status, said = ("right", f"right, in all {len(keys)} cases.") if len(right) == len(keys) else ("not yet", "")
            return Verdict(exercise, status, said, sum(right))
        said, named = explain(exercise, results, keys)
    return Verdict(exercise, "not yet", f"{said} {_where(exercise, right)}", sum(right), named, said)


def _where(exercise: Exercise, right: list[bool]) -> str:
    """Which case was the first to differ."""
    first = right.index(False)
    before = f"Right in {sum(right)} of {len(right)} cases; the first that differs has" if any(right) else "Seen with"
    return f"({before} {exercise.describe(exercise.cases[first])}.)"


# ------------------------------------------------------------------------------------------------- from events to verdicts


def verdict_of(exercise: Exercise, ran: Ran, file: Path) -> Verdict:
    """Of one exercise: first whether there is an answer at all, then whether its results are right."""
    mine = [event for event in ran.events if event.get("exercise") == exercise.name]
    if not mine:
        return Verdict(exercise, "not loaded", _not_loaded(ran.events[-1], file))
    last, results = mine[-1], [unpack(event["result"]) for event in mine if event["what"] == "result"]
    found = judge(exercise, results)
    if last["what"] == "result":
        return found
    status = {"missing": "missing", "stopped": "stopped", "died": "stopped", "raised": "raised"}.get(last["what"], "not yet")
    before = f" Before that: {found.said}" if found.said else ""  # what came out before it went wrong may say why
    what = found.what or (f"raised {last['said'].split(':')[0]}" if status == "raised" else "")
    return Verdict(exercise, status, _no_answer(exercise, last, file) + before, found.right, what=what)


def _not_loaded(event: Event, file: Path) -> str:
    if event["what"] == "file raised":
        return f"{file.name} cannot be loaded: {event['said']}."
    return f"{file.name} {event['said']}, while it was loaded; let it define functions and no more."


def _no_answer(exercise: Exercise, event: Event, file: Path) -> str:
    """The sentence for an answer that gave no result."""
    what, said = event["what"], event["said"]
    given = exercise.describe(exercise.cases[event.get("case", 0)])
    write = f"write `def {exercise.signature}:`."
    if what == "missing" and said:
        return f"{file.name} has no function of this name, but one called {said}: did you mean {exercise.name}? Then {write}"
    if what == "missing":
        return f"{file.name} has no function of this name yet: {write}"
    if what == "no function":
        return f"{exercise.name} in {file.name} is {said}, not a function: {write}"
    if what == "signature":
        return f"cannot be called as {exercise.signature}: {said}; {write}"
    if what == "raised":
        return f"raised {said} (with {given})."
    if what == "changed":
        return f"changes its argument {said} in place; work on a copy, for the caller still needs it (with {given})."
    if what == "no result" and said == "None":
        return f"returned None: is the `return` at its end missing? (with {given})"
    if what == "no result":
        asked = kind(plain(exercise.answer(*exercise.cases[event["case"]])))
        return f"returned {said} where {asked} is asked for (with {given})."
    return f"{said}, with {given}."
