"""What is made of exercises: questions whose wrong choices explain themselves, a reader's progress, a class's grades."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from typer.testing import CliRunner

from minifcn.cli.lesson import app
from minifcn.course import quiz
from minifcn.course.catalogue import LESSONS, lesson
from minifcn.course.exercises import exercises, has_exercises, spoil
from minifcn.course.grades import COLUMNS, answers_in, commonest, grade, save
from minifcn.course.progress import progress
from minifcn.course.quiz import questions, shown
from support import planted_answers as answers

ASKED = [one for one in LESSONS if has_exercises(one)]
WARM_UP = "from minifcn.course.exercises.lesson_02 import one_window\n"
SIZE, CONV = answers.ANSWERS["output_size"], answers.ANSWERS["conv2d"]
HANGS = "def output_size(H, K, S, P):\n    while True: pass\n"


def call(*arguments: object, **options):
    return CliRunner().invoke(
        app, [str(argument) for argument in arguments], env={"COLUMNS": "200", "NO_COLOR": "1"}, **options
    )


# ------------------------------------------------------------------------------------------------------------------ quiz


@pytest.mark.parametrize("one", ASKED, ids=lambda one: one.name)
def test_every_lesson_has_questions_with_one_right_answer_each(one):
    for question in questions(one, 8, seed=3):
        assert 3 <= len(question.choices) <= 4
        assert len({choice.shown for choice in question.choices}) == len(question.choices)
        assert sum(choice.is_right for choice in question.choices) == 1
        known = {" ".join(mistake.__doc__.split()) for mistake in question.exercise.mistakes}
        assert {choice.said for choice in question.choices if not choice.is_right} <= known


def test_the_choices_are_what_the_function_and_its_mistakes_give(monkeypatch):
    """Nothing is stored: what is shown is computed from the arguments that are shown."""
    seen = []
    monkeypatch.setattr(quiz, "_given", lambda exercise, case: seen.append(case) or "")
    asked = questions(lesson(2), 6, seed=1)
    for question, case in zip(asked, seen, strict=False):
        by_words = {" ".join(mistake.__doc__.split()): mistake for mistake in question.exercise.mistakes}
        for choice in question.choices:
            function = question.exercise.answer if choice.is_right else spoil(by_words[choice.said], question.exercise.answer)
            assert choice.shown == shown(quiz.plain(function(*case)))


def test_questions_come_from_all_exercises_in_turn_and_differ_with_the_seed():
    first = questions(lesson(10), 4, seed=0)
    assert len({question.exercise.name for question in first}) == 4
    assert [question.given for question in first] == [question.given for question in questions(lesson(10), 4, seed=0)]
    assert [question.given for question in first] != [question.given for question in questions(lesson(10), 4, seed=1)]


def test_numbers_are_shown_short_and_large_arrays_with_their_shape():
    assert shown(quiz.plain(np.array([[1.0, -0.0]]))) == "[[1 0]]"
    assert shown(quiz.plain(1 / 3)) == "0.333"
    assert shown(quiz.plain(np.zeros((1, 1, 2, 1)))) == "[[[[0]\n   [0]]]]   of shape (1, 1, 2, 1)"
    assert shown(quiz.plain(("a", {"b": 2}))) == "(a, {b: 2})"


def test_a_wrong_choice_is_explained_and_a_right_one_counted():
    (question, *_) = questions(lesson(2), 2, seed=5)
    right = next(place for place, choice in enumerate(question.choices) if choice.is_right)
    wrong = (right + 1) % len(question.choices)
    result = call("quiz", 2, "--seed", 5, "--questions", 2, input=f"what?\n{'abcd'[wrong]}\nq\n")
    assert result.exit_code == 0
    assert question.choices[wrong].said in " ".join(result.output.split())
    assert f"No, it is {'abcd'[right]}." in result.output
    assert "0 of 1 right." in result.output
    result = call("quiz", 2, "--seed", 5, "--questions", 1, input=f"{'abcd'[right].upper()}\n")
    assert "1 of 1 right." in result.output


def test_a_quiz_without_anybody_to_answer_ends():
    result = call("quiz", 1, "--seed", 0, input="")
    assert result.exit_code == 0
    assert "No question was answered." in result.output


# -------------------------------------------------------------------------------------------------------------- progress


def test_progress_has_a_row_for_each_lesson_and_the_minutes_left(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(WARM_UP + SIZE + CONV + answers.ANSWERS["mean_iu"] + HANGS.replace("output_size", "unasked"))
    found = {standing.lesson.number: standing for standing in progress(file, 60)}
    assert sorted(found) == [one.number for one in ASKED]
    assert (found[2].status, found[2].minutes_left) == ("right", 0)  # its stretch is missing, and not needed
    assert (found[1].status, found[1].right, found[1].needed, found[1].minutes_left) == (
        "not yet",
        1,
        3,
        round(lesson(1).minutes * 2 / 3),
    )
    assert (found[4].status, found[4].minutes_left) == ("missing", lesson(4).minutes)
    result = call("progress", file)
    assert result.exit_code == 0
    rows = [line.split() for line in result.output.splitlines()]
    assert ["02", "Convolution", "by", "hand", "right", "3", "of", "3", "0"] in rows
    assert f"About {sum(standing.minutes_left for standing in found.values())} minutes left." in result.output


def test_progress_of_a_file_that_cannot_be_loaded_is_one_sentence(tmp_path):
    (tmp_path / "mine.py").write_text("import nonsense\n")
    assert "mine.py cannot be loaded: ModuleNotFoundError" in str(call("progress", tmp_path / "mine.py").exception)
    assert "there is no file" in str(call("progress", tmp_path / "none.py").exception)


# ---------------------------------------------------------------------------------------------------------------- grades


@pytest.fixture
def school(tmp_path):
    """A folder of answers: right, wrong, hanging, broken, and one in a folder of its own."""
    folder = tmp_path / "class"
    (folder / "zoe").mkdir(parents=True)
    (folder / "__pycache__").mkdir()
    (folder / "ada.py").write_text(WARM_UP + SIZE + CONV)
    (folder / "bob.py").write_text(HANGS + CONV.replace("range(C)", "range(1)"))
    (folder / "cyd.py").write_text("def output_size(:\n")
    (folder / "dan.py").write_text(CONV.replace("range(C)", "range(1)"))
    (folder / "zoe" / "mine.py").write_text("def output_size(H, K, S, P):\n    import os; os._exit(0)\n")
    (folder / "__pycache__" / "ada.py").write_text("")
    (folder / "notes.txt").write_text("no answer")
    return folder


def test_a_class_is_graded_whatever_its_files_do(school, tmp_path):
    out = tmp_path / "grades.csv"
    result = call("grade", 2, school, "--out", out, "--timeout", 3)
    assert result.exit_code == 0, result.exception
    with open(out, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    names = [exercise.name for exercise in exercises(lesson(2))]
    files = ["ada.py", "bob.py", "cyd.py", "dan.py", "zoe/mine.py"]
    assert [(row["file"], row["exercise"]) for row in rows] == [(file, name) for file in files for name in names]
    status = {(row["file"], row["exercise"]): row for row in rows}
    assert [status["ada.py", name]["status"] for name in names] == ["right", "right", "right", "missing"]
    assert status["bob.py", "output_size"]["status"] == status["zoe/mine.py", "output_size"]["status"] == "stopped"
    assert status["bob.py", "conv2d"]["diagnosis"].startswith("Only input channel 0 is there")
    assert (status["bob.py", "conv2d"]["cases_right"], status["bob.py", "conv2d"]["cases"]) == ("1", "7")
    assert {status["cyd.py", name]["status"] for name in names} == {"not loaded"}
    assert "2 x conv2d: Only input channel 0 is there: add up the products of all C channels." in result.output
    assert "ada.py       3 of 4  dilated: missing" in result.output
    assert sorted(path.name for path in school.iterdir()) == [
        "__pycache__", "ada.py", "bob.py", "cyd.py", "dan.py", "notes.txt", "zoe",
    ]  # fmt: skip


def test_grades_replace_grades_and_nothing_else(school, tmp_path):
    out = tmp_path / "grades.csv"
    grades = grade(lesson(2), school / "ada.py", "=ada.py", 60)
    save(grades, out)
    save(grades[:1], out)
    assert out.read_text().splitlines()[1].startswith("'=ada.py,one_window,warm-up,right,5,5,")  # no spreadsheet computes it
    assert len(out.read_text().splitlines()) == 2
    for other in ("file,grade\n", "", ",".join(COLUMNS)[:-1] + "\n"):
        out.write_text(other)
        result = call("grade", 2, school, "--out", out)
        assert "holds no grades; choose another name with --out" in str(result.exception)
        assert out.read_text() == other
    assert "holds no grades" in str(call("grade", 2, school, "--out", school).exception)
    assert "there is no folder" in str(call("grade", 2, school, "--out", tmp_path / "none" / "grades.csv").exception)


def test_a_folder_without_answers_is_refused(tmp_path):
    assert "has no .py and no .ipynb" in str(call("grade", 2, tmp_path).exception)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        answers_in(tmp_path / "none")


def test_the_commonest_mistakes_leave_out_what_is_no_mistake(school):
    grades = grade(lesson(2), school / "dan.py", "dan.py", 60) + grade(lesson(2), school / "ada.py", "ada.py", 60)
    assert [(times, name) for times, name, _ in commonest(grades)] == [(1, "conv2d")]
