"""The objective: how classes are weighted, and how the loss over pixels becomes what is minimised and what is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from minifcn.data import Batch, SegmentationDataset
    from minifcn.training.upload import Uploaded


def class_weights(wanted: Sequence[float] | str | None, dataset: SegmentationDataset) -> np.ndarray | None:
    """One weight a class: numbers, or "1,2,0.5", as they are; "frequency", 1 − n_c / Σn over the data set; "median", median
    frequency balancing, :attr:`ClassStatistics.median_frequency_weights`. None for None and "none"."""
    if wanted is None or (isinstance(wanted, str) and wanted == "none"):
        return None
    if isinstance(wanted, str) and wanted in ("frequency", "median"):
        from minifcn.data import stats

        counted = stats(dataset)
        weights = counted.weights if wanted == "frequency" else counted.median_frequency_weights
        return weights.round(6)
    try:
        weights = np.array([float(number) for number in (wanted.split(",") if isinstance(wanted, str) else wanted)])
    except ValueError:
        raise ValueError(f"class weights {wanted!r}: possible are none, frequency, median, or numbers as in 1,2,0.5") from None
    most = np.finfo(np.float32).max  # losses are float32
    if len(weights) != dataset.num_classes or not ((weights >= 0) & (weights <= most)).all():  # NaN is neither
        raise ValueError(
            f"class weights are {', '.join(map('{:g}'.format, weights))}; give {dataset.num_classes} numbers from 0 to "
            f"{most:.2g}, one for each of {', '.join(dataset.classes)}"
        )
    return weights


class LossScale:
    """How the loss, summed over pixels, becomes what is minimised and what is shown.

    to_objective, to_pixel = loss_scale([loss_scale.count(batch) for batch in batches])

    Counting on the host, before the labels go to a GPU, costs the device nothing.
    """

    def __init__(self, norm: str, weights: np.ndarray | None, num_classes: int, ignore_index: int) -> None:
        self.norm, self.ignore_index = norm, ignore_index
        self.weights = np.ones(num_classes) if weights is None else weights

    def __call__(self, counts: Sequence[tuple[float, int]]) -> tuple[float, float]:
        """The counts of a whole step's batches -> (the factor on the summed loss that makes it the objective, the factor that
        makes it the loss a pixel).

        A step in which every pixel is void has loss 0 and no gradient.
        """
        pixels, pictures = map(sum, zip(*counts, strict=True))
        per_pixel = 1.0 / pixels if pixels else 0.0
        return {"mean": per_pixel, "batch": 1.0 / pictures, "sum": 1.0}[self.norm], per_pixel

    def count(self, batch: Batch | Uploaded) -> tuple[float, int]:
        """(the sum of the class weights over the labelled pixels of a batch, its pictures).

        Raises ValueError, naming the pictures, where a label is out of range.
        """
        counts = np.bincount(batch.labels.ravel(), minlength=len(self.weights))
        unknown = [
            label for label in np.flatnonzero(counts).tolist() if label >= len(self.weights) and label != self.ignore_index
        ]
        if unknown:
            raise ValueError(
                f"the pictures {', '.join(batch.ids[:10])} have labels {unknown[:5]}; possible are 0 to "
                f"{len(self.weights) - 1} and void {self.ignore_index}: has the data set more classes than the network?"
            )
        return float(counts[: len(self.weights)] @ self.weights), len(batch.ids)
