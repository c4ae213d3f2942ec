"""Checkpoints: everything a run needs to go on, in one safetensors file.

Arrays are called `model.KEY` (the network's state dict) and `optimizer.KEY`; all else (iteration, network, classes,
preprocessing, seed ...) is one JSON object in the metadata, under "minifcn". Nothing in such a file is ever executed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minifcn.backend import Array
from minifcn.data.preprocessing import Preprocessing
from minifcn.layers import Layer
from minifcn.weights.files import checkpoint_of, non_finite, part_of
from minifcn.weights.files import load_weights as load_weights
from minifcn.weights.files import metadata as metadata_of
from minifcn.weights.safetensors_file import read_safetensors, write_safetensors
from minifcn.words import name_some

FORMAT = 1


@dataclass
class Checkpoint:
    """What a checkpoint holds: two state dicts and a JSON-ready `metadata`."""

    model: dict[str, Array]
    optimizer: dict[str, Any]
    metadata: dict[str, Any]


def write_checkpoint(path: Path, checkpoint: Checkpoint, also: Path | None = None) -> None:
    """Writes a checkpoint, whole or not at all; `also` is a second name for it (see `safe_file.replacing`).

    Raises ValueError, and writes nothing, where an array holds NaN or infinity: a run cannot go on from there. Raises
    OSError, with the earlier file intact, where the file cannot be written.
    """
    scalars = {key: value for key, value in checkpoint.optimizer.items() if not hasattr(value, "shape")}
    tensors = {f"model.{key}": value for key, value in checkpoint.model.items()}
    tensors |= {f"optimizer.{key}": value for key, value in checkpoint.optimizer.items() if key not in scalars}
    broken = non_finite(tensors)
    if broken:
        raise ValueError(f"{path} is not written: {name_some(broken)} hold NaN or infinity")
    metadata = {**checkpoint.metadata, "format": FORMAT, "optimizer_scalars": scalars}
    write_safetensors(path, tensors, {"minifcn": json.dumps(metadata, allow_nan=False)}, also)


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads what `write_checkpoint` wrote.

    Raises FileNotFoundError, or ValueError for a file that is cut short or damaged, that is no checkpoint of minifcn,
    whose format is newer than this version's, or that holds NaN or infinity.
    """
    tensors, metadata = read_safetensors(path)
    content = _content(path, metadata)
    if not content:
        raise ValueError(f"{path} holds weights but is no checkpoint of minifcn; pass it where weights are read")
    scalars = content.pop("optimizer_scalars", {})
    if not isinstance(scalars, dict):
        raise ValueError(f"{path}: the optimizer's state cannot be read; the file is damaged")
    broken = non_finite(tensors)
    if broken:
        raise ValueError(f"{path}: {name_some(broken)} hold NaN or infinity; take an earlier checkpoint, such as best")
    parts = {prefix: part_of(tensors, f"{prefix}.") for prefix in ("model", "optimizer")}
    return Checkpoint(parts["model"], {**scalars, **parts["optimizer"]}, content)


def read_metadata(path: str | Path) -> dict[str, Any]:
    """What a checkpoint, or a run folder's, says of itself, without reading its arrays; {} for plain weights.

    Raises FileNotFoundError, or ValueError for a damaged file.
    """
    return _content(Path(path), metadata_of(path))


def load_model(path: str | Path, device: str = "cpu") -> tuple[Layer, dict[str, Any]]:
    """The network of a checkpoint, or of a run folder (its best checkpoint, else its last), and the metadata.

    The network is in eval mode. The metadata has "model" (what the network was built from), "classes", "palette",
    "preprocessing", "iteration" and more. Raises ValueError where the network is none of `models.names()`.
    """
    from minifcn import models
    from minifcn.layers import initializers

    path = checkpoint_of(Path(path)) if Path(path).is_dir() else Path(path)
    checkpoint = read_checkpoint(path)
    model: Any = checkpoint.metadata.get("model")
    name = model.get("name") if isinstance(model, dict) else None
    if isinstance(name, str) and name not in models.names():
        raise ValueError(f"{path} holds a {name}, which its owner must build, and then give the weights of load_weights")
    try:
        _check_content(checkpoint.metadata)
        with initializers.blank():  # nothing is allocated before the shapes fit
            expected = models.build(**model).state_dict()
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise ValueError(f"{path} says nothing sensible of its network ({error}); the file is damaged") from error
    check_state(path, expected, checkpoint.model)
    net = models.build(**model)
    net.load_state_dict(checkpoint.model)
    return net.to(device).eval(), checkpoint.metadata


def _check_content(about: Mapping[str, Any]) -> None:
    """Raises ValueError, or what looking raises, unless classes, palette and preprocessing are what a network's are."""
    if not {"classes", "palette", "preprocessing"} & about.keys():
        return  # written by somebody's own program: a network and its weights
    classes = about["classes"]
    if not (isinstance(classes, list) and all(isinstance(name, str) for name in classes)):
        raise ValueError(f"classes are {classes!r}")
    if len(classes) != about["model"]["num_classes"]:
        raise ValueError(f"{len(classes)} classes have names, of {about['model']['num_classes']}")
    if np.array(about["palette"], np.uint8).shape != (256, 3):
        raise ValueError("the palette is no list of 256 colours")
    Preprocessing.from_config({**about["preprocessing"]})


def check_state(path: Path, expected: Mapping[str, Array], state: Mapping[str, Array]) -> None:
    """Raises ValueError, naming up to five differences, unless both state dicts have the same keys and shapes."""
    problems = [f"{key} is missing" for key in expected if key not in state]
    problems += [f"{key} is unknown" for key in state if key not in expected]
    problems += [
        f"{key} has shape {tuple(state[key].shape)} instead of {tuple(expected[key].shape)}"
        for key in expected
        if key in state and tuple(state[key].shape) != tuple(expected[key].shape)
    ]
    if problems:
        raise ValueError(
            f"{path} is of another network: {name_some(problems, 5, '; ')}; "
            "give the network, its options and the classes that it was made with"
        )


def _content(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """Our own part of a file's metadata; {} where there is none."""
    if "minifcn" not in metadata:
        return {}
    try:
        content = json.loads(metadata["minifcn"])
        version = content.pop("format")
    except (json.JSONDecodeError, KeyError, AttributeError) as error:
        raise ValueError(f"{path}: the checkpoint's metadata cannot be read ({error}); the file is damaged") from error
    if version != FORMAT:
        raise ValueError(f"{path} has checkpoint format {version} and this version of minifcn reads {FORMAT}; update it")
    return content
