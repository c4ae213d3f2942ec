"""The optimizers' updates on a GPU: update.cu. All arrays are contiguous, of one shape, and written in place."""

from __future__ import annotations

from minifcn.backend import Array
from minifcn.kernels.cuda.launch import blocks_for, c_type, launch


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
