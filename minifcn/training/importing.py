"""Other people's weights as a checkpoint of ours, which says all that evaluating, predicting and exporting need to know.

Beside the arrays it holds what the network is built from, the classes and their colours, and how pictures must be prepared:
users who mixed up two preprocessings lost six points of mean IU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minifcn import models, weights
from minifcn.data.palette import VOC_CLASSES, VOC_PALETTE, VOID
from minifcn.data.preprocessing import RECIPES, Preprocessing
from minifcn.layers import Layer
from minifcn.training.run.checkpoint import Checkpoint, read_metadata, write_checkpoint
from minifcn.weights.names import preprocessing_of


@dataclass
class Imported:
    """A network with its new weights, the report of what went where, and the metadata of its file."""

    net: Layer
    report: weights.Transplant
    metadata: dict[str, Any]


def import_weights(
    file: str | Path, model: str, out: str | Path | None = None, *, options: Mapping[str, Any] | None = None,
    num_classes: int | None = None, classes: Sequence[str] | None = None, preprocessing: str | None = None,
) -> Imported:  # fmt: skip
    """Makes the weights in ``file`` those of the network ``model``, and writes them to ``out``, whole or not at all.

    What is not given is found out: the number of classes by the file's score layer (21 where it has none: VOC's), their names
    and the preprocessing by what the file says of itself, or by whose names its arrays carry. Raises ValueError, and writes
    nothing, where a layer finds no weights that the catalogue does not call fresh, and where any of this cannot be right.
    """
    file, options = Path(file), dict(options or {})
    _check_out(file, out)
    known, state = read_metadata(file), weights.read(file)
    try:
        count = len(classes) if num_classes is None and classes is not None else num_classes
        count = models.count_classes(state, model, options) if count is None else count
        net = models.build(model, len(VOC_CLASSES) if count is None else count, **options)
        report = models.adopt(net, state)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
    metadata = {
        "model": net.config,
        "classes": _class_names(net.config["num_classes"], classes, known),
        "palette": VOC_PALETTE.tolist(),
        "ignore_index": VOID,
        "preprocessing": _preprocessing(file, preprocessing, known, preprocessing_of(state, models.entry(model).kin)).config,
        "source": file.name,
        "fresh": report.unfilled,
    }
    if out is not None:
        write_checkpoint(Path(out), Checkpoint(net.state_dict(), {}, metadata))
    return Imported(net, report, metadata)


def _check_out(file: Path, out: str | Path | None) -> None:
    if out is not None and Path(out).suffix.lower() != ".safetensors":
        raise ValueError(f"--out {out}: imported weights are written to a .safetensors file, which says how to use them")
    if out is not None and file.exists() and Path(out).exists() and file.samefile(out):
        raise ValueError(f"--out {out} is the file that is read; choose another name")


def _class_names(count: int, given: Sequence[str] | None, known: Mapping[str, Any]) -> list[str]:
    """The names that are given; those of the file, where it has as many; VOC's, where there are 21; else numbers."""
    if given is not None:
        if len(given) != count or len({*given}) != count:
            raise ValueError(f"{len(given)} names of classes are given ({', '.join(given)}); {count} different ones are needed")
        return list(given)
    if len(known.get("classes") or ()) == count:
        return list(known["classes"])
    return list(VOC_CLASSES) if count == len(VOC_CLASSES) else [f"class {number}" for number in range(count)]


def _preprocessing(file: Path, given: str | None, known: Mapping[str, Any], by_names: str | None) -> Preprocessing:
    """How pictures are prepared for these weights: as the file says, which nobody may contradict; else as is given; else as is
    usual for the names."""
    if known.get("preprocessing"):
        said = Preprocessing.from_config(known["preprocessing"])
        if given not in (None, said.name):
            raise ValueError(f"{file} was trained with preprocessing {said.name!r}, which {given!r} would spoil: leave it out")
        return said
    if given is None and by_names is None:
        raise ValueError(f"nothing in {file} says how its pictures were prepared: add --preprocessing {', '.join(RECIPES)}")
    return Preprocessing(given or by_names or "")
