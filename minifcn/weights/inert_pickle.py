"""A pickle read as a description of tensors, never as a program.

A pickle is a program for a small stack machine, two of whose instructions import a name and call it: whoever loads one with
Python's own machine runs whatever its author wrote. PyTorch's files are pickles. This machine has no instruction that imports
or calls. A name is only ever looked up in a table, and what is "called" is one of the functions below, which put
together a dict, a tuple, or where a tensor lies in a storage. Whatever is not in the tables is refused by its name.

    BINPERSID   ("storage", torch.FloatStorage, "0", "cpu", 6)                -> Storage("0", "float32", 6)
    REDUCE      _rebuild_tensor_v2(storage, offset, shape, strides, ...)      -> View(storage, offset, shape, strides)

So `torch.load`'s promise "weights only" holds here by construction, and what it lets pass beside tensors (optimizer objects,
devices, hooks) does not come in. Tokens are read by `pickletools`, of Python's own library, which executes nothing either.
"""

from __future__ import annotations

import math
import pickletools
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from minifcn.weights.unreadable import Unreadable, claim, shown

_MOST_STEPS = 200_000  # a ResNet-101 with its optimizer's state has 50,000
_MOST_DIGITS = 63  # bits of a size: every number of a real file fits
_MOST_AXES = 32

_STORAGES: dict[str, str | None] = {
    "torch.DoubleStorage": "float64",
    "torch.FloatStorage": "float32",
    "torch.HalfStorage": "float16",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "int64",
    "torch.IntStorage": "int32",
    "torch.ShortStorage": "int16",
    "torch.CharStorage": "int8",
    "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool",
    "torch.storage.UntypedStorage": None,  # bytes: the tensor says of what, one of the kinds that came later
}
_LATER = {"torch.uint16": "uint16", "torch.uint32": "uint32", "torch.uint64": "uint64"}


@dataclass(frozen=True)
class Storage:
    """Numbers in a row, somewhere else in the file: ``size`` of them, bytes where ``dtype`` is None."""

    key: str
    dtype: str | None
    size: int


@dataclass(frozen=True)
class View:
    """A tensor: element (i, j, ...) is number ``offset + i·strides[0] + j·strides[1] + ...`` of its storage as ``dtype``."""

    storage: Storage
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class _Name:
    """One of the names that are known; it is a text, and stays one."""

    text: str


class _Mark:
    """Where on the stack a list of items begins."""


_MARK = _Mark()
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = {
    "BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4", "BINFLOAT", "FLOAT", "UNICODE", "BINUNICODE",
    "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING",
}  # fmt: skip


def unpickle(file: BinaryIO, storages: dict[str, Storage] | None = None) -> Any:
    """What the pickle that begins here describes: dicts, lists, tuples, numbers, texts, `Storage` and `View`.

    The file is left behind its end. The storages that it mentions are added to ``storages``, without which there may be none.
    Raises Unreadable for a broken pickle, and for one that holds anything else.
    """
    machine = _Machine(storages)
    try:
        for steps, (instruction, argument, _) in enumerate(pickletools.genops(file)):
            if steps > _MOST_STEPS:
                raise Unreadable("is too long to be a description of weights")
            if instruction.name == "STOP":
                return machine.result()
            machine.step(instruction.name, argument)
    except Unreadable:
        raise
    except (ValueError, IndexError, KeyError, TypeError, struct.error, OverflowError, MemoryError, RecursionError) as error:
        raise Unreadable(f"has a broken description of its tensors ({type(error).__name__})") from error
    raise Unreadable("has a description of its tensors without an end")


