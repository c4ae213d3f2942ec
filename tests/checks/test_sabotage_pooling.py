"""Wrong backwards of pooling, unpooling and resizing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from minifcn import functional as F
from minifcn.checks import tie_free
from support.sabotage import Sabotage, first_picture_only, flip, last_column_lost, mutants_of

RNG = np.random.default_rng(42)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape)


POOL_OPTIONS = {"kernel_size": 3, "stride": 2, "padding": 1}
POOL_X = tie_free((2, 3, 6, 6), np.random.default_rng(1))
FIRST_PIXELS = np.array([[0, 1, 3], [6, 7, 9], [18, 19, 21]])  # of each window, inside the picture, as flat indices


def scattered(dy, indices, shape, add=True):
    """dy to the places of an (H, W) plane that ``indices`` name."""
    N, C, H, W = shape
    dx = np.zeros((N, C, H * W))
    n, c, _ = np.ogrid[:N, :C, :1]
    at = (n, c, indices.reshape(N, C, -1))
    if add:
        np.add.at(dx, at, dy.reshape(N, C, -1))
    else:
        dx[at] = dy.reshape(N, C, -1)
    return dx.reshape(shape)


def pooled_to(change: Callable, add: bool = True) -> Callable:
    """Max-pooling's backward with other winners: ``change(indices)``."""
    return lambda dy, cache: scattered(dy, change(F.max_pool2d_indices(cache)), POOL_X.shape, add)


def mean_backward(dy, cache):
    """Average pooling's backward."""
    return F.avg_pool2d_backward(dy, F.avg_pool2d(POOL_X, **POOL_OPTIONS)[1])


def smallest(dy, cache):
    return F.max_pool2d_backward(dy, F.max_pool2d(-POOL_X, **POOL_OPTIONS)[1])


def not_overlapping(dy, cache):
    return F.max_pool2d_backward(dy, F.max_pool2d(POOL_X, 2, 2)[1])


