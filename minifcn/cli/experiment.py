"""``minifcn experiment list | show | run``: runs that belong together, from a file, within a budget, and their page."""

from __future__ import annotations

import contextlib
import json
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from minifcn.experiments import Experiment, Lengths
    from minifcn.training import Plan

app = typer.Typer(no_args_is_help=True, help="The source documents' experiments, or your own from a file.")

_Name = Annotated[str, typer.Argument(help="A name that `list` prints, or a .toml file.")]
_SCHEDULE = "schedule.json"
_REHEARSED = 0.1  # of the time may be spent on rehearsals


@app.command("list")
def list_all() -> None:
    """List the experiments that come with minifcn."""
    from minifcn.experiments import load, shipped

    for name in shipped():
        experiment = load(name)
        print(f"{name:10} {experiment.title} ({', '.join(run.name for run in experiment.runs)})")


@app.command()
def show(name: _Name) -> None:
    """Say what an experiment is, which runs it has, and in what they differ.

    Example: minifcn experiment show seed-003
    """
    from minifcn.cli.screen import say, table
    from minifcn.experiments import load

    experiment = load(name)
    say(experiment.title)
    for paragraph in experiment.about:
        say(f"\n{paragraph}")
    names = [run.name for run in experiment.runs]
    settings = [{**run.values(None), "share": run.share} for run in experiment.runs]
    keys = dict.fromkeys(key for each in settings for key in each)
    same = {key for key in keys if all(each.get(key) == settings[0].get(key) for each in settings)}
    say("\nof all runs: " + ", ".join(f"{key} = {settings[0][key]}" for key in keys if key in same and key != "share"))
    rows = [(key, *(each.get(key, "-") for each in settings)) for key in keys if key not in same]
    table("what differs", ("", *names), rows or [("nothing", *("" for _ in names))])
    if experiment.reported():
        table("what the document reports", ("", *names), [(key, *row) for key, row in experiment.reported().items()])


@app.command()
def run(
    name: _Name,
    out: Annotated[Path, typer.Option(help="Where the runs and their page go.")],
    budget: Annotated[float, typer.Option(help="Minutes for all runs together.")] = 60.0,
    data: Annotated[str, typer.Option(help="shapes, voc, voc2011, idd, cityscapes, camvid, folder.")] = "shapes",
    root: Annotated[str | None, typer.Option(help="Where the data set lies.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Trained weights for the runs that can start from them.")] = None,
) -> None:
    """Run an experiment. Finished runs are kept, a stopped one goes on, a failed one is reported and the others are done.

    Example: minifcn experiment run seed-003 --data voc --root VOCdevkit --out runs/seed-003 --budget 60
    """
    from minifcn.cli.screen import say
    from minifcn.experiments import load

    if not (math.isfinite(budget) and budget > 0):
        raise ValueError(f"--budget {budget:g}: give the minutes for all runs, a number above 0")
    experiment = load(name)
    if weights is not None and not weights.exists():
        raise FileNotFoundError(f"--weights {weights}: there is no such file")
    asked = {
        "experiment": experiment.name, "runs": [run.name for run in experiment.runs], "budget": budget, "data": data,
        "root": _home(data, root), "weights": None if weights is None else str(weights.resolve()),
    }  # fmt: skip
    _check_free(out, asked)
    plans = _plans(experiment, asked, weights, out)
    lengths = _lengths(experiment, plans, asked, out)
    failed: dict[str, str] = {}
    for planned in experiment.runs:
        say(f"== {planned.name}")
        try:
            _train(_at_length(plans[planned.name], lengths, planned.name), out / planned.name, failed)
        except (ValueError, TypeError, OSError, RuntimeError, MemoryError) as error:
            failed[planned.name] = " ".join(str(error).split()) or type(error).__name__
            say(f"{planned.name} failed: {failed[planned.name]}")
    _write(experiment, out, failed, weights)
    if failed:
        raise ValueError(f"{len(failed)} of {len(experiment.runs)} runs failed: {_reasons(failed)}")


