"""The lessons themselves: they run as plain scripts, keep the rules of the course, and their pages match them."""

from __future__ import annotations

import ast
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from minifcn.course.catalogue import LESSONS, Lesson, lessons_folder, written
from minifcn.course.exercises import exercises
from minifcn.course.page import render
from minifcn.course.script import read
from minifcn.course.stale import differences

# A plain run of argv[1] in which nothing can reach a network or a GPU.
ALONE = """
import runpy, socket, sys
def refuse(*_, **__): raise OSError("a lesson must not use the network")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
sys.modules["cupy"] = sys.modules["torch"] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""

each_lesson = pytest.mark.parametrize("one", written(), ids=lambda one: one.name)


def code_of(one: Lesson) -> str:
    return one.script.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def slowness():
    """How many times as long as on a core that multiplies matrices at 200 GFLOP/s, one with AVX-512, a lesson may take here."""
    code = "import time, numpy as np; a = np.ones((1024, 1024), np.float32); a @ a; start = time.process_time(); "
    code += "a @ a; a @ a; a @ a; print(3 * 2 * 1024**3 / (time.process_time() - start))"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    measured = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return max(1.0, 200e9 / float(measured.stdout))


@pytest.mark.slow
@each_lesson
def test_it_runs_as_a_plain_script_within_its_time(one, root, tmp_path, slowness):
    lessons = lessons_folder()
    before = {path: path.stat().st_mtime_ns for path in lessons.rglob("*")}
    paths = {"PYTHONPATH": str(root), "TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", ALONE, str(one.script)]
    done = subprocess.run(command, env={**os.environ, **paths}, cwd=tmp_path, capture_output=True, text=True, check=False)
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    seconds = now.ru_utime + now.ru_stime - spent.ru_utime - spent.ru_stime
    assert seconds < 20 * slowness  # on one core, so also on two
    assert before == {path: path.stat().st_mtime_ns for path in lessons.rglob("*")}  # it leaves no traces


@pytest.mark.slow
@each_lesson
def test_its_page_matches(one):
    assert differences(one, render(one), lessons_folder()) == []


@each_lesson
def test_it_begins_with_its_title_and_says_how_its_exercises_are_checked(one):
    cells = read(one.script)
    assert cells[0].kind == cells[-1].kind == "markdown"
    assert cells[0].text.startswith(f"# {one.number:02} · {one.title}\n")
    assert "You need " in cells[0].text
    last = next(cell.text for cell in cells if "## Exercises\n" in cell.text)  # "On one page" may follow it
    assert f"minifcn lesson check {one.number} mine.py" in last
    for exercise in exercises(one):
        assert f"`{exercise.signature}`" in last.replace("\n", " ")


@each_lesson
def test_every_claim_is_followed_by_an_assert(one):
    """Whatever prints or shows something has an assert in its own cell or in the next piece of code; a drawing, in the last."""
    codes = [cell for cell in read(one.script) if cell.is_code]
    for before, cell, after in zip([codes[0], *codes[:-1]], codes, [*codes[1:], codes[-1]], strict=True):
        if "print(" in cell.text or "vis.show(" in cell.text:
            near = [before, cell, after] if cell.kind == "drawing" else [cell, after]
            assert any("assert " in one.text for one in near), cell.text
    assert sum(cell.text.count("assert ") for cell in codes) >= 20


@each_lesson
def test_cells_are_short_and_every_picture_has_a_caption(one):
    for cell in read(one.script):
        assert len(cell.text.splitlines()) <= 45, cell.text
    captions = []
    for node in ast.walk(ast.parse(code_of(one))):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "show":
            captions.append(ast.literal_eval(node.args[2]))
    assert len(captions) >= 5
    for caption in captions:
        assert re.match(r"^[A-Zd].*[.?]$", caption), caption
        assert len(caption) > 20


@each_lesson
def test_it_imports_the_library_and_no_framework(one):
    imported = set()
    for node in ast.walk(ast.parse(code_of(one))):
        if isinstance(node, ast.ImportFrom):
            imported.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
    assert "minifcn" in imported
    assert imported <= {"minifcn", "numpy", "PIL"} | sys.stdlib_module_names


def test_the_readme_has_the_whole_path():
    """Every lesson with its title and time: those that are written as links with a picture, the others as coming."""
    rows = {row[1]: row for row in (line.split(" | ") for line in _readme().splitlines()) if re.match(r"\| \d\d", row[0])}
    assert len(rows) == len(LESSONS)
    for one, (title, row) in zip(LESSONS, rows.items(), strict=True):
        assert row[0] == f"| {one.number:02}"
        assert row[2] == str(one.minutes)
        if one.is_written:
            assert title == f"[{one.title}]({one.name}.md)"
            assert "<img src=" in row[-1]
        else:
            assert title == f"{one.title} (coming)"


def test_the_readmes_links_and_pictures_are_there():
    targets = re.findall(r'\]\(([^)]+)\)|src="([^"]+)"', _readme())
    assert len(targets) >= 2 * len(written())
    for link, picture in targets:
        assert (lessons_folder() / (link or picture)).is_file()


def test_no_picture_is_left_over():
    shown = set()
    for page in lessons_folder().glob("*.md"):
        shown |= set(re.findall(r"img/([\w.]+)", page.read_text(encoding="utf-8")))
    assert {path.name for path in (lessons_folder() / "img").iterdir() if path.is_file()} == shown


def _readme() -> str:
    return Path(lessons_folder() / "README.md").read_text(encoding="utf-8")