MAX_POOL = Sabotage(F.max_pool2d, {"x": POOL_X}, POOL_OPTIONS, {
    "zero": lambda dy, cache: np.zeros(POOL_X.shape),
    "wrong sign": lambda dy, cache: -F.max_pool2d_backward(dy, cache),
    "to the smallest": smallest,
    "spread over the window": mean_backward,
    "windows overwrite each other instead of adding": pooled_to(lambda indices: indices, add=False),
    "row and column of the winner exchanged": pooled_to(lambda indices: indices % 6 * 6 + indices // 6),
    "winner one pixel off": pooled_to(lambda indices: np.minimum(indices + 1, 35)),
    "winner of the next channel": pooled_to(lambda indices: np.roll(indices, 1, axis=1)),
    "always the first pixel of the window": pooled_to(lambda indices: np.zeros_like(indices) + FIRST_PIXELS),
    "stride and padding forgotten": not_overlapping,
    "dy flipped": lambda dy, cache: F.max_pool2d_backward(flip(dy), cache),
    "first picture only": lambda dy, cache: first_picture_only(F.max_pool2d_backward(dy, cache)),
    "divided by the window": lambda dy, cache: F.max_pool2d_backward(dy, cache) / 9,
})  # fmt: skip

UNPOOL_X, UNPOOL_INDICES = normal(2, 3, 2, 3), F.max_pool2d_indices(F.max_pool2d(normal(2, 3, 5, 7), 2)[1])


def gathered(change: Callable) -> Callable:
    """Unpooling's backward that reads from other places: ``change(indices)``."""
    return lambda dy, cache: np.take_along_axis(dy.reshape(2, 3, 35), change(UNPOOL_INDICES).reshape(2, 3, -1), axis=2).reshape(
        UNPOOL_X.shape
    )


MAX_UNPOOL = Sabotage(F.max_unpool2d, {"x": UNPOOL_X, "indices": UNPOOL_INDICES}, {"output_size": (5, 7)}, {
    "zero": lambda dy, cache: np.zeros(UNPOOL_X.shape),
    "wrong sign": lambda dy, cache: -F.max_unpool2d_backward(dy, cache),
    "one pixel off": gathered(lambda indices: indices + 1),
    "one row off": gathered(lambda indices: (indices + 7) % 35),
    "indices of the next channel": gathered(lambda indices: np.roll(indices, 1, axis=1)),
    "indices of the other picture": gathered(lambda indices: indices[::-1]),
    "indices of a plane with another width": gathered(lambda indices: indices // 7 * 6 + indices % 7),
    "the corner of each window": lambda dy, cache: dy[:, :, 0:4:2, 0:6:2].copy(),
    "the top left of dy": lambda dy, cache: dy[:, :, :2, :3].copy(),
    "summed over the window": lambda dy, cache: dy[:, :, :4, :6].reshape(2, 3, 2, 2, 3, 2).sum(axis=(3, 5)),
})  # fmt: skip

AVG_X, AVG_OPTIONS = normal(2, 3, 6, 6), {"kernel_size": (3, 2), "stride": (2, 1), "padding": 1}


def averaged(**changed) -> Callable:
    """Average pooling's backward with other options."""
    return lambda dy, cache: F.avg_pool2d_backward(dy, F.avg_pool2d(AVG_X, **{**AVG_OPTIONS, **changed})[1])


def of_avg_pool(change: Callable) -> Callable:
    return lambda dy, cache: change(F.avg_pool2d_backward(dy, cache))


AVG_POOL = Sabotage(F.avg_pool2d, {"x": AVG_X}, AVG_OPTIONS, {
    "zero": of_avg_pool(np.zeros_like),
    "wrong sign": of_avg_pool(np.negative),
    "the sum, not the mean": of_avg_pool(lambda dx: dx * 6),
    "divided by N as well": of_avg_pool(lambda dx: dx / 2),
    "padding not counted": averaged(count_include_pad=False),
    "one row off": of_avg_pool(lambda dx: np.roll(dx, 1, axis=2)),
    "one column off": of_avg_pool(lambda dx: np.roll(dx, 1, axis=3)),
    "without its last column": of_avg_pool(last_column_lost),
    "dy flipped": lambda dy, cache: F.avg_pool2d_backward(flip(dy), cache),
    "overlaps averaged": lambda dy, cache: F.avg_pool2d_backward(dy, cache) / F.avg_pool2d_backward(np.full_like(dy, 6), cache),
    "channels mixed up": of_avg_pool(lambda dx: dx[:, ::-1]),
})  # fmt: skip

ADAPTIVE_X = normal(2, 3, 7, 5)


def of_adaptive(change: Callable) -> Callable:
    return lambda dy, cache: change(F.adaptive_avg_pool2d_backward(dy, cache))


def equal_windows(dy, cache):
    """Windows cut without overlap, as if 3 divided 7 and 2 divided 5."""
    dx = np.zeros(ADAPTIVE_X.shape)
    rows, columns = np.array_split(np.arange(7), 3), np.array_split(np.arange(5), 2)
    for i, r in enumerate(rows):
        for j, c in enumerate(columns):
            dx[:, :, r[0] : r[-1] + 1, c[0] : c[-1] + 1] = dy[:, :, i, j, None, None] / (len(r) * len(c))
    return dx


ADAPTIVE = Sabotage(F.adaptive_avg_pool2d, {"x": ADAPTIVE_X}, {"output_size": (3, 2)}, {
    "zero": of_adaptive(np.zeros_like),
    "wrong sign": of_adaptive(np.negative),
    "sums, not means": of_adaptive(lambda dx: dx * 9),
    "windows without overlap": equal_windows,
    "divided by N as well": of_adaptive(lambda dx: dx / 2),
    "one row off": of_adaptive(lambda dx: np.roll(dx, 1, axis=2)),
    "without its last column": of_adaptive(last_column_lost),
    "dy flipped": lambda dy, cache: F.adaptive_avg_pool2d_backward(flip(dy), cache),
    "nearest neighbour": lambda dy, cache: F.interpolate(dy, (7, 5), mode="nearest")[0] * 6 / 35,
})  # fmt: skip

RESIZE_X, RESIZE_OPTIONS = normal(2, 3, 4, 4), {"size": (8, 7)}


def resized(**changed) -> Callable:
    """Bilinear resizing's backward, with other options."""
    return lambda dy, cache: F.interpolate_backward(dy, F.interpolate(RESIZE_X, **{**RESIZE_OPTIONS, **changed})[1])


def of_resize(change: Callable) -> Callable:
    return lambda dy, cache: change(F.interpolate_backward(dy, cache))


INTERPOLATE = Sabotage(F.interpolate, {"x": RESIZE_X}, RESIZE_OPTIONS, {
    "zero": of_resize(np.zeros_like),
    "nearest for bilinear": resized(mode="nearest"),
    "align_corners mixed up": resized(align_corners=True),
    "averaged": of_resize(lambda dx: dx / 4),
    "transposed": of_resize(lambda dx: dx.swapaxes(2, 3)),
    "one row off": of_resize(lambda dx: np.roll(dx, 1, axis=2)),
    "without its last column": of_resize(last_column_lost),
    "dy flipped": lambda dy, cache: F.interpolate_backward(flip(dy), cache),
    "every other pixel of dy": lambda dy, cache: dy[:, :, ::2, ::2].copy(),
    "dy resized back": lambda dy, cache: F.interpolate(dy, (4, 4))[0],
    "wrong sign": of_resize(np.negative),
})  # fmt: skip


SABOTAGES = {
    "max_pool2d": MAX_POOL, "max_unpool2d": MAX_UNPOOL, "avg_pool2d": AVG_POOL, "adaptive_avg_pool2d": ADAPTIVE,
    "interpolate": INTERPOLATE,
}  # fmt: skip


@pytest.mark.parametrize("name", SABOTAGES)
def test_the_right_backward_passes(name):
    SABOTAGES[name].assert_accepted()


@pytest.mark.parametrize(("name", "mutant"), mutants_of(SABOTAGES))
def test_rejected(name, mutant, monkeypatch):
    SABOTAGES[name].assert_rejected(mutant, monkeypatch)
