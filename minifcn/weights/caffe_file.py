"""Caffe's .caffemodel: the layers' blobs as arrays, `conv1_1.weight` and `conv1_1.bias`.

The file is a protobuf message, of which a handful of fields matters. They are read here, by a hundred lines: a protobuf library
would need Caffe's caffe.proto, compiled, which nobody maintains as a package, and would hold half a gigabyte of numbers twice.
Protobuf is a row of (field number and kind, content):

    NetParameter     100 layer: LayerParameter          2 layers: V1LayerParameter, of Caffe before 2014
    LayerParameter     1 name, 7 blobs      V1LayerParameter   4 name, 6 blobs
    BlobProto          7 shape: BlobShape, else 1..4 num, channels, height, width;   5 data (float), 8 double_data
    BlobShape          1 dim

Source: BVLC/caffe, src/caffe/proto/caffe.proto, and protobuf's "Encoding" page for the row.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from minifcn.weights.unreadable import Unreadable, claim, shown

_LAYERS = {100: (1, 7), 2: (4, 6)}  # field of a layer in the net: (field of its name, field of its blobs)
_NAMES = ("weight", "bias")
_MOST_FIELDS = 100_000  # a ResNet has a few thousand; a float is a field of its own only in files that nobody writes
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5


def read_caffe(path: Path) -> dict[str, np.ndarray]:
    """The blobs of every layer that has some: the first is its ``weight``, the second its ``bias``, others go by number.

    Raises Unreadable for a damaged file. One that is cut off exactly between two layers is whole as far as anybody can tell:
    the format has neither length nor checksum.
    """
    fields = _Fields()
    arrays: dict[str, np.ndarray] = {}
    try:
        for layer, kind, content in fields.of(memoryview(path.read_bytes())):
            if layer in _LAYERS and kind == _BYTES:
                for key, array in _layer(fields, content, *_LAYERS[layer]):
                    claim(arrays, key, array)
    except (struct.error, UnicodeDecodeError, OverflowError, MemoryError) as error:
        raise Unreadable(f"is damaged ({type(error).__name__})") from error
    if not arrays:
        raise Unreadable("holds no layers with weights; is it a .caffemodel?")
    return arrays


class _Fields:
    """Reads messages, and counts: a file of nothing but tiny fields would keep us for hours."""

    def __init__(self) -> None:
        self.count = 0

    def of(self, message: memoryview) -> Iterator[tuple[int, int, Any]]:
        """(field number, kind, content) of each field of a message; the content is a number, or bytes."""
        at = 0
        while at < len(message):
            self.count += 1
            if self.count > _MOST_FIELDS:
                raise Unreadable(f"has more than {_MOST_FIELDS:,} fields, as no network has")
            tag, at = _varint(message, at)
            kind, length = tag & 7, {_EIGHT: 8, _FOUR: 4}.get(tag & 7, 0)
            if kind == _VARINT:
                number, at = _varint(message, at)
                yield tag >> 3, kind, number
                continue
            if kind == _BYTES:
                length, at = _varint(message, at)
            elif not length:
                raise Unreadable(f"is damaged, or no .caffemodel (a field of kind {kind})")
            if length > len(message) - at:
                raise Unreadable(f"is cut short or damaged: {length:,} bytes are promised and {len(message) - at:,} are there")
            yield tag >> 3, kind, message[at : at + length]
            at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number, seven bits a byte, the lowest first, and where it ends."""
    number = shift = 0
    while at < len(message) and shift < 64:
        byte = message[at]
        number, at, shift = number | (byte & 127) << shift, at + 1, shift + 7
        if byte < 128:
            return number, at
    raise Unreadable("is cut short or damaged (a number without an end)")


def _layer(fields: _Fields, layer: memoryview, name_field: int, blob_field: int) -> Iterator[tuple[str, np.ndarray]]:
    """(key, array) of each blob of a layer."""
    name, blobs = "", []
    for field, kind, content in fields.of(layer):
        if field == name_field and kind == _BYTES:
            name = bytes(content).decode()
        elif field == blob_field and kind == _BYTES:
            blobs.append(content)
    for number, blob in enumerate(blobs):
        key = f"{name}.{_NAMES[number] if number < len(_NAMES) else number}"
        yield key, _blob(fields, blob, key)


def _blob(fields: _Fields, blob: memoryview, key: str) -> np.ndarray:
    """The array of a blob."""
    shape: list[int] | None = None
    old: dict[int, int] = {}
    pieces: dict[int, list[memoryview]] = {5: [], 8: []}
    for field, kind, content in fields.of(blob):
        if field == 7 and kind == _BYTES:
            shape = _shape(fields, content)
        elif field in pieces and kind in (_BYTES, _FOUR if field == 5 else _EIGHT):
            pieces[field].append(content)
        elif field in (1, 2, 3, 4) and kind == _VARINT:
            old[field] = content
    if pieces[5] and pieces[8]:
        raise Unreadable(f"has numbers of two kinds in {shown(key)}")
    rows, dtype = (pieces[8], np.dtype("<f8")) if pieces[8] else (pieces[5], np.dtype("<f4"))
    data = rows[0] if len(rows) == 1 else b"".join(rows)  # Caffe writes one row, half a gigabyte of it
    if len(data) % dtype.itemsize:
        raise Unreadable(f"has {len(data):,} bytes of {dtype} for {shown(key)}")
    numbers = np.frombuffer(data, dtype)
    if shape is None:
        shape = _old_shape([old.get(axis, 0) for axis in (1, 2, 3, 4)]) if old else [numbers.size]
    if math.prod(shape) != numbers.size or len(shape) > 32:
        raise Unreadable(f"has {numbers.size:,} numbers for {shown(key)} of shape {shown(tuple(shape))}")
    return numbers.reshape(shape).copy()


def _old_shape(shape: list[int]) -> list[int]:
    """A shape as it was before BlobShape, of four numbers, without the ones in front with which a bias, (1, 1, 1, O), and a
    fully connected layer, (1, 1, O, C), are filled up."""
    if shape[:2] == [1, 1]:
        while len(shape) > 1 and shape[0] == 1:
            shape = shape[1:]
    return shape


def _shape(fields: _Fields, message: memoryview) -> list[int]:
    shape: list[int] = []
    for field, kind, content in fields.of(message):
        if field == 1 and kind == _VARINT:
            shape.append(content)
        elif field == 1 and kind == _BYTES:
            at = 0
            while at < len(content):
                length, at = _varint(content, at)
                shape.append(length)
    if any(length >= 1 << 48 for length in shape) or len(shape) > 32:
        raise Unreadable(f"has a blob of shape {shown(shape[:8])}")
    return shape
