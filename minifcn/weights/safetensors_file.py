"""Safetensors files, read by the safetensors library and written here.

    8 bytes             length of the header, little endian
    header              JSON: {"__metadata__": {...}, key: {"dtype": "F32", "shape": [...], "data_offsets": [a, b]}, ...}
    the rest            the arrays one after another, little endian, in C order

They are written array by array, since a checkpoint must not cost a second copy of the network in memory, and must be on the
disk before it replaces the one before it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from minifcn.backend import Array, to_host
from minifcn.safe_file import replacing
from minifcn.weights.unreadable import Unreadable, widened

DTYPES = {"float16": "F16", "float32": "F32", "float64": "F64", "bool": "BOOL"} | {
    f"{sign}int{bits}": f"{sign.upper() or 'I'}{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}
_LONGEST_HEADER = 16 << 20  # bytes; a ResNet-101 has 60,000


def read_safetensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Arrays and metadata of a safetensors file; bfloat16 becomes float32, exactly.

    Raises FileNotFoundError, or ValueError for a damaged file or numbers that NumPy does not know.
    """
    with opened(path) as file:
        dtypes = {key: file.get_slice(key).get_dtype() for key in file.keys()}  # noqa: SIM118
        for key, dtype in dtypes.items():
            if dtype not in (*DTYPES.values(), "BF16"):
                raise ValueError(
                    f"{path}: {key} has dtype {dtype}, which NumPy does not know; possible are "
                    f"{', '.join(DTYPES.values())} and BF16: convert it to F32 first"
                )
        metadata = file.metadata() or {}
        tensors = {key: file.get_tensor(key) for key, dtype in dtypes.items() if dtype != "BF16"}
    halves = [key for key, dtype in dtypes.items() if dtype == "BF16"]
    tensors |= _read_bfloat16(path, halves) if halves else {}
    for key, dtype in dtypes.items():
        if dtype == "BOOL" and (tensors[key].view(np.uint8) > 1).any():
            raise ValueError(f"{path}: {key} has a bool that is neither 0 nor 1; the file is damaged")
    return {key: tensors[key] for key in dtypes}, metadata


def _read_bfloat16(path: Path, keys: Iterable[str]) -> dict[str, np.ndarray]:
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header, tensors = json.loads(file.read(length)), {}
        for key in keys:
            start, end = header[key]["data_offsets"]
            file.seek(8 + length + start)
            tensors[key] = widened(np.frombuffer(file.read(end - start), "<u2")).reshape(header[key]["shape"])
    return tensors


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """A safetensors file, with errors as one sentence."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    try:
        _check_header(path)
        with safe_open(path, framework="np") as file:
            yield file
    except (SafetensorError, Unreadable) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path} cannot be read ({reason}); it is cut short, damaged or no safetensors file") from error


def _check_header(path: Path) -> None:
    """Raises Unreadable where the header is longer than any network's: reading it would take minutes."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > _LONGEST_HEADER:
        raise Unreadable(f"a header of {length:,} bytes")


def write_safetensors(
    path: Path, tensors: Mapping[str, Array], metadata: Mapping[str, str], also: Path | None = None
) -> None:  # fmt: skip
    """Writes a safetensors file, whole or not at all; ``also`` is a second name for it (see `safe_file.replacing`)."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    end = 0
    for key, array in tensors.items():
        if array.dtype.name not in DTYPES:
            raise TypeError(f"{key} has dtype {array.dtype}, which a checkpoint cannot hold")
        start, end = end, end + array.nbytes
        header[key] = {"dtype": DTYPES[array.dtype.name], "shape": list(array.shape), "data_offsets": [start, end]}
    encoded = json.dumps(header).encode("utf-8")
    encoded += b" " * (-len(encoded) % 8)  # arrays start at a multiple of 8, so that they can be mapped into memory
    with replacing(path, also) as file:
        file.write(len(encoded).to_bytes(8, "little"))
        file.write(encoded)
        for array in tensors.values():
            host = to_host(array)
            file.write(host.astype(host.dtype.newbyteorder("<"), copy=False).reshape(-1).view(np.uint8).data)  # in C order
