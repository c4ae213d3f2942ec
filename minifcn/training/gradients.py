"""All gradients at once: walking them in blocks, their norm, clipping."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from minifcn.backend import Array, get_xp
from minifcn.kernels import accelerated
from minifcn.kernels.threads import over_blocks
from minifcn.layers import Parameter


def over_flat_blocks(function: Callable[..., Any], *arrays: Array) -> list[Any]:
    """Calls `function(*blocks)` for blocks, cut alike, of arrays of one shape; the results in block order.

    The blocks are one-dimensional views that fit in a CPU's cache. There is one block, all of it, on a GPU, whose kernels need
    no temporaries, and where some array is not contiguous.
    """
    if not all(array.flags.c_contiguous for array in arrays):
        return [function(*arrays)]
    flat = [array.reshape(-1) for array in arrays]
    if get_xp(*arrays) is np:
        return over_blocks(lambda at: function(*(array[at] for array in flat)), flat[0], axes=(0,))
    return [function(*flat)]


def clip_grad_norm(parameters: Iterable[Parameter], max_norm: float | None = None) -> Array:
    """The Euclidean norm of all gradients together, as a 0-d array on their device.

    With `max_norm`, gradients whose norm is larger are scaled in place to it (Pascanu et al. 2013, algorithm 1), by
    PyTorch's factor max_norm / (norm + 1e-6). The norm returned is that before scaling.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.requires_grad and parameter.grad is not None]
    if max_norm is not None and not max_norm > 0:
        raise ValueError(f"max_norm is {max_norm}; the largest norm of the gradients must be positive")
    with np.errstate(over="ignore", invalid="ignore"):  # a norm that is not finite is an answer
        squares = [square for dw in gradients for square in over_flat_blocks(_squares, dw)]
    if not squares:
        return np.zeros(())
    xp = get_xp(*gradients)
    norm = xp.sqrt(xp.concatenate(squares).sum(dtype=np.float64))
    if max_norm is not None:
        factor = xp.minimum(max_norm / (norm + 1e-6), 1.0)
        if xp is not np or factor < 1:  # a GPU is not waited for: its kernel looks, and leaves what need not shrink
            for dw in gradients:
                scale = factor.astype(dw.dtype)
                over_flat_blocks(lambda d, scale=scale: _shrink(d, scale), dw)
    return norm


@accelerated("squares")
def _squares(d: Array) -> Array:
    """Some numbers whose sum is that of the squares of d."""
    return (d.ravel() @ d.ravel()).reshape(1)


@accelerated("shrink")
def _shrink(d: Array, factor: Array) -> None:
    """d times a factor () of at most 1, in place."""
    get_xp(d).multiply(d, factor, out=d)
