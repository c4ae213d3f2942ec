"""Pictures that answer the mouse where a page can: an array, a kernel, and what a convolution or its transpose makes of them.

    vis.show(vis.interactive("window", x, kernel), "window", "Point at a number of y to see the window that gives it.")

In an HTML page (`minifcn lesson open`) one hovers and clicks; a Markdown page, a notebook and paper show the still picture.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minifcn import functional as F
from minifcn.visualize.overlap import draw_stamps
from minifcn.visualize.showing import Interactive
from minifcn.visualize.sliding import draw_sliding, matrix

KINDS = ("window", "stamp")
_DECIMALS = 4  # of what a page holds: enough to read, too few for the rounding errors of another machine


def interactive(
    kind: str, x: Any, weight: Any, stride: int = 1, padding: int = 0, start: tuple[int, int] = (0, 0)
) -> Interactive:  # fmt: skip
    """x (H, W) and weight (KH, KW): an output and its window ("window"); an input of a deconvolution and its stamp ("stamp").

    `start` is the output, or the input, that is pointed at first. Raises ValueError for another kind, and for a start that
    is not there.
    """
    x, weight = matrix(x, "x"), matrix(weight, "weight")
    if kind not in KINDS:
        raise ValueError(f"there is no interactive picture of kind {kind!r}; choose one of {', '.join(KINDS)}")
    forward = F.conv2d if kind == "window" else F.conv_transpose2d
    y = forward(x[None, None], weight[None, None], stride=stride, padding=padding)[0][0, 0]  # (OH, OW)
    pointed = y if kind == "window" else x
    if not all(0 <= place < size for place, size in zip(start, pointed.shape, strict=True)):
        raise ValueError(f"start={start} lies outside of the {pointed.shape[0]} by {pointed.shape[1]} numbers to point at")
    if kind == "window":
        still = draw_sliding(x, weight, stride, padding, step=start[0] * y.shape[1] + start[1])
    else:
        still = draw_stamps(x, weight, stride, padding)
    arrays = {"x": np.pad(x, padding) if kind == "window" else x, "weight": weight, "y": y}
    data = {name: _numbers(array) for name, array in arrays.items()}
    return Interactive(still, kind, {**data, "stride": stride, "padding": padding, "start": list(start)})


def _numbers(array: np.ndarray) -> list[list[float]]:
    """As short as JSON has them: 1 for 1.0."""
    return [[int(value) if value == int(value) else value for value in row] for row in array.round(_DECIMALS).tolist()]
