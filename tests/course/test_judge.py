"""The checker and what it is given: files that are empty, broken, endless, silent, or right."""

from __future__ import annotations

import copy
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from minifcn.course.answer import _unchanged
from minifcn.course.catalogue import LESSONS, lesson
from minifcn.course.exercises import exercises
from minifcn.course.judge import check
from support import planted_answers as answers


def look(tmp_path: Path, source: str, number: int = 2, **options):
    file = tmp_path / "mine.py"
    file.write_text(source, encoding="utf-8")
    return check(lesson(number), file, **options)


def said(tmp_path: Path, source: str, exercise: str = "conv2d", **options) -> str:
    report = look(tmp_path, source, **options)
    assert not report.passed
    return named(report, exercise).said


def named(report, exercise: str):
    """The verdict of one exercise."""
    return next(verdict for verdict in report.verdicts if verdict.exercise.name == exercise)


HEAD = "def conv2d(x, weight, bias, stride, padding):\n"


@pytest.mark.parametrize(
    ("number", "names"),
    [
        (1, ["class_counts", "mean_iu"]),
        (2, ["output_size", "conv2d"]),
        (4, ["bias_gradient", "weight_gradient", "input_gradient"]),
        (10, ["insert_zeros", "conv_transpose2d", "bilinear_kernel"]),
    ],
)
def test_right_answers_pass_through_the_whole_checker(tmp_path, number, names):
    report = look(tmp_path, "".join(answers.ANSWERS[name] for name in names), number)
    assert [verdict.exercise.name for verdict in report.verdicts if verdict.passed] == names
    assert all(verdict.said.startswith("right, in all ") for verdict in report.verdicts if verdict.passed)
    assert all(verdict.status == "missing" for verdict in report.verdicts if not verdict.passed)


@pytest.mark.parametrize("number", [1, 2, 4, 10])
def test_the_librarys_own_answers_pass_through_the_whole_checker(tmp_path, number):
    own = [f"from {one.answer.__module__} import {one.name}\n" for one in exercises(lesson(number))]
    report = look(tmp_path, "".join(own), number)
    assert report.passed


@pytest.mark.parametrize("number", [1, 2, 4, 10])
def test_an_empty_file_is_told_what_to_write(tmp_path, number):
    report = look(tmp_path, "", number)
    assert not report.passed
    for verdict in report.verdicts:
        assert verdict.said == f"mine.py has no function of this name yet: write `def {verdict.exercise.signature}:`."


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (HEAD + "    pass\n", "returned None: is the `return` at its end missing?"),
        (HEAD + "    return 'done'\n", 'Your result is the word "done" where an array of shape (1, 1, 3, 3) is asked for'),
        (HEAD + "    return [[1], [1, 2]]\n", "Your result is a tuple of 2 where an array of shape (1, 1, 3, 3) is asked for"),
        (
            HEAD + "    return y\n",
            "raised NameError: name 'y' is not defined, in line 2: return y (with x of shape (1, 1, 5, 5)",
        ),
        (HEAD + "    import sys\n    sys.exit(3)\n", "raised SystemExit: 3, in line 3"),
        (HEAD + "    x *= 2\n    return x\n", "changes its argument x in place"),
        ("def conv2d(x, weight):\n    return x\n", "cannot be called as conv2d(x, weight, bias, stride, padding): too many"),
        ("conv2d = 3\n", "is a int, not a function"),
        (
            HEAD + "    return x\n",
            "Your result is `x` as it was given.",
        ),
        (HEAD + "return x\n", "mine.py cannot be loaded: line 2 is no Python"),
        ("import nonsense\n", "mine.py cannot be loaded: ModuleNotFoundError: No module named 'nonsense', in line 1"),
        ("raise SystemExit\n", "mine.py cannot be loaded: SystemExit"),
    ],
)
def test_what_is_no_answer_gets_a_sentence(tmp_path, source, words):
    assert words in said(tmp_path, source)


def test_an_endless_loop_is_stopped_and_named(tmp_path):
    source = answers.ANSWERS["output_size"] + HEAD + "    while True:\n        pass\n"
    report = look(tmp_path, source, timeout=2)
    found = {verdict.exercise.name: verdict for verdict in report.verdicts}
    assert found["output_size"].passed
    assert found["conv2d"].status == "stopped"
    assert "was still running after 2 seconds (is there a loop that never ends?), with x of shape" in found["conv2d"].said


