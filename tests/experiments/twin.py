"""A run of an experiment once more in PyTorch: the same weights, batches and schedule, and both losses step by step.

    python tests/experiments/twin.py seed-004 baseline idd idd20k_lite --steps 200
    python tests/experiments/twin.py seed-003 32s voc VOCdevkit --dtype float32 --steps 400 --out twins

In float64 the two may differ by rounding only: the largest difference of a loss is printed, in parts of the loss. In float32
they part after a while, as two runs of one program on two machines do; what counts then is where they end, so both are
validated, and with --out their losses are drawn into one plot.

Dropout is 0 in both, since its random numbers are not PyTorch's. The twin's network is one of `tests/models/twins`; its
optimizer is PyTorch's own.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import typer

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "models")]

import twins  # noqa: E402

from minifcn import training  # noqa: E402
from minifcn.experiments import load  # noqa: E402
from minifcn.models import options as options_of  # noqa: E402

VOID = 255


@dataclass
class Pair:
    """Ours and PyTorch's after so many steps."""

    trainer: training.Trainer
    theirs: torch.nn.Module
    losses: list[tuple[float, float]] = field(default_factory=list)

    @property
    def largest_difference(self) -> float:
        """Of the losses of one step, in parts of the loss."""
        return max(abs(mine - their) / max(abs(their), 1e-12) for mine, their in self.losses)


def plan_of(experiment: str, run: str, data: str, root: str, weights: Path | None, **changes: Any) -> training.Plan:
    """The plan of a run of an experiment, without dropout, and with other settings where they are given."""
    from minifcn.cli.plan import plan_of as complete

    runs = {planned.name: planned for planned in load(experiment).runs}
    if run not in runs:
        raise ValueError(f"{experiment} has no run {run!r}; it has {', '.join(runs)}")
    values: dict[str, Any] = {**runs[run].values(weights), "data": data, "root": root, **changes}
    if str(values.get("init_from", "")).startswith("run:"):
        raise ValueError(f"{run} begins where {values['init_from'][4:]} ends; choose a run that begins by itself")
    if values.get("init_from") == "weights":
        del values["init_from"]  # none are given: from scratch, as in the experiment
    values |= {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
    plan = complete(values.pop("recipe", None), values)
    known = options_of(plan.network.model)
    quiet = {name: 0.0 for name in ("dropout",) if name in known}
    return replace(plan, network=replace(plan.network, options={**plan.network.options, **quiet}))


def pair(plan: training.Plan, steps: int, dtype: str, folder: Path) -> Pair:
    """Trains both for so many steps."""
    plan = replace(plan, training=replace(plan.training, iterations=steps, epochs=None), data=plan.data.located())
    train, validation = plan.data.datasets()
    net = plan.network.build(train.num_classes, plan.training.seed, report=lambda _: None).to(dtype)
    loader = plan.data.loader(train, plan.training.seed)
    trainer = training.Trainer(
        net, plan.optimizer.build(net), loader, plan.training, training.RunFolder(folder), validation
    )  # fmt: skip
    made = Pair(trainer, twin_of(plan, net, train.num_classes, dtype))
    optimizer = their_optimizer(plan, trainer, made.theirs)
    with contextlib.closing(trainer.batches()) as batches:
        for step in range(steps):
            these = next(batches)
            their_loss = their_step(plan, trainer, made.theirs, optimizer, these, step)
            mine, _ = trainer.step(these)
            made.losses.append((float(mine), their_loss))
    return made


def twin_of(plan: training.Plan, net: Any, num_classes: int, dtype: str) -> torch.nn.Module:
    """PyTorch's network with our numbers; what is frozen in ours is frozen there."""
    kind = twins.twin(plan.network.model).Twin
    known = inspect.signature(kind).parameters
    given, usual = plan.network.options, options_of(plan.network.model)
    if lacks := {name: value for name, value in given.items() if name not in known and value != usual[name]}:
        raise ValueError(
            f"the twin of {plan.network.model} has no {', '.join(f'{name}={value}' for name, value in lacks.items())}"
        )
    theirs = kind(num_classes, **{name: value for name, value in given.items() if name in known}).to(getattr(torch, dtype))
    state = {key: torch.tensor(array) for key, array in net.state_dict().items()}
    missing, unexpected = theirs.load_state_dict(state, strict=False)
    if unexpected or [key for key in missing if not key.endswith("num_batches_tracked")]:
        raise ValueError(f"the twin has other weights: {missing} {unexpected}")
    learns = {name: weights.requires_grad for name, weights in net.named_parameters(remove_duplicate=False)}
    for name, weights in theirs.named_parameters(remove_duplicate=False):
        weights.requires_grad_(learns[name])
    return theirs


def their_optimizer(plan: training.Plan, trainer: training.Trainer, theirs: torch.nn.Module) -> torch.optim.Optimizer:
    """PyTorch's optimizer, with our groups: a rate and a decay for each name."""
    names = {id(weights): name for name, weights in trainer.net.named_parameters()}
    weights = dict(theirs.named_parameters(remove_duplicate=False))
    groups = [
        {**group, "params": [weights[names[id(one)]] for _, one in _pairs(group["params"])]}
        for group in ({key: group[key] for key in ("params", "lr", "weight_decay")} for group in trainer.optimizer.param_groups)
    ]
    planned = plan.optimizer
    if planned.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=planned.lr, momentum=planned.momentum, nesterov=planned.nesterov)
    return (torch.optim.Adam if planned.optimizer == "adam" else torch.optim.AdamW)(groups, lr=planned.lr)


