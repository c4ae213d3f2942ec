"""NumPy's archives, .npz: a zip archive with a .npy file for each array. Pickled objects are neither written nor read.

Before an array is made, its header is held against the bytes that follow it: shape times type must be all of them.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from minifcn.backend import Array, to_host
from minifcn.safe_file import replacing
from minifcn.weights.archive import ERRORS, records_of
from minifcn.weights.safetensors_file import DTYPES
from minifcn.weights.unreadable import Unreadable, check_growth, claim, shown

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_ERRORS = (*ERRORS, TypeError, SyntaxError, MemoryError)


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an archive, compressed or not. Raises Unreadable for a damaged one and for arrays that are no numbers."""
    size = path.stat().st_size
    arrays: dict[str, np.ndarray] = {}
    try:
        with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            entries = records_of(archive, file, size)
            check_growth(sum(entry.file_size for entry in entries), size)
            for entry in entries:
                if ".." in entry.filename.split("/") or entry.filename.startswith("/"):
                    raise Unreadable(f"has an array called {shown(entry.filename)}, a way out of its folder")
                claim(arrays, entry.filename.removesuffix(".npy"), _array(archive, entry))
    except Unreadable:
        raise
    except _ERRORS as error:
        reason = f"cannot be read ({shown(error)}); it is cut short, no .npz file, or holds pickled objects"
        raise Unreadable(reason) from error
    if not arrays:
        raise Unreadable("holds no arrays")
    return arrays


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    """An array of an archive, read when its header has been found true."""
    with archive.open(entry) as file:
        if (version := np.lib.format.read_magic(file)) not in _HEADERS:
            raise Unreadable(f"has {shown(entry.filename)} in the format {version}, which no array of numbers needs")
        shape, _, dtype = _HEADERS[version](file)
        if dtype.name not in DTYPES or min(shape, default=0) < 0:
            if dtype.hasobject:
                raise Unreadable(f"cannot be read ({shown(entry.filename)} holds pickled objects, which is a program)")
            possible = f"possible are {', '.join(DTYPES)}: convert it to float32"
            raise Unreadable(f"has {shown(entry.filename)} of dtype {dtype}; {possible}")
        if file.tell() + math.prod(shape) * dtype.itemsize != entry.file_size:
            raise Unreadable(f"has {entry.file_size:,} bytes for {shown(entry.filename)}, not those of {shape} of {dtype}")
    with archive.open(entry) as file:
        array = np.lib.format.read_array(file, allow_pickle=False)
        file.read(1)  # at its end the checksum is compared
    if dtype.kind == "b" and (array.view(np.uint8) > 1).any():
        raise Unreadable(f"has a bool in {shown(entry.filename)} that is neither 0 nor 1")
    return array.astype(dtype.newbyteorder("="), copy=False)


def write_npz(path: Path, arrays: Mapping[str, Array]) -> None:
    """Writes an archive, whole or not at all, and not compressed; the same arrays make the same bytes."""
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for key, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{key}.npy"), "w", force_zip64=True) as record:
                np.lib.format.write_array(record, np.asarray(to_host(array), order="C"), allow_pickle=False)
