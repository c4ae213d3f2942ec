"""The settings of a training run."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from dataclasses import dataclass
from functools import partial

from minifcn.training.fields import check, setting
from minifcn.training.schedules import parse_schedule

LOSS_NORMS = ("mean", "sum", "batch")
_EPOCHS = 10.0  # where neither iterations nor epochs are given

_optimisation, _run = partial(setting, panel="The optimisation"), partial(setting, panel="The run")


@dataclass(frozen=True)
class Settings:
    """What `Trainer` needs to know beside the network, the optimizer and the data; each field says what it is.

    The step of `accumulate` batches is that of one batch that large. `loss_norm` is what the loss's sum over labelled
    pixels is divided by before its gradient is taken: "mean" their number (their weights' sum, with class weights),
    "batch" the number of pictures, "sum" nothing (the FCN authors' rule, with rates around 1e-10). `class_weights` may be
    numbers or a text, see `objective.class_weights`.
    """

    iterations: int | None = _optimisation(None, "Optimizer steps, instead of epochs.", least=1, on_resume=True)
    epochs: float | None = _optimisation(None, "Passes over the data (10).", above=0, on_resume=True)
    accumulate: int = _optimisation(1, "Batches in a step.", least=1, most=10_000)
    schedule: str = _optimisation("fixed", "fixed, step:size=1000,gamma=0.1, poly, cosine:warmup=100")
    loss_norm: str = _optimisation("mean", "mean (a labelled pixel), batch, sum.", choices=LOSS_NORMS)
    class_weights: Sequence[float] | str | None = _optimisation(None, "none, frequency, median, or 1,2,0.5,...")
    label_smoothing: float = _optimisation(0.0, "Share of the target given to all classes.", least=0, most=1)
    sync_bn: bool = _optimisation(False, "Batch norm over all batches of a step: one for each of the --workers.")
    clip_norm: float | None = _optimisation(None, "Largest norm of the gradient; larger ones are scaled down.", above=0)
    seed: int = _run(0, "Of everything random.", least=0)
    log_every: int = _run(10, "Iterations between rows of the log.", least=1, on_resume=True)
    validate_every: int | None = _run(None, "Iterations between validations (else epochs).", least=1, on_resume=True)
    checkpoint_every: int | None = _run(
        None, "Iterations between checkpoints, beside those of validations.", least=1, on_resume=True
    )
    samples: int = _run(4, "Pictures drawn at each validation.", least=0, on_resume=True)

    def __post_init__(self) -> None:
        check(self)
        if self.iterations is not None and self.epochs is not None:
            raise ValueError(f"give iterations ({self.iterations}) or epochs ({self.epochs:g}), not both")
        if self.iterations is None and self.epochs is None:
            object.__setattr__(self, "epochs", _EPOCHS)
        parse_schedule(self.schedule, self.iterations or 1)

    def length(self, loader: Sized) -> int:
        """The iterations of a run over this loader: those asked for, or those in so many epochs, at least 1."""
        if self.iterations is not None:
            return self.iterations
        return max(1, round((self.epochs or _EPOCHS) * len(loader) / self.accumulate))