class _Machine:
    """The stack machine: one method for each instruction that does more than to push its argument."""

    def __init__(self, storages: dict[str, Storage] | None) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.storages = storages

    def result(self) -> Any:
        value = self.pop()
        if self.stack:
            raise Unreadable("has a broken description of its tensors (too many values)")
        return value

    def step(self, name: str, argument: Any) -> None:
        if name in _LITERALS:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _INSTRUCTIONS:
            _INSTRUCTIONS[name](self, argument)
        else:
            raise Unreadable(f"uses the instruction {name}, with which things other than tensors are made; {_REMEDY}")

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise ValueError("a mark in the place of a value")
        return value

    def items(self) -> list[Any]:
        """All above the last mark."""
        at = len(self.stack)
        while self.stack[at - 1] is not _MARK:
            at -= 1
            if at == 0:
                raise ValueError("no mark")
        items = self.stack[at:]
        del self.stack[at - 1 :]
        return items

    def top(self, kind: type) -> Any:
        """The list or dict on top, to be added to."""
        if type(self.stack[-1]) is not kind:
            raise Unreadable(f"adds to something that is no {kind.__name__}")
        return self.stack[-1]

    def extend(self, items: list[Any]) -> None:
        self.top(list).extend(items)

    def set_items(self, items: list[Any]) -> None:
        put_items(self.top(dict), zip(items[::2], items[1::2], strict=True))

    def memoize(self, place: int) -> None:
        self.memo[place] = self.stack[-1]

    def name(self, module: Any, name: Any) -> None:
        """A name, if it is one of those that tensors are made of."""
        text = f"{module}.{name}" if isinstance(module, str) and isinstance(name, str) else ""
        if not any(text in known for known in (_MAKERS, _STORAGES, _LATER)):
            raise Unreadable(f"holds {shown(text)}, which is no tensor, and is neither loaded nor run; {_REMEDY}")
        self.stack.append(_Name(text))

    def make(self) -> None:
        """REDUCE: what the name of a maker and its arguments stand for."""
        arguments, maker = self.pop(), self.pop()
        if not isinstance(maker, _Name) or maker.text not in _MAKERS or type(arguments) is not tuple:
            raise Unreadable(f"calls {shown(getattr(maker, 'text', type(maker).__name__))}, which is not done here")
        self.stack.append(_MAKERS[maker.text](*arguments))

    def storage(self) -> None:
        """BINPERSID: a storage, by ("storage", its type, its key, a device, its size)."""
        match self.pop():
            case ("storage", _Name(kind), str(key), str(), int(size), *rest) if kind in _STORAGES and rest in ([], [None]):
                new = Storage(key, _STORAGES[kind], _whole(size))
            case _:
                raise Unreadable("mentions a storage that is none of PyTorch's")
        if self.storages is None:
            raise Unreadable("mentions a storage where none can be")
        if self.storages.setdefault(key, new) != new:
            raise Unreadable(f"describes the storage {shown(key)} in two ways")
        self.stack.append(new)

    def build(self) -> None:
        """BUILD sets attributes: of a state dict its ``_metadata``, the versions of its layers, which is passed over."""
        state, target = self.pop(), self.stack[-1]
        if type(target) is not dict or type(state) is not dict or not state.keys() <= {"_metadata"}:
            raise Unreadable(f"sets attributes of a {type(target).__name__.strip('_')}, as no tensor needs; {_REMEDY}")


def put_items(target: dict[Any, Any], items: Iterator[tuple[Any, Any]]) -> None:
    """Adds to a dict what is not there yet; keys are texts, numbers or None (a hash dies of tuples without end)."""
    for key, value in items:
        if not isinstance(key, str | int | float | None):
            raise Unreadable(f"has a dict whose key is a {type(key).__name__}")
        claim(target, key, value)


_REMEDY = "save the network's state_dict() alone"

_INSTRUCTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": lambda machine, _: None,
    "FRAME": lambda machine, _: None,
    "MARK": lambda machine, _: machine.stack.append(_MARK),
    "EMPTY_DICT": lambda machine, _: machine.stack.append({}),
    "EMPTY_LIST": lambda machine, _: machine.stack.append([]),
    "EMPTY_TUPLE": lambda machine, _: machine.stack.append(()),
    "DICT": lambda machine, _: machine.stack.append(_dict(machine.items())),
    "LIST": lambda machine, _: machine.stack.append(machine.items()),
    "TUPLE": lambda machine, _: machine.stack.append(tuple(machine.items())),
    "TUPLE1": lambda machine, _: machine.stack.append((machine.pop(),)),
    "TUPLE2": lambda machine, _: machine.stack.append((machine.pop(), machine.pop())[::-1]),
    "TUPLE3": lambda machine, _: machine.stack.append((machine.pop(), machine.pop(), machine.pop())[::-1]),
    "APPEND": lambda machine, _: machine.extend([machine.pop()]),
    "APPENDS": lambda machine, _: machine.extend(machine.items()),
    "SETITEM": lambda machine, _: machine.set_items([machine.pop(), machine.pop()][::-1]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.items()),
    "BINPUT": lambda machine, place: machine.memoize(place),
    "LONG_BINPUT": lambda machine, place: machine.memoize(place),
    "MEMOIZE": lambda machine, _: machine.memoize(len(machine.memo)),
    "BINGET": lambda machine, place: machine.stack.append(machine.memo[place]),
    "LONG_BINGET": lambda machine, place: machine.stack.append(machine.memo[place]),
    "GLOBAL": lambda machine, text: machine.name(*text.split(" ", 1)),
    "STACK_GLOBAL": lambda machine, _: machine.name(*(machine.pop(), machine.pop())[::-1]),
    "BINPERSID": lambda machine, _: machine.storage(),
    "REDUCE": lambda machine, _: machine.make(),
    "BUILD": lambda machine, _: machine.build(),
}


