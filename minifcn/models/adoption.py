"""Weights that somebody else trained, taken into a network of the catalogue: by name, by shape, and with a report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minifcn.backend import Array
from minifcn.layers import Layer, initializers
from minifcn.models.catalogue import build, entry
from minifcn.weights.names import translated
from minifcn.weights.transplant import Transplant, transplant


def adopt(net: Layer, state: Mapping[str, Array]) -> Transplant:
    """Copies into a network of the catalogue what fits of ``state``, whoever named its arrays, and reports.

    Layers that the catalogue calls fresh may stay as they are; any other that finds no weights is a ValueError that names it,
    and nothing is changed.
    """
    line = entry(net.config["name"])
    mine, theirs = translated(state, net.state_dict(), line.kin)
    report = transplant(net, mine, line.fresh)
    report.theirs = theirs
    return report


def score_axes(name: str, options: Mapping[str, Any]) -> dict[str, int]:
    """{key: axis} of the arrays of a network that are as long as there are classes, of those that learn from labels.

    Found by building it, without numbers, for two and for three classes.
    """
    with initializers.blank():
        two, three = (build(name, classes, **options).state_dict() for classes in (2, 3))
    axes = {}
    for key, array in two.items():
        differing = [axis for axis, (a, b) in enumerate(zip(array.shape, three[key].shape, strict=True)) if a != b]
        if len(differing) == 1:  # a deconvolution of scores has two; it is fresh wherever it stands
            axes[key] = differing[0]
    return axes


def count_classes(state: Mapping[str, Array], name: str, options: Mapping[str, Any]) -> int | None:
    """The number of classes that the score layers of ``state`` tell apart; None where it has none of this network's.

    Raises ValueError where they disagree.
    """
    axes = score_axes(name, options)
    mine, theirs = translated(state, axes, entry(name).kin)
    counts = {key: mine[key].shape[axis] for key, axis in axes.items() if key in mine and mine[key].ndim > axis}
    if len({*counts.values()}) > 1:
        said = ", ".join(f"{theirs.get(key, key)} {count}" for key, count in counts.items())
        raise ValueError(f"the score layers have different numbers of classes: {said}")
    return next(iter(counts.values()), None)
