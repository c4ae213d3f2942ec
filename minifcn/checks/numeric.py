"""Numeric derivatives that know when they cannot be trusted.

The slope of f at x along v is measured from both sides and with two step sizes, h and h/2:

    above(h) = (f(x + h·v) − f(x)) / h        below(h) = (f(x) − f(x − h·v)) / h        central = (above + below) / 2

For a smooth f the central slopes of h and h/2 differ by a multiple of h², which Richardson's extrapolation removes, and above
and below differ by h·f''. At a *kink* (a ReLU at 0, two equal maxima) above and below differ however small h is. So:
agreement of the two central slopes and a difference above − below that vanishes with h means smooth; else h is made smaller,
until the kink lies outside the step, or turns out to be at x itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from minifcn.backend import Array, get_xp

_STEPS = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7)  # h, in units of the input's own size
_ROUNDING = 64 * float(np.finfo(np.float64).eps)  # of a few additions and of the extrapolation


@dataclass(frozen=True)
class Slope:
    """``value``, uncertain by ``noise`` (absolute); on a ``kink`` the value means nothing."""

    value: float
    noise: float
    kink: bool

    def agrees(self, slope: float, tolerance: float) -> bool:
        """Whether ``slope`` is this one, up to ``tolerance`` (absolute) and noise. NaN never is."""
        return abs(self.value - slope) <= tolerance + self.noise


class Slopes:
    """Slopes of Σ sum(y · dy) at ``x``, over all ys that ``outputs`` makes of an array of x's shape, and their dys."""

    def __init__(
        self, outputs: Callable[[Array], tuple[Array, ...]], x: Array, dys: tuple[Array, ...], tolerance: float
    ) -> None:
        self.outputs, self.x, self.dys, self.tolerance = outputs, x, dys, tolerance
        xp = get_xp(x)
        self.ys = outputs(x)
        self.size = float(xp.sqrt(xp.mean(x * x))) or 1.0  # the unit of h
        self.weight = sum(float(xp.abs(y * dy).sum()) for y, dy in zip(self.ys, dys, strict=True))  # rounding is relative to it

    def along(self, v: Array) -> Slope:
        """The slope along ``v``, an array of x's shape."""
        for step in _STEPS:
            h = step * self.size
            noise = _ROUNDING * self.weight / h
            (above, below), (above_2, below_2) = self._sides(v, h), self._sides(v, h / 2)
            central, central_2 = (above + below) / 2, (above_2 + below_2) / 2
            jump = 2 * (above_2 - below_2) - (above - below)  # the part of above − below that does not shrink with h
            allowed = self.tolerance * max(abs(above), abs(below)) + noise
            if abs(central_2 - central) <= allowed and abs(jump) <= allowed:
                return Slope((4 * central_2 - central) / 3, noise, kink=False)  # Richardson: the h² terms cancel
        return Slope(central_2, noise, kink=True)

    def _sides(self, v: Array, h: float) -> tuple[float, float]:
        rise = self._change(self.ys, self.outputs(self.x + h * v))
        fall = self._change(self.outputs(self.x - h * v), self.ys)
        return rise / h, fall / h

    def _change(self, before: tuple[Array, ...], after: tuple[Array, ...]) -> float:
        """Differences first, then the sum: less is rounded away."""
        return sum(float(((new - old) * dy).sum()) for old, new, dy in zip(before, after, self.dys, strict=True))
