"""``minifcn evaluate``: measures of a trained network over a data set."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from minifcn.cli.options import Flip, Scales, Tile, parse_views

if TYPE_CHECKING:
    from minifcn.data import SegmentationDataset


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
    dataset = _dataset(weights, {"data": data, "root": root, "val_split": split, "missing": missing})
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
    folder = out or (weights if weights.is_dir() else weights.parent)
    folder.mkdir(parents=True, exist_ok=True)
    measured = {**evaluation.as_dict(dataset.classes), "views": asdict(views)}
    write_text(folder / "evaluation.json", json.dumps(measured, indent=1))
    with best_effort("the confusion matrix"):
        draw_confusion(evaluation.matrix.counts, dataset.classes, folder / "confusion.png")
    print_evaluation(evaluation, dataset.classes)
    if report:
        write_report(net, dataset, prepared, evaluation, folder / "report.html", views)
    names = ["evaluation.json", "confusion.png", *(["report.html"] if report else [])]
    say("written: " + ", ".join(str(folder / name) for name in names))


def _dataset(weights: Path, options: dict[str, Any]) -> SegmentationDataset:
    """The split to evaluate: what is given, and for the rest what the run was validated on."""
    from minifcn.training import DataPlan, Plan, RunFolder

    run = weights if weights.is_dir() else weights.parent
    overrides: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    config = RunFolder(run).read_config() if (run / "config.toml").exists() else {}
    plan = Plan.from_config(config).data if {"run", "data"} & config.keys() else None
    if plan is None and "data" not in overrides:
        raise ValueError(f"{weights} lies in no run folder that would name its data set: give --data and --root")
    if plan is None or overrides.get("data", plan.data) != plan.data:
        plan = DataPlan()  # another set: the run's root and split mean nothing there
    plan = replace(plan, **overrides).located(again=True)
    return plan.dataset(plan.val_split)
