"""The diagnosis names the mistake, and does not see one where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minifcn.checks.diagnose import diagnose, same

R = np.random.default_rng(0).standard_normal((2, 3, 5, 4))
SQUARE = np.random.default_rng(1).standard_normal((3, 3, 3, 3))
BORDER = np.pad(np.zeros((3, 2)), 1, constant_values=1.0)
HOLES = np.random.default_rng(2).random(R.shape) < 0.3

PATTERNS = {
    "zero": (0 * R, R, "is zero everywhere"),
    "should be zero": (R, 0 * R, "is not zero, but should be zero everywhere"),
    "sign": (-R, R, "is the reference times -1"),
    "1/N": (R / 2, R, "is the reference times 1/2 (2 is the size of axis 0)"),
    "1/(N·H·W)": (R / 40, R, "is the reference times 1/40 (40 is the size of axes 0, 2 and 3 together)"),
    "times N": (2 * R, R, "is the reference times 2 (2 is the size of axis 0)"),
    "some factor": (0.37 * R, R, "is the reference times 0.37"),
    "flipped kernel": (R[..., ::-1, ::-1], R, "is the reference flipped along both of the last two axes"),
    "mirrored": (R[..., ::-1], R, "is the reference flipped along axis 3"),
    "channels reversed": (R[:, ::-1], R, "is the reference flipped along axis 1"),
    "flipped and scaled": (R[:, :, ::-1] / 3, R, "flipped along axis 2, and times 1/3 (3 is the size of axis 1)"),
    "transposed kernel": (SQUARE.swapaxes(2, 3), SQUARE, "is the reference with both of the last two axes transposed"),
    "O and C exchanged": (SQUARE.swapaxes(0, 1), SQUARE, "is the reference with axes 0 and 1 transposed"),
    "reshaped": (R.transpose(1, 0, 2, 3).reshape(R.shape), R, "reshaped where a transposition was needed"),
    "shifted down": (np.roll(R, 1, 2), R, "is the reference shifted by 1 along axis 2"),
    "shifted left": (np.roll(R, -1, 3), R, "is the reference shifted by -1 along axis 3"),
    "shifted both ways": (np.roll(R, (2, -1), (2, 3)), R, "shifted by 2 along axis 2 and by -1 along axis 3"),
    "shifted, zeros come in": (np.pad(R, ((0, 0), (0, 0), (1, 0), (0, 0)))[:, :, :-1], R, "shifted by 1 along axis 2"),
    "a constant": (R + 0.5, R, "is the reference plus 0.5 everywhere"),
    "no bias": (R - np.arange(1.0, 4)[:, None, None], R, "by one number for each index of axis 1: a bias or a mean forgotten"),
    "no scale": (R * np.arange(2.0, 5)[:, None, None], R, "times another factor for each index of axis 1"),
    "relu": (np.maximum(R, 0), R, "is the reference with its negative values set to 0"),
    "no sign": (np.abs(R), R, "is the reference without its signs"),
    "squared": (R**2, R, "is the reference squared"),
    "truncated": (np.trunc(5 * R), 5 * R, "is the reference cut to whole numbers"),
    "padding": (R + BORDER, R, "is right inside, but wrong within 1 pixel of the border: look at the padding"),
    "border zero": (R * (1 - BORDER), R, "is right inside, but wrong within 1 pixel of the border"),
    "inside": (R + 1 - BORDER, R, "is right within 1 pixel of the border, but wrong inside"),
    "first picture only": (R * [[[[1]]], [[[0]]]], R, "is right but for index 1 of axis 0"),
    "last row": (R + np.eye(5)[4][:, None], R, "is right but for index 4 of axis 2"),
    "pieces missing": (R * HOLES, R, "is right where it is not zero, but zero at"),
    "mask forgotten": (R, R * HOLES, "is right where the reference is not zero, but should be zero at"),
    "a few wrong": (np.where(HOLES, 7, R), R, "places, the first at [0, 0, 0, 0], and right at all others"),
    "channels permuted": (R[:, [1, 2, 0]], R, "has the slices of the reference along axis 1 in another order: indices 1, 2, 0"),
    "shuffled": (np.sort(R, axis=None).reshape(R.shape), R, "has the numbers of the reference in other places"),
    "float32 and worse": (R + 1e-5 * np.cos(np.arange(120.0)).reshape(R.shape), R, "only: a loss of precision"),
    "NaN": (np.where(HOLES, np.nan, R), R, f"has NaN or infinity at {HOLES.sum()} of 120 places"),
    "NHWC": (R.transpose(0, 2, 3, 1), R, "where the reference has (2, 3, 5, 4), and is the reference with its axes"),
    "flat": (R.reshape(2, -1), R, "would be right after reshape(2, 3, 5, 4)"),
    "cropped": (R[:, :, 1:], R, "is the reference from [0, 0, 1, 0] on: look at crops and padding"),
    "too large": (np.pad(R, ((0, 0), (0, 0), (1, 1), (1, 1))), R, "from [0, 0, 1, 1] on it is the reference"),
    "another shape": (np.ones((2, 2)), R, "has shape (2, 2) where the reference has (2, 3, 5, 4)"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", PATTERNS)
def test_mistakes_are_named(mistake):
    mine, reference, words = PATTERNS[mistake]
    before = mine.copy(), reference.copy()
    assert words in diagnose(mine, reference)
    np.testing.assert_array_equal(mine, before[0])
    np.testing.assert_array_equal(reference, before[1])


def test_nothing_is_said_about_what_is_right_or_has_no_pattern():
    assert diagnose(R, R) is None
    assert diagnose(R + 1e-9, R) is None
    assert diagnose(np.random.default_rng(9).standard_normal(R.shape), R) is None


def test_the_reference_can_be_called_something_else():
    assert diagnose(-R, R, "the library's answer") == "is the library's answer times -1"


@given(st.lists(st.integers(1, 4), max_size=5), st.integers(0, 1000))
def test_any_shape_gets_an_answer_or_none(shape, seed):
    """0-d arrays, single numbers, single rows: never an exception, and never a diagnosis of two equal arrays."""
    rng = np.random.default_rng(seed)
    mine, reference = rng.standard_normal(shape), rng.standard_normal(shape)
    assert diagnose(reference, reference) is None
    for pair in ((mine, reference), (mine, np.zeros(shape)), (np.round(mine), np.round(reference)), (mine.ravel(), reference)):
        words = diagnose(*pair)
        assert words is None or words.startswith(("is ", "has ", "differs ", "agrees "))


@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 1000))
def test_a_factor_is_always_found(rows, columns, seed):
    rng = np.random.default_rng(seed)
    reference = rng.standard_normal((rows, columns))
    assert diagnose(0.3 * reference, reference).startswith("is the reference times 0.3")


def test_same_is_strict_about_shapes_and_nan():
    assert same(np.ones(3), np.ones(3))
    assert not same(np.ones(3), np.ones((3, 1)))
    assert not same(np.array([1.0, np.nan]), np.array([1.0, np.nan]))
    assert same(np.array([1.0, 1e-9]), np.array([1.0, 0.0]))
    assert not same(np.array([1e-9]), np.array([0.0]))
