"""Wrong backwards of convolution and transposed convolution."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from minifcn import functional as F
from support.sabotage import Sabotage, first_picture_only, flip, last_column_lost, mutants_of, only, other_dy

RNG = np.random.default_rng(42)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape)


CONV = {"x": normal(2, 4, 5, 4), "weight": normal(4, 2, 3, 3), "bias": normal(4)}
CONV_OPTIONS = {"stride": (2, 1), "padding": (1, 2), "groups": 2}
DECONV_OPTIONS = {"stride": (2, 1), "padding": (1, 0), "output_padding": (1, 0), "groups": 2}


def convolution_mutants(forward: Callable, right: Callable, options: dict) -> dict[str, Callable]:
    def with_weight(change: Callable) -> Callable:
        def mutant(dy, cache):
            wrong = forward(CONV["x"], change(CONV["weight"]), CONV["bias"], **options)[1]
            return (right(dy, wrong)[0], *right(dy, cache)[1:])

        return mutant

    def with_x(change: Callable) -> Callable:
        def mutant(dy, cache):
            wrong = forward(change(CONV["x"]), CONV["weight"], CONV["bias"], **options)[1]
            return right(dy, cache)[0], right(dy, wrong)[1], right(dy, cache)[2]

        return mutant

    return {
        "dx is zero": only(0, right, np.zeros_like),
        "dx has the wrong sign": only(0, right, np.negative),
        "dx from a flipped kernel": with_weight(flip),
        "dx from a transposed kernel": with_weight(lambda w: w.swapaxes(2, 3)),
        "dx with groups crossed": with_weight(lambda w: np.roll(w, 2, axis=0)),
        "dx with channels of a group crossed": with_weight(lambda w: w[:, ::-1]),
        "dx cropped one row off": only(0, right, lambda dx: np.roll(dx, 1, axis=2)),
        "dx cropped one column off": only(0, right, lambda dx: np.roll(dx, -1, axis=3)),
        "dx of the first picture only": only(0, right, first_picture_only),
        "dx without its last column": only(0, right, last_column_lost),
        "dx from flipped dy": other_dy(0, right, flip),
        "dx with a lost 1/N": only(0, right, lambda dx: dx * 2),
        "dx missing": only(0, right, lambda dx: None),
        "dweight is zero": only(1, right, np.zeros_like),
        "dweight flipped": only(1, right, flip),
        "dweight transposed": only(1, right, lambda dw: dw.swapaxes(2, 3)),
        "dweight shifted": only(1, right, lambda dw: np.roll(dw, 1, axis=3)),
        "dweight with groups crossed": only(1, right, lambda dw: np.roll(dw, 2, axis=0)),
        "dweight with input channels crossed": only(1, right, lambda dw: dw[:, ::-1]),
        "dweight from flipped dy": other_dy(1, right, flip),
        "dweight from flipped x": with_x(flip),
        "dweight averaged over the batch": only(1, right, lambda dw: dw / 2),
        "dweight of the first picture only": other_dy(1, right, first_picture_only),
        "dweight without the border of dy": other_dy(1, right, last_column_lost),
        "dbias averaged over pixels": lambda dy, cache: (*right(dy, cache)[:2], dy.mean(axis=(0, 2, 3))),
        "dbias averaged over the batch": lambda dy, cache: (*right(dy, cache)[:2], dy.mean(axis=0).sum(axis=(1, 2))),
        "dbias of the first picture": lambda dy, cache: (*right(dy, cache)[:2], dy[0].sum(axis=(1, 2))),
        "dbias missing": only(2, right, lambda db: None),
        "dbias with a wrong shape": only(2, right, lambda db: db[:, None, None]),
        "one of three gradients": lambda dy, cache: right(dy, cache)[0],
    }


SABOTAGES = {
    "conv2d": Sabotage(F.conv2d, CONV, CONV_OPTIONS, convolution_mutants(F.conv2d, F.conv2d_backward, CONV_OPTIONS)),
    "conv2d_relu": Sabotage(
        F.conv2d_relu, CONV, CONV_OPTIONS, convolution_mutants(F.conv2d_relu, F.conv2d_relu_backward, CONV_OPTIONS) | {
            "ReLU is forgotten": lambda dy, caches: F.conv2d_backward(dy, caches[0]),
            "ReLU lets through where dy is positive": lambda dy, caches: F.conv2d_relu_backward(dy, (caches[0], dy)),
        }),
    "conv_transpose2d": Sabotage(
        F.conv_transpose2d, CONV, DECONV_OPTIONS,
        convolution_mutants(F.conv_transpose2d, F.conv_transpose2d_backward, DECONV_OPTIONS)),
}  # fmt: skip


@pytest.mark.parametrize("name", SABOTAGES)
def test_the_right_backward_passes(name):
    SABOTAGES[name].assert_accepted()


@pytest.mark.parametrize(("name", "mutant"), mutants_of(SABOTAGES))
def test_rejected(name, mutant, monkeypatch):
    SABOTAGES[name].assert_rejected(mutant, monkeypatch)
