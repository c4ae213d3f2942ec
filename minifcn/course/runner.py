"""Runs a lesson cell by cell and keeps what each printed and showed."""

from __future__ import annotations

import ast
import contextlib
import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from minifcn.course.script import Cell, read
from minifcn.visualize.showing import Picture, showing_to


@dataclass(frozen=True)
class Shown:
    """A picture that a cell showed."""

    picture: Picture
    name: str
    caption: str


@dataclass
class Result:
    """A cell that has run (or is text), and what came out of it, in order: printed text and pictures."""

    cell: Cell
    output: list[str | Shown] = field(default_factory=list)


class LessonFailed(ValueError):
    """A cell raised: a claim of the lesson does not hold, or its code is wrong."""


def run(path: Path, echo: Callable[[str | Shown], None] | None = None) -> Iterator[Result]:
    """Executes the lesson at `path`; yields each cell after it ran. `echo` hears output the moment it appears.

    Raises LessonFailed, with the file and the line, when a cell raises.
    """
    namespace: dict[str, Any] = {"__name__": "__main__", "__file__": str(path), "__builtins__": __builtins__}
    for cell in read(path):
        result = Result(cell)
        if cell.is_code:
            _execute(cell, path, namespace, result, echo or (lambda _: None))
        yield result


def claims(path: Path) -> int:
    """How many `assert` statements the lesson has."""
    return sum(isinstance(node, ast.Assert) for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def _execute(cell: Cell, path: Path, namespace: dict[str, Any], result: Result, echo: Callable[[str | Shown], None]) -> None:
    outside = sys.stdout

    def keep(piece: str | Shown) -> None:
        if isinstance(piece, str) and result.output and isinstance(result.output[-1], str):
            result.output[-1] += piece
        elif piece:
            result.output.append(piece)
        with contextlib.redirect_stdout(outside):  # or what echo prints would come back here
            echo(piece)

    def keep_picture(picture: Picture, name: str, caption: str) -> None:
        keep(Shown(picture, name, caption))

    source = "\n" * (cell.line - 1) + cell.text  # so that errors and inspect.getsource find the file's own lines
    with contextlib.redirect_stdout(_Tee(keep)), showing_to(keep_picture), np.printoptions(**_PRINT):
        try:
            exec(compile(source, str(path), "exec"), namespace)
        except Exception as error:
            raise LessonFailed(_where(error, path, cell)) from error


# NumPy's own defaults, so that a page does not depend on what its reader has set.
_PRINT: dict[str, Any] = {
    "precision": 8, "threshold": 1000, "linewidth": 100, "suppress": False, "formatter": None, "floatmode": "maxprec",
}  # fmt: skip


class _Tee(io.TextIOBase):
    """A stream that hands on what is written to it."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def write(self, text: str) -> int:
        self._write(text)
        return len(text)


def _where(error: Exception, path: Path, cell: Cell) -> str:
    """File, line and words of an error in a lesson."""
    line, traceback = cell.line, error.__traceback__
    if isinstance(error, SyntaxError):
        line = error.lineno or line
    while traceback:
        if traceback.tb_frame.f_code.co_filename == str(path):
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    code = path.read_text(encoding="utf-8").splitlines()[line - 1].strip()
    what = "this claim does not hold" if isinstance(error, AssertionError) else type(error).__name__
    said = f" ({error})" if str(error) else ""
    return f"{path.name}, line {line}: {what}{said}: {code}"
