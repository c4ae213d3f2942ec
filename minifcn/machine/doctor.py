"""What this machine can do, and the exact line to type where something does not fit.

Looking and judging are two functions: `probe_gpu` asks the machine and never raises, `judge_gpu` is pure and says what the
answers mean. So every broken installation that a sentence exists for can be tested on a machine that is not broken.

    for finding in doctor.examine():
        print(finding.status, finding.name, finding.value, finding.advice)
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import platform
import sys
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from minifcn import backend
from minifcn.machine import facts

Version = tuple[int, int]
_WHEELS = {13: ("cupy-cuda13x", "gpu"), 12: ("cupy-cuda12x", "gpu-cuda12")}  # CUDA major -> CuPy's wheel, our extra
_OLDEST_CUPY = 14
_TENSOR_CORES = (8, 0)  # compute capability from which TF32 tensor cores and cp.async exist

_SMOKE_KERNEL = r"""
extern "C" __global__ void smoke(float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = 2.0f * i;
}
"""


@dataclass(frozen=True)
class Finding:
    """One line of the report. ``advice`` is empty, or says in one sentence what to do."""

    name: str
    value: str
    status: Literal["ok", "note", "problem"] = "ok"
    advice: str = ""


@dataclass(frozen=True)
class Device:
    """One GPU: its name, compute capability (9, 0), and memory in bytes."""

    name: str
    capability: Version
    memory: int
    free: int


@dataclass(frozen=True)
class GpuFacts:
    """What was seen of a GPU and of the software around it. None: not there. ``smoke`` is "" when all went well."""

    driver: Version | None = None  # the newest CUDA that the driver runs
    wheels: tuple[tuple[str, str], ...] = ()  # installed CuPy packages, (name, version)
    import_error: str | None = None
    nvrtc: Version | None = None
    nvrtc_error: str | None = None
    device_error: str | None = None
    devices: tuple[Device, ...] = ()
    smoke: str | None = None


def examine() -> list[Finding]:
    """Everything `minifcn doctor` prints: the machine and its Python, then the GPU."""
    return [*machine(), *judge_gpu(probe_gpu())]


# ------------------------------------------------------------------------------------------------- Python and the CPU


def machine() -> list[Finding]:
    """Python, NumPy, its BLAS and threads, cores, memory."""
    from minifcn import __version__
    from minifcn.kernels import get_num_threads

    findings = [
        Finding("minifcn", __version__),
        Finding("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        Finding("NumPy", np.__version__),
        _blas(),
        Finding("threads", f"{get_num_threads()} of {facts.cores()} cores"),
    ]
    total, free = facts.memory()
    if total:
        findings.append(Finding("memory", f"{_gib(free)} free of {_gib(total)}"))
    return findings


def _blas() -> Finding:
    """The library behind NumPy's matrix products, and its threads."""
    try:
        library = facts.blas()
    except ImportError:
        return Finding("BLAS", "unknown", "problem", "pip install threadpoolctl: without it BLAS cannot be held to one thread")
    if library is None:
        return Finding(
            "BLAS", "not recognised", "note",
            "products may be slow, and threads are not held: install NumPy from PyPI or conda-forge, whose OpenBLAS is known",
        )  # fmt: skip
    details = f"{library['internal_api']} {library['version']}, {library['num_threads']} threads"
    return Finding("BLAS", f"{details}, {library.get('architecture', '')}".rstrip(", "))


# ------------------------------------------------------------------------------------------------------- looking: GPU


def probe_gpu() -> GpuFacts:
    """Asks the machine. Never raises: what goes wrong is part of the answer."""
    facts: dict[str, Any] = {"driver": _driver(), "wheels": _wheels()}
    if not facts["wheels"]:
        return GpuFacts(**facts)
    try:
        backend.import_cupy()
    except RuntimeError as error:  # no device; CuPy itself is there
        facts["device_error"] = _first_line(error)
    except Exception as error:  # a broken installation raises anything: ImportError, OSError, AttributeError ...
        facts["import_error"] = _first_line(error)
    cupy = sys.modules.get("cupy")
    if cupy is None or facts.get("import_error"):
        return GpuFacts(**{"import_error": "import cupy failed", **facts})
    try:
        facts["nvrtc"] = tuple(cupy.cuda.nvrtc.getVersion())
    except Exception as error:
        facts["nvrtc_error"] = _first_line(error)
    if "device_error" not in facts:
        try:
            facts["devices"] = tuple(_device(cupy, index) for index in range(cupy.cuda.runtime.getDeviceCount()))
        except Exception as error:
            facts["device_error"] = _first_line(error)
        facts["smoke"] = _smoke(cupy)
    return GpuFacts(**facts)


