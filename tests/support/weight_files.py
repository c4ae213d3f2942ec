"""Files of weights made by hand, byte by byte: small good ones, and hostile ones, each to be refused in one sentence.

No program that is safe to run writes most of these; so pickles are put together from their instructions, zip archives from
`zipfile` and then bent, protobuf from its rows.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

CANARY = "canary"  # a folder that appears where anything in a file is executed


class Bomb:
    """Makes the canary when it is unpickled."""

    def __reduce__(self):
        return (os.mkdir, (CANARY,))


# ---------------------------------------------------------------------------------------------------------------- pickles


def text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value.encode())) + value.encode()


def number(value: int) -> bytes:
    if -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    encoded = pickle.encode_long(value)
    return b"\x8a" + bytes([len(encoded)]) + encoded


def name(full: str) -> bytes:
    module, _, last = full.rpartition(".")
    return f"c{module}\n{last}\n".encode()


def tuple_of(*items: bytes) -> bytes:
    return b"(" + b"".join(items) + b"t"


def storage(size: int = 6, kind: str = "Float", key: str = "0") -> bytes:
    return tuple_of(text("storage"), name(f"torch.{kind}Storage"), text(key), text("cpu"), number(size)) + b"Q"


ORDERED_DICT = name("collections.OrderedDict") + b")R"


def tensor(at: bytes | None = None, offset: int = 0, shape: Iterable[int] = (2, 3), strides: Iterable[int] = (3, 1)) -> bytes:
    sizes = (tuple_of(*map(number, numbers)) for numbers in (shape, strides))
    arguments = tuple_of(at or storage(), number(offset), *sizes, b"\x89", ORDERED_DICT)
    return name("torch._utils._rebuild_tensor_v2") + arguments + b"R"


def program(*values: bytes) -> bytes:
    return b"\x80\x02" + b"".join(values) + b"."


def dict_of(**items: bytes) -> bytes:
    return b"}(" + b"".join(text(key) + value for key, value in items.items()) + b"u"


NUMBERS = np.arange(6, dtype="<f4").tobytes()


def torch_zip(description: bytes, storages: dict[str, bytes] | None = None, **more: bytes) -> bytes:
    """A file of PyTorch's zip format."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a/data.pkl", description)
        archive.writestr("a/byteorder", more.pop("byteorder", b"little"))
        for key, content in ({"0": NUMBERS} if storages is None else storages).items():
            archive.writestr(f"a/data/{key}", content)
        archive.writestr("a/version", b"3\n")
        for key, content in more.items():
            archive.writestr(key, content)
    return file.getvalue()


def torch_legacy(description: bytes, sizes: dict[str, int] | None = None, tail: bytes = NUMBERS, little: bool = True) -> bytes:
    """A file of PyTorch's older format."""
    sizes = {"0": 6} if sizes is None else sizes
    system = {"protocol_version": 1001, "little_endian": little, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    parts = [pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, system)]
    parts += [description, pickle.dumps(list(sizes), 2)]
    return b"".join(parts) + b"".join(struct.pack("<q", size) for size in sizes.values()) + tail


def laughs(open_: bytes, close: bytes, depth: int = 40, width: int = 10) -> bytes:
    """A container of ten times the container of ten times ..."""
    made = tensor() + b"q\x01"
    for level in range(depth):  # each stays in the outermost tuple, for there is no instruction to take it off the stack
        made += (
            open_ + b"h" + bytes([1 + level]) + (b"h" + bytes([1 + level])) * (width - 1) + close + b"q" + bytes([2 + level])
        )
    return tuple_of(made)


# ------------------------------------------------------------------------------------------------- NumPy, safetensors, Caffe


def npz(members: dict[str, bytes], compressed: bool = False) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as archive:
        for key, content in members.items():
            archive.writestr(key, content)
    return file.getvalue()


def without(archive: bytes, name: str) -> bytes:
    """An archive whose list has lost a record, which is still there."""
    file = io.BytesIO(archive)
    with zipfile.ZipFile(file, "a") as opened:
        opened.filelist.remove(opened.getinfo(name))
        opened.writestr("a/.format_version", b"1")  # so that the list is written anew
        opened.filelist.pop()
    return file.getvalue()


