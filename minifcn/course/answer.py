"""Runs a reader's file in a process of its own: ``python -m minifcn.course.answer LESSON FILE LOG EXERCISE...``.

Whatever the file does, hang, crash or exit, happens here and not in the checker. What happens goes to LOG: one line of JSON an
event, results included, written the moment it happens, so that the checker knows how far it got.
"""

from __future__ import annotations

import copy
import difflib
import inspect
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minifcn.course import source
from minifcn.course.catalogue import lesson
from minifcn.course.exercises import Exercise, exercises
from minifcn.course.results import NoResult, pack, plain

_MEMORY = 4 * 2**30  # bytes that a reader's file may use beyond those in use when it begins


def main(number: str, file: str, log: str, *names: str) -> None:
    """Runs those exercises of the lesson that FILE has a function for."""
    path = Path(file).resolve()
    with open(log, "w", encoding="utf-8") as stream:

        def tell(**event: Any) -> None:
            stream.write(json.dumps(event) + "\n")
            stream.flush()

        asked = [exercise for exercise in exercises(lesson(int(number))) if exercise.name in names]
        _limit_memory()
        tell(what="loading")
        try:
            module = source.load(path)
        except BaseException as error:  # SystemExit, too: the file must only define functions
            tell(what="file raised", said=source.said(error, path))
            return
        for exercise in asked:
            attempt(exercise, module, path, tell)
        tell(what="end")


def attempt(exercise: Exercise, module: Any, path: Path, tell: Callable[..., None]) -> None:
    """Calls the reader's function on every case, until it raises."""
    function = getattr(module, exercise.name, None)
    if function is None:
        return tell(what="missing", exercise=exercise.name, said=_near(exercise.name, module))
    if not callable(function):
        return tell(what="no function", exercise=exercise.name, said=f"a {type(function).__name__}")
    try:
        inspect.signature(function).bind(*exercise.cases[0])
    except TypeError as error:
        return tell(what="signature", exercise=exercise.name, said=str(error))
    except ValueError:  # a built-in function that has no signature to look at
        pass
    for index, case in enumerate(exercise.cases):
        tell(what="case", exercise=exercise.name, case=index)
        arguments = copy.deepcopy(case)
        try:
            result = function(*arguments)
        except BaseException as error:
            return tell(what="raised", exercise=exercise.name, case=index, said=source.said(error, path))
        same = [_unchanged(before, after) for before, after in zip(case, arguments, strict=True)]
        if not all(same):
            return tell(what="changed", exercise=exercise.name, case=index, said=exercise.parameters[same.index(False)])
        try:
            tell(what="result", exercise=exercise.name, case=index, result=pack(plain(result)))
        except NoResult as found:
            return tell(what="no result", exercise=exercise.name, case=index, said=str(found))
    return None


def _near(name: str, module: Any) -> str:
    """The file's function whose name comes close to `name`: another case, a letter too few; "" where there is none."""
    own = {key.lower().replace("_", ""): key for key, value in vars(module).items() if inspect.isfunction(value)}
    close = difflib.get_close_matches(name.lower().replace("_", ""), own, n=1, cutoff=0.8)
    return own[close[0]] if close else ""


def _unchanged(before: Any, after: Any) -> bool:
    """Whether an argument is what it was; a function always is."""
    if isinstance(before, np.ndarray):
        return np.array_equal(before, after, equal_nan=before.dtype.kind == "f")
    if isinstance(before, (list, tuple)):
        return len(before) == len(after) and all(map(_unchanged, before, after))
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(_unchanged(one, after[key]) for key, one in before.items())
    return callable(before) or bool(before == after)


def _limit_memory() -> None:
    """So that a list which grows for ever ends in MemoryError and not with the machine; where the system can do that."""
    try:
        import resource

        used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()  # data and stacks
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (used + _MEMORY, hard))
    except (ImportError, OSError, ValueError):  # Windows; no /proc; a limit that is lower already
        pass


if __name__ == "__main__":
    main(*sys.argv[1:])
