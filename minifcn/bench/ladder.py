"""The ladder: every rung of :mod:`minifcn.kernels` on the same convolutions, from tiny ones up, against PyTorch.

A rung is held to `loops` in float64 before any clock runs. It climbs from case to case until the next one would take
too long; nothing is extrapolated, a missing figure was not measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minifcn import kernels
from minifcn.bench.contest import TOLERANCE, Contest, Result, relative_difference, run
from minifcn.bench.device import Device
from minifcn.kernels import Geometry
from minifcn.kernels.convolution import loops
from minifcn.kernels.select import rung

PATIENCE = 1.0  # seconds that one call may take, as the case before lets expect
FUNCTIONS = ("forward", "input_gradient", "weight_gradient")

# Each case has at least four times the multiply-adds of the one before.
CONVOLUTIONS = tuple(
    Geometry(1, C, H, H, C, 3, 3, PH=1, PW=1) for C, H in ((4, 8), (8, 16), (16, 32), (32, 56), (64, 56), (128, 56))
)  # fmt: skip
# FCN-8s's last layer, as the convolution that it is the input gradient of: x (1, C, H, H) -> y (1, C, 8H + 8, 8H + 8)
DECONVOLUTIONS = tuple(
    Geometry(1, C, 8 * H + 8, 8 * H + 8, C, 16, 16, SH=8, SW=8) for C, H in ((2, 3), (4, 8), (21, 8), (21, 38))
)  # fmt: skip
CONVOLUTION, DECONVOLUTION = "3x3 convolution, forward", "deconvolution k16 s8, forward"
LADDERS = ((CONVOLUTION, "forward", CONVOLUTIONS), (DECONVOLUTION, "input_gradient", DECONVOLUTIONS))

# What rungs are proved on: odd sizes, a border all around, for the strided ones a kernel that the stride divides, dilation.
_PROOFS = (Geometry(2, 5, 9, 7, 6, 3, 3, PH=1, PW=1), Geometry(2, 3, 12, 10, 4, 4, 4, SH=2, SW=2),
           Geometry(2, 5, 4, 3, 6, 1, 1), Geometry(2, 5, 9, 7, 6, 3, 3, PH=2, PW=3, DH=2, DW=3))  # fmt: skip


@dataclass(frozen=True)
class Proof:
    """One function of one rung against `loops`: the largest difference, relative to the largest magnitude."""

    rung: str
    function: str
    difference: float


def prove() -> list[Proof]:
    """Holds each function of each rung, in float32, to `loops` in float64.

    Raises RuntimeError, naming rung and function, when one is wrong: then nothing is timed.
    """
    rng = np.random.default_rng(0)
    worst: dict[tuple[str, str], float] = {}
    for g in _PROOFS:
        arrays = _arrays(g, rng)
        for function in FUNCTIONS:
            inputs = _inputs(function, arrays)
            expected = getattr(loops, function)(*(a if a is None else a.astype(np.float64) for a in inputs), g)
            for name in kernels.rungs():
                if offers(name, function, g):
                    off = relative_difference(getattr(rung(name), function)(*inputs, g), expected)
                    worst[name, function] = max(off, worst.get((name, function), 0.0))
    for (name, function), off in worst.items():
        if not off <= TOLERANCE["float32"]:
            raise RuntimeError(f"rung {name!r}: {function} differs from `loops` by {off:.1e}, so nothing is timed")
    return [Proof(name, function, off) for (name, function), off in worst.items()]


def climb(device: Device, pairs: int) -> Iterator[Result]:
    """Times every rung that covers a case, on a CPU, each in turn with PyTorch. The groups are the ladders' names."""
    for group, function, cases in LADDERS:
        for name in kernels.rungs():
            yield from _climb_one(group, function, cases, name, device, pairs)


def _climb_one(
    group: str, function: str, cases: tuple[Geometry, ...], name: str, device: Device, pairs: int
) -> Iterator[Result]:
    """One rung, case after case, as far as patience reaches."""
    pace = 0.0  # seconds a multiply-add in the case before
    for g in cases:
        if not offers(name, function, g) or pace * g.macs > PATIENCE:
            return
        (result,) = run([contest(group, function, name, g, device)], device, pairs)
        pace = result.timing.our_seconds / g.macs
        yield result


def contest(group: str, function: str, name: str, g: Geometry, device: Device) -> Contest:
    """One rung's function on one geometry against PyTorch's convolution or transposed convolution."""
    arrays = _arrays(g, np.random.default_rng(0))
    inputs = _inputs(function, arrays)
    theirs = None
    if device.pytorch:
        from minifcn.bench.torch_layers import convolution

        theirs = convolution(function, [None if a is None else device.theirs(a) for a in inputs], g)
    warmups = 1 if name == "loops" else 2
    return Contest(group, name, lambda: getattr(rung(name), function)(*inputs, g), theirs, g.macs, warmups=warmups)


def offers(name: str, function: str, g: Geometry) -> bool:
    """Whether the rung has the function and covers the geometry in float32."""
    return hasattr(rung(name), function) and rung(name).covers(g, np.dtype(np.float32))


def _arrays(g: Geometry, rng: np.random.Generator) -> dict[str, np.ndarray]:
    fan_in = g.C * g.KH * g.KW
    shapes = {"x": (g.x_shape, 1), "weight": (g.weight_shape, fan_in**-0.5), "bias": ((g.O,), 1), "dy": (g.y_shape, 1)}
    return {name: rng.normal(0, std, shape).astype(np.float32) for name, (shape, std) in shapes.items()}


def _inputs(function: str, arrays: dict[str, np.ndarray]) -> list[Any]:
    """The arrays that a rung's function takes."""
    names = {"forward": ("x", "weight", "bias"), "input_gradient": ("dy", "weight"), "weight_gradient": ("x", "dy")}
    return [arrays[name] for name in names[function]]