def swallowing(archive: bytes) -> bytes:
    """An archive the first entry of whose list has all the others for its comment."""
    first = archive.index(b"PK\x01\x02")
    others = archive.rindex(b"PK\x05\x06") - archive.index(b"PK\x01\x02", first + 1)
    return archive[: first + 32] + struct.pack("<H", others) + archive[first + 34 :]


def npy(array: np.ndarray | None = None, header: str | None = None) -> bytes:
    """A .npy file, or one with any header."""
    if header is None:
        file = io.BytesIO()
        np.lib.format.write_array(file, np.arange(6.0) if array is None else array)
        return file.getvalue()
    padded = header.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded.encode() + bytes(48)


def safetensors(header: object, content: bytes = NUMBERS, length: int | None = None) -> bytes:
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(encoded) if length is None else length) + encoded + content


def entry(start: int = 0, end: int = 24, shape: Iterable[int] = (2, 3), dtype: str = "F32") -> dict:
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [start, end]}


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def row(field: int, content: bytes | int, length: int | None = None) -> bytes:
    """A field of a protobuf message."""
    if isinstance(content, int):
        return varint(field << 3) + varint(content)
    return varint(field << 3 | 2) + varint(len(content) if length is None else length) + content


def blob(shape: Iterable[int] = (2, 3), data: bytes = NUMBERS) -> bytes:
    return row(7, row(1, b"".join(map(varint, shape)))) + row(5, data)


def layer(*blobs: bytes, called: str = "conv1") -> bytes:
    return row(100, row(1, called.encode()) + row(2, b"Convolution") + b"".join(row(7, each) for each in blobs))


# ------------------------------------------------------------------------------------------------------------ good and bad


def good() -> dict[str, bytes]:
    """A small good file of each format, with two arrays."""
    described = program(dict_of(weight=tensor(), bias=tensor(storage(2, "Double", "1"), 0, [2], [1])))
    double = np.arange(2.0).tobytes()
    arrays = {"weight.npy": npy(np.arange(6, dtype="f").reshape(2, 3)), "bias.npy": npy(np.arange(2.0))}
    legacy = struct.pack("<q", 6) + NUMBERS + struct.pack("<q", 2) + double
    return {
        "zip.pth": torch_zip(described, {"0": NUMBERS, "1": double}),
        "legacy.pth": torch_legacy(described, {"0": 6, "1": 2}, b"")[:-16] + legacy,
        "stored.npz": npz(arrays),
        "compressed.npz": npz(arrays, compressed=True),
        "good.safetensors": safetensors({"weight": entry(), "bias": entry(24, 40, [2], "F64")}, NUMBERS + double),
        "good.caffemodel": row(1, b"net") + layer(blob(), blob([2], NUMBERS[:8])) + layer(blob(), called="conv2"),
    }


