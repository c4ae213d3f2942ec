"""Wrong backwards of where roads meet: sums, concatenations, cropping and padding."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from minifcn import functional as F
from support.sabotage import Sabotage, flip, last_column_lost, mutants_of

RNG = np.random.default_rng(43)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape)


A, B = normal(2, 3, 4, 5), normal(2, 3, 4, 5)

ADD = Sabotage(F.add, {"a": A, "b": B}, {}, {
    "a's gradient for both, halved": lambda dy, cache: (dy / 2, dy / 2),
    "nothing for b": lambda dy, cache: (dy, np.zeros_like(dy)),
    "nothing for a": lambda dy, cache: (np.zeros_like(dy), dy),
    "b's with the sign of a difference": lambda dy, cache: (dy, -dy),
    "those of a product": lambda dy, cache: (dy * B, dy * A),
    "twice for a (a sum of a with itself)": lambda dy, cache: (2 * dy, dy.copy()),
    "b's turned over": lambda dy, cache: (dy, flip(dy)),
    "b's summed over the pictures (broadcasting)": lambda dy, cache: (dy, np.broadcast_to(dy.sum(0), dy.shape).copy()),
})  # fmt: skip

PARTS = normal(2, 2, 3, 4), normal(2, 1, 3, 4), normal(2, 2, 3, 4)  # the first and the last of one shape: they can be mixed up


def cut(dy: np.ndarray, *edges: int) -> tuple[np.ndarray, ...]:
    """dy's channels between the edges."""
    return tuple(dy[:, start:stop] for start, stop in pairwise(edges))


CONCAT = Sabotage(F.concat, {f"parts[{number}]": part for number, part in enumerate(PARTS)}, {}, {
    "the last part first": lambda dy, cache: tuple(reversed(cut(dy, 0, 2, 3, 5))),
    "all from the first channel on": lambda dy, cache: (dy[:, :2], dy[:, :1], dy[:, :2]),
    "all up to the last channel": lambda dy, cache: (dy[:, -2:], dy[:, -1:], dy[:, -2:]),
    "one channel too late": lambda dy, cache: cut(np.roll(dy, -1, axis=1), 0, 2, 3, 5),
    "nothing for the skip": lambda dy, cache: (np.zeros((2, 2, 3, 4)), *cut(dy, 2, 3, 5)),
    "divided among the parts": lambda dy, cache: cut(dy / 3, 0, 2, 3, 5),
    "channels of a part turned round": lambda dy, cache: (dy[:, 1::-1], *cut(dy, 2, 3, 5)),
    "pictures of a part exchanged": lambda dy, cache: (*cut(dy, 0, 2, 3), dy[::-1, 3:]),
    "the mean over channels": lambda dy, cache: tuple(
        np.broadcast_to(part.mean(1, keepdims=True), part.shape) for part in cut(dy, 0, 2, 3, 5)),
    "dy cut as if channels came last": lambda dy, cache: tuple(
        part.reshape(2, -1, 3, 4) for part in cut(dy.transpose(0, 2, 3, 1).reshape(2, 5, 3, 4), 0, 2, 3, 5)),
})  # fmt: skip

CROP_X, CROP = normal(2, 3, 7, 9), {"top": 1, "left": 2, "height": 4, "width": 5}


def put(dy: np.ndarray, top: int = 1, left: int = 2, outside: float = 0.0) -> np.ndarray:
    dx = np.full(CROP_X.shape, outside)
    dx[:, :, top : top + dy.shape[2], left : left + dy.shape[3]] = dy
    return dx


CROP_SABOTAGE = Sabotage(F.crop, {"x": CROP_X}, CROP, {
    "put back at the corner": lambda dy, cache: put(dy, 0, 0),
    "top and left exchanged": lambda dy, cache: put(dy, 2, 1),
    "one row too low": lambda dy, cache: put(dy, top=2),
    "centred": lambda dy, cache: put(dy, (7 - 4) // 2, (9 - 5) // 2 + 1),
    "ones outside": lambda dy, cache: put(dy, outside=1.0),
    "the border repeated outside": lambda dy, cache: np.pad(dy, ((0, 0), (0, 0), (1, 2), (2, 2)), mode="edge"),
    "zero": lambda dy, cache: put(0 * dy),
    "turned over": lambda dy, cache: put(flip(dy)),
    "a column lost": lambda dy, cache: put(last_column_lost(dy)),
    "scaled by what was cut away": lambda dy, cache: put(dy * 63 / 20),
})  # fmt: skip

PAD_X, PADDING = normal(2, 3, 4, 5), (1, 2, 3, 0)  # left, right, top, bottom


def inside(dy: np.ndarray, top: int = 3, left: int = 1) -> np.ndarray:
    return dy[:, :, top : top + 4, left : left + 5]


PAD = Sabotage(F.pad, {"x": PAD_X}, {"padding": PADDING, "value": -1.0}, {
    "from the corner": lambda dy, cache: inside(dy, 0, 0),
    "left and right exchanged": lambda dy, cache: inside(dy, left=2),
    "top and bottom exchanged": lambda dy, cache: inside(dy, top=0),
    "rows and columns exchanged": lambda dy, cache: inside(dy, top=1, left=3),
    "zero": lambda dy, cache: np.zeros_like(PAD_X),
    "times the value of the frame": lambda dy, cache: -inside(dy),
    "the frame's gradient added at the border": lambda dy, cache: np.concatenate(
        [dy[:, :, :4, 1:6].sum(axis=2, keepdims=True), inside(dy)[:, :, 1:]], axis=2),
    "the last column lost": lambda dy, cache: last_column_lost(inside(dy)),
    "turned over": lambda dy, cache: flip(inside(dy)),
})  # fmt: skip

SABOTAGES = {"add": ADD, "concat": CONCAT, "crop": CROP_SABOTAGE, "pad": PAD}


@pytest.mark.parametrize("name", SABOTAGES)
def test_the_right_backward_passes(name):
    SABOTAGES[name].assert_accepted()


@pytest.mark.parametrize(("name", "mutant"), mutants_of(SABOTAGES))
def test_rejected(name, mutant, monkeypatch):
    SABOTAGES[name].assert_rejected(mutant, monkeypatch)


def test_the_formulas_that_the_mutants_vary_are_right():
    dy = normal(2, 3, 4, 5)
    np.testing.assert_array_equal(put(dy), F.crop_backward(dy, F.crop(CROP_X, **CROP)[1]))
    y, cache = F.pad(PAD_X, PADDING)
    np.testing.assert_array_equal(inside(y), PAD_X)
    np.testing.assert_array_equal(inside(dy := normal(*y.shape)), F.pad_backward(dy, cache))
    y, cache = F.concat(*PARTS)
    for mine, right in zip(cut(dy := normal(*y.shape), 0, 2, 3, 5), F.concat_backward(dy, cache), strict=True):
        np.testing.assert_array_equal(mine, right)
