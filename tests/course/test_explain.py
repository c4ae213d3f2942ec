"""What is said of wrong answers: the kinds of results, arguments changed, and what holds in all cases or is not said."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn.course.exercises import Exercise
from minifcn.course.judge import judge
from minifcn.course.results import NoResult, pack, plain, same, unpack

RNG = np.random.default_rng(0)


def said(exercise: Exercise, function) -> str:
    found = judge(exercise, [plain(function(*case)) for case in exercise.cases])
    assert not found.passed
    return found.said


# ------------------------------------------------------------------------------------------------------- kinds of results


@pytest.mark.parametrize(
    "value",
    [3, 2.5, True, np.float32(0.1), np.arange(6).reshape(2, 3), [[1, 2], [3, 4]], "circle", (1, np.ones(2)),
     {"a": 1, 3: (1, "b")}, float("nan"), np.array([np.inf, np.nan]), [np.ones(2), np.ones(3)], np.zeros((0, 3))],
)  # fmt: skip
def test_a_result_survives_its_way_through_json(value):
    result = plain(value)
    assert same(unpack(pack(result)), result)


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "None"), (object(), "a object"), (1j, "a complex"), ({1.5: 2}, "a dict with the key 1.5"),
     (iter([1]), "a list_iterator"), (np.zeros(2_000_000), "far larger"), (10**400, "a int")],
)  # fmt: skip
def test_what_is_no_result_is_named(value, words):
    with pytest.raises(NoResult, match=words):
        plain(value)


@pytest.mark.parametrize(
    ("mine", "key"),
    [((1, 2, 3), np.arange(1, 4)), (((1, 2), (3, 4)), np.array([[1, 2], [3, 4]])), (np.ones((2, 3)), (np.ones(3), np.ones(3))),
     ([1.0, 0.25], (1, 0.25)), (np.array(1.0 + 1e-7), 1)],
)  # fmt: skip
def test_numbers_in_another_wrapping_are_the_same(mine, key):
    assert same(plain(mine), plain(key))


@pytest.mark.parametrize(
    ("mine", "key"),
    [(1, (1,)), ("1", 1), ({"a": 1}, {"a": 1, "b": 2}), ({"a": 1}, {"b": 1}), ((1, 2), (1, 2, 3)),
     (np.ones((1, 2)), np.ones(2)), ("a", "b"), (np.array([np.nan]), np.array([1.0])), (np.zeros(0), np.zeros(1)),
     (1.001, 1.0)],
)  # fmt: skip
def test_what_differs_is_not_the_same(mine, key):
    assert not same(plain(mine), plain(key))


# ------------------------------------------------------------------------------------------------------ tuples and dicts


def two(x, scale):
    """The sum of x and x · scale."""
    return x.sum(), x * scale


def forgets_the_scale(right, x, scale):
    """The scale is left out."""
    return right(x, 1)


TWO = Exercise(two, [(RNG.normal(size=n), s) for n, s in ((3, 2), (4, 5), (5, 3))], (forgets_the_scale,), parts=("total", "y"))


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x, scale: (x.sum(), x), "The scale is left out."),
        (lambda x, scale: (x * scale, x.sum()), "The parts of your result are right, but in another order: return total, y."),
        (lambda x, scale: x.sum(), "where a tuple of 2 is asked for: it is total alone; return total, y."),
        (lambda x, scale: (x.sum(), x * scale, x), "a tuple of 3 where a tuple of 2 is asked for; return total, y."),
        (lambda x, scale: (x.sum() + 1, x * scale), "y is right. Of total: Your result is always 1 too many."),
        (
            lambda x, scale: (x.sum(), -x * scale),
            "total is right. Of y: Your result is the library's answer with the other sign.",
        ),
    ],
)
def test_tuples_are_looked_into(function, words):
    assert words in said(TWO, function)


def one(x, scale):
    """x · scale."""
    return x * scale


ONE = Exercise(one, TWO.cases, ())


def test_the_right_part_of_a_tuple_that_nobody_asked_for_is_named():
    assert "its first part is right: return that alone." in said(ONE, lambda x, scale: (x * scale, x))
    assert "its second part is right: return that alone." in said(ONE, lambda x, scale: ("cache", x * scale))
    assert "part is right" not in said(ONE, lambda x, scale: (x if scale == 2 else x * scale, None or x))


def measures(x):
    """The mean and the largest."""
    return {"mean": x.mean(), "largest": x.max()}


MEASURES = Exercise(measures, [(RNG.normal(size=n),) for n in (3, 4, 5)], ())


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x: {"mean": x.mean()}, "Your result has nothing for largest; its names must be mean and largest."),
        (lambda x: {"mean": x.mean(), "max": x.max()}, "has nothing for largest and has max, which nobody asked for"),
        (
            lambda x: {"mean": x.sum(), "largest": x.max()},
            "largest is right. Of mean: Your result is the library's answer times",
        ),
        (lambda x: x.mean(), "Your result is one number where a dict of 2 is asked for."),
    ],
)
def test_dicts_are_looked_into(function, words):
    assert words in said(MEASURES, function)


# ------------------------------------------------------------------------------- words, True and False, functions as arguments


def square(x):
    return x**2


def sine(x):
    return np.sin(x)


def root(x):
    return np.sqrt(x)


def grows(f, x):
    """Whether f grows at x > 0: "up", "down" or "level"."""
    return "up" if f(x + 0.1) > f(x) else "down"


def always_up(right, f, x):
    """You look at x alone."""
    return "up"


GROWS = Exercise(
    grows, [(square, 1.0), (sine, 2.0), (root, 3.0), (sine, 4.0)], (always_up,), words=("up", "down", "level"),
    facts={"f is a sine": lambda f, x: f is sine},
)  # fmt: skip


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda f, x: "up", "You look at x alone. (Right in 2 of 4 cases; the first that differs has f = sine, x = 2.0.)"),
        (lambda f, x: "down", "Your result is always down."),
        (lambda f, x: "down" if f(x + 0.1) > f(x) else "up", "says down where up is right and up where down is right"),
        (lambda f, x: "upp", 'Your result is "upp", which is not in the list: up, down, level; did you mean up.'),
        (lambda f, x: f(x), "Your result is one number where the word"),
        (lambda f, x: "level" if f is sine else grows(f, x), "says level where down is right"),
        (lambda f, x: "level" if x == 2 else "down" if f is sine else "up", "Your result is level where down is right."),
        (lambda f, x: "level" if x == 2 else "up", "Your result is wrong just where f is a sine."),
    ],
)
def test_words_and_functions_as_arguments(function, words):
    assert words in said(GROWS, function)


def is_even(n):
    """Whether n is even."""
    return n % 2 == 0


EVEN = Exercise(is_even, [(2,), (3,), (4,), (7,)], ())


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda n: True, "Your result is always True."),
        (lambda n: n % 2 == 1, "says False where True is right and True where False is right"),
        (lambda n: n < 3, "Your result is False where True is right."),
        (lambda n: "yes", 'Your result is "yes", which is not in the list: True, False.'),
        (lambda n: n, "Your result is one number where the word"),
    ],
)
def test_true_and_false_are_words(function, words):
    assert words in said(EVEN, function)


# ------------------------------------------------------------------------------------------------------- scalars together


def count(H, P):
    """H + 2 · P."""
    return H + 2 * P


COUNT = Exercise(count, [(3, 0), (5, 1), (4, 2), (9, 3), (7, 1)], ())


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda H, P: H + 2 * P + 1, "Your result is always 1 too many."),
        (lambda H, P: H + 2 * P - 2, "Your result is always 2 too few."),
        (lambda H, P: 100 * (H + 2 * P), "Your result is the library's answer times 100 in all cases."),
        (lambda H, P: H + 3 * P, "Your result is too large by P."),
        (lambda H, P: 12, "Your result is always 12."),
        (lambda H, P: (H + 2 * P) * P, "Your result is the library's answer times P."),
        (lambda H, P: H + 4 * P, "Your result is the library's answer for 2·P in the place of P."),
        (lambda H, P: P + 2 * H, "Your result is the library's answer with `H` and `P` exchanged."),
        (lambda H, P: H + 2 * P + P**2, "Your result is right where P = 0, and only there."),
        (lambda H, P: [H + 2 * P], "Your result has shape (1,), and would be right without axis 0, of length 1."),
    ],
)
def test_numbers_are_judged_from_all_cases_together(function, words):
    assert words in said(COUNT, function)


def test_nothing_is_guessed_from_the_first_case_alone():
    """1.5 times the first answer, but nothing of that kind for the others."""
    wrong = iter([4.5, 8.1, 7.9, 16.2, 10.3])
    assert said(COUNT, lambda H, P: next(wrong)).startswith("Your result has 4.5 where the library's answer has 3. (Seen with")
    found = judge(COUNT, [plain(4.5)])  # it raised in the second case
    assert found.what == "Your result has 4.5 where the library's answer has 3."
    assert not found.named


# ----------------------------------------------------------------------------------------------------------------- arrays


def product(x, weight, padding):
    """x (C, L) times weight (C, L), summed over C, between zeros."""
    return np.pad((x * weight).sum(axis=0), padding)


PRODUCT = Exercise(
    product,
    [(RNG.normal(size=(C, L)), RNG.normal(size=(C, L)), p) for C, L, p in ((1, 4, 1), (2, 5, 0), (3, 4, 2), (2, 3, 1))],
    (),
)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x, w, p: product(x, w[:, ::-1], p), "is the library's answer for `weight` flipped along axis 1 only."),
        (lambda x, w, p: product(x[:1], w[:1], p), "for the first index of axis 0 of `x` alone, the others taken as 0."),
        (lambda x, w, p: product(x[-1:], w[-1:], p), "for the last index of axis 0 of `x` alone, the others taken as 0."),
        (lambda x, w, p: product(x, w, 0), "is the library's answer for padding = 0."),
        (
            lambda x, w, p: product(x, w, p)[p:-p],
            "nothing is in it. A slice like x[p:-p] is empty when p is 0: write x[p : n - p]",
        ),
        (lambda x, w, p: product(x, w, p) / len(x), "is the library's answer divided by x.shape[0]."),
        (lambda x, w, p: w, "Your result is `weight` as it was given."),
        (lambda x, w, p: product(x, w, p)[::-1], "is the library's answer flipped along axis 0."),
        (lambda x, w, p: np.pad(product(x, w, p), (0, 3)), "always 3 too long"),
        (lambda x, w, p: product(x, w, p)[:, None] * np.ones(2) / 2, "is not finished: add up along axis 1."),
        (
            lambda x, w, p: (1.7 + 0.1 * p) * product(x, w, p),
            "a multiple of the library's answer, another in each case: times 1.8; ",
        ),
    ],
)
def test_arrays_are_tried_with_other_arguments_and_other_results(function, words):
    assert words in said(PRODUCT, function)


def step(w, g, rate):
    """w − rate · g."""
    return w - rate * g


STEP = Exercise(step, [(RNG.normal(size=n), RNG.normal(size=n), rate) for n, rate in ((1, 0.5), (3, 0.1), (4, 0.25))], ())


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda w, g, rate: g, "Your result is `g` as it was given."),
        (lambda w, g, rate: -rate * g, "Your result is the library's answer for `w` all 0 (is it left out?)."),
        (lambda w, g, rate: w + rate * g, "Your result is the library's answer for `g` with the other sign."),
        (lambda w, g, rate: w - g, "Your result is the library's answer for rate = 1."),
        (lambda w, g, rate: 2 * w - rate * g, "Your result is the library's answer plus `w`."),
        (lambda w, g, rate: w * (w - rate * g), "Your result is the library's answer times `w`."),
        (lambda w, g, rate: g - rate * w, "Your result is the library's answer with `w` and `g` exchanged."),
    ],
)
def test_an_argument_that_is_missing_or_there_twice_is_seen(function, words):
    assert words in said(STEP, function)


def test_flipped_is_said_only_if_it_holds_in_every_case():
    """In the first case alone the result is flipped; in the others it is something else."""

    def half_flipped(x, weight, padding):
        y = product(x, weight, padding)
        return y[::-1] if len(x) == 1 else y + np.arange(len(y))

    assert "flipped" not in said(PRODUCT, half_flipped)


def test_crops_and_padding_are_no_advice_for_a_row_of_numbers():
    assert "crops" not in said(PRODUCT, lambda x, w, p: np.pad(product(x, w, p), (0, 3)))


def test_two_slips_of_which_one_is_listed_are_both_named():
    def forgets_padding(right, x, weight, padding):
        """Padding is left out."""
        return right(x, weight, 0)

    exercise = Exercise(product, PRODUCT.cases, (forgets_padding,))
    words = said(exercise, lambda x, w, p: product(-x, w[:, ::-1], 0))
    assert words.startswith("Your result has")  # three things at once are too many
    words = said(exercise, lambda x, w, p: product(x, w[:, ::-1], 0))
    assert words.startswith("Two things at once. First: Padding is left out. Second: your result is that for `weight` flipped")


def test_a_step_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="the steps are warm-up, main, stretch"):
        Exercise(product, PRODUCT.cases, (), step="hard")
