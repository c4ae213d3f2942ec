"""Sizes that remember: right as numbers, and their terms evaluate to them."""

from __future__ import annotations

import math

import pytest

from minifcn.layers import smaller
from minifcn.layers.lengths import OPERATIONS, Length, term_of

H, W = Length(37, ("size", 0, 2)), Length(52, ("size", 0, 3))
COMPUTED = {
    "half": H // 2, "rounded up": -(-H // 2), "from the right": 100 - H, "both": H * W + 3, "twice": 2 * H, "modulo": -H % 16,
    "right": 1000 % H, "into": 1000 // H, "sum": sum([H, W]), "smaller": smaller(H - 5, W), "nested": smaller(9, H) + W - H,
}  # fmt: skip


def value(term, sizes):
    if isinstance(term, int):
        return term
    operation, left, right = term
    return sizes[left, right] if operation == "size" else OPERATIONS[operation](value(left, sizes), value(right, sizes))


@pytest.mark.parametrize("name", COMPUTED)
def test_terms_are_worth_their_number(name):
    length = COMPUTED[name]
    assert isinstance(length, Length)
    assert value(length.term, {(0, 2): 37, (0, 3): 52}) == length


def test_terms_hold_for_other_sizes():
    assert value(COMPUTED["rounded up"].term, {(0, 2): 40}) == 20
    assert value(COMPUTED["modulo"].term, {(0, 2): 35}) == 13
    assert value(COMPUTED["smaller"].term, {(0, 2): 90, (0, 3): 52}) == 52
    assert value(COMPUTED["smaller"].term, {(0, 2): 30, (0, 3): 52}) == 25


def test_comparisons_are_noted():
    compared = []
    height, other = Length(37, ("size", 1, 2), compared), Length(40, ("size", 2, 2), compared)
    assert (height < other, height >= other, min(height + 1, W), height + 1 != 40, (height,) != (other,)) == (
        True, False, 38, True, True,
    )  # fmt: skip
    assert [operation for operation, *_ in compared][:5] == ["__lt__", "__ge__", "__lt__", "__ne__", "__eq__"]
    assert compared[0][1:] == (("size", 1, 2), 40)
    compared.clear()
    _ = smaller(height, other), height // 2 + W, f"{height}", [0] * height
    assert not compared


def test_it_is_an_integer_like_any_other():
    assert (H, str(H), f"{H:4d}", H == 37, hash(H), [0] * H, H / 2) == (37, "37", "  37", True, hash(37), [0] * 37, 18.5)
    assert type(H / 2) is type(H * 0.5) is float
    assert (term_of(H), term_of(5), term_of(True)) == (("size", 0, 2), 5, 1)
    assert type(term_of(math.ceil(H / 2))) is int  # forgotten
    assert type(smaller(3, 4)) is int
