"""``minifcn train``: a network, a data set and a run folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from minifcn.cli.options import SHORTHANDS, option, options_of, taking
from minifcn.cli.plan import make_plan, values_of
from minifcn.training.plan import FIELDS, RECORDS, Plan

if TYPE_CHECKING:
    from minifcn.training import Result, Trainer

_optimisation, _run = partial(option, panel="The optimisation"), partial(option, panel="The run")


@taking(
    {
        "model": None,  # first of its heading
        **SHORTHANDS,
        "recipe": _optimisation(str, "Defaults for the rest: scratch, heavy, paper, modern."),
        **{name: annotation for record in RECORDS.values() for name, annotation in options_of(record).items()},
        "out": _run(Path, "The run folder."),
        "resume": _run(Path, "Go on with the run in this folder."),
    }
)
def train(recipe: str | None, out: Path | None, resume: Path | None, **arguments: Any) -> None:
    """Train a network: validates, keeps the last and the best checkpoint, and can be stopped (Ctrl-C) and resumed.

    Example: minifcn train --data voc --root VOCdevkit --recipe scratch --width 0.25 --epochs 20 --out runs/voc

    Then: minifcn train --resume runs/voc
    """
    if resume is not None:
        result = _resume(resume, recipe, out, arguments)
    else:
        plan = make_plan(recipe, **arguments)
        result = run(plan, out or Path("runs") / f"{plan.data.data}-{plan.network.model}")
    print(result.message)
    if result.interrupted:
        raise typer.Exit(130)


def run(plan: Plan, folder: Path) -> Result:
    """A new run in ``folder``, on the screen."""
    from minifcn.cli.assemble import make_trainer
    from minifcn.cli.screen import TrainingScreen, console

    trainer = make_trainer(plan, folder, TrainingScreen(), console.print)
    trainer.folder.create()
    return _go(trainer)


def _resume(folder: Path, recipe: str | None, out: Path | None, arguments: dict[str, Any]) -> Result:
    """Goes on with the run in ``folder`` by its config.toml; new may be what decides how long, where and how talkatively."""
    from minifcn.cli.assemble import make_trainer
    from minifcn.cli.screen import TrainingScreen, console
    from minifcn.training import RunFolder

    plan = Plan.from_config(RunFolder(folder).open().read_config())
    before, values = plan.values(), values_of(plan.network.model, arguments)
    options = values.pop("options")
    new = {name: value for name, value in values.items() if value != before[name]}
    fixed = [name for name in new if not FIELDS[name].metadata["on_resume"]]
    fixed += [name for name, value in options.items() if value != before["options"].get(name)]
    fixed += [name for name, value in (("recipe", recipe), ("out", out)) if value is not None]
    if fixed:
        flags = ", ".join(map(_flag, sorted(fixed)))
        raise ValueError(f"a resumed run keeps its settings: drop {flags}, or start a new run with --init-from")
    for length, other in (("iterations", "epochs"), ("epochs", "iterations")):
        if length in new and other not in values:
            new[other] = None  # the one that is given now holds
    trainer = make_trainer(Plan.of({**before, **new}), folder, TrainingScreen(), console.print, resumed=True)
    trainer.resume()
    return _go(trainer)


def _flag(name: str) -> str:
    """What a field, or an option of the network, is called on the command line."""
    if name in FIELDS and FIELDS[name].metadata["names"]:
        return FIELDS[name].metadata["names"][0]
    known = name in FIELDS or name in SHORTHANDS or name in ("recipe", "out")
    return "--" + name.replace("_", "-") if known else f"--option {name}"


def _go(trainer: Trainer) -> Result:
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
    if result.evaluation is not None and trainer.validation is not None:
        print_evaluation(result.evaluation, trainer.validation.classes)
    return result


def _introduce(trainer: Trainer) -> None:
    """What is about to be trained, on what, how long."""
    parameters = list(trainer.net.parameters())
    trained = sum(p.size for p in parameters if p.requires_grad)
    print(
        f"{trainer.net.config['name']}: {sum(p.size for p in parameters):,} parameters, {trained:,} of them trained\n"
        f"{len(trainer.loader.dataset)} pictures to train on, {len(trainer.validation or ())} to validate on; "
        f"iterations {trainer.state.iteration} to {trainer.iterations}; run folder {trainer.folder.path}"
    )
