"""Max-pooling, planes by planes: one pass over the windows for each tap, while the planes are in cache."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minifcn.kernels.pool_geometry import Windows
from minifcn.kernels.scratch import workspace
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


def max_pool_values(x: np.ndarray, windows: Windows) -> np.ndarray:
    """x (N, C, H, W) -> y (N, C, OH, OW) alone: down the rows, side by side in memory, then across what is left."""
    OH, OW = windows.output_size
    y = np.empty((*x.shape[:2], OH, OW), x.dtype)
    rows, columns = windows.reaches()

    def planes(at: Block) -> None:
        with workspace(x.dtype) as new:
            down = new(*x[at].shape[:2], OH, windows.W)
            _largest(down, rows, lambda outputs, inputs: (down[:, :, outputs], x[at][:, :, inputs]))
            _largest(y[at], columns, lambda outputs, inputs: (y[at][..., outputs], down[..., inputs]))

    over_blocks(planes, x)
    return y


def _largest(out: np.ndarray, reaches: list[tuple[slice, slice]], pair: Callable[..., tuple[np.ndarray, np.ndarray]]) -> None:
    """Writes the largest over all taps of an axis; `pair(outputs, inputs)` gives outputs that have a tap, and its numbers."""
    pairs = sorted((pair(*reach) for reach in reaches if reach[0].start < reach[0].stop), key=lambda one: -one[0].size)
    if pairs[0][0].size == out.size:
        np.copyto(*pairs.pop(0))
    else:
        out[...] = -np.inf
    for so_far, more in pairs:
        np.maximum(so_far, more, out=so_far)


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
