"""Max-pooling, planes by planes: one pass over the windows for each tap, while the planes are in cache."""

from __future__ import annotations

import numpy as np

from minifcn.kernels.pool_geometry import Windows
from minifcn.kernels.threads import Block, over_blocks


def max_pool(x: np.ndarray, windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    """x (N, C, H, W) -> y and switches (N, C, OH, OW)."""
    y = np.empty((*x.shape[:2], *windows.output_size), x.dtype)
    first = windows.first_tap()  # (OH, OW)
    switches = np.empty(y.shape, first.dtype)

    def planes(at: Block) -> None:
        y[at] = -np.inf
        switches[at] = first
        for tap, outputs, inputs in windows.taps():
            best, switch = y[at][outputs], switches[at][outputs]
            candidate = x[at][inputs].copy()  # side by side in memory: read once across the stride, then fast
            better = (candidate > best) | (candidate != candidate)  # strictly: the first of equals stays; NaN always wins
            np.maximum(best, candidate, out=best)
            np.maximum(switch, better * switch.dtype.type(tap), out=switch)  # taps ascend: the last better one is the largest

    over_blocks(planes, x)
    return y, switches


def max_pool_backward(dy: np.ndarray, switches: np.ndarray, windows: Windows) -> np.ndarray:
    """dy and switches (N, C, OH, OW) -> dx (N, C, H, W)."""
    dx = np.zeros((*dy.shape[:2], windows.H, windows.W), dy.dtype)

    def planes(at: Block) -> None:
        for tap, outputs, inputs in windows.taps():
            share = (switches[at][outputs] == tap).astype(dy.dtype)  # 1 where this tap won
            share *= dy[at][outputs]
            if windows.overlap:
                dx[at][inputs] += share
            else:
                dx[at][inputs] = share

    over_blocks(planes, dy)
    return dx
