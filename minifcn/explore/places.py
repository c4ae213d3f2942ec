"""Which numbers meet which along one axis: the indices that every sum of products is made of.

A convolution of kernel K, stride S, padding P and dilation D makes output ``o`` of the inputs ``o·S − P + k·D``, one for each
tap k. Read the other way, input ``i`` is met by output ``o`` at tap k where ``o·S = i + P − k·D``. A transposed convolution is
the same with input and output exchanged, so these two functions serve both, forward and backward.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from minifcn.kernels.geometry import pair


@dataclass(frozen=True)
class Axis:
    """A window along one axis: ``K`` taps, ``D`` apart, every ``S`` places, beginning ``P`` places before the first."""

    K: int
    S: int
    P: int
    D: int

    def read(self, o: int) -> tuple[np.ndarray, np.ndarray]:
        """(taps, places): what window ``o`` reads; places below 0 or beyond the end lie in the padding."""
        taps = np.arange(self.K)
        return taps, o * self.S - self.P + taps * self.D

    def readers(self, i: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """(taps, windows): which of the windows 0 .. count − 1 read place ``i``, and with which tap."""
        taps = np.arange(self.K)
        ahead = i + self.P - taps * self.D
        windows = ahead // self.S
        there = (ahead % self.S == 0) & (windows >= 0) & (windows < count)
        return taps[there], windows[there]


def axes_of(layer: Any) -> tuple[Axis, Axis]:
    """The windows of a convolution or pooling, along rows and along columns."""
    size = layer.weight.shape[2:] if hasattr(layer, "weight") else layer.kernel_size
    K, S, P = pair(size, "kernel_size", 1), pair(layer.stride, "stride", 1), pair(layer.padding, "padding", 0)
    D = pair(layer.dilation, "dilation", 1)
    return Axis(K[0], S[0], P[0], D[0]), Axis(K[1], S[1], P[1], D[1])
