"""PyTorch's files, .pth and .pt, read without PyTorch and without executing anything of them.

    since 1.6   a zip archive, not compressed:  NAME/data.pkl   a pickle that describes the tensors (`inert_pickle`)
                                                NAME/data/0, 1, ...   their storages, little endian
                                                NAME/version, byteorder, .data/serialization_id, ...
    before      four pickles (a magic number, a version, the machine, the description), then one more with the storages' keys,
                then of each storage its size, 8 bytes, and its numbers

A file is refused, whole, where anything in it is not understood: bytes that belong to nothing, a storage that is missing, too
short or too long, a wrong checksum, a program (TorchScript). What is read takes memory in proportion to the file.
"""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from minifcn.weights.archive import ERRORS, records_of
from minifcn.weights.inert_pickle import Storage, View, unpickle
from minifcn.weights.unreadable import Unreadable, check_growth, claim, shown, widened

PARTS = ("state_dict", "model_state_dict", "model")  # where a checkpoint keeps the network, beside its optimizer
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # of the older format
_LONGEST_DESCRIPTION = 16 << 20  # bytes
_LONGEST_KEY, _DEEPEST, _MOST_VALUES = 1024, 32, 50_000
_PIECE = 1 << 20
_NOTES = ("version", "byteorder", ".format_version", ".storage_alignment", ".data/serialization_id")

Read = Callable[[Storage, memoryview], None]  # fills a buffer with a storage's bytes


def read_torch(path: Path) -> dict[str, np.ndarray]:
    """The tensors of a file as arrays; keys of nested dicts are joined by dots. A checkpoint gives its network's part.

    bfloat16 becomes float32, exactly. Raises Unreadable for a file that is damaged or holds anything but tensors, storages and
    plain containers.
    """
    size = path.stat().st_size
    with open(path, "rb") as file:
        described = _from_zip if file.read(4) == b"PK\x03\x04" else _from_legacy
        file.seek(0)
        with described(file, size) as (value, read):
            everything, part = _views(value), _network(value)  # what is not asked for is held to be plain, too
            return _arrays(everything if part is value else _views(part), read, size)


def _network(value: Any) -> Any:
    """The network's part of a checkpoint, or all of it."""
    if type(value) is dict:
        for part in PARTS:
            if type(value.get(part)) is dict:
                return value[part]
    return value


# ------------------------------------------------------------------------------------------------- from values to arrays


def _views(value: Any) -> dict[str, View]:
    """{key: where the tensor lies} of all tensors in a value; numbers and texts beside them are passed over."""
    found: dict[str, View] = {}
    for count, (key, leaf) in enumerate(_walk(value, "", 0)):
        if count > _MOST_VALUES:
            raise Unreadable(f"holds more than {_MOST_VALUES:,} values, one in the other")
        if isinstance(leaf, Storage):
            leaf = View(leaf, leaf.dtype or "uint8", 0, (leaf.size,), (1,))
        if isinstance(leaf, View):
            claim(found, key or "tensor", leaf)
        elif not isinstance(leaf, str | int | float | None):
            raise Unreadable(f"holds {shown(getattr(leaf, 'text', type(leaf).__name__))} in the place of a value")
    if not found:
        raise Unreadable("holds no tensors")
    return found


def _walk(value: Any, key: str, depth: int) -> Iterator[tuple[str, Any]]:
    """(key, value) of a value and of all that it contains, containers themselves as None."""
    if len(key) > _LONGEST_KEY or depth > _DEEPEST:
        raise Unreadable(f"has containers in containers without end at {shown(key)}")
    if type(value) not in (dict, list, tuple):
        yield key, value
        return
    yield key, None
    for name, inner in value.items() if type(value) is dict else enumerate(value):
        yield from _walk(inner, f"{key}.{name}" if key else str(name), depth + 1)


def _arrays(views: Mapping[str, View], read: Read, file_size: int) -> dict[str, np.ndarray]:
    """The arrays, storage by storage: beside them there is never more than one storage in memory."""
    sizes = (view.size * (4 if view.dtype == "bfloat16" else np.dtype(view.dtype).itemsize) for view in views.values())
    check_growth(sum(sizes), file_size)
    of_storage: dict[str, list[str]] = {}
    for key, view in views.items():
        of_storage.setdefault(view.storage.key, []).append(key)
    arrays: dict[str, np.ndarray] = {}
    for keys in of_storage.values():
        storage = views[keys[0]].storage
        raw = np.empty(_nbytes(storage), np.uint8)
        read(storage, raw.data)
        arrays |= {key: _array(views[key], raw, alone=len(keys) == 1) for key in keys}
    return {key: arrays[key] for key in views}


