"""What a lesson comes down to: its section "On one page", without running it."""

from __future__ import annotations

import ast
from pathlib import Path

from minifcn.course.catalogue import Lesson, lessons_folder
from minifcn.course.page import PICTURES
from minifcn.course.script import Cell, read

HEADING = "## On one page"


def card(one: Lesson) -> str:
    """The section as Markdown, its picture named by its file or by the command that makes it.

    Raises ValueError for a lesson that has no such section.
    """
    cells = read(one.script)
    first = next((place for place, cell in enumerate(cells) if not cell.is_code and HEADING in cell.text.splitlines()), None)
    if first is None:
        raise ValueError(
            f"{one.script.name} has no section {HEADING.lstrip('# ')!r}; read it: minifcn lesson open {one.number}"
        )
    opening = Cell("markdown", cells[first].text[cells[first].text.index(HEADING) :], cells[first].line)
    parts = [cell.text if not cell.is_code else _pictures(cell, one) for cell in (opening, *cells[first + 1 :])]
    return "\n\n".join([f"# {one.number:02} · {one.title}", *filter(None, parts)])


def _pictures(cell: Cell, one: Lesson) -> str:
    """The files of what a cell shows, with their captions."""
    shows = [
        node
        for node in ast.walk(ast.parse(cell.text))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "show"
    ]
    return "\n\n".join(f"{_file(one, ast.literal_eval(node.args[1]))}: {ast.literal_eval(node.args[2])}" for node in shows)


def _file(one: Lesson, name: str) -> Path | str:
    path = lessons_folder() / PICTURES / f"{one.number:02}_{name}.png"
    return path if path.is_file() else f"(picture: minifcn lesson open {one.number})"
