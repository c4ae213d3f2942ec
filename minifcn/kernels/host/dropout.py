"""Dropout's mask, drawn on all cores with the bits that one NumPy generator draws, and applied by its bits."""

from __future__ import annotations

import numpy as np

from minifcn.kernels.threads import Block, over_blocks

_CHUNK = 1 << 16  # elements that a thread takes at a time, few enough for its cache; a multiple of a counter's 8


def dropout(x: np.ndarray, key: np.ndarray, threshold: int, scale: np.floating) -> tuple[np.ndarray, np.ndarray]:
    """x of any shape -> y and the mask, a byte an element."""
    kept = _draw(x.shape, key, threshold)
    return dropout_backward(x, kept, scale), kept


def dropout_backward(dy: np.ndarray, kept: np.ndarray, scale: np.floating) -> np.ndarray:
    """dy·scale where kept, exactly 0 elsewhere (also where dy is infinite), both of one shape.

    By their bits, & −1 or & 0: `np.where` branches on the mask, and a branch on random numbers costs ten times as much.
    """
    if dy.itemsize > 8:  # long doubles: no integer is as wide
        return np.where(kept, dy, dy.dtype.type(0)) * scale
    dx, bits = np.empty(dy.shape, dy.dtype), f"i{dy.itemsize}"
    flat = [array.reshape(-1) for array in (dy, kept, dx)]

    def mask(at: Block) -> None:
        value, keep, result = (array[at] for array in flat)
        np.bitwise_and(value.view(bits), -keep.view(np.int8), out=result.view(bits))
        np.multiply(result, scale, out=result)

    over_blocks(mask, flat[0], axes=(0,), size=_CHUNK)
    return dx


def _draw(shape: tuple[int, ...], key: np.ndarray, threshold: int) -> np.ndarray:
    """The mask of that shape, True where kept.

    A random float32 of NumPy's is k / 2²⁴, k the upper 24 of 32 bits; it is >= p where k >= threshold, p·2²⁴ rounded up.
    To ask it of k saves the conversion to float32, a third of the time. Philox scrambles a counter under its key, so that
    any part of the mask can be drawn alone.
    """
    kept = np.empty(shape, bool)
    flat = kept.reshape(-1)

    def draw(at: Block) -> None:
        count, counter = flat[at].size, (at[0].start or 0) // 8
        words = np.random.Philox(key=key, counter=counter).random_raw(-(-count // 2))  # of 64 bits, four a counter
        halves = words.view(np.uint32)[:count]  # the low half of each comes first
        np.greater_equal(halves >> 8, threshold, out=flat[at])

    over_blocks(draw, flat, axes=(0,), size=_CHUNK)
    return kept
