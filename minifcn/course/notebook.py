"""A lesson as a Jupyter notebook: the same cells, drawing code folded, nothing run yet.

The format is nbformat 4.5, plain JSON. Jupyter, VS Code and Colab open it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from minifcn.course.catalogue import Lesson
from minifcn.course.script import Cell, read
from minifcn.safe_file import write_text


def notebook(one: Lesson) -> dict[str, Any]:
    """The lesson's cells as a notebook."""
    cells = [_cell(number, cell) for number, cell in enumerate(read(one.script))]
    return {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            "minifcn": {"lesson": one.number, "cells": _fingerprint(cells)},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }  # fmt: skip


def write(one: Lesson, path: Path) -> None:
    """Writes the notebook to `path`. A file that is there is replaced only where it is such a notebook, its cells unchanged.

    Raises ValueError where it is anything else, such as a notebook that its reader has worked in.
    """
    if path.suffix != ".ipynb":
        raise ValueError(f"{path} is no name for a notebook; let it end with .ipynb, by which Jupyter knows one")
    if path.exists() and not _is_ours(path):
        raise ValueError(
            f"{path} is there, and not as this command makes it (somebody may have worked in it); choose another name"
        )
    write_text(path, json.dumps(notebook(one), indent=1, ensure_ascii=False) + "\n")


def _cell(number: int, cell: Cell) -> dict[str, Any]:
    made = {"id": f"cell-{number}", "metadata": {}, "source": cell.text.splitlines(keepends=True)}
    if not cell.is_code:
        return {"cell_type": "markdown", **made}
    if cell.kind == "drawing":  # how Jupyter, Jupyter Book and Colab fold code
        made["metadata"] = {"jupyter": {"source_hidden": True}, "tags": ["hide-input"], "cellView": "form"}
    return {"cell_type": "code", **made, "execution_count": None, "outputs": []}


def _is_ours(path: Path) -> bool:
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
        return there["metadata"]["minifcn"]["cells"] == _fingerprint(there["cells"])
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _fingerprint(cells: list[dict[str, Any]]) -> str:
    """Of what the cells say, not of what they have printed: programs write a source as one text or as lines."""
    said = json.dumps([(cell["cell_type"], "".join(cell["source"])) for cell in cells])
    return hashlib.sha256(said.encode()).hexdigest()