def _array(view: View, raw: np.ndarray, alone: bool) -> np.ndarray:
    """A tensor of a storage's bytes: these themselves, where it is ``alone`` and all of them, else a copy, in C order."""
    dtype = np.dtype("uint16" if view.dtype == "bfloat16" else view.dtype).newbyteorder("<")
    numbers = raw[: len(raw) // dtype.itemsize * dtype.itemsize].view(dtype)
    if view.dtype == "bool" and (raw > 1).any():
        raise Unreadable("has a bool that is neither 0 nor 1")
    if view.size == 0:
        return np.empty(view.shape, "float32" if view.dtype == "bfloat16" else dtype)
    strides = [stride * dtype.itemsize for stride in view.strides]
    array = np.lib.stride_tricks.as_strided(numbers[view.offset :], view.shape, strides)
    if view.dtype == "bfloat16":
        return widened(np.ascontiguousarray(array)).reshape(view.shape)
    is_all = alone and view.size == len(numbers) and array.flags.c_contiguous
    return numbers.reshape(view.shape) if is_all else np.array(array, order="C")


def _nbytes(storage: Storage) -> int:
    itemsize = {None: 1, "bfloat16": 2}.get(storage.dtype) or np.dtype(storage.dtype).itemsize
    return storage.size * itemsize


def _fill(file: Any, buffer: memoryview) -> None:
    """Reads a buffer full."""
    at = 0
    while at < len(buffer):
        piece = file.read(min(_PIECE, len(buffer) - at))
        if not piece:
            raise Unreadable("is cut short")
        buffer[at : at + len(piece)] = piece
        at += len(piece)


# ------------------------------------------------------------------------------------------------------ the two formats


@contextlib.contextmanager
def _from_zip(file: BinaryIO, file_size: int) -> Iterator[tuple[Any, Read]]:
    try:
        archive = zipfile.ZipFile(file)
    except ERRORS as error:
        raise Unreadable(f"is cut short or damaged ({shown(error)})") from error
    with archive:
        records = _records(archive, file, file_size)
        description = io.BytesIO(_record(archive, records["data.pkl"]))
        storages: dict[str, Storage] = {}
        value = unpickle(description, storages)
        if description.read(1):
            raise Unreadable("has bytes behind the description of its tensors")
        _check_storages(records, storages)
        if "byteorder" in records and _record(archive, records["byteorder"]) != b"little":
            raise Unreadable("was written on a machine that counts bytes from the other end; save it on an ordinary one")

        def read(storage: Storage, buffer: memoryview) -> None:
            with _opened(archive, records[f"data/{storage.key}"]) as record:
                _fill(record, buffer)
                record.read(1)  # at its end the checksum is compared

        yield value, read


def _records(archive: zipfile.ZipFile, file: BinaryIO, file_size: int) -> dict[str, zipfile.ZipInfo]:
    """The records by their names without the archive's; each is stored as it is, once, and they fill the file."""
    entries = records_of(archive, file, file_size)
    root = entries[0].filename.partition("/")[0] + "/" if entries else "/"
    records: dict[str, zipfile.ZipInfo] = {}
    for entry in entries:
        name = entry.filename.removeprefix(root)
        if name == "constants.pkl" or name.startswith("code/"):
            raise Unreadable("is TorchScript, which holds programs; save the network's state_dict() instead")
        if not entry.filename.startswith(root) or not (name in ("data.pkl", *_NOTES) or name.startswith("data/")):
            raise Unreadable(f"holds {shown(entry.filename)}, which is no part of PyTorch's files")
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise Unreadable(f"has its {shown(name)} compressed, as PyTorch does not")
        claim(records, name, entry)
    if "data.pkl" not in records:
        raise Unreadable("is a zip archive without data.pkl, no file of PyTorch's")
    if records["data.pkl"].file_size > _LONGEST_DESCRIPTION:
        raise Unreadable("is too long to be a description of weights")
    return records


def _check_storages(records: Mapping[str, zipfile.ZipInfo], storages: Mapping[str, Storage]) -> None:
    """Raises Unreadable unless what the tensors need is what there is."""
    for key, storage in storages.items():
        there = records[f"data/{key}"].file_size if f"data/{key}" in records else None
        if there != _nbytes(storage):
            found = "is missing" if there is None else f"has {there:,} bytes"
            raise Unreadable(f"needs {_nbytes(storage):,} bytes for its storage {shown(key)}, which {found}")
    for name in records:
        if name.startswith("data/") and name.removeprefix("data/") not in storages:
            raise Unreadable(f"has a storage {shown(name)} that belongs to no tensor")


@contextlib.contextmanager
def _opened(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[Any]:
    try:
        with archive.open(entry) as record:
            yield record
    except Unreadable:
        raise
    except ERRORS as error:
        raise Unreadable(f"is damaged at {shown(entry.filename)} ({shown(error)})") from error


def _record(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    with _opened(archive, entry) as record:
        return record.read()


@contextlib.contextmanager
def _from_legacy(file: BinaryIO, file_size: int) -> Iterator[tuple[Any, Read]]:
    head = io.BytesIO(file.read(_LONGEST_DESCRIPTION))
    try:
        known = (unpickle(head), unpickle(head)) == (_MAGIC, _PROTOCOL)
    except Unreadable:
        known = False
    if not known:
        raise Unreadable("is no file of PyTorch's")
    machine = unpickle(head)
    storages: dict[str, Storage] = {}
    if type(machine) is not dict or machine.get("little_endian") is not True:
        raise Unreadable("was written on a machine that counts bytes from the other end; save it on an ordinary one")
    value, keys = unpickle(head, storages), unpickle(head)
    if type(keys) is not list or not all(isinstance(key, str) for key in keys) or sorted(keys) != sorted(storages):
        raise Unreadable("has other storages than its tensors need")
    places, end = {}, head.tell()
    for key in keys:
        places[key] = end + 8
        end += 8 + _nbytes(storages[key])
    if end != file_size:
        raise Unreadable(f"has {file_size:,} bytes where its tensors need {end:,}: it is cut short or damaged")

    def read(storage: Storage, buffer: memoryview) -> None:
        file.seek(places[storage.key] - 8)
        if int.from_bytes(file.read(8), "little") != storage.size:
            raise Unreadable(f"has a storage {shown(storage.key)} of another size than its tensors need")
        _fill(file, buffer)

    yield value, read
