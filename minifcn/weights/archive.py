"""Zip archives, in which PyTorch and NumPy keep arrays, found to be whole: record upon record from the first byte to the list
at the end, and as many in the list as it says. What a record holds is guarded by its checksum; what there is, by this.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import BinaryIO

from minifcn.weights.unreadable import Unreadable, shown

ERRORS = (  # what zipfile raises for a damaged archive
    zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError,
    OverflowError,
)  # fmt: skip
_HEAD, _END = struct.Struct("<4s22xHH"), struct.Struct("<4s6xH10x")  # of a record and of the archive, fixed parts
_MANY = 0xFFFF  # in the place of a number that does not fit
_DESCRIPTORS = (12, 16, 20, 24)  # bytes behind a record whose length was not known when it began


def records_of(archive: zipfile.ZipFile, file: BinaryIO, file_size: int) -> list[zipfile.ZipInfo]:
    """The records of an archive, in the order of its list.

    Raises Unreadable where they do not fill the file, lie over one another, are locked, or are not as many as there should be.
    """
    entries = archive.infolist()
    file.seek(max(0, file_size - _END.size))
    signature, count = _END.unpack(file.read(_END.size))
    if signature != b"PK\x05\x06" or count not in (len(entries), _MANY):
        raise Unreadable("is cut short or damaged (its list of records is not as long as it says)")
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.flag_bits & 1:
            raise Unreadable(f"has its {shown(entry.filename)} locked")
        if entry.header_offset not in (end, *(end + length for length in _DESCRIPTORS if end)):
            raise Unreadable(f"has a hole or an overlap at {shown(entry.filename)}")
        file.seek(entry.header_offset)
        if len(head := file.read(_HEAD.size)) < _HEAD.size:
            raise Unreadable("is cut short or damaged")
        _, name, extra = _HEAD.unpack(head)
        end = entry.header_offset + _HEAD.size + name + extra + entry.compress_size
    if archive.start_dir not in (end, *(end + length for length in _DESCRIPTORS)):
        raise Unreadable("has a hole or an overlap in front of its list of records")
    return entries
