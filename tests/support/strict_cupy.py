"""A strict stand-in for CuPy, on NumPy: whatever CuPy refuses, or does differently, is an error or shows in the numbers.

    monkeypatch.setitem(sys.modules, "cupy", strict_cupy.cupy)

Then `minifcn.backend` takes it for CuPy, and the same layers, on the same lines, run on its arrays. It

- refuses implicit conversion to NumPy, NumPy arrays mixed with its own, and the names and keywords that CuPy lacks;
- gives 0-d arrays where NumPy gives scalars, and memory full of NaN where CuPy gives memory full of anything;
- counts in `counts` the copies to the host (each makes the CPU wait for the GPU) and to the device;
- lets a stream's copies happen as late as events and waits allow, and hands out freed memory again at once, as CuPy's pools
  do: where a wait is missing, wrong numbers arrive;
- runs `RawModule` kernels through g++ (`cuda_emulator`): the CUDA that a GPU would run, on the CPU.

What it cannot show: a wrong answer of CuPy itself, time, and kernels that run late (they run at once; a test that wants to
see a late read enqueues one, `Stream.launch_host_func` of a `memory_of`).
"""

from __future__ import annotations

import ctypes
import functools
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from support.cupy_surface import MISSING, MISSING_KEYWORDS
from support.strict_streams import Event, Place, Stream, counts, current, is_pinned, pinned_pool, streams

_TAKE_HOST_ARRAYS = {"array", "asarray", "asanyarray", "ascontiguousarray"}
_LOOK_AT_VALUES = {  # functions whose result's size, or whose branch, depends on values: they wait for the device
    "argwhere", "array_equal", "allclose", "bincount", "extract", "flatnonzero", "histogram", "nonzero", "unique",
}  # fmt: skip
_UFUNC_KEYWORDS = {"out", "dtype", "casting", "axis", "keepdims"}


