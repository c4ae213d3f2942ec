"""Local response normalisation: some pixels at a time, all their channels while they are in cache."""

from __future__ import annotations

import numpy as np

from minifcn.kernels.threads import over_blocks


def local_response(x3: np.ndarray, size: int, alpha: float, beta: float, k: float) -> tuple[np.ndarray, np.ndarray]:
    """x3 (N, C, L) -> y3 and s3 of the same shape."""
    y3, s3 = np.empty_like(x3), np.empty_like(x3)

    def block(at: tuple[slice, ...]) -> None:
        x, s = x3[at], s3[at]
        _add_neighbours(x * x, size // 2, (size - 1) // 2, out=s)
        s *= alpha / size
        s += k
        np.divide(x, _power(s, beta), out=y3[at])

    over_blocks(block, x3, axes=(0, 2))
    return y3, s3


def local_response_backward(
    dy3: np.ndarray, x3: np.ndarray, s3: np.ndarray, size: int, alpha: float, beta: float
) -> np.ndarray:
    """dy3, x3 and s3 (N, C, L) -> dx3."""
    dx3 = np.empty_like(dy3)

    def block(at: tuple[slice, ...]) -> None:
        x, s, dx = x3[at], s3[at], dx3[at]
        direct = dy3[at] / _power(s, beta)
        share = direct * x
        share /= s
        _add_neighbours(share, (size - 1) // 2, size // 2, out=dx)
        dx *= x
        dx *= -2 * alpha * beta / size
        dx += direct

    over_blocks(block, dy3, axes=(0, 2))
    return dx3


def _power(s: np.ndarray, beta: float) -> np.ndarray:
    """s^β; everybody's β is ¾, and two square roots cost a fraction of a power."""
    if beta != 0.75:
        return s**beta
    root = np.sqrt(s)
    return root * np.sqrt(root)


def _add_neighbours(values: np.ndarray, below: int, above: int, out: np.ndarray) -> None:
    """out[c] = the sum of values over the channels c − below ... c + above, as far as there are channels."""
    C = values.shape[1]
    out[...] = values
    for step in range(1, min(below, C - 1) + 1):
        out[:, step:] += values[:, :-step]
    for step in range(1, min(above, C - 1) + 1):
        out[:, :-step] += values[:, step:]
