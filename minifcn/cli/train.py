"""``minifcn train``: a network, a data set and a run folder."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from minifcn.cli.options import SHORTHANDS, option, options_of, taking
from minifcn.cli.plan import make_plan, values_of
from minifcn.cli.worker import through
from minifcn.machine.mpi import rank
from minifcn.training.plan import FIELDS, RECORDS, Plan
from minifcn.training.run.folder import RunFolder
from minifcn.training.staged import RATE, begin, is_staged, read_stages, stages

if TYPE_CHECKING:
    from minifcn.training import Result, Trainer
    from minifcn.training.replicas import Alone

_optimisation, _run = partial(option, panel="The optimisation"), partial(option, panel="The run")


@taking(
    {
        "model": None,  # first of its heading
        **SHORTHANDS,
        "recipe": _optimisation(str, "Defaults for the rest: scratch, heavy, paper, modern."),
        **{name: annotation for record in RECORDS.values() for name, annotation in options_of(record).items()},
        "out": _run(Path, "The run folder."),
        "resume": _run(Path, "Go on with the run in this folder."),
        "staged": _run(bool, "Train FCN-32s first, then 16s from it, then 8s: a folder each."),
        "stage_rate": _optimisation(float, "Rate of a stage, times that of the one before (0.01)."),
        "workers": _run(int, "Processes that share each step's batches (--accumulate); the result is the same for any number."),
        "restarts": _run(int, "How often to start again, from the last checkpoint, when a worker is killed."),
        "dry_run": _run(bool, "Say what the run will take, time and memory, and write nothing."),
    }
)
def train(
    recipe: str | None, out: Path | None, resume: Path | None, staged: bool | None, stage_rate: float | None,
    workers: int | None, restarts: int | None, dry_run: bool | None, **arguments: Any,
) -> None:  # fmt: skip
    """Train a network: validates, keeps the last and the best checkpoint, and can be stopped (Ctrl-C) and resumed.

    Example: minifcn train --data voc --root VOCdevkit --recipe scratch --width 0.25 --epochs 20 --out runs/voc

    Then: minifcn train --resume runs/voc
    """
    fixed = {"recipe": recipe, "out": out, "staged": staged, "stage_rate": stage_rate}
    if dry_run:
        if resume is not None:
            raise ValueError("--dry-run is for a run that has not begun: drop --resume")
        plan = make_plan(recipe, **arguments)
        _rehearse(plan, out or _usual_folder(plan))
        return
    if workers is not None and rank() is None:
        raise typer.Exit(_launch(workers, restarts, recipe, out, resume, fixed, arguments))
    if restarts is not None and rank() is None:
        raise ValueError("--restarts belongs to --workers")
    replicas = _join(workers, arguments, resume)
    if resume is not None:
        folder, staged = resume, is_staged(resume)
        result = (_resume_stages if staged else resume_run)(folder, fixed, arguments, replicas)
    else:
        plan = make_plan(recipe, **arguments)
        folder = out or _usual_folder(plan)
        if stage_rate is not None and not staged:
            raise ValueError("--stage-rate belongs to --staged")
        rate = RATE if stage_rate is None else stage_rate
        result = _run_stages(plan, rate, folder, replicas) if staged else run(plan, folder, replicas)
    print(result.message)
    if result.interrupted and staged:
        print(f"and with the stages behind it: minifcn train --resume {folder}")
    replicas.wait()
    through()
    if result.interrupted:
        raise typer.Exit(130)


def _launch(
    workers: int, restarts: int | None, recipe: str | None, out: Path | None, resume: Path | None, fixed: dict[str, Any],
    arguments: dict[str, Any],
) -> int:  # fmt: skip
    """Has so many processes do it, once it is clear that they can share a step."""
    from minifcn import cli
    from minifcn.cli.workers import launch
    from minifcn.training.replicas import check_workers

    if restarts is not None and restarts < 0:
        raise ValueError(f"--restarts {restarts}: write 0 or more")
    plan = make_plan(recipe, **arguments) if resume is None else _changed(_plan_in(resume), fixed, arguments)
    check_workers(workers, plan.training.accumulate, plan.training.sync_bn)
    folder = resume or out or _usual_folder(plan)
    given = [argument for argument in cli.given if argument != "--debug"]
    return launch(given, folder, lambda: is_staged(folder) or RunFolder(folder).last.is_file(), workers, restarts or 0)


def _plan_in(folder: Path) -> Plan:
    """The plan of the run, or of the run in stages, in a folder."""
    return read_stages(folder)[0] if is_staged(folder) else Plan.from_config(RunFolder(folder).open().read_config())


def _join(workers: int | None, arguments: dict[str, Any], resume: Path | None) -> Alone:
    """Those who share the work, where an MPI started this process."""
    from minifcn.training.replicas import Alone

    if rank() is None:
        return Alone()
    from minifcn.training.replicas.job import join

    before = "cpu" if resume is None else _plan_in(resume).network.device
    replicas = join(arguments.get("device") or before)
    if workers not in (None, replicas.count):
        raise ValueError(f"--workers {workers}, and the MPI started {replicas.count}: drop --workers")
    return replicas


def run(plan: Plan, folder: Path, replicas: Alone | None = None) -> Result:
    """A new run in ``folder``, on the screen."""
    from minifcn.cli.assemble import make_trainer
    from minifcn.cli.screen import TrainingScreen, console
    from minifcn.training.replicas import Alone, root_first

    replicas = replicas or Alone()
    with root_first(replicas):
        trainer = make_trainer(plan, folder, TrainingScreen(), console.print, replicas=replicas)
        if replicas.is_root:
            trainer.folder.create()
    return _go(trainer)


def _usual_folder(plan: Plan) -> Path:
    return Path("runs") / f"{plan.data.data}-{plan.network.model}"


def _rehearse(plan: Plan, folder: Path) -> None:
    """Prints what a run of ``plan`` in ``folder`` would take."""
    from minifcn.cli.assemble import make_trainer
    from minifcn.cli.screen import duration, say, table
    from minifcn.machine.facts import memory
    from minifcn.training import Progress
    from minifcn.training.rehearsal import rehearse

    trainer = make_trainer(plan, folder, Progress(), say)
    _introduce(trainer)
    found = rehearse(trainer)
    peak = "unknown" if found.memory is None else f"{found.memory / 2**30:.2f} GB"
    free = memory()[1]
    sizes = ", ".join("x".join(map(str, size)) for size in found.sizes[:4]) + (" ..." if len(found.sizes) > 4 else "")
    rows = [
        ("a step", f"{found.step_seconds:.3f} s", f"batches of {sizes}"),
        ("all steps", duration(found.iterations * found.step_seconds), f"{found.iterations:,} iterations"),
        ("a validation", duration(found.validation_seconds), f"{len(trainer.validation or ()):,} pictures"),
        ("all validations", duration(found.validations * found.validation_seconds), f"{found.validations:,}"),
        ("the run", duration(found.seconds), ""),
        ("memory of a step", peak, "" if free is None else f"{free / 2**30:.1f} GB are free"),
    ]
    table("what this run will take here", ("", "", ""), rows)
    say("nothing was written; leave out --dry-run to begin")


def _run_stages(plan: Plan, rate: float, folder: Path, replicas: Alone) -> Result:
    """A new run in stages, each in a folder of its own in ``folder``."""
    if replicas.is_root:
        begin(plan, rate, folder)
    return _climb(stages(plan, rate), folder, replicas)


def _resume_stages(folder: Path, fixed: dict[str, Any], arguments: dict[str, Any], replicas: Alone) -> Result:
    """Goes on with the last stage that has begun, then with those that have not."""
    plan, rate = read_stages(folder)
    way = stages(_changed(plan, fixed, arguments), rate)
    begun = [place for place, name in enumerate(way) if RunFolder(folder / name).last.is_file()]
    if not begun:
        return _climb(way, folder, replicas)
    result = resume_run(folder / list(way)[begun[-1]], fixed, arguments, replicas)
    return result if result.interrupted else _climb(way, folder, replicas, begun[-1] + 1, result)


def _climb(way: dict[str, Plan], folder: Path, replicas: Alone, first: int = 0, result: Result | None = None) -> Result:
    """Runs the stages from the ``first`` on, each from the weights of the one before; ``result`` is that of the one before."""
    for place, (name, plan) in enumerate(way.items()):
        if place >= first:
            if place > 0:
                before = str(folder / list(way)[place - 1])
                plan = replace(plan, network=replace(plan.network, init_from=before))
            print(f"stage {place + 1} of {len(way)}: {name}, rate {plan.optimizer.lr:g}")
            result = run(plan, folder / name, replicas)
            if result.interrupted:
                break
    assert result is not None  # there are two stages or more
    return result


def resume_run(
    folder: Path, fixed: dict[str, Any], arguments: dict[str, Any], replicas: Alone | None = None
) -> Result:  # fmt: skip
    """Goes on with the run in ``folder`` by its config.toml; ``arguments`` may change what a resumed run may have changed."""
    from minifcn.cli.assemble import make_trainer
    from minifcn.cli.screen import TrainingScreen, console
    from minifcn.training.replicas import Alone, root_first

    replicas = replicas or Alone()
    plan = _changed(_plan_in(folder), fixed, arguments)
    with root_first(replicas):
        trainer = make_trainer(plan, folder, TrainingScreen(), console.print, resumed=True, replicas=replicas)
    trainer.resume()
    return _go(trainer)


def _changed(plan: Plan, fixed: dict[str, Any], arguments: dict[str, Any]) -> Plan:
    """The plan of a resumed run: new may be what decides how long, where and how talkatively. Raises ValueError for all else,
    and where one of ``fixed`` is given."""
    before, values = plan.values(), values_of(plan.network.model, arguments)
    options = values.pop("options")
    new = {name: value for name, value in values.items() if value != before[name]}
    wrong = [name for name in new if not FIELDS[name].metadata["on_resume"]]
    wrong += [name for name, value in options.items() if value != before["options"].get(name)]
    wrong += [name for name, value in fixed.items() if value is not None]
    if wrong:
        flags = ", ".join(map(_flag, sorted(wrong)))
        raise ValueError(f"a resumed run keeps its settings: drop {flags}, or start a new run with --init-from")
    for length, other in (("iterations", "epochs"), ("epochs", "iterations")):
        if length in new and other not in values:
            new[other] = None  # the one that is given now holds
    return Plan.of({**before, **new})


def _flag(name: str) -> str:
    """What a field, or an option of the network, is called on the command line."""
    if name in FIELDS and FIELDS[name].metadata["names"]:
        return FIELDS[name].metadata["names"][0]
    known = name in FIELDS or name in SHORTHANDS or name in ("recipe", "out", "staged", "stage_rate")
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
    shared = f"; {trainer.replicas.count} workers" if trainer.replicas.count > 1 else ""
    print(
        f"{trainer.net.config['name']}: {sum(p.size for p in parameters):,} parameters, {trained:,} of them trained\n"
        f"{len(trainer.loader.dataset)} pictures to train on, {len(trainer.validation or ())} to validate on; "
        f"iterations {trainer.state.iteration} to {trainer.iterations}; run folder {trainer.folder.path}{shared}"
    )
