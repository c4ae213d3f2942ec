"""Every exercise: the library's answer passes, and every mistake is called by its name."""

from __future__ import annotations

import contextlib
import inspect

import numpy as np
import pytest

from minifcn.course.catalogue import LESSONS
from minifcn.course.exercises import STEPS, Exercise, exercises, spoil
from minifcn.course.judge import judge
from minifcn.course.results import plain
from support import planted_answers as answers


def _all() -> dict[str, tuple[int, Exercise]]:
    found = {}
    for lesson in LESSONS:
        try:
            found.update({exercise.name: (lesson.number, exercise) for exercise in exercises(lesson)})
        except ValueError:
            continue
    return found


ALL = _all()
PLANTED = [(name, *slip) for name, slips in answers.SLIPS.items() for slip in slips]
LISTED = [(name, mistake) for name, (_, exercise) in ALL.items() for mistake in exercise.mistakes]


def verdict(exercise: Exercise, function):
    """Of a function that may break: what it gave before is judged, as the checker does it."""
    results = []
    with contextlib.suppress(ValueError, IndexError), np.errstate(all="ignore"):
        for case in exercise.cases:
            results.append(plain(function(*case)))
    return judge(exercise, results)


def changed(function, result):
    """A result whose arrays have gone through `function`."""
    if isinstance(result, tuple):
        return tuple(changed(function, one) for one in result)
    if isinstance(result, dict):
        return {name: changed(function, one) for name, one in result.items()}
    return function(result) if isinstance(result, np.ndarray) else result


def written(name: str, source: str):
    names: dict = {}
    exec(source, names)
    return names[name]


def test_there_are_exercises_and_answers_to_some_of_them():
    """Those of the others, and wrong ones, are in `wrong_answers`."""
    assert len(ALL) >= 20
    assert set(ALL) > set(answers.ANSWERS) == set(answers.SLIPS)


@pytest.mark.parametrize("name", ALL)
def test_the_librarys_own_answer_passes(name):
    assert verdict(ALL[name][1], ALL[name][1].answer).passed


@pytest.mark.parametrize("name", answers.ANSWERS)
def test_a_readers_right_answer_passes(name):
    assert verdict(ALL[name][1], written(name, answers.ANSWERS[name])).passed


@pytest.mark.parametrize("name", ALL)
def test_an_answer_in_float32_passes(name):
    exercise = ALL[name][1]
    assert verdict(exercise, lambda *case: changed(np.float32, plain(exercise.answer(*case)))).passed


@pytest.mark.parametrize("name", answers.SLIPS)
def test_at_least_four_distinct_mistakes_are_planted_and_diagnosed(name):
    said = set()
    for old, new, _ in answers.SLIPS[name]:
        found = verdict(ALL[name][1], written(name, answers.ANSWERS[name].replace(old, new)))
        assert not found.passed
        said.add(found.said.split(":")[0])
    assert len(said) >= 4


@pytest.mark.parametrize(("name", "old", "new", "words"), PLANTED)
def test_a_slip_of_the_pen_is_called_by_its_name(name, old, new, words):
    source = answers.ANSWERS[name]
    assert source.count(old) >= 1, f"{old!r} is not in the answer"
    exercise = ALL[name][1]
    found = verdict(exercise, written(name, source.replace(old, new)))
    assert not found.passed
    known = [spoilt.__doc__.split()[:4] for spoilt in exercise.mistakes]
    assert words is None or words in found.said
    assert found.said.split()[:4] in known or found.said.startswith(("Two things", "Your result")), found.said


@pytest.mark.parametrize("name", ALL)
def test_its_step_is_known_and_it_has_five_mistakes(name):
    assert ALL[name][1].step in STEPS
    assert len(ALL[name][1].mistakes) >= 5 or ALL[name][1].against  # which answers every wrong result by itself


@pytest.mark.parametrize(("name", "mistake"), LISTED, ids=[f"{name}-{mistake.__name__}" for name, mistake in LISTED])
def test_every_listed_mistake_is_told_from_all_others(name, mistake):
    exercise = ALL[name][1]
    found = verdict(exercise, spoil(mistake, exercise.answer))
    assert not found.passed
    assert found.said.startswith(" ".join(mistake.__doc__.split()))


@pytest.mark.parametrize("name", ["conv2d", "weight_gradient", "input_gradient", "conv_transpose2d"])
def test_two_mistakes_at_once_are_both_named(name):
    exercise = ALL[name][1]
    one, other = exercise.mistakes[0], exercise.mistakes[3]
    found = verdict(exercise, spoil(one, spoil(other, exercise.answer)))
    assert found.said.startswith("Two things at once. First: ")
    assert "Second: " in found.said


@pytest.mark.parametrize("name", ALL)
def test_a_mistake_that_nobody_foresaw_is_described(name):
    exercise = ALL[name][1]
    if isinstance(exercise.answer(*exercise.cases[0]), str):
        pytest.skip("its answers are words")
    found = verdict(exercise, lambda *case: changed(lambda y: 1.5 * y + 0.25, plain(exercise.answer(*case))))
    assert not found.passed
    assert "Your result " in found.said
    assert "(Seen with " in found.said


@pytest.mark.parametrize("name", ALL)
def test_the_task_names_its_parameters_and_mistakes_are_sentences(name):
    exercise = ALL[name][1]
    assert exercise.signature == f"{name}{str(inspect.signature(exercise.answer)).replace(' ', '').replace(',', ', ')}"
    assert exercise.task
    for mistake in exercise.mistakes:
        assert list(inspect.signature(mistake).parameters) == ["right", *exercise.parameters]
        first = mistake.__doc__.split()[0]
        assert first[0].isupper() or len(first) == 1  # or a letter of the formula: "w is ..."
        assert mistake.__doc__.rstrip().endswith((".", ")"))


def test_the_case_that_differs_first_is_described():
    exercise = ALL["output_size"][1]
    found = verdict(exercise, written("output_size", answers.ANSWERS["output_size"].replace("2 * P", "P")))
    assert "Right in 5 of 8 cases; the first that differs has H = 5, K = 3, S = 1, P = 1." in found.said
