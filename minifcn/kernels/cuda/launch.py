"""From a `.cu` file to a running kernel: one typed launch for all of them.

CuPy's RawKernel checks nothing: it ignores strides, passes a Python float as 8 bytes where the kernel reads 4, and takes any
dtype for any pointer. So the signature is read from the CUDA text itself, and every argument is held to it:

    launch("max_pool.cu", "max_pool", grid, 256, (x, y, switches, planes, H, ...), REAL="float", SWITCH="unsigned char")

Constants given by keyword become -D options of the compiler; each combination is compiled once, by NVRTC, when it is first
used (CuPy keeps the result on disk).
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from minifcn.backend import get_xp

FOLDER = Path(__file__).parent
THREADS = 256  # to a block, in all kernels that take one element a thread
MAX_GRID = 2**31 - 1, 2**16 - 1, 2**16 - 1  # blocks along x, y, z

_INCLUDE = re.compile(r'^#include "(\w+\.cuh)"$', re.MULTILINE)
_KERNEL = re.compile(r'extern\s+"C"\s+__global__\s+void\s+(?:__launch_bounds__\([^)]*\)\s+)?(\w+)\s*\(([^)]*)\)')
_COMMENT = re.compile(r"//[^\n]*")
_DTYPES: dict[str, type[np.number]] = {
    "float": np.float32, "double": np.float64, "int": np.int32, "long long": np.int64, "short": np.int16,
    "signed char": np.int8, "unsigned char": np.uint8, "unsigned short": np.uint16, "unsigned int": np.uint32,
    "unsigned long long": np.uint64,
}  # fmt: skip
_C_TYPES = {np.dtype(dtype): name for name, dtype in _DTYPES.items()}
_NULL = np.uint64(0)


def c_type(dtype: Any) -> str:
    """The name of a dtype in CUDA C: "float" for float32. Raises TypeError for one that no kernel here computes in."""
    name = _C_TYPES.get(np.dtype(dtype))
    if name is None:
        raise TypeError(f"there is no CUDA kernel for {np.dtype(dtype)}: convert to float32 or float64 first")
    return name


def source(file: str) -> str:
    """The text of a kernel file with our own headers in place: NVRTC compiles one text and looks for no file of ours."""
    text = (FOLDER / file).read_text(encoding="utf-8")
    return _INCLUDE.sub(lambda match: source(match[1]), text)


@functools.cache
def signatures(file: str) -> dict[str, tuple[tuple[str, str, bool, bool], ...]]:
    """Every kernel of a file with its parameters."""
    return parse(source(file))


def parse(code: str) -> dict[str, tuple[tuple[str, str, bool, bool], ...]]:
    """Every kernel of a CUDA text with its parameters: (name, C type, is a pointer, is read only)."""
    kernels = {}
    for name, parameters in _KERNEL.findall(_COMMENT.sub("", code)):
        kernels[name] = tuple(_parameter(one) for one in parameters.split(","))
    return kernels


def _parameter(text: str) -> tuple[str, str, bool, bool]:
    words = text.replace("*", " * ").split()
    kind = " ".join(word for word in words[:-1] if word not in ("const", "*", "__restrict__"))
    return words[-1], kind, "*" in words, "const" in words


def launch(
    file: str, kernel: str, grid: tuple[int, ...], block: int, arguments: Sequence[Any], shared: int = 0, **constants: int | str
) -> None:
    """Runs `kernel` of `file` on the device of the first array, on CuPy's current stream.

    Args:
        grid: blocks along x, y, z.   block: threads in a block.   shared: bytes of dynamic shared memory.
        arguments: arrays (or None, a null pointer) and numbers, in the kernel's order, an array first. Arrays that the
            kernel only reads are made contiguous where they are not.
        constants: -D options, e.g. REAL="float".

    Raises:
        TypeError: an argument of another dtype than the kernel's, or an output that is not contiguous.
        ValueError: too many or too few arguments, or a grid that no GPU can launch.
    """
    xp = get_xp(arguments[0])
    function = _function(xp, xp.cuda.runtime.getDevice(), file, kernel, shared, **constants)
    if len(arguments) != len(function.read):
        raise ValueError(f"{kernel} takes {len(function.read)} arguments, not {len(arguments)}")
    if grid[0] < 1 or any(blocks > most for blocks, most in zip(grid, MAX_GRID, strict=False)):
        raise ValueError(f"{kernel}: a grid of {tuple(grid)} blocks cannot be launched; take a smaller batch")
    typed = tuple([read(argument) for read, argument in zip(function.read, arguments, strict=True)])
    function.run(grid, (block,), typed, shared)


class _Integers(dict):
    """{7: np.int64(7), ...}: the same sizes come again in every step, and finding one takes a fifth of making one.

    It holds more than a network has sizes, and stops growing where pictures of ever new sizes come.
    """

    def __init__(self, dtype: np.dtype) -> None:
        self._make = dtype.type

    def __missing__(self, number: int) -> np.integer:
        typed = self._make(number)
        if len(self) < 4096:
            self[number] = typed
        return typed


_INTEGERS = {dtype: _Integers(dtype) for dtype in _C_TYPES if dtype.kind in "iu"}


class _Function:
    """One kernel with its constants on one device, found once: a step of FCN-8s makes 300 launches, and while the host
    prepares one, the device may have nothing to do."""

    def __init__(self, xp: ModuleType, file: str, kernel: str, shared: int, constants: dict[str, int | str]) -> None:
        self.read = tuple(_reader(kernel, *one, constants) for one in signatures(file)[kernel])  # one a parameter
        self._find = functools.partial(_module, xp, file, tuple(constants.items()))
        self._kernel, self._shared = kernel, shared

    @functools.cached_property
    def run(self) -> Callable[..., None]:
        """The compiled kernel, allowed its shared memory (more than 48 KB has to be asked for)."""
        raw = self._find().get_function(self._kernel)
        if self._shared > 48 << 10:
            raw.max_dynamic_shared_size_bytes = self._shared
            raw.preferred_shared_memory_carveout = 100  # percent: all that can be had, so that several blocks have room
        return raw.kernel  # CuPy's Function on the current device, which a RawKernel looks up in each of its calls


def _reader(
    kernel: str, name: str, kind: str, is_pointer: bool, read_only: bool, constants: dict[str, int | str]
) -> Callable[[Any], Any]:
    """A function that makes an argument what the kernel reads there."""
    dtype = np.dtype(_DTYPES[str(constants.get(kind, kind))])
    if not is_pointer:
        return _INTEGERS[dtype].__getitem__ if dtype in _INTEGERS else dtype.type

    def pointer(array: Any) -> Any:
        """The array, contiguous; a null pointer for None."""
        if array is None:
            return _NULL
        if array.dtype != dtype:
            raise TypeError(f"{kernel}: {name} has dtype {array.dtype}, the kernel was compiled for {dtype}")
        if array.flags.c_contiguous:
            return array
        if not read_only:
            raise TypeError(f"{kernel}: {name} is written to and must be contiguous")
        return get_xp(array).ascontiguousarray(array)

    return pointer


@functools.cache
def _function(xp: ModuleType, device: int, file: str, kernel: str, shared: int, **constants: int | str) -> _Function:
    """A device's function, found by one look into one table; compiled when it is first launched."""
    return _Function(xp, file, kernel, shared, constants)


@functools.cache
def _module(xp: ModuleType, file: str, constants: tuple[tuple[str, int | str], ...]) -> Any:
    options = [f"-D{name}={value}" for name, value in constants]
    if ("WGMMA", 1) in constants:  # instructions that only this one architecture has, and no later one
        options.append("-arch=sm_90a")
    return xp.RawModule(code=source(file), options=tuple(options))


def blocks_for(elements: int) -> tuple[int]:
    """The grid of a kernel that takes one element a thread."""
    return (-(-elements // THREADS),)


def blocks_for_planes(shape: tuple[int, ...]) -> tuple[int, int]:
    """The grid of a kernel that takes one element a thread of (N, C, ...): planes N·C along y, several to a block if many."""
    N, C, *pixels = shape
    return *blocks_for(math.prod(pixels)), max(1, min(N * C, MAX_GRID[1]))
