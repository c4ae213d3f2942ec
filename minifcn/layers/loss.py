"""The loss: where a network's forward ends and its backward begins."""

from __future__ import annotations

import numpy as np

from minifcn import functional as F
from minifcn.backend import Array, device_of, to_device
from minifcn.layers.module import Layer


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
        self.weight = weight if weight is None or hasattr(weight, "dtype") else np.asarray(weight, np.float64)
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