def _pairs(params: list[Any]) -> list[tuple[str, Any]]:
    return [one if isinstance(one, tuple) else ("", one) for one in params]


def their_step(
    plan: training.Plan, trainer: training.Trainer, theirs: torch.nn.Module, optimizer: torch.optim.Optimizer,
    batches: list[Any], step: int,
) -> float:  # fmt: skip
    """One step of PyTorch's on these batches; the loss a labelled pixel."""
    theirs.train()
    for name, layer in trainer.net.named_layers():
        if layer.frozen and name:
            theirs.get_submodule(name).eval()
    factor = trainer.schedule(step)
    for group in optimizer.param_groups:
        group["lr"] = group.setdefault("first_lr", group["lr"]) * factor
    optimizer.zero_grad()
    dtype = next(theirs.parameters()).dtype
    weight = trainer.loss_scale.weights
    class_weights = torch.tensor(np.asarray(weight), dtype=dtype)
    pixels = sum(float(weight[batch.labels[batch.labels != VOID]].sum()) for batch in batches)
    total = 0.0
    for batch in batches:
        scores = theirs(torch.tensor(batch.images).to(dtype))
        labels = torch.tensor(batch.labels.astype(np.int64))
        summed = torch.nn.functional.cross_entropy(
            scores, labels, class_weights, ignore_index=VOID, reduction="sum", label_smoothing=plan.training.label_smoothing
        )
        norm = {"mean": 1 / pixels, "sum": 1.0, "batch": 1 / sum(len(one.ids) for one in batches)}[plan.training.loss_norm]
        (summed * norm).backward()
        total += float(summed.detach())
    if plan.training.clip_norm:
        torch.nn.utils.clip_grad_norm_([one for one in theirs.parameters() if one.grad is not None], plan.training.clip_norm)
    optimizer.step()
    return total / pixels


def validated(made: Pair) -> tuple[float, float]:
    """The mean IU of both on the validation pictures."""
    mine = training.evaluate(made.trainer.net, made.trainer.validation, made.trainer.loader.preprocessing)
    state = {key: value.detach().numpy() for key, value in made.theirs.state_dict().items()}
    made.trainer.net.load_state_dict({key: state[key] for key in made.trainer.net.state_dict()})
    theirs = training.evaluate(made.trainer.net, made.trainer.validation, made.trainer.loader.preprocessing)
    return mine.matrix.mean_iu(), theirs.matrix.mean_iu()


def main(
    experiment: str, run: str, data: str, root: str, weights: Path | None = None, steps: int = 200, dtype: str = "float64",
    out: Path | None = None, width: float | None = None,
) -> None:  # fmt: skip
    """See the head of this file."""
    plan = plan_of(experiment, run, data, root, weights)
    if width is not None:
        plan = replace(plan, network=replace(plan.network, options={**plan.network.options, "width": width}))
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        made = pair(plan, steps, dtype, Path(folder) / "run")
        seconds = time.perf_counter() - began
        first, last = made.losses[0], made.losses[-1]
        print(
            f"{experiment} {run}, {plan.network.model}, {dtype}, {steps} steps in {seconds:.0f} s: losses differ by at most "
            f"{made.largest_difference:.1e}; first {first[0]:.6f} and {first[1]:.6f}, last {last[0]:.6f} and {last[1]:.6f}"
        )
        if dtype == "float32":
            mine, theirs = validated(made)
            print(f"mean IU {mine:.4f} and PyTorch's {theirs:.4f}: {mine - theirs:+.4f}")
        if out is not None:
            _plot(made, out, f"{experiment}_{run}_{dtype}")


def _plot(made: Pair, out: Path, name: str) -> None:
    from minifcn.visualize import style
    from minifcn.visualize.lines import draw_lines

    out.mkdir(parents=True, exist_ok=True)
    mine, theirs = (list(one) for one in zip(*made.losses, strict=True))
    style.save(draw_lines({"loss": {"minifcn": mine, "PyTorch": theirs}}, size=(6, 14)), out / f"{name}.png")
    print(out / f"{name}.png")


if __name__ == "__main__":
    typer.run(main)
