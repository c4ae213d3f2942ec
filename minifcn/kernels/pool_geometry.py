"""Where the windows of a pooling lie: the arithmetic that forward, backward and the indices share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import EllipsisType

import numpy as np

from minifcn.kernels.geometry import Pair, pair, placement

Pixels = tuple[EllipsisType, slice, slice]  # a place in arrays (..., H, W)


@dataclass(frozen=True)
class Windows:
    """Windows of KH x KW taps, DH x DW apart, every SH x SW pixels of a picture H x W padded by PH x PW."""

    H: int
    W: int
    KH: int
    KW: int
    SH: int
    SW: int
    PH: int
    PW: int
    DH: int
    DW: int
    ceil_mode: bool

    @classmethod
    def of(
        cls, function: str, x_shape: Sequence[int], kernel_size: Pair, stride: Pair | None, padding: Pair, dilation: Pair,
        ceil_mode: bool,
    ) -> Windows:  # fmt: skip
        """The windows, or ValueError with the sentence that says which option does not fit."""
        H, W = x_shape[2:]
        kernel, strides, pads, steps = window_options(function, kernel_size, stride, padding, dilation)
        windows = cls(H, W, *kernel, *strides, *pads, *steps, bool(ceil_mode))
        if min(windows.output_size) < 1:
            raise ValueError(
                f"{function}: a {H}x{W} picture is smaller than one window (kernel_size={kernel_size}, "
                f"padding={padding}, dilation={dilation}); use a larger picture or fewer poolings"
            )
        return windows

    @property
    def output_size(self) -> tuple[int, int]:
        """(OH, OW)."""
        return (
            self._count(self.H, self.KH, self.SH, self.PH, self.DH),
            self._count(self.W, self.KW, self.SW, self.PW, self.DW),
        )

    def _count(self, n: int, K: int, S: int, P: int, D: int) -> int:
        room = n + 2 * P - D * (K - 1) - 1
        if room < 0 and not self.ceil_mode:
            return 0
        count = (-(-room // S) if self.ceil_mode else room // S) + 1
        if self.ceil_mode and (count - 1) * S >= n + P:
            count -= 1  # the last window would start in the padding on the right
        return count

    def axes(self) -> list[tuple[int, np.ndarray, int, int]]:
        """For rows, then columns: the picture's size, the windows' starts (negative inside the padding), kernel, padding."""
        OH, OW = self.output_size
        return [
            (self.H, np.arange(OH) * self.SH - self.PH, self.KH, self.PH),
            (self.W, np.arange(OW) * self.SW - self.PW, self.KW, self.PW),
        ]

    def first_tap(self) -> np.ndarray:
        """(OH, OW): for each window the first tap kh·KW + kw that lies inside the picture; of the switches' dtype."""
        (_, rows, _, _), (_, columns, _, _) = self.axes()
        first_h, first_w = np.maximum(-(rows // self.DH), 0), np.maximum(-(columns // self.DW), 0)  # ceil(-start / D)
        first = first_h[:, None] * self.KW + first_w
        return first.astype(np.uint8 if self.KH * self.KW <= 256 else np.int32)

    def reaches(self) -> tuple[list[tuple[slice, slice]], list[tuple[slice, slice]]]:
        """For each row of taps, and for each column: the outputs that have it inside the picture, and what they read there."""
        OH, OW = self.output_size
        rows = [reach(kh * self.DH - self.PH, self.SH, self.H, OH) for kh in range(self.KH)]
        return rows, [reach(kw * self.DW - self.PW, self.SW, self.W, OW) for kw in range(self.KW)]

    def taps(self) -> Iterator[tuple[int, Pixels, Pixels]]:
        """(tap, outputs, inputs): tap kh·KW + kw of the windows ``y[outputs]`` reads the pixels ``x[inputs]``.

        Windows whose tap lies in the padding are left out, so nothing ever has to be padded.
        """
        rows, columns = self.reaches()
        for kh, (out_h, in_h) in enumerate(rows):
            for kw, (out_w, in_w) in enumerate(columns):
                if out_h.start < out_h.stop and out_w.start < out_w.stop:
                    yield kh * self.KW + kw, (..., out_h, out_w), (..., in_h, in_w)


def window_options(
    function: str, kernel_size: Pair, stride: Pair | None, padding: Pair = 0, dilation: Pair = 1
) -> list[tuple[int, int]]:
    """Kernel, stride, padding and dilation, each (vertical, horizontal); refuses what fits no picture."""
    kernel = pair(kernel_size, "kernel_size", 1)
    strides, pads, steps = placement(kernel_size if stride is None else stride, padding, dilation)
    if any(P > K // 2 for P, K in zip(pads, kernel, strict=True)):
        raise ValueError(
            f"{function}: padding={padding} must be at most half of kernel_size={kernel_size}: more makes empty windows"
        )
    return [kernel, strides, pads, steps]


def reach(offset: int, S: int, n_in: int, n_out: int) -> tuple[slice, slice]:
    """The outputs o with 0 <= o·S + offset < n_in, and the inputs o·S + offset that they read."""
    low = max(0, -(offset // S))  # ceil(-offset / S)
    high = max(low, min(n_out, (n_in - 1 - offset) // S + 1))
    start = low * S + offset
    return slice(low, high), slice(start, start + (high - low) * S - S + 1 if high > low else start, S)
