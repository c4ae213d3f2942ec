"""A lesson's other forms: the card, and the notebook that Jupyter opens and runs."""

from __future__ import annotations

import json
import re

import pytest
from typer.testing import CliRunner

from minifcn.cli.lesson import app
from minifcn.course import catalogue, notebook
from minifcn.course.card import card
from minifcn.course.catalogue import lesson, lessons_folder, written
from minifcn.course.script import read

from .conftest import LESSON

CARD = """
# %% [markdown]
# ## Exercises
# None.
#
# ## On one page

# %% drawing
vis.show(vis.draw_table(np.eye(2), "x"), "one_page", "Two ones.")

# %% [markdown]
#     one + one = two
#
# That is all.
"""


def call(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "100"})


def test_a_card_is_the_last_page_and_nothing_else(lesson_in):
    text = card(lesson_in(LESSON + CARD))
    assert "## On one page" in text
    assert "    one + one = two" in text
    assert text.rstrip().endswith("That is all.")
    assert "Exercises" not in text
    assert "vis.show" not in text
    assert "(picture: minifcn lesson open 3): Two ones." in text


def test_a_card_names_the_file_of_its_picture():
    text = card(lesson(2))
    picture = re.search(r"^(/.*\.png): ", text, re.MULTILINE)[1]
    assert (lessons_folder() / "img" / "02_one_page.png").samefile(picture)


def test_a_lesson_without_a_card_says_what_there_is(lesson_in):
    lesson_in()
    said = str(call("card", 3).exception)
    assert said == "03_loops_to_matrices.py has no section 'On one page'; read it: minifcn lesson open 3"


def test_the_card_command_prints_markdown_into_a_pipe():
    result = call("card", 2)
    assert result.exit_code == 0
    assert result.output == card(lesson(2)) + "\n"


@pytest.mark.parametrize("one", written(), ids=lambda one: one.name)
def test_a_notebook_is_valid_and_holds_every_cell(one):
    nbformat = pytest.importorskip("nbformat")
    made = nbformat.reads(json.dumps(notebook.notebook(one)), as_version=4)
    nbformat.validate(made)
    cells = read(one.script)
    assert [cell.source for cell in made.cells] == [cell.text for cell in cells]
    assert [cell.cell_type for cell in made.cells] == ["code" if cell.is_code else "markdown" for cell in cells]
    folded = [cell.metadata.get("jupyter", {}).get("source_hidden", False) for cell in made.cells]
    assert folded == [cell.kind == "drawing" for cell in cells]


@pytest.mark.slow
def test_a_notebook_runs_in_jupyter_and_shows_its_pictures(root, tmp_path, monkeypatch):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", str(root))
    path = tmp_path / "lesson.ipynb"
    assert call("notebook", 4, "--out", path).exit_code == 0
    made = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(made, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in made.cells if cell.cell_type == "code" for output in cell.outputs]
    kinds = [kind for output in outputs for kind in output.get("data", {})]
    assert kinds.count("image/gif") == 1
    assert kinds.count("image/png") >= 9
    assert any("The whole forward pass" in output.get("text", "") for output in outputs)  # captions


def test_a_notebook_replaces_what_it_made_itself(lesson_in, tmp_path):
    one, path = lesson_in(), tmp_path / "n.ipynb"
    notebook.write(one, path)
    changed = lesson_in(LESSON.replace("1 + 1", "2"))
    notebook.write(changed, path)
    assert "total = 2" in path.read_text(encoding="utf-8")


def test_a_notebook_that_was_only_run_may_be_made_anew(lesson_in, tmp_path):
    one, path = lesson_in(), tmp_path / "n.ipynb"
    notebook.write(one, path)
    there = json.loads(path.read_text(encoding="utf-8"))
    for cell in there["cells"]:  # as Jupyter saves it
        cell["source"] = "".join(cell["source"])
        if cell["cell_type"] == "code":
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "2"}]
    path.write_text(json.dumps(there), encoding="utf-8")
    notebook.write(one, path)
    assert json.loads(path.read_text(encoding="utf-8"))["cells"] == notebook.notebook(one)["cells"]


def edited(text: str) -> str:
    there = json.loads(text)
    there["cells"][1]["source"].append("\n# my own thoughts")
    return json.dumps(there)


@pytest.mark.parametrize(
    "change",
    [
        edited,
        lambda _: "# my notes",
        lambda _: "{}",
        lambda _: "[1]",
        lambda _: '{"metadata": {"minifcn": 3}, "cells": 4}',
        lambda _: "",
    ],
    ids=["edited", "text", "empty-object", "list", "other-json", "empty-file"],
)
def test_what_it_did_not_make_is_left_alone(lesson_in, tmp_path, change):
    one, path = lesson_in(), tmp_path / "n.ipynb"
    notebook.write(one, path)
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    before = path.read_bytes()
    with pytest.raises(ValueError, match=r"n\.ipynb is there, and not as this command makes it .*; choose another name"):
        notebook.write(one, path)
    assert path.read_bytes() == before


def test_a_folder_and_another_ending_are_refused(lesson_in, tmp_path):
    one = lesson_in()
    (tmp_path / "folder.ipynb").mkdir()
    with pytest.raises(ValueError, match="is there, and not as this command makes it"):
        notebook.write(one, tmp_path / "folder.ipynb")
    with pytest.raises(ValueError, match=r"lesson\.py is no name for a notebook; let it end with \.ipynb"):
        notebook.write(one, tmp_path / "lesson.py")


def test_a_notebook_into_a_folder_that_is_not_there(lesson_in, tmp_path):
    one = lesson_in()
    with pytest.raises(OSError, match="cannot be written"):
        notebook.write(one, tmp_path / "nowhere" / "n.ipynb")
    assert catalogue.lesson(3) == one
