"""Percent format: a Python file whose comments `# %%`, `# %% [markdown]` and `# %% drawing` cut it into cells.

    # %% [markdown]
    # ## One window, one number
    # Multiply cell by cell and add up.

    # %%
    print((window * kernel).sum())

    # %% drawing
    vis.show(vis.draw_table(window * kernel), "products", "Eight cells agree, one does not.")

A drawing cell is code that only draws: it runs like any other, and a page folds it away below its picture. VS Code, PyCharm,
Spyder and Jupytext open such a file as a notebook; Python runs it as it stands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_MARKER = re.compile(r"# %%[ \t]*(.*)")
_KINDS = {"": "code", "[markdown]": "markdown", "drawing": "drawing"}


@dataclass(frozen=True)
class Cell:
    """A cell: "markdown", "code" or "drawing" (code that only draws), its text, and its first line's number."""

    kind: str
    text: str
    line: int

    @property
    def is_code(self) -> bool:
        return self.kind != "markdown"


def read(path: Path) -> list[Cell]:
    """The cells of a file."""
    return parse(path.read_text(encoding="utf-8"), path.name)


def parse(source: str, name: str = "script") -> list[Cell]:
    """The cells of a script. Raises ValueError for text before the first marker, an unknown marker, markdown that is code."""
    cells: list[Cell] = []
    kind, start, lines = "", 1, []
    for number, line in enumerate([*source.splitlines(), "# %%"], start=1):
        marker = _MARKER.fullmatch(line)
        if not marker:
            lines.append(line)
            continue
        if any(map(str.strip, lines)):
            cells.append(_cell(kind, lines, start, name))
        if marker[1].strip() not in _KINDS:
            begins = ", ".join(f"`# %% {word}`".replace(" `", "`") for word in _KINDS)
            raise ValueError(f"{name}, line {number}: `{line}` is no cell; cells begin with one of {begins}")
        kind, start, lines = _KINDS[marker[1].strip()], number + 1, []
    return cells


def headings(cell: Cell) -> list[str]:
    """The heading lines of a markdown cell; none of a code cell, where `#` begins a comment."""
    return [] if cell.is_code else [line for line in cell.text.splitlines() if line.startswith("#")]


def _cell(kind: str, lines: list[str], start: int, name: str) -> Cell:
    if not kind:
        raise ValueError(f"{name}, line {start}: there is text before the first cell; begin the file with `# %% [markdown]`")
    while not lines[0].strip():
        lines, start = lines[1:], start + 1
    if kind == "markdown":
        for offset, line in enumerate(lines):
            if line.strip() and not line.startswith("#"):
                raise ValueError(f"{name}, line {start + offset}: in a markdown cell every line begins with `# `; this is code")
        lines = [re.sub(r"^# ?", "", line) for line in lines]
    return Cell(kind, "\n".join(lines).strip("\n"), start)
