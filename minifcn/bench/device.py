"""One setting for both sides: where arrays live, how many threads, which precision."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minifcn import backend, kernels

PRECISIONS = {"cpu": ("float32",), "cuda": ("tf32", "float32")}  # the first is the default


@dataclass(frozen=True)
class Device:
    """Makes arrays for ours and tensors for PyTorch on ``"cpu"`` or ``"cuda"``. Make one with :meth:`of`."""

    name: str
    precision: str
    threads: int
    pytorch: bool  # whether PyTorch takes part

    @classmethod
    def of(cls, name: str = "cpu", precision: str | None = None, threads: int | None = None, pytorch: bool = True) -> Device:
        """`pytorch`: False leaves it out, and does not even import it.

        Raises ValueError for an unknown device, precision or number of threads, RuntimeError for a GPU that is not there.
        """
        if name not in PRECISIONS:
            raise ValueError(f"unknown device {name!r}; possible are {' and '.join(PRECISIONS)}")
        possible = PRECISIONS[name]
        if precision is not None and precision not in possible:
            raise ValueError(f"precision {precision!r} is not possible on {name!r}; possible are {', '.join(possible)}")
        if threads is not None and threads < 1:
            raise ValueError(f"threads={threads} must be at least 1")
        precision = precision or possible[0]
        if name == "cuda":
            os.environ["CUPY_TF32"] = "1" if precision == "tf32" else "0"  # for cuBLAS; CuPy reads it when it is imported
        backend.check_device(name)
        return cls(name, precision, threads or kernels.get_num_threads(), pytorch and pytorch_sees(name))

    @contextlib.contextmanager
    def held(self) -> Iterator[Device]:
        """Context in which both sides use this number of threads and this precision."""
        from threadpoolctl import threadpool_limits

        before = kernels.get_num_threads()
        kernels.set_num_threads(self.threads)
        try:
            with threadpool_limits(self.threads, user_api="blas"), _our_precision(self), _their_settings(self):
                yield self
        finally:
            kernels.set_num_threads(before)

    def ours(self, array: np.ndarray) -> Any:
        """The array for us: itself on the CPU."""
        return backend.to_device(array, self.name)

    def theirs(self, array: np.ndarray, copy: bool = False) -> Any:
        """The same numbers as a tensor; on the CPU in the same memory unless `copy`."""
        import torch

        return torch.from_numpy(array.copy() if copy else array).to(self.name)

    def wait(self) -> None:
        """Returns when the GPU has done all that was started, by either side."""
        if self.name == "cuda":
            backend.import_cupy().cuda.Device().synchronize()

    def release(self) -> None:
        """Gives freed GPU memory back, so that neither side's pool is in the other's way."""
        if self.name == "cuda":
            backend.import_cupy().get_default_memory_pool().free_all_blocks()
            if self.pytorch:
                import torch

                torch.cuda.empty_cache()


def installed() -> bool:
    """Whether PyTorch can be imported here."""
    return importlib.util.find_spec("torch") is not None


def pytorch_sees(device: str) -> bool:
    """Whether PyTorch is installed and, for ``"cuda"``, was built for it and finds the GPU."""
    if not installed():
        return False
    import torch

    return device == "cpu" or torch.cuda.is_available()


@contextlib.contextmanager
def _our_precision(device: Device) -> Iterator[None]:
    if device.name == "cpu":
        yield
        return
    from minifcn.kernels import cuda

    before = cuda.get_precision()
    cuda.set_precision(device.precision)
    try:
        yield
    finally:
        cuda.set_precision(before)


@contextlib.contextmanager
def _their_settings(device: Device) -> Iterator[None]:
    """PyTorch's threads, TF32 for cuBLAS and cuDNN alike, and cuDNN's search for its fastest algorithm.

    Of its two ways to say TF32 only the newer one (since 2.9) is used where there is one: read after the other was
    written, the older one raises, and writing it warns.
    """
    if not device.pytorch:
        yield
        return
    import torch

    switches, tf32, ieee = _tf32_switches(torch)
    before = torch.get_num_threads(), torch.backends.cudnn.benchmark, [getattr(*switch) for switch in switches]

    def use(threads: int, search: bool, values: list[Any]) -> None:
        torch.set_num_threads(threads)
        torch.backends.cudnn.benchmark = search
        for switch, value in zip(switches, values, strict=True):
            setattr(*switch, value)

    use(device.threads, True, [tf32 if device.precision == "tf32" else ieee] * len(switches))
    try:
        yield
    finally:
        use(*before)


def _tf32_switches(torch: Any) -> tuple[list[tuple[Any, str]], Any, Any]:
    """Where PyTorch keeps its precision, as (object, attribute), and the values that stand for TF32 and for float32."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    if hasattr(matmul, "fp32_precision"):
        return [(place, "fp32_precision") for place in (matmul, cudnn.conv, cudnn.rnn)], "tf32", "ieee"
    return [(place, "allow_tf32") for place in (matmul, cudnn)], True, False