def hostile() -> dict[str, bytes]:
    """{name of the file: its bytes}; what each is up to is its name."""
    fine = tensor()
    bomb = pickle.dumps(Bomb(), 2)[2:-1]
    mkdir = tuple_of(text(CANARY))
    inst = b"(" + text(CANARY) + b"ios\nmkdir\n"
    pickles = {
        "reduce": bomb,
        "reduce beside a tensor": dict_of(good=fine, bad=bomb),
        "stack global": text("os") + text("mkdir") + b"\x93" + mkdir + b"R",
        "stack global of a tuple": mkdir + text("mkdir") + b"\x93" + mkdir + b"R",
        "stack global, dotted": text("torch._utils") + text("_rebuild_tensor_v2.__globals__") + b"\x93",
        "global of a good module": name("torch._utils._import_dotted_name") + tuple_of(text("os.mkdir")) + b"R",
        "inst": inst,
        "obj": b"(" + name("os.mkdir") + text(CANARY) + b"o",
        "newobj": name("os.mkdir") + mkdir + b"\x81",
        "newobj_ex": name("os.mkdir") + mkdir + b"}\x92",
        "newobj of a good name": name("collections.OrderedDict") + b")\x81",
        "extension": b"\x82\x01",
        "build": ORDERED_DICT + dict_of(items=bomb) + b"b",
        "build of a class": ORDERED_DICT + dict_of(__class__=text("x")) + b"b",
        "build of a tensor": fine + dict_of(_metadata=text("x")) + b"b",
        "build with a method": ORDERED_DICT + dict_of(__setitem__=text("x")) + b"b",
        "call of a text": text("os.mkdir") + mkdir + b"R",
        "call of a storage": storage() + mkdir + b"R",
        "hooks": name("torch._utils._rebuild_tensor_v2")
        + tuple_of(storage(), number(0), tuple_of(number(6)), tuple_of(number(1)), b"\x89", dict_of(hook=text("x")))
        + b"R",
        "memo without an entry": b"h\x07",
        "memo far away": tuple_of(b"}r\xff\xff\xff\xff", b"j\xfe\xff\xff\xff"),
        "list of lists of lists": laughs(b"](", b"e"),
        "tuple of tuples of tuples": laughs(b"(", b"t"),
        "list in itself": tuple_of(fine, b"]q\x00h\x00a"),
        "deep tuples": tuple_of(fine, b")" + b"\x85" * 200_000),
        "deep tuples as a key": b"}" + b")" + b"\x85" * 200_000 + b"Ns",
        "deep lists": tuple_of(fine, b"]" * 100_000 + b"a" * 99_999),
        "two million instructions": tuple_of(fine, b"N" * 2_000_000),
        "a length of 2**60": b"\x8d" + struct.pack("<Q", 1 << 60) + b"x",
        "a negative length": b"\x8b" + struct.pack("<i", -5),
        "long keys": b"}" + (text("k" * 2_000_000) + b"}") * 3 + text("v") + fine + b"s" + b"s" * 3,
        "many values": tuple_of(fine, b"](" + b"N" * 250_000 + b"e"),
        "a thousand times the same": tuple_of(tensor(None, 0, [10**6], [0]) + b"q\x01", b"](" + b"h\x01" * 1000 + b"e"),
        "a mark for a value": b"](a",
        "too little on the stack": b"\x87",
        "two values": fine + fine,
        "persistent id of a text": text("storage") + b"Q",
        "persistent id in text": b"Pstorage\n",
        "a view of a storage": tuple_of(
            text("storage"), name("torch.FloatStorage"), text("0"), text("cpu"), number(6), tuple_of(text("v"), number(0))
        )
        + b"Q",
        "a storage of a million million": tensor(storage(10**12)),
        "a negative storage": tensor(storage(-6)),
        "a negative offset": tensor(offset=-1),
        "an offset outside": tensor(offset=1),
        "a stride outside": tensor(strides=[4, 1]),
        "a negative stride": tensor(strides=[-3, 1]),
        "a shape larger than its storage": tensor(shape=[3, 3]),
        "a shape that overflows": tensor(shape=[1 << 62, 1 << 62, 4], strides=[0, 0, 0]),
        "a shape beyond 64 bits": tensor(shape=[1 << 500], strides=[0]),
        "a huge view of little": tensor(shape=[10**6, 10**6], strides=[0, 0]),
        "more strides than sizes": tensor(strides=[3, 1, 1]),
        "no storage": tensor(dict_of()),
        "a storage of two kinds": tuple_of(fine, tensor(storage(3, "Double"), 0, [3], [1])),
        "a missing storage": tuple_of(fine, tensor(storage(6, "Float", "1"))),
        "a storage elsewhere": tensor(storage(6, "Float", "../../../../etc/passwd")),
        "complex numbers": tensor(storage(3, "ComplexFloat"), 0, [3], [1]),
        "a key twice": b"}(" + text("a") + fine + text("a") + fine + b"u",
        "no tensors": dict_of(epoch=number(3)),
    }  # fmt: skip
    files = {f"{what}.pth": torch_zip(program(body)) for what, body in pickles.items()}
    files |= {f"legacy, {what}.pth": torch_legacy(program(body)) for what, body in pickles.items()}
    files["pickle alone.pth"] = pickle.dumps(Bomb())
    files["pickle alone.pt"] = pickle.dumps({"weight": Bomb()}, 0)
    files |= _hostile_containers() | _hostile_npz() | _hostile_safetensors() | _hostile_caffe()
    return files


