"""The settings of a training run."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

LOSS_NORMALIZATIONS = ("mean", "sum", "batch")


@dataclass(frozen=True)
class Settings:
    """What `Trainer` needs to know beside the network, the optimizer and the data.

    iterations           optimizer steps in the whole run
    accumulate           batches whose gradients are added up for one step; the step is the one of a batch that large
    loss_normalization   what the loss's sum over labelled pixels is divided by before its gradient is taken: "mean"
                         their number (their weights' sum, with class weights), "batch" the number of pictures, "sum"
                         nothing (the FCN authors' rule, with rates around 1e-10)
    class_weights        one weight a class, or None
    label_smoothing      PyTorch's
    clip_norm            the largest norm of the gradient; larger ones are scaled down to it. None: no limit
    schedule             text for `parse_schedule`
    log_every            iterations between two rows of the log
    validate_every       iterations between two validations; None: at the end of each epoch
    checkpoint_every     iterations between two checkpoints, beside those that follow each validation; None: only those
    samples              pictures of the validation set that are drawn at each validation
    seed                 of everything random
    """

    iterations: int
    accumulate: int = 1
    loss_normalization: str = "mean"
    class_weights: Sequence[float] | None = None
    label_smoothing: float = 0.0
    clip_norm: float | None = None
    schedule: str = "fixed"
    log_every: int = 10
    validate_every: int | None = None
    checkpoint_every: int | None = None
    samples: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("iterations", "accumulate", "log_every", "validate_every", "checkpoint_every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; it must be at least 1")
        if self.loss_normalization not in LOSS_NORMALIZATIONS:
            raise ValueError(
                f"loss_normalization is {self.loss_normalization!r}; possible are {', '.join(LOSS_NORMALIZATIONS)}"
            )
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ValueError(f"clip_norm is {self.clip_norm}; it must be positive, or None for no limit")

    @staticmethod
    def iterations_for(epochs: float, loader: Sized, accumulate: int = 1) -> int:
        """The iterations in that many epochs over the loader, at least 1."""
        return max(1, round(epochs * len(loader) / accumulate))

    def as_dict(self) -> dict[str, Any]:
        """All settings by name."""
        return asdict(self)


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
