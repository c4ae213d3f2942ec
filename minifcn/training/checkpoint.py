"""Checkpoints: everything a run needs to go on, in one safetensors file.

    8 bytes             length of the header, little endian
    header              JSON: {"__metadata__": {...}, key: {"dtype": "F32", "shape": [...], "data_offsets": [a, b]}, ...}
    the rest            the arrays one after another, little endian, in C order

Arrays are called `model.KEY` (the network's state dict) and `optimizer.KEY`; all else (iteration, network, classes,
preprocessing, seed ...) is one JSON object in the metadata, under "minifcn". Nothing in such a file is ever executed.

Files are read by the safetensors library and written here, array by array, since a checkpoint must not cost a second
copy of the network in memory, and must be on the disk before it replaces the one before it.
"""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minifcn.backend import Array, get_xp, to_host
from minifcn.training.safe_file import replacing

FORMAT = 1
_DTYPES = {"float16": "F16", "float32": "F32", "float64": "F64", "bool": "BOOL"} | {
    f"{sign}int{bits}": f"{sign.upper() or 'I'}{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}


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
        raise ValueError(f"{path} is not written: {_some(broken)} hold NaN or infinity")
    metadata = {**checkpoint.metadata, "format": FORMAT, "optimizer_scalars": scalars}
    _write_safetensors(path, tensors, {"minifcn": json.dumps(metadata, allow_nan=False)}, also)


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads what `write_checkpoint` wrote.

    Raises FileNotFoundError, or ValueError for a file that is cut short or damaged, that is no checkpoint of minifcn,
    whose format is newer than this version's, or that holds NaN or infinity.
    """
    tensors, metadata = _read_safetensors(path)
    content = _content(path, metadata)
    if not content:
        raise ValueError(f"{path} holds weights but is no checkpoint of minifcn; pass it where weights are read")
    scalars = content.pop("optimizer_scalars", {})
    broken = non_finite(tensors)
    if broken:
        raise ValueError(f"{path}: {_some(broken)} hold NaN or infinity; take an earlier checkpoint, such as best")
    parts = {prefix: _part(tensors, f"{prefix}.") for prefix in ("model", "optimizer")}
    return Checkpoint(parts["model"], {**scalars, **parts["optimizer"]}, content)


def load_weights(path: str | Path) -> dict[str, np.ndarray]:
    """A state dict from .safetensors or .npz, or the network's part of a checkpoint or run folder.

    Nothing is executed: pickled objects in a .npz are refused. Raises FileNotFoundError, or ValueError for another
    kind of file or a damaged one.
    """
    path = Path(path)
    if path.is_dir():
        path = _checkpoint_of(path)
    if path.suffix == ".safetensors":
        tensors, metadata = _read_safetensors(path)
        return _part(tensors, "model.") if "minifcn" in metadata else tensors
    if path.suffix == ".npz":
        return _read_npz(path)
    raise ValueError(f"{path}: weights are read from .safetensors and .npz, not from {path.suffix or 'such a file'}")


def read_metadata(path: str | Path) -> dict[str, Any]:
    """What a checkpoint, or a run folder's, says of itself, without reading its arrays; {} for plain weights.

    Raises FileNotFoundError, or ValueError for a damaged file.
    """
    path = _checkpoint_of(Path(path)) if Path(path).is_dir() else Path(path)
    if path.suffix != ".safetensors":
        return {}
    with _opened(path) as file:
        return _content(path, file.metadata() or {})


def load_model(path: str | Path, device: str = "cpu") -> tuple[Any, dict[str, Any]]:
    """The network of a checkpoint, or of a run folder (its best checkpoint, else its last), and the metadata.

    The network is in eval mode. The metadata has "model" (what the network was built from), "classes", "palette",
    "preprocessing", "iteration" and more.
    """
    from minifcn import models

    path = Path(path)
    checkpoint = read_checkpoint(_checkpoint_of(path) if path.is_dir() else path)
    net = models.build(**checkpoint.metadata["model"])
    check_state(path, net.state_dict(), checkpoint.model)
    net.load_state_dict(checkpoint.model)
    return net.to(device).eval(), checkpoint.metadata


def check_state(path: Path, expected: Mapping[str, Array], found: Mapping[str, Array]) -> None:
    """Raises ValueError, naming up to five differences, unless both state dicts have the same keys and shapes."""
    problems = [f"{key} is missing" for key in expected if key not in found]
    problems += [f"{key} is unknown" for key in found if key not in expected]
    problems += [
        f"{key} has shape {tuple(found[key].shape)} instead of {tuple(expected[key].shape)}"
        for key in expected
        if key in found and tuple(found[key].shape) != tuple(expected[key].shape)
    ]
    if problems:
        raise ValueError(
            f"{path} is of another network: {_some(problems, '; ')}; give the --model, classes and width that it was made with"
        )


def non_finite(tensors: Mapping[str, Array]) -> list[str]:
    """The keys of the floating arrays that hold NaN or infinity."""
    return [key for key, array in tensors.items() if array.dtype.kind == "f" and not is_finite(array)]


def is_finite(array: Array) -> bool:
    """True when no element is NaN or infinite; from a GPU this waits for the device."""
    xp = get_xp(array)
    with np.errstate(over="ignore", invalid="ignore"):
        if bool(xp.isfinite(array.sum())):  # one pass and no temporary: NaN and infinity survive a sum
            return True
    return bool(xp.isfinite(array).all())  # or the sum of finite elements overflowed


def _write_safetensors(path: Path, tensors: Mapping[str, Array], metadata: dict[str, str], also: Path | None) -> None:
    header: dict[str, Any] = {"__metadata__": metadata}
    end = 0
    for key, array in tensors.items():
        if array.dtype.name not in _DTYPES:
            raise TypeError(f"{key} has dtype {array.dtype}, which a checkpoint cannot hold")
        start, end = end, end + array.nbytes
        header[key] = {"dtype": _DTYPES[array.dtype.name], "shape": list(array.shape), "data_offsets": [start, end]}
    encoded = json.dumps(header).encode("utf-8")
    encoded += b" " * (-len(encoded) % 8)  # arrays start at a multiple of 8, so that they can be mapped into memory
    with replacing(path, also) as file:
        file.write(len(encoded).to_bytes(8, "little"))
        file.write(encoded)
        for array in tensors.values():
            host = to_host(array)
            file.write(host.astype(host.dtype.newbyteorder("<"), copy=False).reshape(-1).view(np.uint8))  # in C order


def _read_safetensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Arrays and metadata of a safetensors file."""
    with _opened(path) as file:
        return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A safetensors file, with errors as one sentence."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    try:
        with safe_open(path, framework="np") as file:
            yield file
    except SafetensorError as error:
        raise ValueError(f"{path} cannot be read ({error}); it is cut short, damaged or no safetensors file") from error


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


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} cannot be read ({error}); it is cut short, no .npz file, or holds pickled objects") from error


def _checkpoint_of(folder: Path) -> Path:
    """The checkpoint that stands for a run: the best, where there was a validation, else the last."""
    for name in ("best", "last"):
        if (folder / f"{name}.safetensors").is_file():
            return folder / f"{name}.safetensors"
    raise FileNotFoundError(f"{folder} holds neither best.safetensors nor last.safetensors: it is no finished run folder")


def _part(tensors: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {key.removeprefix(prefix): array for key, array in tensors.items() if key.startswith(prefix)}


def _some(names: Iterable[str], separator: str = ", ") -> str:
    """The first five, and how many more there are."""
    names = list(names)
    return separator.join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
