"""The sum behind a number: which products of a weight and an input it is made of, by the formula of its layer.

    Conv2d            y[o, oh, ow] = bias[o] + Σ weight[o, c, kh, kw] · x[c, oh·SH − PH + kh·DH, ow·SW − PW + kw·DW]
    ConvTranspose2d   y[o, oh, ow] = bias[o] + Σ weight[c, o, kh, kw] · x[c, h, w]   where h·SH = oh + PH − kh·DH, w likewise
    MaxPool2d         the winner of the window, times 1; the others, times 0
    BatchNorm2d       x · weight / sqrt(var + eps) + (bias − mean · weight / sqrt(var + eps)), in evaluation
    ReLU              x times 1 or 0
    Linear            y[o] = bias[o] + Σ weight[o, c] · x[c]

Any other layer is asked for its derivatives (:mod:`minifcn.explore.local`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minifcn import layers as L
from minifcn.explore.places import axes_of
from minifcn.explore.steps import TERM, Step, Sum, as_maps


def formula_of(step: Step) -> Callable[[Step, int, int, int], Sum] | None:
    """The function that knows this layer's formula, if there is one."""
    for kind, formula in _FORMULAS.items():
        if step.own(kind) and not (kind is L.Linear and step.y.ndim != 2):
            return formula
    return None


def products(
    maps: np.ndarray, channels: Any, rows: Any, columns: Any, weights: np.ndarray, source: int = 0
) -> np.ndarray:  # fmt: skip
    """The terms of ``weights`` (channels, rows, columns) with the numbers at these places of ``maps`` (C, H, W); 0 outside."""
    channel, row, column = (grid.ravel() for grid in np.meshgrid(channels, rows, columns, indexing="ij"))
    inside = (row >= 0) & (row < maps.shape[1]) & (column >= 0) & (column < maps.shape[2])
    terms = np.zeros(channel.size, TERM)
    terms["source"], terms["channel"], terms["row"], terms["column"] = source, channel, row, column
    terms["weight"] = weights.ravel()
    terms["x"][inside] = maps[channel[inside], row[inside], column[inside]]
    return terms


def _conv(step: Step, channel: int, row: int, column: int) -> Sum:
    layer: Any = step.layer
    O, CG = layer.weight.shape[:2]
    (_, rows), (_, columns) = (axis.read(at) for axis, at in zip(axes_of(layer), (row, column), strict=True))
    channels = channel // (O // layer.groups) * CG + np.arange(CG)
    terms = products(as_maps(step.xs[0]), channels, rows, columns, layer.weight.data[channel])
    return Sum(terms, _bias(layer, channel), float(step.maps[channel, row, column]))


def _deconv(step: Step, channel: int, row: int, column: int) -> Sum:
    layer: Any = step.layer
    x, OG = as_maps(step.xs[0]), layer.weight.shape[1]
    CG = len(x) // layer.groups
    rows, columns = (
        axis.readers(at, n) for axis, at, n in zip(axes_of(layer), (row, column), x.shape[1:], strict=True)
    )  # fmt: skip
    channels = channel // OG * CG + np.arange(CG)
    weights = layer.weight.data[np.ix_(channels, [channel % OG], rows[0], columns[0])]
    terms = products(x, channels, rows[1], columns[1], weights)
    return Sum(terms, _bias(layer, channel), float(step.maps[channel, row, column]))


def _bias(layer: Any, channel: int) -> float:
    return float(layer.bias.data[channel]) if layer.bias else 0.0


def winner_of(step: Step, channel: int, row: int, column: int) -> tuple[np.ndarray, np.ndarray, int]:
    """(rows, columns, the winner's number among them) of a max-pooling's window, in the order in which it is read."""
    x = as_maps(step.xs[0])[channel]
    spans = []
    for axis, at, n in zip(axes_of(step.layer), (row, column), x.shape, strict=True):
        _, places = axis.read(at)
        spans.append(places[(places >= 0) & (places < n)])
    rows, columns = (grid.ravel() for grid in np.meshgrid(*spans, indexing="ij"))
    cells = x[rows, columns]
    nans = np.flatnonzero(np.isnan(cells))
    return rows, columns, int(nans[-1] if nans.size else cells.argmax())


def _max_pool(step: Step, channel: int, row: int, column: int) -> Sum:
    rows, columns, winner = winner_of(step, channel, row, column)
    terms = np.zeros(rows.size, TERM)
    terms["channel"], terms["row"], terms["column"] = channel, rows, columns
    terms["x"] = as_maps(step.xs[0])[channel, rows, columns]
    terms["weight"][winner] = 1
    return Sum(terms, 0.0, float(step.maps[channel, row, column]))


class FourSteps(NamedTuple):
    """A number on its way through a batch norm in evaluation: x, less the mean, over the deviation, scaled, shifted."""

    x: float
    mean: float
    centred: float  # x − mean
    deviation: float  # sqrt(var + eps)
    normalised: float  # (x − mean) / deviation
    weight: float
    scaled: float  # weight · normalised
    bias: float
    y: float  # weight · normalised + bias


def four_steps(step: Step, channel: int, row: int, column: int) -> FourSteps:
    """The four steps of a batch norm, for one number."""
    layer: Any = step.layer
    x, mean = float(as_maps(step.xs[0])[channel, row, column]), float(layer.running_mean[channel])
    deviation = float(np.sqrt(np.float64(layer.running_var[channel]) + layer.eps))
    weight = float(layer.weight.data[channel]) if layer.weight else 1.0
    normalised, bias = (x - mean) / deviation, _bias(layer, channel)
    return FourSteps(x, mean, x - mean, deviation, normalised, weight, weight * normalised, bias, weight * normalised + bias)


def _batch_norm(step: Step, channel: int, row: int, column: int) -> Sum:
    four = four_steps(step, channel, row, column)
    scale = four.weight / four.deviation
    terms = np.array([(0, channel, row, column, scale, four.x)], TERM)
    return Sum(terms, four.bias - four.mean * scale, float(step.maps[channel, row, column]))


def _relu(step: Step, channel: int, row: int, column: int) -> Sum:
    x = float(as_maps(step.xs[0])[channel, row, column])
    return Sum(np.array([(0, channel, row, column, x > 0, x)], TERM), 0.0, float(step.maps[channel, row, column]))


def _linear(step: Step, channel: int, row: int, column: int) -> Sum:
    layer: Any = step.layer
    terms = products(as_maps(step.xs[0]), np.arange(layer.in_features), 0, 0, layer.weight.data[channel])
    return Sum(terms, _bias(layer, channel), float(step.maps[channel, row, column]))


_FORMULAS: dict[type[L.Layer], Callable[[Step, int, int, int], Sum]] = {
    L.Conv2d: _conv, L.ConvTranspose2d: _deconv, L.MaxPool2d: _max_pool, L.BatchNorm2d: _batch_norm, L.ReLU: _relu,
    L.Linear: _linear,
}  # fmt: skip
