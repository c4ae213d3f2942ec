"""How training went: loss, the four measures and the learning rate over the iterations, for one run or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from minifcn.visualize.letters import plain, quoted
from minifcn.visualize.mpl import Figure
from minifcn.visualize.style import COLOURS, DASHES, MARKERS, MUTED, figure, look, save

_PANELS = (
    ("loss", "loss per pixel (markers: validation)"),
    ("pixel_accuracy", "pixel accuracy (thin: training)"),
    ("mean_iu", "mean IU (thin: training)"),
    ("lr", "learning rate"),
    ("mean_accuracy", "mean accuracy"),
    ("frequency_weighted_iu", "frequency weighted IU"),
)


def draw_curves(runs: Mapping[str, Sequence[Mapping[str, Any]]], path: str | Path) -> None:
    """Writes `curves` of one run or several as a PNG."""
    save(curves(runs), path)


def curves(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """The logs of one run or several, by name, as one set of six curves.

    `runs` maps a run's name to its rows, as `RunFolder.read_log` gives them. A dotted grey line is the floor, where a log
    has it: the measure of a predictor that says the first class everywhere, which is mostly background.
    """
    with look(*map(_label, runs)):
        drawn = figure(12, 6.4)
        panels = drawn.subplots(2, 3, sharex="all")
        for axes, (key, title) in zip(panels.flat, _PANELS, strict=True):
            for index, (name, rows) in enumerate(runs.items()):
                _draw_run(axes, key, name, rows, index)
            axes.set_title(title)
            axes.set_xlabel("iteration")
            _scale(axes, key, runs)
        panels[0, 0].set_xlim(left=0)  # and so for all
        named = {label: line for axes in panels.flat for line, label in zip(*axes.get_legend_handles_labels(), strict=True)}
        if named:
            drawn.legend(named.values(), named, loc="outside lower center", ncols=5)
    return drawn


def class_curves(runs: Mapping[str, Sequence[Mapping[str, Any]]], classes: Sequence[str]) -> Figure:
    """A panel for each class: its IU in the validations of one run or several, by name."""
    columns = min(4, len(classes))
    with look(*map(plain, classes), *map(_label, runs)):
        drawn = figure(12, 2.2 * -(-len(classes) // columns) + 0.6)
        panels = drawn.subplots(-(-len(classes) // columns), columns, sharex="all", sharey="all", squeeze=False)
        for axes in panels.flat[len(classes) :]:
            axes.set_axis_off()
        for axes, name in zip(panels.flat, classes, strict=False):
            axes.set_title(quoted(plain(name)), fontsize=9)
            axes.set_ylim(0, 1.02)
            for index, (run, rows) in enumerate(runs.items()):
                points = [
                    {"iteration": row["iteration"], "iu": row["per_class_iu"].get(name)}
                    for row in rows
                    if "per_class_iu" in row
                ]
                _line(axes, points, "iu", **_marked(run, index))
        lines, labels = panels[0, 0].get_legend_handles_labels()
        if lines:
            drawn.legend(lines, labels, loc="outside lower center", ncols=5)
    return drawn


def _label(name: str) -> str:
    """A run's name in the legend, from which matplotlib leaves out names that begin with an underscore."""
    return " " * name.startswith("_") + quoted(plain(name))


def _draw_run(axes: Any, key: str, name: str, rows: Sequence[Mapping[str, Any]], index: int) -> None:
    """One run's line in one panel; its colour, dashes and markers are those of its index everywhere."""
    line, marked = _plain(index), _marked(name, index)
    if key == "loss":
        _line(axes, rows, "loss", linewidth=0.9, **line)
        _line(axes, rows, "validation_loss", **marked)
    elif key == "lr":
        _line(axes, rows, key, **line)
    else:
        _line(axes, rows, f"train_{key}", linewidth=0.9, alpha=0.6, **line)
        _line(axes, rows, key, **marked)


def _plain(index: int) -> dict[str, Any]:
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": DASHES[index % len(DASHES)]}


def _marked(name: str, index: int) -> dict[str, Any]:
    return {**_plain(index), "marker": MARKERS[index % len(MARKERS)], "label": _label(name)}


def _line(axes: Any, rows: Sequence[Mapping[str, Any]], key: str, **style: Any) -> None:
    points = [(row["iteration"], row[key]) for row in rows if row.get(key) is not None]
    if points:
        axes.plot(*zip(*points, strict=True), **style)


def _scale(axes: Any, key: str, runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Measures from 0 to 1 with their floor; loss and rate from 0, a rate that falls in steps on a logarithmic scale."""
    if key not in ("loss", "lr"):
        axes.set_ylim(0, 1.02)
        floors = {row["floor_all_background"][key] for rows in runs.values() for row in rows if "floor_all_background" in row}
        for floor in floors - {None}:
            axes.axhline(floor, color=MUTED, linestyle=":", linewidth=1.2)
        if len(floors) == 1 and None not in floors:
            axes.annotate(f"all {_first_class(runs)}", (0.99, floors.pop()), xycoords=("axes fraction", "data"), fontsize=7,
                          ha="right", va="bottom", color=MUTED)  # fmt: skip
    elif key == "loss":
        axes.set_ylim(bottom=0)
    else:
        rates = [row["lr"] for rows in runs.values() for row in rows if row.get("lr")]
        if rates and max(rates) > 20 * min(rates) and len(set(rates)) < 10:  # the steps of a "step" schedule
            axes.set_yscale("log")
        else:
            axes.set_ylim(bottom=0)


def _first_class(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """The name of the class that the floor's predictor says everywhere, where all runs agree about it."""
    names = {next(iter(row["per_class_iu"])) for rows in runs.values() for row in rows if row.get("per_class_iu")}
    return quoted(plain(names.pop())) if len(names) == 1 else "background"
