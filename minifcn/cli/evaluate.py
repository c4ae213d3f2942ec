"""``minifcn evaluate``: measures of a trained network over a data set."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from minifcn.cli.options import Flip, Scales, Tile, parse_views

if TYPE_CHECKING:
    from minifcn.training import DataPlan


def evaluate(
    weights: Annotated[Path, typer.Argument(help="A run folder (its best checkpoint) or a checkpoint.")],
    data: Annotated[
        str | None, typer.Option(help="shapes, voc, voc2011, idd, cityscapes, camvid, folder; else the run's own.")
    ] = None,
    root: Annotated[str | None, typer.Option(help="Where the data set lies; else the run's own.")] = None,
    split: Annotated[str | None, typer.Option(help="Else the run's validation split.")] = None,
    missing: Annotated[str | None, typer.Option(help="Listed pictures that are not there: error or skip.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where the JSON and the picture go; else into the run folder.")] = None,
    preprocessing: Annotated[str | None, typer.Option(help="What the weights should want; else an error.")] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Also a page: best and worst pictures, confusions, outlines.")
    ] = False,
    flip: Flip = False,
    scales: Scales = "1",
    tile: Tile = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    precision: Annotated[str, typer.Option(help="On a GPU: tf32 (tensor cores) or float32.")] = "tf32",
) -> None:
    """Print pixel accuracy, mean accuracy, mean IU, f.w. IU and every class's IU; write JSON and a confusion-matrix picture.

    Example: minifcn evaluate runs/voc --data voc --root VOCdevkit --split val
    """
    from minifcn import training
    from minifcn.cli.assemble import trained_network
    from minifcn.cli.screen import print_evaluation, progress_bar, say
    from minifcn.compare.report import BANDS, write_report
    from minifcn.data import Preprocessing, check_taught
    from minifcn.safe_file import write_text
    from minifcn.visualize import best_effort, draw_confusion

    views = parse_views(flip, scales, tile)
    net, about = trained_network(weights, device, precision, preprocessing)
    plan, planned = _plans(weights, {"data": data, "root": root, "val_split": split, "missing": missing})
    dataset = plan.dataset(plan.val_split)
    if dataset.num_classes != net.config["num_classes"]:
        raise ValueError(
            f"{weights} scores {net.config['num_classes']} classes and the data set has {dataset.num_classes} "
            f"({', '.join(dataset.classes)}): give the data set that it was trained for with --data and --root"
        )
    check_taught(dataset)
    for note in dataset.notes:
        say(note)
    with progress_bar("evaluating", len(dataset)) as progress:
        prepared = Preprocessing.from_config(about["preprocessing"])
        evaluation = training.evaluate(net, dataset, prepared, progress=progress, views=views, bands=BANDS if report else ())
    folder = out or _usual_folder(weights, plan, planned)
    folder.mkdir(parents=True, exist_ok=True)
    of = {"weights": str(weights), "data": plan.data, "root": plan.root, "split": plan.val_split}
    measured = {**of, **evaluation.as_dict(dataset.classes), "views": asdict(views)}
    write_text(folder / "evaluation.json", json.dumps(measured, indent=1))
    with best_effort("the confusion matrix"):
        draw_confusion(evaluation.matrix.counts, dataset.classes, folder / "confusion.png")
    print_evaluation(evaluation, dataset.classes)
    if report:
        write_report(net, dataset, prepared, evaluation, folder / "report.html", views)
    names = ["evaluation.json", "confusion.png", *(["report.html"] if report else [])]
    say("written: " + ", ".join(str(folder / name) for name in names))


def _run_of(weights: Path) -> Path:
    """The run folder, or whatever folder a checkpoint lies in."""
    return weights if weights.is_dir() else weights.parent


def _plans(weights: Path, options: dict[str, Any]) -> tuple[DataPlan, DataPlan | None]:
    """The data to evaluate on: what is given, and for the rest what the run was validated on, which comes second, if any."""
    from minifcn.training import DataPlan, Plan, RunFolder

    run = _run_of(weights)
    overrides: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    config = RunFolder(run).read_config() if (run / "config.toml").exists() else {}
    planned = Plan.from_config(config).data if {"run", "data"} & config.keys() else None
    if planned is None and "data" not in overrides:
        raise ValueError(f"{weights} lies in no run folder that would name its data set: give --data and --root")
    kept = planned
    if kept is None or overrides.get("data", kept.data) != kept.data:
        kept = DataPlan()  # another set: the run's root and split mean nothing there
    return replace(kept, **overrides).located(again=True), planned


def _usual_folder(weights: Path, plan: DataPlan, planned: DataPlan | None) -> Path:
    """Beside the weights; what is not of a run's best and of its own validation pictures goes into a folder below, so that it
    does not write over what is."""
    run = _run_of(weights)
    if planned is None:
        return run
    other = [] if weights.is_dir() or weights.stem == "best" else [weights.stem]
    moved = planned.root is not None and not Path(planned.root).exists()  # then what is given is taken for what has moved
    if (plan.data, plan.val_split) != (planned.data, planned.val_split) or (plan.root != planned.root and not moved):
        other += [plan.data, plan.val_split]
    return run / "-".join(["evaluation", *other]) if other else run
