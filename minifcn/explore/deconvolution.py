"""A transposed convolution's number in three ways, which agree: stamps, zeros inserted, phases.

    stamps   each input pixel stamps the kernel, times its value, on the output; which stamps cover this place?
    zeros    S − 1 zeros between the pixels, then an ordinary convolution of stride 1 with the kernel turned round
    phases   of the kernel only the taps kh with kh·D ≡ oh + P (mod S) ever meet a pixel here: a small convolution of x itself

Source: Dumoulin and Visin 2016, section 4; Shi et al., "Is the deconvolution layer the same as a convolutional layer?", 2016.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from minifcn.explore.places import Axis, axes_of
from minifcn.explore.steps import Step, as_maps
from minifcn.explore.sums import products

Pairs = tuple[np.ndarray, np.ndarray]  # taps, and the places that they meet


class Views(NamedTuple):
    """The terms of one number, without the bias; those of ``zeros`` have their places among the inserted zeros."""

    stamps: np.ndarray
    zeros: np.ndarray
    phases: np.ndarray


def three_views(step: Step, channel: int, row: int, column: int) -> Views:
    """The terms of y[channel, row, column], found in the three ways."""
    layer: Any = step.layer
    x, axes, place = as_maps(step.xs[0]), axes_of(layer), (row, column)
    sizes = x.shape[1:]
    stretched = zeros_between(x, axes)
    return Views(
        _terms(layer, x, channel, [_stamps(axis, at, n) for axis, at, n in zip(axes, place, sizes, strict=True)]),
        _terms(layer, stretched, channel, [_turned(axis, at) for axis, at in zip(axes, place, strict=True)]),
        _terms(layer, x, channel, [_phase(axis, at) for axis, at in zip(axes, place, strict=True)]),
    )


def zeros_between(x: np.ndarray, axes: tuple[Axis, Axis]) -> np.ndarray:
    """x (C, H, W) with S − 1 zeros between its pixels: (C, (H − 1)·SH + 1, (W − 1)·SW + 1)."""
    (C, H, W), (rows, columns) = x.shape, axes
    stretched = np.zeros((C, (H - 1) * rows.S + 1, (W - 1) * columns.S + 1), x.dtype)
    stretched[:, :: rows.S, :: columns.S] = x
    return stretched


def _stamps(axis: Axis, at: int, count: int) -> Pairs:
    """Pixel by pixel: does its stamp cover place ``at``, and with which tap?"""
    met = [(tap, pixel) for pixel in range(count) for tap, place in zip(*axis.read(pixel), strict=True) if place == at]
    taps, pixels = zip(*met, strict=True) if met else ((), ())
    return np.array(taps, int), np.array(pixels, int)


def _turned(axis: Axis, at: int) -> Pairs:
    """All taps, the last first, on the places of the stretched input that they lie on."""
    taps = np.arange(axis.K)[::-1]
    return taps, at + axis.P - taps * axis.D


def _phase(axis: Axis, at: int) -> Pairs:
    """The taps of the phase of ``at``, on the pixels that they meet; some lie beyond the edge."""
    taps = np.arange(axis.K)
    taps = taps[(taps * axis.D) % axis.S == (at + axis.P) % axis.S]
    return taps, (at + axis.P - taps * axis.D) // axis.S


def _terms(layer: Any, x: np.ndarray, channel: int, pairs: list[Pairs]) -> np.ndarray:
    """The products of these taps of the kernels that lead to ``channel`` with the numbers under them."""
    (taps_down, rows), (taps_across, columns) = pairs
    OG, CG = layer.weight.shape[1], len(x) // layer.groups
    channels = channel // OG * CG + np.arange(CG)
    weights = layer.weight.data[np.ix_(channels, [channel % OG], taps_down, taps_across)]
    return products(x, channels, rows, columns, weights)
