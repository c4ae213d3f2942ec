"""A gradient as a sum: over the windows that read a number, and over the places where a weight was used.

    dx = Σ over all outputs y that x went into, of  ∂y/∂x · dy          dweight = Σ over all places, of  x · dy

The terms are those of :data:`~minifcn.explore.steps.TERM`: ``source`` is the number of the step that read, (channel, row,
column) the place of its output, ``weight`` is ∂y/∂x and ``x`` is dy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minifcn import layers as L
from minifcn.explore import local
from minifcn.explore.places import axes_of
from minifcn.explore.steps import TERM, Step, as_maps
from minifcn.explore.sums import four_steps, products, winner_of


class GradientSum(NamedTuple):
    """``(terms["weight"] * terms["x"]).sum()`` is ``value``."""

    terms: np.ndarray
    value: float

    @property
    def total(self) -> float:
        """The terms, added up in float64."""
        return float((self.terms["weight"] * self.terms["x"]).sum())


def readers_of(
    step: Step, slot: int, dy: np.ndarray, place: tuple[int, int, int], affine: Callable[[Step], bool]
) -> np.ndarray:
    """The terms that ``step`` adds to the gradient of the number at ``place`` of its floating input ``slot``.

    ``dy`` (C, H, W) is the gradient of the step's output. A layer of which no formula is known, and which is not affine, adds
    one term: what its backward gives back for all of dy, at channel -1.
    """
    for kind, function in _READERS.items():
        if step.own(kind) and not (kind is L.Linear and step.y.ndim != 2):
            return function(step, dy, *place)
    if affine(step):
        weights = local.column_of(step, slot, *place)
        channels, rows, columns = there = np.nonzero(weights)
        return _terms(channels, rows, columns, weights[there], dy[there])
    dx = local.backward(step, dy.reshape(step.y.shape))[slot]
    return _terms(-1, -1, -1, 1.0, float(as_maps(dx)[place]))


def _terms(channel: Any, row: Any, column: Any, weight: Any, dy: Any) -> np.ndarray:
    terms = np.zeros(np.size(weight), TERM)
    for name, values in zip(TERM.names[1:], (channel, row, column, weight, dy), strict=True):  # type: ignore[index]
        terms[name] = values
    return terms


def _conv(step: Step, dy: np.ndarray, channel: int, row: int, column: int) -> np.ndarray:
    layer: Any = step.layer
    O, CG = layer.weight.shape[:2]
    OG = O // layer.groups
    rows, columns = (
        axis.readers(at, n) for axis, at, n in zip(axes_of(layer), (row, column), dy.shape[1:], strict=True)
    )  # fmt: skip
    outputs = channel // CG * OG + np.arange(OG)
    return products(dy, outputs, rows[1], columns[1], layer.weight.data[np.ix_(outputs, [channel % CG], rows[0], columns[0])])


def _deconv(step: Step, dy: np.ndarray, channel: int, row: int, column: int) -> np.ndarray:
    layer: Any = step.layer
    OG = layer.weight.shape[1]
    CG = layer.weight.shape[0] // layer.groups
    (_, rows), (_, columns) = (axis.read(at) for axis, at in zip(axes_of(layer), (row, column), strict=True))
    terms = products(dy, channel // CG * OG + np.arange(OG), rows, columns, layer.weight.data[channel])
    inside = (terms["row"] >= 0) & (terms["row"] < dy.shape[1]) & (terms["column"] >= 0) & (terms["column"] < dy.shape[2])
    return terms[inside]  # what the padding cuts off reads nothing


def _max_pool(step: Step, dy: np.ndarray, channel: int, row: int, column: int) -> np.ndarray:
    """Every window that the number lies in; the weight is 1 where it won."""
    (_, rows), (_, columns) = (
        axis.readers(at, n) for axis, at, n in zip(axes_of(step.layer), (row, column), dy.shape[1:], strict=True)
    )  # fmt: skip
    terms = products(dy, channel, rows, columns, np.zeros(len(rows) * len(columns)))
    for term in terms:
        window_rows, window_columns, winner = winner_of(step, channel, int(term["row"]), int(term["column"]))
        term["weight"] = (window_rows[winner], window_columns[winner]) == (row, column)
    return terms


def _batch_norm(step: Step, dy: np.ndarray, channel: int, row: int, column: int) -> np.ndarray:
    four = four_steps(step, channel, row, column)
    return products(dy, channel, row, column, np.array(four.weight / four.deviation))


def _relu(step: Step, dy: np.ndarray, channel: int, row: int, column: int) -> np.ndarray:
    return products(dy, channel, row, column, np.array(float(as_maps(step.xs[0])[channel, row, column] > 0)))


def _linear(step: Step, dy: np.ndarray, channel: int, row: int, column: int) -> np.ndarray:
    layer: Any = step.layer
    return products(dy, np.arange(layer.out_features), 0, 0, layer.weight.data[:, channel])


_READERS: dict[type[L.Layer], Callable[[Step, np.ndarray, int, int, int], np.ndarray]] = {
    L.Conv2d: _conv, L.ConvTranspose2d: _deconv, L.MaxPool2d: _max_pool, L.BatchNorm2d: _batch_norm, L.ReLU: _relu,
    L.Linear: _linear,
}  # fmt: skip


def uses_of_weight(step: Step, dy: np.ndarray, index: tuple[int, int, int, int]) -> np.ndarray:
    """The terms that one use of a convolution, transposed or not, adds to dweight[index]: for each place its window stood at,
    the input under the tap times the gradient of the output. (channel, row, column) is the place of the output; ``weight`` is
    the input, ``x`` is dy."""
    layer: Any = step.layer
    first, second, kh, kw = index
    x = as_maps(step.xs[0])
    if step.own(L.ConvTranspose2d):  # weight (C, O/G, KH, KW): x[first] is stamped at dy's places
        output = first // (layer.weight.shape[0] // layer.groups) * layer.weight.shape[1] + second
        windows, moving, fixed, at = x.shape[1:], dy[output], x[first], "moving"
    else:
        channel = first // (layer.weight.shape[0] // layer.groups) * layer.weight.shape[1] + second
        output, windows, moving, fixed, at = first, dy.shape[1:], x[channel], dy[first], "fixed"
    rows, columns = (
        np.array([axis.read(o)[1][tap] for o in range(n)])
        for axis, tap, n in zip(axes_of(layer), (kh, kw), windows, strict=True)
    )
    o_rows, o_columns = np.nonzero(
        ((rows >= 0) & (rows < moving.shape[0]))[:, None] & ((columns >= 0) & (columns < moving.shape[1]))[None]
    )
    met = moving[rows[o_rows], columns[o_columns]], fixed[o_rows, o_columns]
    if at == "moving":
        return _terms(output, rows[o_rows], columns[o_columns], met[1], met[0])
    return _terms(output, o_rows, o_columns, met[0], met[1])
