"""NumPy or CuPy: the one place that knows there are two.

A function of the mathematics starts with ``xp = get_xp(x)`` and then reads the same on both. CuPy is imported the first
time somebody asks for a GPU, never before: ``import minifcn`` works, and costs nothing, on a machine without one.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np

DEVICES = ("cpu", "cuda")

Array = Any  # numpy.ndarray or cupy.ndarray: the two share an interface, not a class


def get_xp(*arrays: Array) -> ModuleType:
    """The module, ``numpy`` or ``cupy``, that the arrays belong to. Arrays of both at once are refused.

    >>> get_xp(np.zeros(3)).__name__
    'numpy'
    """
    cupy = sys.modules.get("cupy")  # an array can only be CuPy's if CuPy has been imported
    kind: Any = () if cupy is None else cupy.ndarray
    on_gpu = on_host = False
    for array in arrays:  # a plain loop, the usual kinds first: this is called for every launch
        if isinstance(array, kind):
            on_gpu = True
        elif type(array) is np.ndarray:
            on_host = True
        elif hasattr(array, "xp"):  # a third kind, which brings its module along
            return array.xp
        elif array is not None:
            on_host = True
    if cupy is None or not on_gpu:
        return np
    if on_host:
        raise TypeError("got NumPy and CuPy arrays in one call; move them to one device with to_device(array, 'cuda')")
    return cupy


def import_cupy() -> ModuleType:
    """CuPy, checked to have a device. Raises RuntimeError with what is missing and how to get it."""
    try:
        import cupy
    except ModuleNotFoundError:
        raise RuntimeError(
            "device 'cuda' needs CuPy, which is not installed: pip install 'minifcn[gpu]' (CUDA 13) "
            "or 'minifcn[gpu-cuda12]' (CUDA 12)"
        ) from None
    except ImportError as error:
        raise RuntimeError(f"device 'cuda': CuPy does not load ({error}): run `minifcn doctor`") from error
    if not cupy.cuda.is_available():
        raise RuntimeError("device 'cuda' needs an NVIDIA GPU and its driver, and CuPy finds none: run `minifcn doctor`")
    return cupy


def import_nccl() -> ModuleType:
    """CuPy's NCCL, which connects GPUs. Raises RuntimeError where it is missing."""
    import_cupy()
    try:
        from cupy.cuda import nccl
    except ImportError as error:
        raise RuntimeError(f"workers on GPUs need NCCL ({error}): pip install 'minifcn[parallel-gpu]'") from error
    return nccl


def check_device(device: str) -> str:
    """``device`` itself. Raises ValueError for any but "cpu" and "cuda", RuntimeError for a "cuda" that is not there."""
    if device not in DEVICES:
        raise ValueError(f"unknown device {device!r}; possible are {' and '.join(DEVICES)}")
    if device == "cuda":
        import_cupy()
    return device


def to_device(array: Array, device: str) -> Array:
    """``array`` on ``"cpu"`` (a NumPy array) or ``"cuda"`` (a CuPy array); itself when it is there already."""
    check_device(device)
    return to_host(array) if device == "cpu" else import_cupy().asarray(array)


def to_host(array: Array) -> np.ndarray:
    """``array`` as a NumPy array. From a GPU this waits for the device: keep it out of inner loops."""
    return array.get() if hasattr(array, "get") and not isinstance(array, np.ndarray) else np.asarray(array)


def device_of(array: Array) -> str:
    """``"cuda"`` for a CuPy array, ``"cpu"`` for a NumPy array, and what a stand-in says of itself."""
    if hasattr(array, "xp"):
        return array.device
    return "cpu" if get_xp(array) is np else "cuda"
