"""The state of a run, and the way to the disk and back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import minifcn
from minifcn.backend import Array, to_host
from minifcn.data.dataset import SegmentationDataset, fingerprint
from minifcn.data.loader import Loader
from minifcn.layers import Layer
from minifcn.training.optimizers import Optimizer
from minifcn.training.run.checkpoint import Checkpoint, check_state, read_checkpoint, write_checkpoint
from minifcn.training.run.folder import RunFolder
from minifcn.training.settings import Settings


@dataclass
class RunState:
    """What changes during a run, beside the network and the optimizer.

    iteration        steps done
    losses           a labelled pixel's, of the steps since the last row of the log
    best, best_iteration   the best mean IU on the validation set, and where
    validated        the iteration of the last validation
    seconds          spent in steps
    """

    iteration: int = 0
    losses: list[Array | float] = field(default_factory=list)
    best: float | None = None
    best_iteration: int | None = None
    validated: int = 0
    seconds: float = 0.0


_ADDITION = "tree"  # of the gradients of a step's batches; once they were added one after the other
_PICTURES = {"train_pictures": "the pictures to train on", "val_pictures": "the pictures to validate on"}


def identity(net: Layer, loader: Loader, settings: Settings, validation: SegmentationDataset | None = None) -> dict[str, Any]:
    """What must be the same for a run to go on, in JSON's own types: not where its pictures lie, but which they are, and not
    how many workers there are."""
    train, val = (None if dataset is None else fingerprint(dataset) for dataset in (loader.dataset, validation))
    return json.loads(
        json.dumps(
            {
                "model": net.config,
                "classes": loader.dataset.classes,
                "preprocessing": loader.preprocessing.config,
                "seed": settings.seed,
                "accumulate": settings.accumulate,
                "addition": _ADDITION,
                "sync_bn": settings.sync_bn,
                "batches_per_epoch": len(loader),
                "train_pictures": train,
                "val_pictures": val,
            }
        )
    )


def save_run(
    folder: RunFolder, net: Layer, optimizer: Optimizer, state: RunState, about: Mapping[str, Any], best: bool = False
) -> None:
    """Writes last.safetensors and, where `best`, best.safetensors as a second name for it.

    `about` is metadata: the run's `identity` and what else should travel with the weights. The best gets its name first:
    killed between the two, a run resumes before that validation, and finds the same best again. Raises as
    `write_checkpoint` does.
    """
    state.losses = [float(to_host(loss)) for loss in state.losses]
    folder.sync_log()
    checkpoint = Checkpoint(
        net.state_dict(), optimizer.state_dict(), {**about, **asdict(state), "minifcn": minifcn.__version__}
    )
    write_checkpoint(folder.last, checkpoint, folder.best if best else None)


def digest(net: Layer, optimizer: Optimizer) -> str:
    """The SHA-256, in hexadecimal, of all that a step changes: parameters, running statistics, the optimizer's state."""
    found = hashlib.sha256()
    for state in (net.state_dict(), optimizer.state_dict()):
        for name, value in sorted(state.items()):
            found.update(name.encode())
            found.update(to_host(value).tobytes() if hasattr(value, "shape") else str(value).encode())
    return found.hexdigest()


def load_run(folder: RunFolder, net: Layer, optimizer: Optimizer, expected: Mapping[str, Any], cut: bool = True) -> RunState:
    """Puts the last checkpoint into network and optimizer, drops what the logs have after it (`cut`), returns the state.

    Raises FileNotFoundError where there is none, ValueError, naming what differs, where it is not this run's: where
    its network, its optimizer or its identity is not what is `expected`.
    """
    last = folder.open().last
    checkpoint = read_checkpoint(last)
    check_state(last, net.state_dict(), checkpoint.model)
    metadata = checkpoint.metadata
    older = {key for key in _PICTURES if key not in metadata}  # minifcn 0.1 did not note which pictures they were
    if "addition" in expected and "addition" not in metadata:
        if metadata.get("accumulate") != 1:
            raise ValueError(
                f"{last} is of a minifcn that added the gradients of a step's batches in another order: finish the run with "
                "that version, or start a new one with --init-from"
            )
        older |= {"addition", "sync_bn"}  # nothing was added, and nothing was shared
    other = [key for key in expected if metadata.get(key) != expected[key] and key not in older]
    if other:
        differences = [
            f"{_PICTURES[key]} are not those that it began with (added, removed, renamed, or of other classes)"
            if key in _PICTURES
            else f"{key} is {expected[key]} and was {metadata.get(key)}"
            for key in other
        ]
        raise ValueError(f"{last} cannot be resumed with these settings: {'; '.join(differences[:5])}")
    state = _state_of(last, metadata)
    optimizer.load_state_dict(checkpoint.optimizer)
    net.load_state_dict(checkpoint.model)
    if cut:
        folder.cut_log(state.iteration)
    return state


def _state_of(path: Path, metadata: Mapping[str, Any]) -> RunState:
    """The state in a checkpoint's metadata. Raises ValueError where it is none."""
    kinds: dict[str, Any] = {"losses": list, "best": float | int | None, "best_iteration": int | None, "seconds": float | int}
    wrong = [
        name
        for name in asdict(RunState())
        if name not in metadata
        or not isinstance(metadata[name], kinds.get(name, int))
        or (name == "iteration" and metadata[name] < 0)
    ]
    if wrong or not all(isinstance(loss, float | int) for loss in metadata["losses"]):
        raise ValueError(f"{path}: {', '.join(wrong) or 'losses'} cannot be read; the file is damaged")
    return RunState(**{name: metadata[name] for name in asdict(RunState())})
