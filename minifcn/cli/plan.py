"""Everything that defines a training run, as one record: options make it, config.toml keeps it, ``--resume`` reads it back."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Plan:
    """A training run. Fields have the names of ``minifcn train``'s options."""

    data: str = "shapes"
    root: str | None = None
    train_split: str = "train"
    val_split: str = "val"
    missing: str = "error"
    model: str = "fcn8s"
    width: float = 1.0
    padding: int = 100
    dropout: float = 0.5
    learn_upsampling: bool = False
    preprocessing: str = "plain"
    augment: str = ""
    epochs: float = 10
    iterations: int | None = None
    batch_size: int = 1
    accumulate: int = 1
    optimizer: str = "sgd"
    lr: float = 1e-4
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 5e-4
    bias_lr_factor: float = 2.0
    bias_decay_factor: float = 0.0
    lr_factors: dict[str, float] = dataclasses.field(default_factory=dict)
    schedule: str = "fixed"
    loss_norm: str = "mean"
    class_weights: str = "none"
    label_smoothing: float = 0.0
    clip_norm: float | None = None
    init_from: str | None = None
    freeze: tuple[str, ...] = ()
    log_every: int = 10
    validate_every: int | None = None
    checkpoint_every: int | None = None
    samples: int = 4
    seed: int = 0
    device: str = "cpu"
    precision: str = "tf32"

    def as_dict(self) -> dict[str, Any]:
        """All fields that are not None, for config.toml (TOML has no null)."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Plan:
        """The plan of a config.toml. Raises ValueError, naming them, for fields that this version does not know."""
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(f"the run's config.toml has settings that this version does not know: {', '.join(unknown)}")
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


RECIPES: dict[str, dict[str, Any]] = {
    # No pretrained weights: He-initialised, any width; Adam finds its own scale for layers that start at zero.
    "scratch": {
        "optimizer": "adam", "lr": 1e-3, "weight_decay": 0.0, "bias_lr_factor": 1.0, "bias_decay_factor": 1.0,
        "batch_size": 8, "padding": 1, "dropout": 0.1, "schedule": "cosine:warmup=20", "augment": "flip", "clip_norm": 5.0,
    },
    # The authors' "heavy" learning: one picture a step, the loss summed, momentum 0.99.
    "heavy": {
        "optimizer": "sgd", "lr": 1e-10, "momentum": 0.99, "weight_decay": 5e-4, "bias_lr_factor": 2.0,
        "bias_decay_factor": 0.0, "batch_size": 1, "loss_norm": "sum", "schedule": "fixed", "preprocessing": "caffe",
    },
    # The CVPR paper, section 4.3: batches of 20, rate 1e-4, momentum 0.9 (accumulated two by two).
    "paper": {
        "optimizer": "sgd", "lr": 1e-4, "momentum": 0.9, "weight_decay": 5e-4, "bias_lr_factor": 2.0,
        "bias_decay_factor": 0.0, "batch_size": 2, "accumulate": 10, "schedule": "fixed", "preprocessing": "caffe",
    },
    # The simplest good modern fine-tuning of FCN-8s in one go.
    "modern": {
        "optimizer": "adam", "lr": 1e-5, "weight_decay": 1e-6, "bias_lr_factor": 1.0, "bias_decay_factor": 1.0,
        "batch_size": 1, "augment": "flip,scale:0.75-1.5,rotate:10,jitter:0.2", "schedule": "fixed", "preprocessing": "caffe",
    },
}  # fmt: skip


def make_plan(recipe: str | None, **given: Any) -> Plan:
    """A plan from a recipe and from what was said on the command line, which wins (None: not said)."""
    if recipe is not None and recipe not in RECIPES:
        raise ValueError(f"unknown recipe {recipe!r}; possible are {', '.join(RECIPES)}")
    said = {name: value for name, value in given.items() if value is not None}
    return Plan(**{**RECIPES.get(recipe or "", {}), **said})