def _driver() -> Version | None:
    """The newest CUDA version that the installed driver runs, asked from the driver's own library."""
    for name in ("libcuda.so.1", "nvcuda.dll"):
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        number = ctypes.c_int(0)
        if library.cuDriverGetVersion(ctypes.byref(number)) == 0 and number.value:
            return number.value // 1000, number.value % 1000 // 10
    return None


def _wheels() -> tuple[tuple[str, str], ...]:
    names = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions() if d.metadata["Name"]}
    return tuple(sorted((name, version) for name, version in names.items() if name == "cupy" or name.startswith("cupy-cuda")))


def _device(cupy: Any, index: int) -> Device:
    properties = cupy.cuda.runtime.getDeviceProperties(index)
    with cupy.cuda.Device(index):
        free, total = cupy.cuda.runtime.memGetInfo()
    return Device(properties["name"].decode(), (properties["major"], properties["minor"]), total, free)


def _smoke(cupy: Any) -> str:
    """Compiles, launches and reads back one kernel of our own and one of CuPy's, and one matrix product; "" when right."""
    try:
        y = cupy.empty(1000, np.float32)
        cupy.RawKernel(_SMOKE_KERNEL, "smoke")((4,), (256,), (y, np.int32(y.size)))
        if float(y.sum()) != 999_000.0:
            return "a small kernel gave a wrong sum"
        ones = cupy.ones((8, 8), np.float32)
        return "" if float((ones @ ones).sum()) == 512.0 else "a small matrix product came out wrong"
    except Exception as error:
        return f"{type(error).__name__}: {_first_line(error)}"


# ------------------------------------------------------------------------------------------------------- judging: GPU


def judge_gpu(facts: GpuFacts) -> list[Finding]:
    """What the facts mean, one finding a part; the last, "device cuda", says whether ``--device cuda`` will work."""
    findings = [_judge_driver(facts), _judge_wheel(facts)]
    if facts.wheels and not facts.import_error:
        findings.append(_judge_nvrtc(facts))
    findings += [_judge_device(index, device) for index, device in enumerate(facts.devices)]
    if facts.driver and facts.device_error and not facts.devices:
        advice = "run nvidia-smi, and see that CUDA_VISIBLE_DEVICES does not hide the GPU"
        findings.append(Finding("GPU", f"none visible: {facts.device_error}", "problem", advice))
    broken = [finding.name for finding in findings if finding.status == "problem"]
    if facts.smoke == "" and not broken:
        findings.append(Finding("device cuda", "works: a kernel was compiled and run"))
    elif facts.smoke:
        findings.append(Finding("device cuda", facts.smoke, "problem", _advice_for_smoke(facts)))
    elif broken:
        findings.append(Finding("device cuda", "not usable", "problem", f"see {' and '.join(broken)} above"))
    else:
        findings.append(Finding("device cuda", "not available here; everything runs on the CPU", "note"))
    return findings


def _judge_driver(facts: GpuFacts) -> Finding:
    if facts.driver is None:
        return Finding(
            "NVIDIA driver", "none", "note", "with an NVIDIA GPU in this machine, install its driver from nvidia.com/drivers"
        )
    value = f"runs CUDA up to {_dotted(facts.driver)}"
    if facts.driver[0] < min(_WHEELS):
        return Finding("NVIDIA driver", value, "problem", "install driver 525 or newer, which runs CUDA 12")
    return Finding("NVIDIA driver", value)


def _judge_wheel(facts: GpuFacts) -> Finding:
    """The CuPy package: there, only one, new enough, importable, and of a CUDA that the driver runs."""
    wanted, extra = _wheel_for(facts.driver)
    install = f"pip install 'minifcn[{extra}]'"
    if not facts.wheels:
        if facts.driver is None:
            return Finding("CuPy", "not installed", "note")
        return Finding("CuPy", "not installed", "problem", install)
    value = ", ".join(f"{name} {version}" for name, version in facts.wheels)
    names = " ".join(name for name, _ in facts.wheels)
    replace = f"pip uninstall -y {names} && {install}"
    if len(facts.wheels) > 1:
        return Finding("CuPy", value, "problem", f"several CuPy packages overwrite each other: {replace}")
    (name, version), cuda = facts.wheels[0], _cuda_of(facts.wheels[0][0])
    if facts.driver and cuda and cuda > facts.driver[0]:
        reason = f"{name} needs a driver for CUDA {cuda} and this one runs CUDA {_dotted(facts.driver)}"
        return Finding("CuPy", value, "problem", f"{reason}: {replace}")
    if int(version.split(".")[0]) < _OLDEST_CUPY:
        upgrade = f"pip install -U '{name}>={_OLDEST_CUPY}'" if name == wanted else replace
        return Finding("CuPy", value, "problem", f"CuPy {_OLDEST_CUPY} or newer is needed: {upgrade}")
    if facts.import_error:
        return Finding("CuPy", f"{value}, but importing it fails: {facts.import_error}", "problem", replace)
    return Finding("CuPy", value)