def test_an_endless_loop_while_loading_is_stopped(tmp_path):
    assert "was still running after 2 seconds" in said(tmp_path, "while True:\n    pass\n", timeout=2)


def test_exercises_after_one_that_hangs_are_judged_all_the_same(tmp_path):
    source = "def output_size(H, K, S, P):\n    while True:\n        pass\n" + answers.ANSWERS["conv2d"]
    found = {verdict.exercise.name: verdict for verdict in look(tmp_path, source, timeout=2).verdicts}
    assert found["output_size"].status == "stopped"
    assert found["conv2d"].passed


def test_a_crash_of_the_whole_process_is_survived(tmp_path):
    words = said(tmp_path, HEAD + "    import os\n    os._exit(7)\n")
    assert "ended the whole process, with status 7, with x of shape" in words


def test_what_came_out_before_it_broke_says_why(tmp_path):
    old, new, words = next(slip for slip in answers.SLIPS["conv_transpose2d"] if "swapaxes" in slip[1])
    text = said(tmp_path, answers.ANSWERS["conv_transpose2d"].replace(old, new), "conv_transpose2d", number=10)
    assert text.startswith("raised ")
    assert "Before that: " in text
    assert words in text


def test_what_the_file_prints_is_kept_and_does_no_harm(tmp_path):
    source = "print('loading')\n" + answers.ANSWERS["conv2d"].replace(
        "    return y", "    print('called', stride)\n    return y"
    )
    report = look(tmp_path, source)
    assert named(report, "conv2d").passed
    assert report.printed.splitlines()[:2] == ["loading", "called 1"]


def test_the_file_may_have_neighbours_but_they_replace_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "helpers.py").write_text("from math import floor\n")
    (tmp_path / "random.py").write_text("raise RuntimeError('I am not the standard library')\n")
    source = (
        "from helpers import floor\nimport random\ndef output_size(H, K, S, P):\n    return floor((H + 2 * P - K) / S) + 1\n"
    )
    assert named(look(tmp_path, source), "output_size").passed


def test_a_file_of_any_name_will_do(tmp_path):
    file = tmp_path / "my answers, second try.txt"
    file.write_text(answers.ANSWERS["output_size"])
    assert named(check(lesson(2), file), "output_size").passed


def test_what_cannot_be_checked_is_refused(tmp_path):
    before = sys.modules.get("mine")  # of another test
    with pytest.raises(FileNotFoundError, match=r"there is no file .*nothing\.py"):
        check(lesson(2), tmp_path / "nothing.py")
    (tmp_path / "mine.py").write_text("")
    with pytest.raises(ValueError, match=r"lesson 19 .* has no exercises yet"):
        check(replace(LESSONS[17], number=19), tmp_path / "mine.py")
    for timeout in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="is no time to wait"):
            check(lesson(2), tmp_path / "mine.py", timeout)
    assert sys.modules.get("mine") is before  # the reader's file never runs in this process


# ------------------------------------------------------------------------------------------- near names, notebooks, bad manners


@pytest.mark.parametrize("name", ["Conv2d", "conv_2d", "conv2D", "convd"])
def test_a_name_that_comes_close_is_seen(tmp_path, name):
    words = said(tmp_path, f"def {name}(x, weight, bias, stride, padding):\n    return x\n")
    assert f"has no function of this name, but one called {name}: did you mean conv2d?" in words


def test_a_name_that_means_something_else_is_left_alone(tmp_path):
    assert "did you mean" not in said(tmp_path, "from numpy import convolve\ndef pool2d(x):\n    return x\n")