def _reasons(failed: dict[str, str]) -> str:
    """Each reason once, behind the names of the runs that have it."""
    names: dict[str, list[str]] = {}
    for name, reason in failed.items():
        names.setdefault(reason, []).append(name)
    return "; ".join(f"{', '.join(those)}: {reason}" for reason, those in names.items())


def _home(data: str, root: str | None) -> str:
    import minifcn.data

    return minifcn.data.home(data, root)


def _check_free(out: Path, asked: dict[str, Any]) -> None:
    """Raises ValueError where `out` holds something else than this experiment, asked for in the same words."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    known = _stored(out)
    if known is None:
        raise ValueError(f"{out} holds something else: choose another --out, or the folder of this experiment")
    for key, value in asked.items():
        if known["asked"].get(key) != value:
            raise ValueError(
                f"{out} holds an experiment that was begun with {key} = {known['asked'].get(key)}, not {value}: give the same "
                "again to go on with it, or another --out"
            )


def _stored(out: Path) -> dict[str, Any] | None:
    with contextlib.suppress(OSError, ValueError):
        known = json.loads((out / _SCHEDULE).read_text(encoding="utf-8"))
        if isinstance(known, dict) and isinstance(known.get("asked"), dict) and isinstance(known.get("runs"), dict):
            return known
    return None


def _plans(experiment: Experiment, asked: dict[str, Any], weights: Path | None, out: Path) -> dict[str, Plan]:
    """The plan of each run but for its length. Raises ValueError with a clause for each run whose settings are not possible."""
    from minifcn.cli.plan import plan_of
    from minifcn.experiments.file import RUN, WEIGHTS

    plans, problems = {}, {}
    for planned in experiment.runs:
        values = {**planned.values(weights), "data": asked["data"], "root": asked["root"]}
        start = values.get("init_from")
        if isinstance(start, str) and start.startswith(RUN):
            values["init_from"] = os.path.abspath(out / start.removeprefix(RUN))
        elif start == WEIGHTS:
            del values["init_from"]  # from scratch
        for key in ("freeze", "class_weights"):
            if isinstance(values.get(key), list):
                values[key] = tuple(values[key])
        try:
            plans[planned.name] = plan_of(values.pop("recipe", None), values)
        except (ValueError, TypeError) as error:
            problems[planned.name] = str(error)
    if problems:
        raise ValueError(_reasons(problems))
    return plans


def _lengths(experiment: Experiment, plans: dict[str, Plan], asked: dict[str, Any], out: Path) -> Lengths:
    """How long each run trains: as decided by an earlier call, or by rehearsing every run now."""
    from minifcn.cli.screen import duration, say
    from minifcn.experiments import Lengths, fit
    from minifcn.safe_file import write_text

    known = _stored(out) if out.is_dir() else None
    if known is not None:
        return Lengths(known["validate_on"], known["runs"])
    rehearsals, pictures, failed = {}, 1, {}
    for planned in experiment.runs:
        try:
            rehearsal, pictures = _rehearse(plans[planned.name], 60 * asked["budget"] * _REHEARSED / len(plans) / 2)
        except (ValueError, TypeError, OSError, RuntimeError, MemoryError) as error:
            failed[planned.name] = " ".join(str(error).split()) or type(error).__name__
            continue
        rehearsals[planned.name] = rehearsal
        say(f"{planned.name}: {rehearsal.step_seconds:.3f} s a step, {duration(rehearsal.validation_seconds)} a validation")
    if not rehearsals:
        raise ValueError(f"no run can begin: {_reasons(failed)}")
    lengths = fit(experiment, asked["budget"], rehearsals, pictures)
    out.mkdir(parents=True, exist_ok=True)
    written = {"asked": asked, "validate_on": lengths.validate_on, "runs": dict(lengths.runs)}
    write_text(out / _SCHEDULE, json.dumps(written, indent=1) + "\n")
    return lengths


def _rehearse(plan: Plan, seconds: float) -> tuple[Any, int]:
    """(the rehearsal of a run, how many pictures it could be validated on): without weights, which change no time."""
    from minifcn.cli.assemble import make_trainer
    from minifcn.training import Progress
    from minifcn.training.rehearsal import rehearse

    plan = replace(plan, network=replace(plan.network, init_from=None))
    trainer = make_trainer(plan, Path("rehearsal"), Progress(), lambda said: None)
    assert trainer.validation is not None
    return rehearse(trainer, min(5.0, seconds)), len(trainer.validation)


def _at_length(plan: Plan, lengths: Lengths, name: str) -> Plan:
    from minifcn.training import Plan

    if name not in lengths.runs:  # its rehearsal failed: say why once more
        _rehearse(plan, 0.0)
        raise ValueError("it could not be rehearsed when the experiment began: begin anew in another folder")
    length = {"iterations": None, "epochs": None, "validate_every": None, **lengths.runs[name]}
    return Plan.of({**plan.values(), **length, "validate_on": lengths.validate_on})


def _train(plan: Plan, folder: Path, failed: dict[str, str]) -> None:
    """Begins a run, goes on with it, or finds it finished. Raises what goes wrong."""
    from minifcn.cli import train
    from minifcn.cli.screen import say
    from minifcn.training import RunFolder

    start = plan.network.init_from
    if start is not None and Path(start).name in failed and Path(start).parent == folder.resolve().parent:
        raise ValueError(f"it starts from {Path(start).name}, which failed")
    if _finished(folder):
        say(f"finished before, in {folder}")
        return
    result = train.resume_run(folder, {}, {}) if RunFolder(folder).last.is_file() else train.run(plan, folder)
    if result.interrupted:
        say(f"{result.message.partition('; to go on')[0]}; the same command goes on with the experiment")
        raise typer.Exit(130)
    (folder / "finished").touch()


def _finished(folder: Path) -> bool:
    return (folder / "finished").is_file()


def _write(experiment: Experiment, out: Path, failed: dict[str, str], weights: Path | None) -> None:
    """The page and the table of the runs that are finished, and the overlay of the first picture in each one's folder."""
    from minifcn.cli.compare import print_comparison
    from minifcn.compare import Story, read_all

    done = [out / run.name for run in experiment.runs if run.name not in failed]
    if not done:
        return
    for folder in done:
        _first_overlay(folder)
    records, left_out = read_all(done)
    left_out += [(out / name, reason) for name, reason in failed.items()]
    about = [*experiment.about]
    able = [run.name for run in experiment.runs if run.with_weights]
    if weights is None:
        about.append("Every run was trained from scratch: no weights were given." + (
            f" With --weights {', '.join(able)} would start from them." if able else ""))  # fmt: skip
    else:
        about.append(f"{', '.join(able) or 'No run'} started from {weights.name}; the others were trained from scratch.")
    reported = {
        key: dict(zip([run.name for run in experiment.runs], row, strict=True)) for key, row in experiment.reported().items()
    }
    print_comparison(records, left_out, out, Story(experiment.title, about, reported))


def _first_overlay(folder: Path) -> None:
    """first.png: the first validation picture with what the best network sees in it, as the documents show it."""
    import numpy as np

    from minifcn import training
    from minifcn.compare.looks import dataset_of
    from minifcn.compare.records import read
    from minifcn.data import Preprocessing
    from minifcn.safe_file import replacing
    from minifcn.visualize import best_effort, overlay

    if (folder / "first.png").is_file():
        return
    with best_effort(f"the overlay of {folder}"):
        dataset = dataset_of(read(folder, folder.name))
        net, about = training.load_model(folder)
        image = dataset.read_image(0)
        labels = training.predict(net, image, Preprocessing.from_config(about["preprocessing"]))
        with replacing(folder / "first.png") as file:
            overlay(image, labels, np.array(about["palette"], np.uint8), about["classes"]).save(file, format="PNG")