def _hostile_containers() -> dict[str, bytes]:
    """Of PyTorch's two formats."""
    described = program(dict_of(weight=tensor()))
    whole = torch_zip(described)
    at = whole.index(NUMBERS)
    deflated = io.BytesIO()
    with zipfile.ZipFile(deflated, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(100_000_000))
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as archive:
        archive.writestr("a/data.pkl", described)
        archive.writestr("a/data/0", NUMBERS)
        archive.filelist.append(archive.getinfo("a/data/0"))
    directory = whole.rindex(b"PK\x01\x02", 0, whole.index(b"a/data/0", at))
    return {
        "a bit of the numbers changed.pth": whole[:at] + b"\x01" + whole[at + 1 :],
        "an overlong storage.pth": torch_zip(described, {"0": NUMBERS + bytes(4)}),
        "a short storage.pth": torch_zip(described, {"0": NUMBERS[:-4]}),
        "a storage of nobody.pth": torch_zip(described, {"0": NUMBERS, "1": NUMBERS}),
        "bytes behind the pickle.pth": torch_zip(described + b"more"),
        "an empty zip.pth": b"PK\x05\x06" + bytes(18),
        "a zip without a description.pth": npz({"a/data/0": NUMBERS}),
        "big endian.pth": torch_zip(described, byteorder=b"big"),
        "a way out.pth": torch_zip(described, None, **{"../../canary": b"x"}),
        "a way out below.pth": torch_zip(described, None, **{"a/../../canary": b"x"}),
        "a script.pth": torch_zip(described, None, **{"a/code/__torch__.py": b"import os"}),
        "a zip bomb.pth": deflated.getvalue(),
        "a hole between records.pth": without(torch_zip(described, {"0": NUMBERS, "1": NUMBERS}), "a/data/1"),
        "a list that swallows its end.pth": swallowing(whole),
        "bytes in front.pth": b"PK\x03\x04" + bytes(60) + whole,
        "bytes behind the end.pth": whole + b"more",
        "the same record twice.pth": twice.getvalue(),
        "a locked record.pth": whole[: directory + 8] + b"\x01" + whole[directory + 9 :],
        "a record of 4 GB.pth": whole[: directory + 20] + b"\xff\xff\xff\x7f\xff\xff\xff\x7f" + whole[directory + 28 :],
        "legacy, bytes behind.pth": torch_legacy(described) + b"x",
        "legacy, big endian.pth": torch_legacy(described, little=False),
        "legacy, other keys.pth": torch_legacy(described, {"7": 6}),
        "legacy, no keys.pth": torch_legacy(described, {}),
        "legacy, another size.pth": torch_legacy(described, {"0": 5}),
        "legacy, a negative size.pth": torch_legacy(described, {"0": -6}),
        "legacy, a keys program.pth": torch_legacy(described)[: -32 - 9] + pickle.dumps(Bomb(), 2) + NUMBERS,
    }


def _hostile_npz() -> dict[str, bytes]:
    big = np.zeros(100_000_000, np.uint8)
    header = "{{'descr': {}, 'fortran_order': False, 'shape': {}, }}"
    good_one = npz({"a.npy": npy()})
    at = good_one.index(np.arange(6.0).tobytes())
    return {
        "objects.npz": npz({"a.npy": npy(np.array([Bomb()], object))}),
        "objects with a good header.npz": npz({"a.npy": npy(header=header.format("'|O'", "(6,)"))}),
        "a pickle.npz": pickle.dumps(Bomb()),
        "a zip bomb.npz": npz({"a.npy": npy(big)}, compressed=True),
        "many zip bombs.npz": npz({f"{i}.npy": npy(big[:10_000_000]) for i in range(20)}, compressed=True),
        "a huge shape.npz": npz({"a.npy": npy(header=header.format("'<f8'", "(1000000000000,)"))}),
        "an overflowing shape.npz": npz({"a.npy": npy(header=header.format("'<f8'", "(4294967296, 4294967296, 6)"))}),
        "a negative shape.npz": npz({"a.npy": npy(header=header.format("'<f8'", "(-2, -3)"))}),
        "a smaller shape.npz": npz({"a.npy": npy(header=header.format("'<f8'", "(5,)"))}),
        "code in a header.npz": npz({"a.npy": npy(header="__import__('os').mkdir('canary')")}),
        "code in a dtype.npz": npz({"a.npy": npy(header=header.format("__import__('os').mkdir('canary')", "(6,)"))}),
        "a record type.npz": npz({"a.npy": npy(np.zeros(3, [("x", "<f4"), ("y", "<i4")]))}),
        "texts.npz": npz({"a.npy": npy(np.array(["a", "b"]))}),
        "dates.npz": npz({"a.npy": npy(np.zeros(3, "M8[s]"))}),
        "no array.npz": npz({"a.npy": b"text"}),
        "a way out.npz": npz({"../../canary.npy": npy()}),
        "nothing.npz": npz({}),
        "twice the same.npz": npz({"a.npy": npy(), "a": npy()}),
        "a hole between records.npz": without(npz({"a.npy": npy(), "b.npy": npy(), "c.npy": npy()}), "b.npy"),
        "a list that swallows its end.npz": swallowing(npz({"a.npy": npy(), "b.npy": npy()})),
        "bytes in front.npz": bytes(60) + good_one,
        "a bit changed.npz": good_one[:at] + b"\x01" + good_one[at + 1 :],
        "a header without end.npz": npz({"a.npy": b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65_535}),
    }


