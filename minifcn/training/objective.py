"""The objective: how the loss over pixels becomes what is minimised and what is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minifcn.training.settings import Settings


class LossScale:
    """How the loss, summed over pixels, becomes what is minimised and what is shown.

    Counting on the host, before the labels go to a GPU, costs the device nothing.
    """

    def __init__(self, settings: Settings, num_classes: int, ignore_index: int) -> None:
        self.normalization = settings.loss_normalization
        self.weights = np.ones(num_classes) if settings.class_weights is None else np.asarray(settings.class_weights)
        if self.weights.shape != (num_classes,) or not (np.isfinite(self.weights).all() and (self.weights >= 0).all()):
            raise ValueError(
                f"class_weights are {self.weights.tolist()}; give {num_classes} numbers of at least 0, one a class"
            )
        self.ignore_index = ignore_index

    def __call__(self, batches: Sequence[Any]) -> tuple[float, float]:
        """(the factor on the summed loss that makes it the objective, the factor that makes it the loss a pixel).

        A step in which every pixel is void has loss 0 and no gradient. Raises ValueError, naming the pictures, where a
        label is out of range.
        """
        pixels = sum(self._weight(batch) for batch in batches)
        pictures = sum(len(batch.ids) for batch in batches)
        per_pixel = 1.0 / pixels if pixels else 0.0
        return {"mean": per_pixel, "batch": 1.0 / pictures, "sum": 1.0}[self.normalization], per_pixel

    def _weight(self, batch: Any) -> float:
        """The sum of the class weights over the labelled pixels of a batch."""
        counts = np.bincount(batch.labels.ravel(), minlength=len(self.weights))
        unknown = [
            label for label in np.flatnonzero(counts).tolist() if label >= len(self.weights) and label != self.ignore_index
        ]
        if unknown:
            raise ValueError(
                f"the pictures {', '.join(batch.ids[:10])} have labels {unknown[:5]}; possible are 0 to "
                f"{len(self.weights) - 1} and void {self.ignore_index}: has the data set more classes than the network?"
            )
        return float(counts[: len(self.weights)] @ self.weights)
