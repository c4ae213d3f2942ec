"""Compiles a kernel exactly as CuPy does, without a GPU or a driver, and says what came out.

CuPy's own path (RawModule.compile) asks the driver for the current device; `cupy.cuda.nvrtc`, one floor below, does not.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import site
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

_USAGE = re.compile(r"Function properties for (\w+)\n\D*\d+ bytes stack frame, (\d+) bytes spill stores, (\d+) bytes")
_REGISTERS = re.compile(r"Used (\d+) registers")
_INSTRUCTION = re.compile(r"^\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)", re.MULTILINE)


@dataclass(frozen=True)
class Compiled:
    """What the compiler said of a kernel file for one architecture."""

    cubin: bytes
    log: str

    @property
    def spilled_bytes(self) -> dict[str, int]:
        """{kernel: bytes stored to and loaded from memory for want of registers}."""
        return {name: int(stores) + int(loads) for name, stores, loads in _USAGE.findall(self.log)}

    @property
    def registers(self) -> int:
        """The largest number of registers that a kernel of the file uses, a thread."""
        return max(int(number) for number in _REGISTERS.findall(self.log))

    def instructions(self) -> Counter[str]:
        """How often each machine instruction occurs, its name without what follows the first dot."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "kernel.cubin")
            path.write_bytes(self.cubin + b"\0")  # CuPy's getCUBIN leaves out the last byte, and nvdisasm wants it
            done = subprocess.run([disassembler(), "-c", str(path)], capture_output=True, text=True, check=True)
        return Counter(name.split(".")[0] for name in _INSTRUCTION.findall(done.stdout))


class CompileError(RuntimeError):
    """NVRTC's refusal, with its log."""


def missing() -> str:
    """Why nothing can be compiled here; empty when it can."""
    if importlib.util.find_spec("cupy") is None:
        return "CuPy is not installed (cupy-cuda13x; it needs no GPU)"
    try:
        from cupy.cuda import nvrtc

        nvrtc.getVersion()
    except Exception as error:
        return f"NVRTC does not load (pip install nvidia-cuda-nvrtc): {error}"
    return ""


def disassembler() -> str | None:
    """The path of nvdisasm (pip install nvidia-cuda-nvdisasm), or None."""
    wheels = (path for folder in site.getsitepackages() for path in Path(folder).glob("nvidia/**/nvdisasm"))
    return shutil.which("nvdisasm") or next(map(str, wheels), None)


def compile_cuda(code: str, architecture: str, options: tuple[str, ...] = ()) -> Compiled:
    """Machine code of a CUDA text for "sm_80", "sm_90", ..., with CuPy's flags and a report of registers and spills."""
    from cupy._core.core import assemble_cupy_compiler_options
    from cupy.cuda import nvrtc

    flags = assemble_cupy_compiler_options(tuple(options))
    flags += ("-ftz=true", "--device-as-default-execution-space", f"-arch={architecture}", "--ptxas-options=-v")
    program = nvrtc.createProgram(code, "kernel.cu", (), ())
    try:
        try:
            nvrtc.compileProgram(program, flags)
        except nvrtc.NVRTCError as error:
            raise CompileError(f"{error}\n{nvrtc.getProgramLog(program)}") from None
        return Compiled(nvrtc.getCUBIN(program), nvrtc.getProgramLog(program))
    finally:
        nvrtc.destroyProgram(program)
