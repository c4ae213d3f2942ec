"""Pictures that answer the mouse where a page can: a convolution or its transpose, or two sets of pixels that are moved.

    vis.show(vis.interactive("window", x, kernel), "window", "Point at a number of y to see the window that gives it.")

In an HTML page (`minifcn lesson open`) one hovers, clicks and drags; a Markdown page, a notebook and paper show the still.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minifcn import functional as F
from minifcn.visualize.overlap import draw_stamps
from minifcn.visualize.pixels import draw_agreement
from minifcn.visualize.showing import Interactive
from minifcn.visualize.sliding import draw_sliding, matrix

_DECIMALS = 4  # of what a page holds: enough to read, too few for the rounding errors of another machine


def interactive(kind: str, *arrays: Any, **options: Any) -> Interactive:
    """A picture that answers: `kind` and its arrays, each (H, W).

    - "window", x, weight, stride=1, padding=0, start=(0, 0): a convolution, an output and its window;
    - "stamp", with the same: a deconvolution, an input and its stamp;
    - "overlap", truth, prediction: two sets of pixels and their IU, while the prediction is moved.

    `start` is the output, or the input, that is pointed at first. Raises ValueError for another kind, and for a start that
    is not there.
    """
    if kind not in _KINDS:
        raise ValueError(f"there is no interactive picture of kind {kind!r}; choose one of {', '.join(_KINDS)}")
    return _KINDS[kind](*arrays, **options)


def _window(x: Any, weight: Any, stride: int = 1, padding: int = 0, start: tuple[int, int] = (0, 0)) -> Interactive:
    x, weight = matrix(x, "x"), matrix(weight, "weight")
    y = F.conv2d(x[None, None], weight[None, None], stride=stride, padding=padding)[0][0, 0]  # (OH, OW)
    _check_start(start, y)
    still = draw_sliding(x, weight, stride, padding, step=start[0] * y.shape[1] + start[1])
    options = {"stride": stride, "padding": padding, "start": list(start)}
    return Interactive(still, "window", {**_numbers(x=np.pad(x, padding), weight=weight, y=y), **options})


def _stamp(x: Any, weight: Any, stride: int = 1, padding: int = 0, start: tuple[int, int] = (0, 0)) -> Interactive:
    x, weight = matrix(x, "x"), matrix(weight, "weight")
    y = F.conv_transpose2d(x[None, None], weight[None, None], stride=stride, padding=padding)[0][0, 0]  # (OH, OW)
    _check_start(start, x)
    options = {"stride": stride, "padding": padding, "start": list(start)}
    return Interactive(draw_stamps(x, weight, stride, padding), "stamp", {**_numbers(x=x, weight=weight, y=y), **options})


def _overlap(truth: Any, prediction: Any) -> Interactive:
    sets = {"truth": np.asarray(truth, bool), "prediction": np.asarray(prediction, bool)}
    if not sets["prediction"].any():
        raise ValueError("the prediction has no pixel, so there is nothing to move; give it at least one")
    return Interactive(draw_agreement(truth, prediction), "overlap", _numbers(**sets))


_KINDS: dict[str, Callable[..., Interactive]] = {"window": _window, "stamp": _stamp, "overlap": _overlap}


def _check_start(start: tuple[int, int], pointed: np.ndarray) -> None:
    if not all(0 <= place < size for place, size in zip(start, pointed.shape, strict=True)):
        raise ValueError(f"start={start} lies outside of the {pointed.shape[0]} by {pointed.shape[1]} numbers to point at")


def _numbers(**arrays: np.ndarray) -> dict[str, Any]:
    """As lists of lists, and as short as JSON has numbers: 1 for 1.0."""
    return {
        name: [[int(value) if value == int(value) else value for value in row] for row in array.round(_DECIMALS).tolist()]
        for name, array in ((name, np.asarray(array, float)) for name, array in arrays.items())
    }