class ndarray:
    """What `cupy.ndarray` lets one do, on a NumPy array `_host` that nobody else may see."""

    __slots__ = ("_host",)
    __hash__ = None
    __array_priority__ = 100

    def __init__(self, host: np.ndarray) -> None:
        self._host = host

    # ---- leaving the device

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Please use `.get()`.")

    def get(self) -> np.ndarray:
        _wait_for_result()
        return self._host.copy()

    def item(self, *args: Any) -> Any:
        _wait_for_result()
        return self._host.item(*args)

    def tolist(self) -> Any:
        _wait_for_result()
        return self._host.tolist()

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    __index__ = __int__

    def __bool__(self) -> bool:
        if self._host.size != 1:
            raise ValueError("The truth value of an array with more than one element is ambiguous.")
        return bool(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self._host.ndim == 0 else str(self.get())

    def __repr__(self) -> str:
        return f"strict_cupy.ndarray({self._host!r})"

    def set(self, arr: np.ndarray, stream: Any = None) -> None:
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if (arr.dtype, arr.shape) != (self._host.dtype, self._host.shape):
            raise ValueError(f"{arr.dtype} {arr.shape} cannot be set to {self._host.dtype} {self._host.shape}")
        if not (self._host.flags.c_contiguous and arr.flags.c_contiguous):
            raise RuntimeError("Cannot set to non-contiguous array")
        counts["to_device"] += 1
        if not is_pinned(arr):  # the driver copies it into pinned memory of its own, while the host waits
            counts["from_pageable"] += 1
            arr = arr.copy()
        to, source, nbytes = Place(self._host), Place(arr), arr.nbytes

        def copy() -> None:
            ctypes.memmove(to.address, source.address, nbytes)
            counts["arrived"] += 1

        (stream or current())._enqueue(copy)

    # ---- NumPy's functions called on it: np.exp(x) works as on CuPy

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *args: Any, **kwargs: Any) -> Any:
        if ufunc.__name__ in MISSING["numpy"]:
            return NotImplemented
        if len(kwargs.get("out", ())) == 1:
            kwargs["out"] = kwargs["out"][0]
        return call(ufunc.__name__, getattr(ufunc, method), args, kwargs)

    def __array_function__(self, function: Any, _types: Any, args: tuple, kwargs: dict) -> Any:
        if function.__name__ in MISSING["numpy"]:
            return NotImplemented
        return call(function.__name__, function, args, kwargs)

    # ---- indexing

    def __len__(self) -> int:
        return len(self._host)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> ndarray:
        if any(isinstance(one, (ndarray, np.ndarray, list)) for one in _as_tuple(index)):
            current().catch_up()
        if any(isinstance(one, ndarray) and one._host.dtype == bool for one in _as_tuple(index)):
            counts["to_host"] += 1  # how many are true decides the shape
        return wrap(self._host[_host_index(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(value, np.ndarray):
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        current().catch_up()
        index = _host_index(index)
        _refuse_duplicates(self._host.shape, index)
        self._host[index] = unwrap(value, "__setitem__")

    # ---- everything else is NumPy's attribute of the same name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in MISSING["ndarray"] or name == "data":
            raise AttributeError(f"'cupy.ndarray' object has no attribute {name!r}")
        value = getattr(self._host, name)
        if callable(value):
            return lambda *args, **kwargs: call(name, value, args, kwargs)
        return wrap(value)


def wrap(result: Any) -> Any:
    """NumPy's result as the stand-in's: arrays and, unlike NumPy's, scalars become arrays on the device."""
    if isinstance(result, (np.ndarray, np.generic)):
        return ndarray(np.asarray(result))
    if type(result) in (tuple, list):
        return type(result)(map(wrap, result))
    return result


def unwrap(argument: Any, name: str) -> Any:
    """The NumPy arrays inside of an argument of cupy.NAME; a NumPy array given directly is CuPy's TypeError."""
    if isinstance(argument, ndarray):
        return argument._host
    if isinstance(argument, np.ndarray):
        if name not in _TAKE_HOST_ARRAYS:
            raise TypeError(f"Unsupported type {type(argument)} passed to cupy.{name}")
        counts["to_device"] += 1
    if type(argument) in (tuple, list):
        return type(argument)(unwrap(one, name) for one in argument)
    return argument


def call(name: str, function: Any, args: tuple, kwargs: dict) -> Any:
    """cupy.NAME(*args, **kwargs), with CuPy's refusals."""
    is_ufunc = isinstance(getattr(function, "__self__", function), np.ufunc)
    refused = set(kwargs) & MISSING_KEYWORDS.get(name, set())
    if is_ufunc:
        refused |= set(kwargs) - _UFUNC_KEYWORDS
        if any(isinstance(argument, (list, tuple)) for argument in args):
            raise TypeError(f"Unsupported type <class 'list'> passed to cupy.{name}")
    if refused:
        raise TypeError(f"cupy.{name}() got unexpected keyword arguments {sorted(refused)}")
    if name in _LOOK_AT_VALUES:
        counts["to_host"] += 1
    elif name == "sliding_window_view":
        counts["to_host"] += np.size(args[1] if len(args) > 1 else kwargs["window_shape"])  # CuPy loops over the axes
    if _is_work(name, function):
        current().catch_up()
    if name in _TAKE_HOST_ARRAYS and not isinstance(args[0], (ndarray, np.ndarray, list, tuple)):
        counts["to_device"] += 1  # a number of Python's or NumPy's: CuPy makes an array of it on the host first
    given = [unwrap(argument, name) for argument in args]
    result = function(*given, **{key: unwrap(value, name) for key, value in kwargs.items()})
    if name == "empty" and current() is not Stream.null:
        result = current().pool.array(result.shape, result.dtype)
    elif name in ("empty", "empty_like"):
        _poison(result)
    if isinstance(result, np.ndarray) and name in ("asarray", "ascontiguousarray") and isinstance(args[0], np.ndarray):
        result = result.copy()  # the device's own memory, whatever NumPy would have shared
    return kwargs["out"] if isinstance(kwargs.get("out"), ndarray) else wrap(result)


def _is_work(name: str, function: Any) -> bool:
    """Whether cupy.NAME launches anything: an allocation or a view does not."""
    if name == "reshape":  # of memory that is not contiguous, it copies
        array = getattr(function, "__self__", None)
        return array is None or not array.flags.c_contiguous
    return name not in ("empty", "view")


def _wait_for_result() -> None:
    counts["to_host"] += 1
    current().catch_up()


def _poison(array: np.ndarray) -> None:
    """Fills fresh memory with what nobody expects: NaN, or the largest integer."""
    if array.dtype.kind == "f":
        array.fill(np.nan)
    elif array.dtype.kind in "iu":
        array.fill(np.iinfo(array.dtype).max)


def _as_tuple(index: Any) -> tuple:
    return index if isinstance(index, tuple) else (index,)


def _host_index(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple(map(_host_index, index))
    if isinstance(index, (np.ndarray, list)):
        counts["to_device"] += 1
        return index
    return index._host if isinstance(index, ndarray) else index


def _refuse_duplicates(shape: tuple[int, ...], index: Any) -> None:
    """On a GPU, which of several writes to one place stays is undefined."""
    if not any(isinstance(one, np.ndarray) and one.dtype != bool for one in _as_tuple(index)):
        return
    hits = np.zeros(shape, np.int64)
    np.add.at(hits, index, 1)
    if hits.max(initial=0) > 1:
        raise ValueError("duplicate indices in __setitem__: undefined on CuPy, use add.at")


# --------------------------------------------------------------------------------------------------------- operators


def _add_operators() -> None:
    names = ("add sub mul truediv floordiv mod pow matmul lshift rshift and or xor", "lt le gt ge eq ne", "neg pos abs invert")
    ufuncs = {
        "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide, "floordiv": np.floor_divide,
        "mod": np.remainder, "pow": np.power, "matmul": np.matmul, "lshift": np.left_shift, "rshift": np.right_shift,
        "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor, "lt": np.less, "le": np.less_equal,
        "gt": np.greater, "ge": np.greater_equal, "eq": np.equal, "ne": np.not_equal, "neg": np.negative,
        "pos": np.positive, "abs": np.absolute, "invert": np.invert,
    }  # fmt: skip
    binary, compare, unary = (group.split() for group in names)

    def forward(ufunc: np.ufunc, a: ndarray, b: Any) -> Any:
        return NotImplemented if isinstance(b, (list, tuple)) else call(ufunc.__name__, ufunc, (a, b), {})

    def reflected(ufunc: np.ufunc, a: ndarray, b: Any) -> Any:
        return NotImplemented if isinstance(b, (list, tuple)) else call(ufunc.__name__, ufunc, (b, a), {})

    def in_place(ufunc: np.ufunc, a: ndarray, b: Any) -> ndarray:
        call(ufunc.__name__, ufunc, (a, b), {"out": a})
        return a

    for name, ufunc in ufuncs.items():
        if name in unary:
            setattr(ndarray, f"__{name}__", lambda self, ufunc=ufunc: call(ufunc.__name__, ufunc, (self,), {}))
            continue
        setattr(ndarray, f"__{name}__", _method(forward, ufunc))
        if name in binary:
            setattr(ndarray, f"__r{name}__", _method(reflected, ufunc))
            setattr(ndarray, f"__i{name}__", _method(in_place, ufunc))
    assert set(binary + compare + unary) == set(ufuncs)


def _method(function: Any, ufunc: np.ufunc) -> Any:
    return lambda self, other: function(ufunc, self, other)


_add_operators()


# -------------------------------------------------------------------------------------------------------- the module


class _Ufunc:
    """cupy.exp and its like: callable, with `reduce`, `at`, `outer` where CuPy has them."""

    def __init__(self, ufunc: np.ufunc) -> None:
        self._ufunc, self.__name__ = ufunc, ufunc.__name__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return call(self.__name__, self._ufunc, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name not in ("accumulate", "at", "outer", "reduce", "reduceat"):
            raise AttributeError(name)
        return lambda *args, **kwargs: call(f"{self.__name__}.{name}", getattr(self._ufunc, name), args, kwargs)


class _Grid:
    def __init__(self, grid: Any) -> None:
        self._grid = grid

    def __getitem__(self, index: Any) -> Any:
        return wrap(self._grid[index])


class _Generator:
    """cupy.random.default_rng(seed): fewer distributions than NumPy's."""

    def __init__(self, seed: Any = None) -> None:
        self._generator = np.random.default_rng(seed)

    def __getattr__(self, name: str) -> Any:
        if name in MISSING["Generator"]:
            raise AttributeError(f"cupy.random.Generator has no {name!r}")
        return lambda *args, **kwargs: call(f"random.{name}", getattr(self._generator, name), args, kwargs)


class _Module(types.ModuleType):
    """A module of NumPy with CuPy's gaps."""

    def __init__(self, numpy_module: types.ModuleType, path: str = "") -> None:
        super().__init__(f"cupy.{path}".rstrip("."))
        self._numpy, self._path = numpy_module, path

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in MISSING.get(self._path or "numpy", ()):
            raise AttributeError(f"module '{self.__name__}' has no attribute {name!r}")
        value = getattr(self._numpy, name)
        if isinstance(value, types.ModuleType):
            return _Module(value, name)
        if isinstance(value, np.ufunc):
            return _Ufunc(value)
        if name in ("ogrid", "mgrid"):
            return _Grid(value)
        if name == "default_rng":
            return _Generator
        if isinstance(value, type) or not callable(value):
            return value
        return _function(name, value)


def _function(name: str, function: Any) -> Any:
    @functools.wraps(function)
    def cupy_function(*args: Any, **kwargs: Any) -> Any:
        return call(name, function, args, kwargs)

    return cupy_function


class _Device:
    compute_capability = "90"
    mem_info = (64 << 30, 80 << 30)

    def __init__(self, index: int = 0) -> None:
        self.id = index

    def synchronize(self) -> None:
        counts["to_host"] += 1
        for stream in list(streams):
            stream.catch_up()


def memory_of(array: ndarray) -> Callable[[], np.ndarray]:
    """A function that reads what then lies where the array lies now, as a kernel does that was launched with it."""
    place, shape, dtype, nbytes = Place(array._host), array._host.shape, array._host.dtype, array._host.nbytes
    return lambda: np.frombuffer(ctypes.string_at(place.address, nbytes), dtype).reshape(shape)


def _raw_module(code: str, options: tuple[str, ...] = (), **_: Any) -> Any:
    from support.cuda_emulator import Module

    return _RawModule(Module(code, options))


class _RawModule:
    """Kernels of the emulator, called as CuPy's RawKernel is, on the stand-in's arrays."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def get_function(self, name: str) -> Any:
        return _RawKernel(self._module.get_function(name))


class _RawKernel:
    def __init__(self, kernel: Any) -> None:
        self.max_dynamic_shared_size_bytes = 48 << 10
        self.kernel = _Function(kernel, self)  # CuPy's belongs to the device that is current when it is asked for

    def __call__(self, grid: tuple, block: tuple, args: tuple, *, shared_mem: int = 0) -> None:
        self.kernel(grid, block, args, shared_mem)


class _Function:
    """cupy.cuda.Function, which is declared to take a tuple of sizes and nothing else."""

    def __init__(self, kernel: Any, owner: _RawKernel) -> None:
        self._kernel, self._owner = kernel, owner

    def __call__(self, grid: tuple, block: tuple, args: tuple, shared_mem: int = 0) -> None:
        if type(grid) is not tuple or type(block) is not tuple:
            raise TypeError(f"grid {grid!r} and block {block!r} must be tuples")
        if shared_mem > self._owner.max_dynamic_shared_size_bytes:
            raise RuntimeError("CUDA_ERROR_INVALID_VALUE: more shared memory than max_dynamic_shared_size_bytes")
        if any(isinstance(argument, np.ndarray) for argument in args):
            raise TypeError("Unsupported type <class 'numpy.ndarray'> passed to a RawKernel")
        current().catch_up()
        self._kernel(grid, block, tuple(unwrap(argument, "RawKernel") for argument in args), shared_mem)


def _asnumpy(array: Any) -> np.ndarray:
    return array.get() if isinstance(array, ndarray) else np.asarray(array)


def _make() -> types.ModuleType:
    module = _Module(np)
    cuda = types.SimpleNamespace(
        is_available=lambda: True, Device=_Device, Stream=Stream, Event=Event, get_current_stream=current,
        alloc_pinned_memory=pinned_pool.take, runtime=types.SimpleNamespace(getDevice=lambda: 0),
    )  # fmt: skip
    vars(module).update(ndarray=ndarray, asnumpy=_asnumpy, cuda=cuda, RawModule=_raw_module)
    return module


cupy = _make()
