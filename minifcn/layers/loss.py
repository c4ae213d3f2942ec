"""The loss: where a network's forward ends and its backward begins."""

from __future__ import annotations

from typing import Any

import numpy as np

from minifcn import functional as F
from minifcn.backend import Array, device_of, to_device, to_host
from minifcn.functional.cross_entropy import check_options
from minifcn.layers.module import Layer
from minifcn.words import name_some


class CrossEntropyLoss(Layer):
    """Softmax cross-entropy over pixels; void (``ignore_index``) does not count.

    ``loss = criterion(scores, labels)``, then ``net.backward(criterion.backward())``. ``weight`` (C,) weighs classes.
    """

    buffers = ("weight",)

    def __init__(
        self, weight: Array | None = None, ignore_index: int | None = 255,
        reduction: str = "mean", label_smoothing: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        check_options("CrossEntropyLoss", reduction, label_smoothing)
        self.weight = weight if weight is None or hasattr(weight, "dtype") else np.asarray(weight, np.float64)
        _check_weight(self.weight)
        self.ignore_index, self.reduction, self.label_smoothing = ignore_index, reduction, label_smoothing

    def forward(self, scores: Array, labels: Array) -> Array:
        """scores (N, C, H, W), labels (N, H, W) of any integer dtype -> the loss."""
        weight = self.weight
        if weight is not None:
            weight = to_device(weight, device_of(scores)).astype(scores.dtype, copy=False)
        loss, cache = F.cross_entropy(scores, labels, weight, self.ignore_index, self.reduction, self.label_smoothing)
        self._push(cache)
        return loss

    def backward(self, dloss: Array | float = 1.0) -> Array:
        """The gradient of the scores, (N, C, H, W)."""
        return F.cross_entropy_backward(dloss, self._pop())


def _check_weight(weight: Array | None) -> None:
    """Raises ValueError for a class that weighs less than nothing, or no number at all."""
    if weight is None:
        return
    weights = np.asarray(to_host(weight), np.float64).ravel()
    wrong = [f"{weights[c]:g} for class {c}" for c in np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))]
    if wrong:
        raise ValueError(f"CrossEntropyLoss: weight is {name_some(wrong, 5)}; give each class a finite number of at least 0")


class WithAuxiliary(Layer):
    """``criterion`` for a network with auxiliary heads: its loss of the scores, plus ``weight`` times that of each auxiliary
    output (Zhao et al. 2017, PSPNet, section 3.3: 0.4). One array alone goes through the criterion as it is."""

    def __init__(self, criterion: Layer, weight: float = 0.4) -> None:
        super().__init__()
        self.criterion, self.weight = criterion, weight

    def forward(self, scores: Array | tuple[Array, ...], labels: Array) -> Array:
        """scores, or (scores, *auxiliary scores), and labels (N, H, W) -> the loss."""
        self._push(len(scores) if isinstance(scores, tuple) else None)
        if not isinstance(scores, tuple):
            return self.criterion(scores, labels)
        loss, *auxiliary = [self.criterion(head, labels) for head in scores]
        for more in auxiliary:
            loss = loss + self.weight * more
        return loss

    def backward(self, dloss: Array | float = 1.0) -> Any:
        """The gradients of what forward took, in the same structure."""
        heads = self._pop()
        if heads is None:
            return self.criterion.backward(dloss)
        dauxiliary = [self.criterion.backward(self.weight * dloss) for _ in range(heads - 1)]  # the last head comes first
        return (self.criterion.backward(dloss), *reversed(dauxiliary))
