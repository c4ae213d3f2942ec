"""Files of weights: safetensors and npz, read and written as arrays under keys. Nothing in such a file is ever executed.

    8 bytes             length of the header, little endian
    header              JSON: {"__metadata__": {...}, key: {"dtype": "F32", "shape": [...], "data_offsets": [a, b]}, ...}
    the rest            the arrays one after another, little endian, in C order

Safetensors files are read by the safetensors library and written here, array by array, since a checkpoint must not cost a
second copy of the network in memory, and must be on the disk before it replaces the one before it.
"""

from __future__ import annotations

import contextlib
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minifcn.backend import Array, get_xp, to_host
from minifcn.safe_file import replacing

_DTYPES = {"float16": "F16", "float32": "F32", "float64": "F64", "bool": "BOOL"} | {
    f"{sign}int{bits}": f"{sign.upper() or 'I'}{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}


def load_weights(path: str | Path) -> dict[str, np.ndarray]:
    """A state dict from .safetensors or .npz, or the network's part of a checkpoint or run folder.

    Nothing is executed: pickled objects in a .npz are refused. Raises FileNotFoundError, or ValueError for another
    kind of file or a damaged one.
    """
    path = Path(path)
    if path.is_dir():
        path = checkpoint_of(path)
    if path.suffix.lower() == ".safetensors":
        tensors, metadata = read_safetensors(path)
        return part_of(tensors, "model.") if "minifcn" in metadata else tensors
    if path.suffix.lower() == ".npz":
        return _read_npz(path)
    raise ValueError(f"{path}: weights are read from .safetensors and .npz, not from {path.suffix or 'such a file'}")


def checkpoint_of(folder: Path) -> Path:
    """The checkpoint that stands for a run: the best, where there was a validation, else the last."""
    for name in ("best", "last"):
        if (folder / f"{name}.safetensors").is_file():
            return folder / f"{name}.safetensors"
    raise FileNotFoundError(f"{folder} holds neither best.safetensors nor last.safetensors: it is no finished run folder")


def part_of(tensors: Mapping[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {key.removeprefix(prefix): array for key, array in tensors.items() if key.startswith(prefix)}


def _read_npz(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    try:
        with np.load(path, allow_pickle=False) as file:
            tensors = {key: file[key] for key in file.files}
    except (ValueError, OSError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} cannot be read ({error}); it is cut short, no .npz file, or holds pickled objects") from error
    for key, array in tensors.items():
        if array.dtype.name not in _DTYPES:
            raise ValueError(f"{path}: {key} has dtype {array.dtype}; possible are {', '.join(_DTYPES)}: convert it to float32")
    return tensors


def read_safetensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Arrays and metadata of a safetensors file."""
    with opened(path) as file:
        dtypes = {key: file.get_slice(key).get_dtype() for key in file.keys()}  # noqa: SIM118
        for key, dtype in dtypes.items():
            if dtype not in (*_DTYPES.values(), "BF16"):
                raise ValueError(
                    f"{path}: {key} has dtype {dtype}, which NumPy does not know; possible are "
                    f"{', '.join(_DTYPES.values())} and BF16: convert it to F32 first"
                )
        metadata = file.metadata() or {}
        tensors = {key: file.get_tensor(key) for key, dtype in dtypes.items() if dtype != "BF16"}
    halves = [key for key, dtype in dtypes.items() if dtype == "BF16"]
    tensors |= _read_bfloat16(path, halves) if halves else {}
    return {key: tensors[key] for key in dtypes}, metadata


def _read_bfloat16(path: Path, keys: Iterable[str]) -> dict[str, np.ndarray]:
    """Arrays of bfloat16, which NumPy does not have, as float32: bfloat16 is a float32's upper half."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header, tensors = json.loads(file.read(length)), {}
        for key in keys:
            start, end = header[key]["data_offsets"]
            file.seek(8 + length + start)
            halves = np.frombuffer(file.read(end - start), "<u2").astype(np.uint32)
            tensors[key] = (halves << 16).view(np.float32).reshape(header[key]["shape"])
    return tensors


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """A safetensors file, with errors as one sentence."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    try:
        with safe_open(path, framework="np") as file:
            yield file
    except SafetensorError as error:
        raise ValueError(f"{path} cannot be read ({error}); it is cut short, damaged or no safetensors file") from error


def write_safetensors(path: Path, tensors: Mapping[str, Array], metadata: dict[str, str], also: Path | None) -> None:
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
            file.write(host.astype(host.dtype.newbyteorder("<"), copy=False).reshape(-1).view(np.uint8).data)  # in C order


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


def some_of(names: Iterable[str], separator: str = ", ") -> str:
    """The first five, and how many more there are."""
    names = list(names)
    return separator.join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