def _hostile_safetensors() -> dict[str, bytes]:
    return {
        "a header of 2**62.safetensors": safetensors({"a": entry()}, length=1 << 62),
        "a header longer than the file.safetensors": safetensors({"a": entry()}, length=1000),
        "a header of 20 MB.safetensors": safetensors({f"{i:0500}": entry() for i in range(40_000)}),
        "overlapping.safetensors": safetensors({"a": entry(), "b": entry()}),
        "partly overlapping.safetensors": safetensors({"a": entry(), "b": entry(12, 36)}, NUMBERS + NUMBERS),
        "a hole.safetensors": safetensors({"a": entry(), "b": entry(32, 56)}, NUMBERS + bytes(8) + NUMBERS),
        "bytes behind.safetensors": safetensors({"a": entry()}, NUMBERS + b"more"),
        "outside.safetensors": safetensors({"a": entry(0, 48, [2, 6])}),
        "backwards.safetensors": safetensors({"a": entry(24, 0)}),
        "another shape.safetensors": safetensors({"a": entry(shape=[7])}),
        "an overflowing shape.safetensors": safetensors({"a": entry(shape=[1 << 62, 1 << 62])}),
        "a negative shape.safetensors": safetensors({"a": entry(shape=[-2, -3])}),
        "deep json.safetensors": safetensors(b'{"a":' * 100_000),
        "no json.safetensors": safetensors(b"import os; os.mkdir('canary')"),
        "a list.safetensors": safetensors([entry()]),
        "an unknown type.safetensors": safetensors({"a": entry(dtype="O")}),
        "metadata that is no text.safetensors": safetensors({"__metadata__": {"x": {"y": 1}}, "a": entry()}),
        "a pickle.safetensors": pickle.dumps(Bomb()),
        "nothing.safetensors": b"",
    }


def _hostile_caffe() -> dict[str, bytes]:
    return {
        "a lying length.caffemodel": row(100, row(1, b"conv1") + row(7, blob(), length=1 << 40)),
        "a layer longer than the file.caffemodel": row(100, b"x", length=1 << 62),
        "a number without end.caffemodel": b"\xff" * 100,
        "numbers for another shape.caffemodel": layer(blob([2, 4])),
        "more numbers than the shape has.caffemodel": layer(blob([2, 2])),
        "an overflowing shape.caffemodel": layer(blob([1 << 62, 1 << 62, 6])),
        "a shape of a thousand.caffemodel": layer(blob([1] * 1000)),
        "half a number.caffemodel": layer(blob([6], NUMBERS[:-2])),
        "two kinds of numbers.caffemodel": layer(blob() + row(8, bytes(48))),
        "twice the same layer.caffemodel": layer(blob()) + layer(blob()),
        "a group.caffemodel": varint(100 << 3 | 3) + b"x",
        "a name that is no text.caffemodel": row(100, row(1, b"\xff\xfe") + row(7, blob())),
        "millions of fields.caffemodel": b"\x08\x01" * 5_000_000,
        "millions of numbers.caffemodel": layer(row(7, row(1, varint(6))) + b"\x2d\0\0\0\0" * 2_000_000),
        "nothing.caffemodel": b"",
        "no network.caffemodel": row(1, b"net"),
        "a pickle.caffemodel": pickle.dumps(Bomb()),
        "deep.caffemodel": _nested(2000),
    }


def _nested(depth: int) -> bytes:
    made = b""
    for _ in range(depth):
        made = row(100, made)
    return made


def write(folder: Path, files: dict[str, bytes]) -> list[Path]:
    for called, content in files.items():
        (folder / called).write_bytes(content)
    return [folder / called for called in files]
