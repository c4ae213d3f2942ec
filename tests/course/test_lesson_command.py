"""`minifcn lesson ...` as a user types it."""

from __future__ import annotations

import os
import re
import tempfile
import webbrowser
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import pytest
from typer.testing import CliRunner

import minifcn
from minifcn.cli.lesson import app
from minifcn.course.catalogue import LESSONS
from support import planted_answers as answers


def call(*arguments: str):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "200", "NO_COLOR": "1"})


def test_list_shows_all_lessons_and_where_to_start(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")  # no title is broken
    result = call("list")
    assert result.exit_code == 0
    words = "".join(result.output.split())  # a title may be broken into two lines
    assert all(f"{one.number:02}" in words and one.title.split()[0] in words for one in LESSONS)
    assert "coming" not in words
    assert "minifcn lesson open 1" in result.output


def test_run_shows_parts_output_and_pictures_and_counts_the_claims(lesson_in, tmp_path):
    lesson_in()
    result = call("run", 3, "--pictures", tmp_path / "pictures")
    assert result.exit_code == 0
    assert "1/1  03 A lesson" in result.output
    assert "total: 2" in result.output
    assert "Six numbers." in result.output
    assert "All 2 claims of lesson 03 hold" in result.output
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == ["03_moving.gif", "03_table.png"]


def test_run_stops_at_a_claim_that_does_not_hold(lesson_in):
    lesson_in("# %%\nassert 1 + 1 == 3\n")
    result = call("run", 3)
    assert "line 2: this claim does not hold: assert 1 + 1 == 3" in str(result.exception)


def test_render_writes_and_check_notices(lesson_in, tmp_path):
    lesson_in()
    assert call("render", 3, "--check", "--out", tmp_path).exit_code == 1
    assert call("render", 3, "--out", tmp_path).exit_code == 0
    assert call("render", 3, "--check", "--out", tmp_path).exit_code == 0
    page = tmp_path / "03_loops_to_matrices.md"
    page.write_text(page.read_text().replace("total: 2", "total: 3"))
    stale = page.read_text()
    result = call("render", 3, "--check", "--out", tmp_path)
    assert result.exit_code == 1
    assert "no longer matches" in result.output
    assert "total: 3" in result.output
    assert page.read_text() == stale  # --check writes nothing


def test_open_makes_a_page_for_the_browser(lesson_in, tmp_path, monkeypatch):
    one = lesson_in()
    call("render", 3, "--out", tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    result = call("open", 3)
    assert result.exit_code == 0
    assert str(one.script) in result.output
    html = Path(opened[0].removeprefix("file://")).read_text(encoding="utf-8")
    assert "<h1>03 A lesson</h1>" in html
    assert f'src="{(tmp_path / "img" / "03_table.png").as_uri()}"' in html


def pictures_of(html: str) -> list[Path]:
    """The files that a page shows."""
    return [Path(url2pathname(urlparse(address).path)) for address in re.findall(r'<img src="([^"]+)"', html)]


@pytest.mark.parametrize("missing", ["page", "picture"])
def test_open_makes_the_page_and_the_pictures_that_are_not_there(lesson_in, tmp_path, monkeypatch, missing):
    """As in an installed wheel, which has the scripts alone: nothing is written beside them."""
    lesson_in()
    if missing == "picture":
        call("render", 3, "--out", tmp_path)
        (tmp_path / "img" / "03_table.png").unlink()
    before = sorted(tmp_path.rglob("*"))
    elsewhere = tmp_path / "a folder for temporary files"
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    assert call("open", 3).exit_code == 0
    html = Path(url2pathname(urlparse(opened[0]).path)).read_text(encoding="utf-8")
    shown = pictures_of(html)
    assert [path.name for path in shown] == ["03_table.png", "03_moving.gif"]
    assert all(path.is_file() and elsewhere in path.parents for path in shown)
    assert "All lessons (<code>minifcn lesson list</code>)" in html
    assert f'<a href="{(tmp_path / "03_loops_to_matrices.py").as_uri()}">this lesson as a script</a>' in html
    assert [path for path in sorted(tmp_path.rglob("*")) if elsewhere not in (path, *path.parents)] == before


def test_an_installed_package_is_not_written_into(tmp_path, monkeypatch):
    package = tmp_path / "minifcn"
    (package / "lessons").mkdir(parents=True)
    (package / "lessons" / "02_convolution_by_hand.py").write_text("# %%\nassert True\n")
    monkeypatch.setattr(minifcn, "__file__", str(package / "__init__.py"))
    assert "choose a folder for them with --out" in str(call("render", 2).exception)
    assert call("render", 2, "--out", tmp_path / "pages").exit_code == 0
    assert [path.name for path in (package / "lessons").iterdir()] == ["02_convolution_by_hand.py"]
    assert (tmp_path / "pages" / "02_convolution_by_hand.md").is_file()


def test_open_without_a_browser_says_where_the_page_is(lesson_in, tmp_path, monkeypatch):
    lesson_in()
    call("render", 3, "--out", tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    result = call("open", 3)
    assert result.exit_code == 0
    assert "There is no browser here" in result.output


@pytest.mark.parametrize("editor", ["", "true --wait"])
def test_open_script_uses_the_editor_or_says_how_to_set_it(lesson_in, monkeypatch, editor):
    lesson_in()
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", editor)
    result = call("open", 3, "--script")
    assert result.exit_code == 0
    assert ("Set $VISUAL or $EDITOR" in result.output) == (not editor)


def test_check_says_what_is_right_and_what_is_not_yet(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("print('hello')\n" + answers.ANSWERS["output_size"])
    result = call("check", 2, file)
    assert result.exit_code == 1
    assert "mine.py printed:\nhello" in result.output
    assert "right   output_size\n        right, in all 8 cases." in result.output
    assert "not yet conv2d\n        mine.py has no function of this name yet" in result.output
    assert "not yet dilated (stretch)\n" in result.output
    warm_up = "from minifcn.course.exercises.lesson_02 import one_window\n"
    file.write_text(warm_up + answers.ANSWERS["output_size"] + answers.ANSWERS["conv2d"])
    result = call("check", 2, file)
    assert "right   one_window (warm-up)\n" in result.output
    assert result.exit_code == 0  # without the stretch


def test_check_shows_the_last_lines_of_what_was_printed(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("for n in range(100):\n    print('line', n, '\\x1b[31m' + 'x' * 1000)\n")
    output = call("check", 2, file).output
    assert "mine.py printed (the last 20 of 100 lines):\nline 80 " in output
    assert "line 79 " not in output
    assert "line 99 " in output
    assert "\x1b" not in output  # nothing that steers a terminal
    assert "x" * 600 not in output


def test_check_of_a_file_that_is_not_there(tmp_path):
    assert "there is no file" in str(call("check", 2, tmp_path / "nothing.py").exception)


def test_a_lesson_finds_the_readers_weights_and_a_page_does_not(monkeypatch, tmp_path):
    seen = []

    def run(script, echo=None):
        seen.append(os.environ.get("MINIFCN_WEIGHTS"))
        return iter(())

    monkeypatch.setenv("MINIFCN_WEIGHTS", "old.npz")
    monkeypatch.setattr("minifcn.course.runner.run", run)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.npz").write_bytes(b"")
    assert call("run", 15, "--weights", "mine.npz").exit_code == 0
    assert call("run", 15).exit_code == 0
    assert call("render", 15, "--out", tmp_path / "pages").exit_code == 0
    assert seen == [str(tmp_path / "mine.npz"), str(tmp_path / "mine.npz"), None]
    assert call("run", 15, "--weights", "nothing.npz").exit_code == 2


@pytest.mark.slow
@pytest.mark.skipif("MINIFCN_WEIGHTS" not in os.environ, reason="needs SqueezeNet's weights: set MINIFCN_WEIGHTS to their file")
def test_lesson_15_runs_with_real_weights():
    result = call("run", 15)
    assert result.exit_code == 0, result.output
    assert "52 arrays, 1,235,496 numbers" in result.output
