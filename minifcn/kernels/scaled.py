"""Weights with a factor for each output, for as long as one convolution needs them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from minifcn.kernels.scratch import SCALED, workspace
from minifcn.kernels.threads import Block, over_blocks


@contextlib.contextmanager
def scaled(weight: Any, scale: Any) -> Iterator[Any]:
    """weight (O, C/G, KH, KW) times scale (O,): on a CPU in memory that is reused, and so inside of the `with` only."""
    if not isinstance(weight, np.ndarray):
        yield weight * scale[:, None, None, None]
        return
    with workspace(weight.dtype) as new:
        product = new(*weight.shape) if weight.nbytes <= SCALED else np.empty(weight.shape, weight.dtype)

        def some(outputs: Block) -> None:
            np.multiply(weight[outputs], scale[outputs][:, None, None, None], out=product[outputs])

        over_blocks(some, weight, axes=(0,))
        yield product
