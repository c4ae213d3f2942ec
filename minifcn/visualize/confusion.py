"""A confusion matrix as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minifcn.visualize.letters import class_names, quoted
from minifcn.visualize.style import AMOUNT, INK, PADDING, PAPER, RULE, figure, look, save

_MOST_NUMBERS = 24  # classes up to which each cell also shows its number


def draw_confusion(counts: np.ndarray, classes: Sequence[str], path: str | Path) -> None:
    """Draws counts (C, C), a row for each true class, as the share of that class's pixels that got each answer.

    Rows of classes that do not occur are hatched. Darker is more, also in grey.
    """
    counts = np.asarray(counts)
    if counts.shape != (len(classes), len(classes)):
        raise ValueError(f"counts have shape {counts.shape}; {len(classes)} class names need a square of that side")
    pixels = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, pixels, out=np.full(counts.shape, np.nan), where=pixels > 0)  # (C, C)
    names = [quoted(name) for name in class_names(classes)]
    with look(*names):
        side = 2.2 + 0.4 * len(classes) + 0.08 * max(0, max(map(len, names)) - 14)  # long names need room of their own
        drawn = figure(side + 1.2, side)
        axes = drawn.subplots()
        image = axes.imshow(share, cmap=AMOUNT, vmin=0, vmax=1)
        axes.set_facecolor(PADDING)
        for row in np.flatnonzero(pixels[:, 0] == 0):
            axes.axhspan(row - 0.5, row + 0.5, facecolor="none", edgecolor=RULE, hatch="////", linewidth=0)
        if len(classes) <= _MOST_NUMBERS:
            _numbers(axes, share)
        axes.set_xticks(range(len(classes)), names, rotation=90)
        axes.set_yticks(range(len(classes)), names)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
        axes.grid(False)
        axes.spines[:].set_visible(False)
        bar = drawn.colorbar(image, ax=axes, shrink=0.6, aspect=30, pad=0.02)
        bar.set_label("share of the true class's pixels\n(in the cells: per cent)", fontsize=8)
        save(drawn, path)


def _numbers(axes: Any, share: np.ndarray) -> None:
    """Per cent in every cell that has at least one."""
    for (row, column), value in np.ndenumerate(share):
        if np.round(value * 100) >= 1:
            colour = PAPER if value > 0.5 else INK
            axes.text(column, row, f"{value * 100:.0f}", ha="center", va="center", fontsize=7, color=colour)
