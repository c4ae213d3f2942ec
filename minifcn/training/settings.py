"""The settings of a training run."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from dataclasses import asdict, dataclass
from typing import Any

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
