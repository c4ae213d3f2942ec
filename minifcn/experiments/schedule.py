"""How long each run of an experiment may train, from the minutes for all of them and from how fast each was in a rehearsal.

All runs are validated on equally many pictures, the same ones, so that their measures compare; validations may take a fifth of
the time. What was decided once holds for every later call: so a run that is killed and resumed has the length that it had.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from minifcn.experiments.file import Experiment
from minifcn.training.rehearsal import Rehearsal

_TRAINED = 0.85  # of the time; the rest is for loading, drawing and the page
_VALIDATED = 0.2
_VALIDATIONS = 5
_FEWEST = 8  # pictures that a validation should have


@dataclass(frozen=True)
class Lengths:
    """What the budget decided: {field of a run's settings: value} for each run, and the pictures of every validation."""

    validate_on: int
    runs: Mapping[str, Mapping[str, float]]


def fit(experiment: Experiment, minutes: float, rehearsals: Mapping[str, Rehearsal], pictures: int) -> Lengths:
    """The lengths of all runs that were rehearsed, which fill `minutes` together; `pictures` could be validated on."""
    runs = [run for run in experiment.runs if run.name in rehearsals]
    seconds = 60 * minutes * _TRAINED
    shares = {run.name: seconds * run.share / sum(one.share for one in runs) for run in runs}
    each = {run.name: rehearsals[run.name].validation_seconds / pictures for run in runs}  # a picture
    affordable = min(_VALIDATED * shares[run.name] / _VALIDATIONS / max(each[run.name], 1e-9) for run in runs)
    validate_on = min(pictures, max(_FEWEST, int(affordable)))
    if experiment.length == "epochs":
        return Lengths(validate_on, _equal_epochs(experiment, seconds, rehearsals, each, validate_on))
    lengths = {}
    for run in runs:
        left = shares[run.name] - _VALIDATIONS * validate_on * each[run.name]
        iterations = max(1, int(left / rehearsals[run.name].step_seconds))
        lengths[run.name] = {"iterations": iterations, "validate_every": math.ceil(iterations / _VALIDATIONS)}
    return Lengths(validate_on, lengths)


def _equal_epochs(
    experiment: Experiment, seconds: float, rehearsals: Mapping[str, Rehearsal], each: Mapping[str, float], validate_on: int
) -> dict[str, dict[str, float]]:
    """As many epochs for every run as fit; each epoch ends with a validation."""
    epoch = sum(
        rehearsal.steps_an_epoch * rehearsal.step_seconds + validate_on * each[name] for name, rehearsal in rehearsals.items()
    )
    epochs = min(experiment.epochs, seconds / epoch)
    epochs = float(math.floor(epochs)) if epochs >= 1 else round(epochs, 4)
    return {name: {"epochs": max(epochs, 1e-4)} for name in rehearsals}
