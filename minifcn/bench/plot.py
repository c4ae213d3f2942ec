"""Pictures of what was measured."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from minifcn.bench.contest import Result
from minifcn.bench.tables import by_group
from minifcn.visualize import style
from minifcn.visualize.mpl import Axes, Figure


def draw_ratios(results: Sequence[Result], path: Path, note: str) -> None:
    """Bars of ours / PyTorch, one a result, the spread as a line through its end; `note` stands below."""
    groups = by_group(results)
    most = max(max(result.timing.ratios) for result in results)
    with style.look():
        drawn = style.figure(8, 1.0 + 0.24 * len(results) + 0.5 * len(groups))
        heights = [len(members) + 1 for members in groups.values()]
        panels = drawn.subplots(len(groups), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
        for axes, (group, members) in zip(panels, groups.items(), strict=True):
            _bars(axes, members)
            axes.set_xlim(0, 1.05 * max(1.2, most))
            axes.set_title(group)
        axes.set_xlabel("seconds of ours / seconds of PyTorch: left of the dashed line ours is faster")
        _sign(drawn, note)
        style.save(drawn, path)


def _bars(axes: Axes, results: Sequence[Result]) -> None:
    places, runs = range(len(results)), [result.timing.ratios for result in results]
    ratios = [median(run) for run in runs]
    axes.barh(places, ratios, color=[style.tint(style.BLUE if r <= 1 else style.VERMILION, 0.5) for r in ratios])
    axes.hlines(places, [min(run) for run in runs], [max(run) for run in runs], color=style.INK, linewidth=1)
    for place, value in zip(places, ratios, strict=True):
        axes.annotate(f"{value:.2f}", (1.01, place), xycoords=("axes fraction", "data"), va="center", fontsize=8)
    axes.set_yticks(places, [result.name for result in results])
    axes.set_ylim(len(results) - 0.4, -0.6)  # the first on top
    axes.grid(axis="y", visible=False)
    axes.axvline(1, color=style.INK, linewidth=style.THIN, linestyle="--")


def draw_ladder(results: Sequence[Result], path: Path, note: str) -> None:
    """Each rung's time over the size of the convolution, both logarithmic, and PyTorch's; one panel a ladder."""
    groups = by_group(results)
    names = list(dict.fromkeys(result.name for result in results))
    with style.look():
        drawn = style.figure(6 * len(groups), 4.6)
        panels = drawn.subplots(1, len(groups), squeeze=False)[0]
        for axes, (group, members) in zip(panels, groups.items(), strict=True):
            for name in {result.name: None for result in members}:
                _climb(axes, [result for result in members if result.name == name], names.index(name))
            if members[0].timing.pytorch:
                _pytorch_line(axes, members)
            axes.set(xscale="log", yscale="log", xlabel="multiply-adds", ylabel="milliseconds")
            axes.set_title(group)
        named = {label: line for axes in panels for line, label in zip(*axes.get_legend_handles_labels(), strict=True)}
        named |= {"PyTorch": named.pop("PyTorch")} if "PyTorch" in named else {}  # to the end
        drawn.legend(named.values(), named, loc="outside right upper")
        _sign(drawn, note)
        style.save(drawn, path)


def _climb(axes: Axes, results: Sequence[Result], index: int) -> None:
    """One rung's line; its colour, dashes and markers are those of its index in every panel."""
    colour, dashes, marker = (every[index % len(every)] for every in (style.COLOURS, style.DASHES, style.MARKERS))
    milliseconds = [1e3 * result.timing.our_seconds for result in results]
    axes.plot([r.macs for r in results], milliseconds, label=results[0].name, color=colour, linestyle=dashes, marker=marker)


def _pytorch_line(axes: Axes, results: Sequence[Result]) -> None:
    """PyTorch ran beside every rung; its fastest time of each case."""
    cases = sorted({result.macs for result in results})
    fastest = [1e3 * min(median(r.timing.pytorch) for r in results if r.macs == case) for case in cases]
    axes.plot(cases, fastest, label="PyTorch", color=style.MUTED, linewidth=5, alpha=0.4, zorder=1)


def _sign(drawn: Figure, note: str) -> None:
    """What it was measured on, below the picture."""
    drawn.supxlabel(textwrap.fill(note, 110), x=0.01, ha="left", fontsize=7, color=style.MUTED)