def _judge_nvrtc(facts: GpuFacts) -> Finding:
    """The run-time compiler, which every kernel of ours and of CuPy's goes through."""
    cuda = _cuda_of(facts.wheels[0][0])
    if facts.nvrtc is None:
        return Finding("NVRTC", facts.nvrtc_error or "not found", "problem", _install_nvrtc(cuda))
    value = _dotted(facts.nvrtc)
    if cuda and facts.nvrtc[0] != cuda:
        return Finding("NVRTC", value, "problem", f"CuPy is built for CUDA {cuda}: {_install_nvrtc(cuda)}")
    if facts.driver and facts.nvrtc > facts.driver:
        return Finding(
            "NVRTC", value, "note",
            f"newer than the driver's CUDA {_dotted(facts.driver)}; if a kernel fails to load, update the driver",
        )  # fmt: skip
    return Finding("NVRTC", value)


def _judge_device(index: int, device: Device) -> Finding:
    value = f"{device.name}, compute capability {_dotted(device.capability)}, {_gib(device.free)} free of {_gib(device.memory)}"
    if device.capability < _TENSOR_CORES:
        return Finding(
            f"GPU {index}", value, "note",
            "older than compute capability 8.0: no TF32 and no cp.async; convolutions go through im2col and cuBLAS",
        )  # fmt: skip
    return Finding(f"GPU {index}", value)


def _advice_for_smoke(facts: GpuFacts) -> str:
    """The likely cause of a kernel that did not run, read off its message."""
    message = (facts.smoke or "").lower()
    cuda = _cuda_of(facts.wheels[0][0]) if facts.wheels else None
    name = facts.wheels[0][0] if facts.wheels else _wheel_for(facts.driver)[0]
    if "memory" in message:
        return "the GPU's memory is full: end the other programs on it (nvidia-smi lists them)"
    if "header" in message or "cannot open source file" in message or "could not open" in message:
        package = "nvidia-cuda-runtime-cu12" if cuda == 12 else "nvidia-cuda-runtime"
        return f"CUDA's headers are missing: pip install '{package}{_range(cuda)}'"
    if "cublas" in message or "shared object" in message or "dll" in message:
        return f"a CUDA library is missing: pip install '{name}[ctk]'"
    if "nvrtc" in message:
        return _install_nvrtc(cuda)
    if "driver" in message or "ptx" in message:
        return "the driver is older than the compiler: update the driver, or take the CUDA 12 wheel (extra gpu-cuda12)"
    return f"try a fresh CuPy: pip uninstall -y {name} && pip install 'minifcn[{_wheel_for(facts.driver)[1]}]'"


def _wheel_for(driver: Version | None) -> tuple[str, str]:
    """CuPy's wheel and our extra for what the driver runs: the newest CUDA that is not newer than it."""
    fitting = [cuda for cuda in _WHEELS if driver is None or cuda <= driver[0]]
    return _WHEELS[max(fitting, default=min(_WHEELS))]


def _cuda_of(wheel: str) -> int | None:
    """13 of "cupy-cuda13x"; None of "cupy", which was built on this machine for whatever was there."""
    digits = wheel.removeprefix("cupy-cuda").rstrip("x")
    return int(digits) if digits.isdigit() else None


def _install_nvrtc(cuda: int | None) -> str:
    package = "nvidia-cuda-nvrtc-cu12" if cuda == 12 else "nvidia-cuda-nvrtc"
    return f"pip install '{package}{_range(cuda)}'"


def _range(cuda: int | None) -> str:
    return f">={cuda}.0,<{cuda + 1}" if cuda else ""


# -------------------------------------------------------------------------------------------------------------- words


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))


def _gib(count: int | None) -> str:
    return "?" if count is None else f"{count / 2**30:.1f} GiB"


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
