"""Compiles CUDA C with g++ against `cuda_emulator.h` and runs its kernels on NumPy arrays.

    module = Module(code, ("-DREAL=float",))
    module.get_function("im2col")((blocks,), (256,), (x, columns, np.int32(3), ...))

What is compiled is kept in a folder of the temporary directory, under the hash of everything that went in.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minifcn.kernels.cuda import launch

HEADER = Path(__file__).with_name("cuda_emulator.h")
CACHE = Path(os.environ.get("MINIFCN_EMULATOR_CACHE") or Path(tempfile.gettempdir()) / f"minifcn-emulator-{os.getuid()}")
COMPILER = shutil.which("g++")
SCHEDULES = ("in order", "backwards", "shuffled", "by warps", "by warps, backwards")

_DYNAMIC = re.compile(r"extern\s+__shared__\s+(?:__align__\(\d+\)\s+)?(\w+)\s+(\w+)\[\];")
_STATIC = re.compile(r"__shared__\s+\w+\s+(\w+)(?:\[\w+\])+;")


@dataclass
class Settings:
    """How kernels run from now on."""

    schedule: str = "in order"
    eager_copies: bool = False  # asynchronous copies arrive at once, instead of as late as they may
    seed: int = 0
    sanitize: str = ""  # "address,undefined" or "thread": needs the sanitizer's library loaded before Python


settings = Settings()


class LaunchError(RuntimeError):
    """What the emulator found wrong with a launch."""


class Module:
    """The kernels of one CUDA text, compiled with -D options."""

    def __init__(self, code: str, options: tuple[str, ...] = ()) -> None:
        if COMPILER is None:
            raise RuntimeError("g++ is not installed: the kernels cannot be emulated")
        constants = tuple(option for option in options if option.startswith("-D"))  # the rest is NVRTC's
        self._library = ctypes.CDLL(str(_compiled(_as_cpp(code), constants)))

    def get_function(self, name: str) -> Kernel:
        return Kernel(self._library, name)


def _as_cpp(code: str) -> str:
    """CUDA C as C++: ptx.cuh's and warpgroup.cuh's functions are the header's, shared memory is the block's, NaN at first."""
    names = launch.parse(code)
    for file in ("ptx.cuh", "warpgroup.cuh"):
        code = code.replace((launch.FOLDER / file).read_text(encoding="utf-8"), "")
    code = _DYNAMIC.sub(r"\1* const \2 = (\1*)dynamic_shared;", code)
    code = _STATIC.sub(lambda match: f"{match[0]} poison({match[1]}, sizeof {match[1]});", code)
    return "\n".join(['#line 1 "kernel.cu"', code, *(f"EXPORT({name})" for name in names)])


def _compiled(code: str, options: tuple[str, ...]) -> Path:
    """The path of the shared library, compiled unless it is there."""
    speed = "-O0" if settings.sanitize else "-O1"  # compiling costs more than running
    flags = ["-std=c++20", speed, "-g1", "-w", "-fPIC", "-ffp-contract=off", "-U_FORTIFY_SOURCE"]
    if settings.sanitize:
        flags += [f"-fsanitize={settings.sanitize}", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
    flags += ["-DOS_THREADS", "-pthread"] if settings.sanitize == "thread" else []
    flags += ["-DGUARD=0" if "address" in settings.sanitize else "-DGUARD=64"]
    header = _built(HEADER.read_text(), HEADER.name, ".gch", [*flags, "-x", "c++-header"]).with_suffix("")  # read once for all
    return _built(code, "kernel.cpp", ".so", [*flags, *options, "-shared", "-include", str(header)])


def _built(text: str, name: str, suffix: str, flags: list[str]) -> Path:
    """What g++ makes of a text, at HASH/name + suffix in the cache, with the text beside it; made whole or not at all."""
    folder = CACHE / hashlib.sha256("\0".join([text, *flags]).encode()).hexdigest()[:24]
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(dir=CACHE))
        (making / name).write_text(text)
        command = [COMPILER, *flags, str(making / name), "-o", str(making / (name + suffix))]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            shutil.rmtree(making)
            raise RuntimeError(f"g++ refuses the kernel:\n{done.stderr[:4000]}")
        try:
            making.rename(folder)
        except OSError:  # another process was faster
            shutil.rmtree(making)
    return folder / (name + suffix)


class _Range(ctypes.Structure):
    _fields_ = (("begin", ctypes.c_void_p), ("end", ctypes.c_void_p))


class _Launch(ctypes.Structure):
    _fields_ = (
        ("grid", ctypes.c_uint * 3), ("block", ctypes.c_uint), ("shared", ctypes.c_uint), ("schedule", ctypes.c_uint),
        ("eager", ctypes.c_uint), ("num_arrays", ctypes.c_uint), ("seed", ctypes.c_uint64), ("arrays", ctypes.POINTER(_Range)),
    )  # fmt: skip


class Kernel:
    """One kernel, called as CuPy's RawKernel is, but every argument is held to the kernel's own types."""

    def __init__(self, library: ctypes.CDLL, name: str) -> None:
        self._name = name
        self._launch, signature = getattr(library, f"launch_{name}"), getattr(library, f"signature_{name}")
        self._launch.restype = signature.restype = ctypes.c_char_p
        self._types = signature().decode().split()

    def __call__(self, grid: tuple, block: tuple, arguments: tuple, shared: int = 0) -> None:
        if len(arguments) != len(self._types):
            raise TypeError(f"{self._name} takes {len(self._types)} arguments, not {len(arguments)}")
        cells = [self._cell(number, *pair) for number, pair in enumerate(zip(arguments, self._types, strict=True))]
        pointers = (ctypes.c_void_p * len(cells))(*(cell.ctypes.data for cell in cells))
        arrays = [argument for argument in arguments if isinstance(argument, np.ndarray)]
        ranges = (_Range * len(arrays))(*((a.ctypes.data, a.ctypes.data + a.nbytes) for a in arrays))
        launch = _Launch(
            (ctypes.c_uint * 3)(*(*grid, 1, 1)[:3]), block[0], shared, SCHEDULES.index(settings.schedule),
            settings.eager_copies, len(arrays), settings.seed, ranges,
        )  # fmt: skip
        message = self._launch(pointers, ctypes.byref(launch))
        if message:
            raise LaunchError(f"{self._name}: {message.decode()}")

    def _cell(self, number: int, argument: Any, kind: str) -> np.ndarray:
        """The bytes that the kernel reads for one argument; a GPU would take any, and misread them."""
        if kind[0] == "p":
            if isinstance(argument, np.uint64) and argument == 0:
                return np.zeros(1, np.uint64)
            fits = isinstance(argument, np.ndarray) and (argument.dtype.kind, str(argument.itemsize)) == (kind[1], kind[2:])
            if not fits or not argument.flags.c_contiguous:
                raise TypeError(f"{self._name}: argument {number} is no contiguous array of {kind[1:]}")
            return np.array([argument.ctypes.data], np.uint64)
        if not isinstance(argument, np.generic) or (argument.dtype.kind, str(argument.itemsize)) != (kind[0], kind[1:]):
            raise TypeError(f"{self._name}: argument {number} is a {type(argument).__name__}, the kernel reads {kind}")
        return np.array([argument])