def notebook(*cells: str) -> str:
    """The text of an .ipynb with these code cells, and some text between them."""
    code = [{"cell_type": "code", "source": cell.splitlines(keepends=True), "outputs": [], "metadata": {}} for cell in cells]
    text = {"cell_type": "markdown", "source": ["# def output_size():"], "metadata": {}}
    return json.dumps({"cells": [text, *code], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def test_the_code_cells_of_a_notebook_are_read(tmp_path):
    file = tmp_path / "mine.ipynb"
    magic = "%matplotlib inline\n!pip install numpy\nimport numpy as np"
    file.write_text(notebook(magic, "%%html\n<b>no Python</b>", answers.ANSWERS["output_size"], HEAD + "    return 1 / 0\n"))
    report = check(lesson(2), file)
    assert named(report, "output_size").passed
    assert "raised ZeroDivisionError: division by zero, in cell 4, line 2: return 1 / 0" in named(report, "conv2d").said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (notebook("x = 1", "1 +"), "mine.ipynb cannot be loaded: cell 2, line 1 is no Python (invalid syntax): 1 +"),
        (notebook("nothing"), "NameError: name 'nothing' is not defined, in cell 1, line 1: nothing"),
        ("{}", "this is no notebook with cells"),
        ("def conv2d(): pass", "this is no notebook with cells"),
    ],
)
def test_a_notebook_that_cannot_be_loaded_says_why(tmp_path, text, words):
    file = tmp_path / "mine.ipynb"
    file.write_text(text)
    found = named(check(lesson(2), file), "conv2d")
    assert found.status == "not loaded"
    assert words in found.said


def test_megabytes_of_print_are_counted_and_their_end_is_kept(tmp_path):
    source = "for line in range(300_000):\n    print('line', line, 'x' * 20)\n" + answers.ANSWERS["output_size"]
    report = look(tmp_path, source)
    assert named(report, "output_size").passed
    assert report.lines == 300_000
    assert len(report.printed) <= 2**16
    assert "line 299999 " in report.printed


def test_files_that_an_answer_writes_are_nowhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    source = "open('mine.txt', 'w').write('x')\n" + answers.ANSWERS["output_size"]
    assert named(look(tmp_path, source), "output_size").passed
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]  # and no __pycache__


def test_nan_and_far_too_much_are_no_answers(tmp_path):
    words = said(tmp_path, "def output_size(H, K, S, P):\n    return float('nan')\n", "output_size")
    assert "has NaN or infinity in 8 of 8 cases" in words
    words = said(tmp_path, "import numpy as np\n" + HEAD + "    return np.zeros(10**7)\n")
    assert "returned an array of shape (10000000,), far larger than the answer, where an array of shape (1, 1, 3, 3)" in words


def test_a_process_that_an_answer_starts_does_not_outlive_it(tmp_path):
    source = f"""
import subprocess, sys
def output_size(H, K, S, P):
    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])
    open({str(tmp_path / "child")!r}, 'w').write(str(child.pid))
    while True: pass
"""
    assert "was still running after 2 seconds" in said(tmp_path, source, "output_size", timeout=2)
    status = Path(f"/proc/{(tmp_path / 'child').read_text()}/stat")
    if not Path("/proc/self/stat").exists():
        pytest.skip("there is no /proc here to look at processes")
    assert not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] == "Z"


def test_a_stretch_is_not_needed(tmp_path):
    one = "from minifcn.course.exercises.lesson_02 import one_window\n"
    report = look(tmp_path, one + answers.ANSWERS["output_size"] + answers.ANSWERS["conv2d"])
    assert report.passed
    assert named(report, "dilated").status == "missing"
    assert not look(tmp_path, answers.ANSWERS["output_size"] + answers.ANSWERS["conv2d"]).passed


@pytest.mark.parametrize(
    ("given", "spoil"),
    [
        ([1, 2], lambda given: given.append(3)),
        ([np.ones(2)], lambda given: given[0].fill(2)),
        ({"a": (1, np.ones(2))}, lambda given: given["a"][1].fill(2)),
        ({"a": 1}, lambda given: given.clear()),
        (np.ones(2), lambda given: given.fill(2)),
    ],
)
def test_an_argument_that_was_changed_inside_is_noticed(given, spoil):
    after = copy.deepcopy(given)
    assert _unchanged(given, after)
    spoil(after)
    assert not _unchanged(given, after)


def test_functions_and_nan_are_what_they_were():
    assert _unchanged(np.array([np.nan, 1.0]), np.array([np.nan, 1.0]))
    assert _unchanged(len, copy.deepcopy(len))
