"""Runs a reader's file in a process of its own: ``python -m minifcn.course.answer LESSON FILE FOLDER``.

Whatever the file does, hang, crash or exit, happens here and not in the checker. Results go to FOLDER: one .npy file a case,
and one JSON line an event in events.jsonl, written the moment it happens, so that the checker knows how far it got.
"""

from __future__ import annotations

import copy
import importlib.util
import inspect
import json
import sys
import traceback
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import numpy as np

from minifcn.course.catalogue import lesson
from minifcn.course.exercises import Exercise, exercises


def main(number: str, file: str, folder: str) -> None:
    """Runs every exercise of the lesson that FILE has a function for."""
    path = Path(file).resolve()
    with open(Path(folder) / "events.jsonl", "w", encoding="utf-8") as stream:

        def tell(**event: Any) -> None:
            stream.write(json.dumps(event) + "\n")
            stream.flush()

        tell(what="loading")
        try:
            module = _load(path)
        except BaseException as error:  # SystemExit, too: the file must only define functions
            tell(what="file raised", said=_said(error, path))
            return
        for exercise in exercises(lesson(int(number))):
            _try(exercise, getattr(module, exercise.name, None), path, Path(folder), tell)
        tell(what="end")


def _load(path: Path) -> Any:
    sys.path.append(str(path.parent))  # so that the file can import its neighbours
    loader = SourceFileLoader("mine", str(path))  # whatever the file's suffix
    spec = importlib.util.spec_from_loader("mine", loader)
    assert spec is not None  # a file's loader always gives one
    module = importlib.util.module_from_spec(spec)
    sys.modules["mine"] = module
    loader.exec_module(module)
    return module


def _try(exercise: Exercise, function: Any, path: Path, folder: Path, tell: Callable[..., None]) -> None:
    """Calls the reader's function on every case, until it raises."""
    if function is None:
        return tell(what="missing", exercise=exercise.name)
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
            return tell(what="raised", exercise=exercise.name, case=index, said=_said(error, path))
        same = [np.array_equal(before, after) for before, after in zip(case, arguments, strict=True)]
        if not all(same):
            return tell(what="changed", exercise=exercise.name, case=index, said=exercise.parameters[same.index(False)])
        if not _keep(result, folder / f"{exercise.name}.{index}.npy"):
            return tell(what="no numbers", exercise=exercise.name, case=index, said=type(result).__name__)
    return None


def _keep(result: Any, path: Path) -> bool:
    """Saves the result as float64; False where it is no array of numbers."""
    try:
        array = np.asarray(result)
    except ValueError:  # lists of unequal lengths
        return False
    if array.dtype.kind not in "biuf":
        return False
    np.save(path, array.astype(np.float64), allow_pickle=False)
    return True


def _said(error: BaseException, path: Path) -> str:
    """What was raised, in which line of the reader's file, and that line."""
    words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"line {error.lineno} is no Python ({error.msg}): {(error.text or '').strip()}"
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f"{words}, in line {lines[-1].lineno}: {lines[-1].line}" if lines else words


if __name__ == "__main__":
    main(*sys.argv[1:])