# ----------------------------------------------------------------------------------------- what names and arguments make


def _dict(items: list[Any]) -> dict[Any, Any]:
    made: dict[Any, Any] = {}
    put_items(made, zip(items[::2], items[1::2], strict=True))
    return made


def _ordered_dict(items: Any = ()) -> dict[Any, Any]:
    """An OrderedDict; under Python 2 its items, pairs in lists, were given to it when it was made."""
    if type(items) not in (list, tuple) or not all(type(item) in (list, tuple) and len(item) == 2 for item in items):
        raise Unreadable("has an OrderedDict made of no pairs")
    made: dict[Any, Any] = {}
    put_items(made, iter(items))
    return made


def _torch_size(lengths: Any) -> tuple[int, ...]:
    return _wholes(lengths if type(lengths) is tuple else ())


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, dtype: str | None = None) -> View:
    """Where a tensor lies. Nothing of it may lie outside of its storage."""
    if not isinstance(storage, Storage):
        raise Unreadable("has a tensor without a storage")
    shape, strides, offset = _wholes(shape), _wholes(strides), _whole(offset)
    dtype, itemsize = (storage.dtype, 1) if dtype is None else (dtype, int(dtype.removeprefix("uint")) // 8)
    if dtype is None or len(shape) != len(strides) or len(shape) > _MOST_AXES:
        raise Unreadable(f"has a tensor of shape {shown(shape)}, strides {shown(strides)} and kind {dtype}")
    last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
    if 0 not in shape and (last + 1) * itemsize > storage.size:
        raise Unreadable(f"has a tensor that reaches to number {last:,} of its storage of {storage.size // itemsize:,}")
    return View(storage, dtype, offset, shape, strides)


def _tensor_v2(
    storage: Any, offset: Any, shape: Any, strides: Any, requires_grad: Any, hooks: Any, metadata: Any = None
) -> View:  # fmt: skip
    """As `torch.save` has written tensors since 0.4: with hooks on the gradient, and flags such as "conjugate", of which there
    may be none."""
    if hooks != {} or metadata:
        raise Unreadable(f"has a tensor with hooks or flags, which change what it means; {_REMEDY}")
    return _tensor(storage, offset, shape, strides)


def _tensor_v3(
    storage: Any, offset: Any, shape: Any, strides: Any, requires_grad: Any, hooks: Any, dtype: Any, metadata: Any = None
) -> View:  # fmt: skip
    """The same for kinds of numbers that came later: the storage is bytes, and the tensor says of what."""
    kind = dtype.text if isinstance(dtype, _Name) else ""
    if hooks != {} or metadata or kind not in _LATER or not isinstance(storage, Storage) or storage.dtype is not None:
        raise Unreadable(f"has a tensor of a kind that is not read, {shown(kind)}, or with hooks or flags; {_REMEDY}")
    return _tensor(storage, offset, shape, strides, _LATER[kind])


def _parameter(tensor: Any, requires_grad: Any, hooks: Any) -> View:
    if not isinstance(tensor, View) or hooks != {}:
        raise Unreadable("has a Parameter that is no tensor alone")
    return tensor


_MAKERS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _ordered_dict,
    "torch.Size": _torch_size,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor_v2,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._utils._rebuild_parameter": _parameter,
}


def _whole(number: Any) -> int:
    """A size, an offset or a stride."""
    if type(number) is not int or number < 0 or number.bit_length() > _MOST_DIGITS:
        raise Unreadable("has a tensor with a size, an offset or a stride that cannot be")
    return number


def _wholes(numbers: Any) -> tuple[int, ...]:
    if type(numbers) is not tuple or len(numbers) > _MOST_AXES:
        raise Unreadable(f"has a tensor whose shape is a {type(numbers).__name__}")
    return tuple(map(_whole, numbers))
