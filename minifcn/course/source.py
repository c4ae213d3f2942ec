"""Loads a reader's file as a module: Python under whatever suffix, or the code cells of a notebook (.ipynb)."""

from __future__ import annotations

import json
import linecache
import sys
import traceback
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

_CELL = "cell {} of {}"  # what the lines of a notebook's cell are said to be in


def load(path: Path) -> ModuleType:
    """The module "mine" that the file defines; whatever running the file raises is raised."""
    sys.path.append(str(path.parent))  # so that the file can import its neighbours
    loader = SourceFileLoader("mine", str(path))
    spec = spec_from_loader("mine", loader)
    assert spec is not None  # a file's loader always gives one
    module = module_from_spec(spec)
    sys.modules["mine"] = module
    if path.suffix.lower() != ".ipynb":
        loader.exec_module(module)
        return module
    for number, source in enumerate(code_cells(path), start=1):
        name = _CELL.format(number, path.name)
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)  # for tracebacks
        exec(compile(source, name, "exec"), module.__dict__)
    return module


def code_cells(path: Path) -> list[str]:
    """The code of a notebook, a string a cell; lines for IPython alone (%matplotlib, !pip) are left blank."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"this is no notebook with cells ({type(error).__name__}): save it again in Jupyter, or as .py"
        ) from None
    return ["\n".join(_python(line) for line in _without_magic(source).split("\n")) for source in sources]


def said(error: BaseException, path: Path) -> str:
    """What was raised, in which line of the reader's file, and that line."""
    words = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    if isinstance(error, SyntaxError) and _is_in(error.filename, path):
        return f"{_line(error.filename, error.lineno)} is no Python ({error.msg}): {(error.text or '').strip()}"
    frames = frames_in(path, error)
    return f"{words}, in {_line(frames[-1].filename, frames[-1].lineno)}: {frames[-1].line}" if frames else words


def frames_in(path: Path, error: BaseException) -> list[traceback.FrameSummary]:
    """The places in the reader's file that were under way when the error was raised; none when it is not the file's own."""
    return [frame for frame in traceback.extract_tb(error.__traceback__) if _is_in(frame.filename, path)]


def _without_magic(source: str) -> str:
    """Nothing of a cell that is given whole to something else (%%bash, %%html); one that is only timed is Python."""
    first = source.lstrip().split("\n", 1)[0]
    return "" if first.startswith("%%") and not first.startswith(("%%time", "%%capture")) else source


def _python(line: str) -> str:
    return "" if line.lstrip().startswith(("%", "!", "?")) else line


def _is_in(name: str | None, path: Path) -> bool:
    return name == str(path) or bool(name and name.startswith("cell ") and name.endswith(f" of {path.name}"))


def _line(name: str | None, number: int | None) -> str:
    cell = f"{name.rsplit(' of ', 1)[0]}, " if name and name.startswith("cell ") else ""
    return f"{cell}line {number}"
