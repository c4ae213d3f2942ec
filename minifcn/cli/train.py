"""``minifcn train``: a network, a data set and a run folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from minifcn.cli.plan import Plan, make_plan

# What --resume may change: it decides how long, where and how talkatively the same run goes on.
MAY_CHANGE = {
    "epochs", "iterations", "device", "precision", "log_every", "validate_every", "checkpoint_every", "samples",
}  # fmt: skip


def _panel(title: str) -> Callable[..., Any]:
    """Options under one heading of --help."""
    return lambda help, *names: typer.Option(*names, help=help, rich_help_panel=title)


_network, _data, _optimisation, _run = map(_panel, ("The network", "The data", "The optimisation", "The run"))


def train(
    model: Annotated[str | None, _network("fcn32s, fcn16s, fcn8s, ...")] = None,
    width: Annotated[float | None, _network("Factor on all channel counts.")] = None,
    padding: Annotated[int | None, _network("Of the first layer: 100, or 1 for small pictures.")] = None,
    dropout: Annotated[float | None, _network("Probability in fc6 and fc7.")] = None,
    learn_upsampling: Annotated[bool | None, _network("Whether deconvolutions learn.")] = None,
    init_from: Annotated[str | None, _network("Weights to start from: a run, .safetensors, .npz.")] = None,
    freeze: Annotated[list[str] | None, _network("Layers that do not learn, e.g. 'conv*'.")] = None,
    data: Annotated[str | None, _data("shapes, voc, voc2011, idd, folder.")] = None,
    root: Annotated[str | None, _data("Where the data set lies.")] = None,
    train_split: Annotated[str | None, _data("Trained on.")] = None,
    val_split: Annotated[str | None, _data("Validated on.")] = None,
    missing: Annotated[str | None, _data("Listed pictures that are not there: error or skip.")] = None,
    augment: Annotated[str | None, _data("e.g. flip,scale:0.5-2,crop:320x320,rotate:10,jitter:0.3")] = None,
    preprocessing: Annotated[str | None, _data("plain, caffe, torchvision, squeezenet.")] = None,
    recipe: Annotated[str | None, _optimisation("Defaults for the rest: scratch, heavy, paper, modern.")] = None,
    epochs: Annotated[float | None, _optimisation("Passes over the data.")] = None,
    iterations: Annotated[int | None, _optimisation("Optimizer steps, instead of epochs.")] = None,
    batch_size: Annotated[int | None, _optimisation("Pictures in a batch.")] = None,
    accumulate: Annotated[int | None, _optimisation("Batches in a step.")] = None,
    optimizer: Annotated[str | None, _optimisation("sgd, adam, adamw.")] = None,
    lr: Annotated[float | None, _optimisation("Learning rate.", "--lr")] = None,
    momentum: Annotated[float | None, _optimisation("Of SGD.")] = None,
    nesterov: Annotated[bool | None, _optimisation("Nesterov's momentum.")] = None,
    weight_decay: Annotated[float | None, _optimisation("L2 penalty.")] = None,
    schedule: Annotated[str | None, _optimisation("fixed, step:size=1000,gamma=0.1, poly, cosine:warmup=100")] = None,
    lr_factor: Annotated[list[str] | None, _optimisation("Rate of some layers, e.g. 'score*=10'.")] = None,
    loss_norm: Annotated[str | None, _optimisation("mean (a labelled pixel), batch, sum.")] = None,
    class_weights: Annotated[str | None, _optimisation("none, frequency, median, or 1,2,0.5,...")] = None,
    label_smoothing: Annotated[float | None, _optimisation("Share of the target given to all classes.")] = None,
    clip_norm: Annotated[float | None, _optimisation("Largest norm of the gradient.")] = None,
    seed: Annotated[int | None, _run("Of everything random.")] = None,
    out: Annotated[Path | None, _run("The run folder.")] = None,
    resume: Annotated[Path | None, _run("Go on with the run in this folder.")] = None,
    log_every: Annotated[int | None, _run("Iterations between rows of the log.")] = None,
    validate_every: Annotated[int | None, _run("Iterations between validations (else epochs).")] = None,
    checkpoint_every: Annotated[int | None, _run("Iterations between checkpoints.")] = None,
    samples: Annotated[int | None, _run("Pictures drawn at each validation.")] = None,
    device: Annotated[str | None, _run("cpu or cuda.")] = None,
    precision: Annotated[str | None, _run("On a GPU: tf32 (tensor cores) or float32.")] = None,
) -> None:  # fmt: skip
    """Train a network: validates, keeps the last and the best checkpoint, and can be stopped (Ctrl-C) and resumed.

    Example: minifcn train --data voc --root VOCdevkit --recipe scratch --width 0.25 --epochs 20 --out runs/voc

    Then: minifcn train --resume runs/voc
    """
    said = {name: value for name, value in locals().items() if name not in ("recipe", "out", "resume", "lr_factor")}
    said["lr_factors"] = _factors(lr_factor) if lr_factor else None
    said["freeze"] = tuple(freeze) if freeze else None
    if resume is not None:
        result = _resume(resume, recipe, out, said)
    else:
        plan = make_plan(recipe, **said)
        result = run(plan, out or Path("runs") / f"{plan.data}-{plan.model}")
    print(result.message)
    if result.interrupted:
        raise typer.Exit(130)


def run(plan: Plan, folder: Path):
    """A new run in ``folder``, on the screen."""
    from minifcn.cli.assemble import make_trainer
    from minifcn.cli.screen import TrainingScreen, console

    trainer = make_trainer(plan, folder, TrainingScreen(), console.print)
    trainer.folder.create()
    return _go(trainer)


def _resume(folder: Path, recipe: str | None, out: Path | None, said: dict):
    """Goes on with the run in ``folder`` by its own config.toml; only its length, its device and its logging may be new."""
    from dataclasses import replace

    from minifcn.cli.assemble import make_trainer
    from minifcn.cli.screen import TrainingScreen, console
    from minifcn.training import RunFolder

    plan = Plan.from_dict(RunFolder(folder).open().read_config().get("run", {}))
    new = {name: value for name, value in said.items() if value is not None and value != getattr(plan, name)}
    fixed = sorted(set(new) - MAY_CHANGE)
    fixed += [name for name, value in (("recipe", recipe), ("out", out)) if value is not None]
    if fixed:
        options = ", ".join("--" + name.replace("_", "-") for name in fixed)
        raise ValueError(f"a resumed run keeps its settings: drop {options}, or start a new run with --init-from")
    trainer = make_trainer(replace(plan, init_from=None, **new), folder, TrainingScreen(), console.print)
    trainer.resume()
    return _go(trainer)


def _go(trainer):
    """Trains, and shows the last validation."""
    from minifcn.cli.assemble import out_of_memory
    from minifcn.cli.screen import print_evaluation

    _introduce(trainer)
    try:
        result = trainer.run()
    except MemoryError as error:
        if trainer.device == "cpu":
            raise
        raise out_of_memory(trainer) from error
    if result.evaluation is not None:
        print_evaluation(result.evaluation, trainer.validation.classes)
    return result


def _introduce(trainer) -> None:
    """What is about to be trained, on what, how long."""
    parameters = list(trainer.net.parameters())
    trained = sum(p.size for p in parameters if p.requires_grad)
    print(
        f"{trainer.net.config['name']}: {sum(p.size for p in parameters):,} parameters, {trained:,} of them trained\n"
        f"{len(trainer.loader.dataset)} pictures to train on, {len(trainer.validation)} to validate on; "
        f"iterations {trainer.state.iteration} to {trainer.settings.iterations}; run folder {trainer.folder.path}"
    )


def _factors(texts: list[str]) -> dict[str, float]:
    """["score*=10"] -> {"score*": 10.0}."""
    factors = {}
    for text in texts:
        pattern, _, factor = text.partition("=")
        try:
            factors[pattern] = float(factor)
        except ValueError:
            raise ValueError(f"--lr-factor {text!r}: write layers=factor, such as 'score*=10'") from None
    return factors
