"""What a run will cost, before it begins: a few of its own steps and validation pictures, timed, and its memory by the ledger.

The steps are real ones, on the run's own batches, so the network is spent afterwards; nothing is written.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import time
from dataclasses import dataclass
from statistics import median

from minifcn.anatomy.ledger import ledger
from minifcn.training.trainer import Trainer
from minifcn.training.validation import evaluate


@dataclass(frozen=True)
class Rehearsal:
    """Seconds are medians; `memory` is bytes at the peak of a step, with the optimizer's state, None where a network's forward
    looks at numbers and cannot be run without; `sizes` are (N, C, H, W) of the batches that were timed."""

    iterations: int
    steps_an_epoch: float
    step_seconds: float
    validations: int
    validation_seconds: float
    memory: int | None
    sizes: list[tuple[int, ...]]

    @property
    def seconds(self) -> float:
        """All steps and validations of the run."""
        return self.iterations * self.step_seconds + self.validations * self.validation_seconds


def rehearse(trainer: Trainer, seconds: float = 5.0) -> Rehearsal:
    """Times steps of ``trainer`` for about ``seconds``, at least two, of which the first does not count; then validation."""
    shapes: list[tuple[int, ...]] = []
    steps, began = [], time.perf_counter()
    with contextlib.closing(trainer.batches()) as batches:
        for number in itertools.count():
            batch = next(batches)
            start = time.perf_counter()
            float(trainer.step(batch)[0])  # which waits for a GPU
            shapes += [one.images.shape for one in batch]
            if number:
                steps.append(time.perf_counter() - start)
            if steps and time.perf_counter() - began > seconds:
                break
    largest = max(shapes, key=math.prod)
    return Rehearsal(
        trainer.iterations,
        len(trainer.loader) / trainer.settings.accumulate,
        median(steps),
        *_validation(trainer, seconds),
        _memory(trainer, largest),
        sorted(set(shapes)),
    )


def _validation(trainer: Trainer, seconds: float) -> tuple[int, float]:
    """How many validations the run has, and the seconds of one."""
    if trainer.validation is None:
        return 0, 0.0
    every, epoch = trainer.settings.validate_every, len(trainer.loader) / trainer.settings.accumulate
    count, taken = 2, 0.0
    while True:
        few = trainer.validation.few(min(count, len(trainer.validation)))
        taken = evaluate(trainer.net, few, trainer.loader.preprocessing).seconds
        if taken > seconds / 4 or len(few) == len(trainer.validation):
            return math.ceil(trainer.iterations / (every or epoch)), taken * len(trainer.validation) / len(few)
        count *= 4


def _memory(trainer: Trainer, shape: tuple[int, ...]) -> int | None:
    try:
        return ledger(trainer.net.train(), shape).training_peak + trainer.optimizer.state_nbytes()
    except TypeError:
        return None
