"""The optimizers' updates on a GPU: update.cu. Arrays are of one shape; what is written in place is contiguous."""

from __future__ import annotations

import numpy as np

from minifcn.backend import Array, get_xp
from minifcn.kernels.cuda.launch import blocks_for, c_type, launch

_MOST_BLOCKS = 1024  # each adds up many numbers: fixed, so that sums have the same bits everywhere


def squares(d: Array) -> Array:
    """Some float64 numbers whose sum is that of the squares of d."""
    (blocks,) = blocks_for(d.size)
    parts = get_xp(d).empty(min(blocks, _MOST_BLOCKS), np.float64)
    launch("update.cu", "squares", parts.shape, 256, (d, parts, d.size), REAL=c_type(d.dtype))
    return parts


def shrink(d: Array, factor: Array) -> None:
    """d times a factor () on the device, in place; where it is 1 nothing is read or written."""
    if not d.flags.c_contiguous:
        d *= factor
        return
    (blocks,) = blocks_for(d.size)
    launch("update.cu", "shrink", (min(blocks, _MOST_BLOCKS),), 256, (d, factor, d.size), REAL=c_type(d.dtype))


def sgd(w: Array, dw: Array, v: Array | None, lr: float, momentum: float, decay: float, into: float, nesterov: bool) -> None:
    """One step of SGD: the weights w and, unless it is None, the momentum v. `into`: the gradient's share in v."""
    arguments = (w, dw, v, w.size, lr, momentum, decay, into, nesterov)
    launch("update.cu", "sgd", blocks_for(w.size), 256, arguments, REAL=c_type(w.dtype))


def adam(
    w: Array, dw: Array, m: Array, v: Array, lr: float, betas: tuple[float, float], eps: float, decay: float,
    step: int, decoupled: bool,
) -> None:  # fmt: skip
    """Step number `step`, from 1, of Adam or (`decoupled`) AdamW: the weights w and both averages m and v."""
    beta1, beta2 = betas
    corrections = lr / (1 - beta1**step), (1 - beta2**step) ** 0.5
    arguments = (w, dw, m, v, w.size, lr, beta1, beta2, eps, decay, *corrections, decoupled)
    launch("update.cu", "adam", blocks_for(w.size), 256, arguments, REAL=c_type(w.dtype))
