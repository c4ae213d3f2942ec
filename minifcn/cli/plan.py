"""Plans from the command line: recipes, which are partial plans, and what is given, which wins."""

from __future__ import annotations

from typing import Any

from minifcn.cli.options import SHORTHANDS, network_options
from minifcn.training.plan import FIELDS, Plan

RECIPES: dict[str, dict[str, Any]] = {
    # No pretrained weights: He-initialised, any width; Adam finds its own scale for layers that start at zero.
    "scratch": {
        "optimizer": "adam", "lr": 1e-3, "weight_decay": 0.0, "bias_lr_factor": 1.0, "bias_decay_factor": 1.0,
        "batch_size": 8, "schedule": "cosine:warmup=20", "augment": "flip", "clip_norm": 5.0,
        "options": {"padding": 1, "dropout": 0.1},
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


def make_plan(recipe: str | None, **arguments: Any) -> Plan:
    """A plan from a recipe and from the command line, which wins."""
    model = arguments.get("model") or Plan().network.model
    return plan_of(recipe, values_of(model, arguments))


def plan_of(recipe: str | None, values: dict[str, Any]) -> Plan:
    """A plan from a recipe and {field: value}, which wins. What a recipe says of the network holds where the network takes it;
    options that nobody gives are written down too, so that a run's folder says all that made it."""
    from minifcn import models

    if recipe is not None and recipe not in RECIPES:
        raise ValueError(f"unknown recipe {recipe!r}; possible are {', '.join(RECIPES)}")
    partial = RECIPES.get(recipe or "", {})
    model = values.get("model", Plan().network.model)
    known = {name: value for name, value in models.options(model).items() if name != "seed" and value is not None}
    suggested = {name: value for name, value in partial.get("options", {}).items() if name in known}
    return Plan.of({**partial, **values, "options": {**known, **suggested, **values.get("options", {})}})


def values_of(model: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """{field of a plan: value} of what is given on the command line (None: not given), texts read, shorthands among options."""
    values = {name: value for name, value in arguments.items() if name in FIELDS and value is not None}
    shorthands = {name: value for name, value in arguments.items() if name in SHORTHANDS}
    values["options"] = network_options(model, values.get("options"), **shorthands)
    if "freeze" in values:
        values["freeze"] = tuple(values["freeze"])
    if "lr_factors" in values:
        values["lr_factors"] = dict(map(_factor, values["lr_factors"]))
    return values


def _factor(text: str) -> tuple[str, float]:
    """ "score*=10" -> ("score*", 10.0)."""
    pattern, _, factor = text.partition("=")
    try:
        return pattern, float(factor)
    except ValueError:
        raise ValueError(f"--lr-factor {text!r}: write layers=factor, such as 'score*=10'") from None
