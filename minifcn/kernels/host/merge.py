"""Sums, copies and concatenations on all threads: nothing but memory, which one core alone does not saturate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

import numpy as np

from minifcn.kernels.threads import over_blocks


def add(a: np.ndarray, b: np.ndarray, inplace: bool) -> np.ndarray:
    """a + b, of one shape; written over a if ``inplace``."""
    if inplace and a is not b and np.may_share_memory(a, b):
        return np.add(a, b, out=a)  # which takes care that nothing is read after it was written over
    y = a if inplace else np.empty_like(a)
    over_blocks(lambda at: np.add(a[at], b[at], out=y[at]), a, axes=range(a.ndim))
    return y


def copied(array: np.ndarray) -> np.ndarray:
    """The same numbers in an array of its own, in C order."""
    copy = np.empty(array.shape, array.dtype)
    copy_into(copy, array, range(array.ndim))
    return copy


def copy_into(into: np.ndarray, array: np.ndarray, axes: Sequence[int]) -> None:
    """The numbers of an array into another one of its shape, both cut along `axes`."""
    over_blocks(lambda at: np.copyto(into[at], array[at]), array, axes=axes)


def concat(*parts: np.ndarray) -> np.ndarray:
    """Feature maps (N, C_i, H, W) -> (N, ΣC_i, H, W)."""
    N, _, H, W = parts[0].shape
    y = np.empty((N, sum(part.shape[1] for part in parts), H, W), parts[0].dtype)
    for part, place in zip(parts, _places(part.shape[1] for part in parts), strict=True):
        copy_into(y[:, place], part, (0, 1))
    return y


def cut_channels(dy: np.ndarray, channels: Sequence[int]) -> tuple[np.ndarray, ...]:
    """dy (N, ΣC_i, H, W) -> each part (N, C_i, H, W), an array of its own."""
    return tuple(copied(dy[:, place]) for place in _places(channels))


def _places(channels: Iterable[int]) -> list[slice]:
    """Where each part's channels lie."""
    return [slice(start, stop) for start, stop in pairwise(accumulate(channels, initial=0))]
