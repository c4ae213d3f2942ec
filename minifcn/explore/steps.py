"""One elementary layer at work in a pass, with the numbers that went in and came out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from minifcn.layers import Layer

# One product of a sum: which of the layer's inputs, the place there (outside of it: padding), the weight and the number.
TERM = np.dtype(
    [("source", "i4"), ("channel", "i4"), ("row", "i4"), ("column", "i4"), ("weight", "f8"), ("x", "f8")]
)  # fmt: skip


class Sum(NamedTuple):
    """``(terms["weight"] * terms["x"]).sum() + bias`` is ``value``."""

    terms: np.ndarray  # of dtype TERM
    bias: float
    value: float

    @property
    def total(self) -> float:
        """The terms and the bias, added up in float64."""
        return float((self.terms["weight"] * self.terms["x"]).sum()) + self.bias


@dataclass(frozen=True, eq=False)
class Step:
    """``layer(*inputs)`` gave ``y`` (N, C, H, W) or (N, C), the first of its outputs; the picture itself has no layer.

    ``sources`` has, for each floating array among the inputs, the number of the step that made it; None where no layer did, but
    a line of the network's own.
    """

    key: str
    layer: Layer | None
    inputs: tuple[Any, ...]
    sources: tuple[int | None, ...]
    y: np.ndarray

    @property
    def kind(self) -> str:
        """The class of the layer; "picture" for what the network was given."""
        return "picture" if self.layer is None else type(self.layer).__name__

    @property
    def maps(self) -> np.ndarray:
        """(C, H, W)."""
        return as_maps(self.y)

    @property
    def xs(self) -> tuple[np.ndarray, ...]:
        """The inputs that a gradient comes back to."""
        return tuple(value for value in self.inputs if is_floating(value))

    def own(self, *kinds: type[Layer]) -> bool:
        """Whether it computes what one of these layers does: one of a subclass with a forward of its own may not, nor does one
        that somebody has changed."""
        layer = self.layer
        return layer is not None and "forward" not in vars(layer) and type(layer).forward in [kind.forward for kind in kinds]


def is_floating(value: Any) -> bool:
    """Whether a value is an array of floating numbers."""
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def as_maps(array: np.ndarray) -> np.ndarray:
    """The first picture of a batch as maps: (N, C, H, W) -> (C, H, W); (N, C, ...) -> (C, rest, 1), a view."""
    if array.ndim == 4:
        return array[0]
    return array.reshape(1, 1, 1) if array.ndim < 2 else array[0].reshape(array.shape[1], -1, 1)
