"""The forged backwards of lesson 05: the library's check rejects each, and nothing but their numbers gives them away."""

from __future__ import annotations

import numpy as np
import pytest

import minifcn
from minifcn.course.exercises.lesson_05 import PASSES
from minifcn.course.forgeries import FORGED, REAL, SHAPE


def is_right(forward, backward, x) -> bool:
    return minifcn.gradcheck(lambda x: (forward(x), x), x, backward=backward).passed


@pytest.mark.parametrize(("forward", "backward"), REAL)
def test_a_real_one_passes(forward, backward, rng):
    assert is_right(forward, backward, rng.normal(size=SHAPE))


@pytest.mark.parametrize(("forward", "backward"), FORGED, ids=[backward.__name__ for _, backward in FORGED])
def test_a_forged_one_does_not_pass_but_looks_like_a_real_one(forward, backward, rng):
    x = rng.normal(size=SHAPE)
    real = dict(REAL)[forward]
    dx, forged = (one(rng.normal(size=forward(x).shape), x) for one in (real, backward))
    assert forged.shape == dx.shape == SHAPE
    assert np.isfinite(forged).all()
    assert not is_right(forward, backward, x)


def test_there_are_ten_and_no_two_are_the_same():
    assert len({backward for _, backward in FORGED}) == 10
    assert all(backward.__doc__ for _, backward in FORGED)


def test_the_exercise_asks_what_the_librarys_check_says():
    told = [PASSES.answer(*case) for case in PASSES.cases]
    assert told == [is_right(forward, backward, x) for forward, backward, x, _ in PASSES.cases]
    assert (told.count(True), told.count(False)) == (7, 13)  # as the lesson's text says


def test_x_is_drawn_from_the_seed_that_the_reader_is_given():
    for *_, x, seed in PASSES.cases:
        assert np.array_equal(x, np.random.default_rng(seed).normal(size=x.shape))
