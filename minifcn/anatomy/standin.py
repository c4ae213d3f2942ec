"""What a network is run with, to see every size without computing anything.

A :class:`Standin` has the shape and the dtype of an array but no numbers. Layers and functions run on it as they are: NumPy's
own functions come here by its array protocols, the heavy operations by :mod:`minifcn.kernels.shapes`. It carries along *where*
its pixels look in the picture, and which piece of memory a real array would occupy.
"""

from __future__ import annotations

import contextlib
import contextvars
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from minifcn.layers.coordinates import Map

Places = tuple[Map, Map]  # of rows, of columns
_ASKS = {
    "nonzero",
    "flatnonzero",
    "argwhere",
    "unique",
    "compress",
    "extract",
    "allclose",
    "array_equal",
    "array_equiv",
    "tobytes",
    "tofile",
}  # functions whose result, or its size, depends on the numbers
_SAYS = {"itemsize", "real", "imag"}  # attributes of NumPy's arrays that are none of the functions, nor of the memory's layout


class Meter:
    """Bytes of stand-ins that are alive, and the most that there were at once."""

    def __init__(self) -> None:
        self.alive = self.peak = 0

    def add(self, nbytes: int) -> None:
        self.alive += nbytes
        self.peak = max(self.peak, self.alive)


_meter: contextvars.ContextVar[Meter | None] = contextvars.ContextVar("minifcn_meter", default=None)


@contextlib.contextmanager
def metered() -> Iterator[Meter]:
    """Counts the memory of stand-ins that are made inside; Python frees them when it would free real arrays."""
    meter = Meter()
    token = _meter.set(meter)
    try:
        yield meter
    finally:
        _meter.reset(token)


class Storage:
    """The memory that one real array would take; views of it share it."""

    def __init__(self, nbytes: int) -> None:
        self.nbytes, self.meter = nbytes, _meter.get()
        self.writes = 0  # how often something was written into an array that was there
        if self.meter:
            self.meter.add(nbytes)

    def __del__(self) -> None:
        if self.meter:
            self.meter.add(-self.nbytes)


@dataclass(eq=False)
class Standin(np.lib.mixins.NDArrayOperatorsMixin):
    """``places`` is None where coordinates are unknown; ``apart`` holds two places that were joined although they differ.

    ``device`` is where the real array would lie: a mask of dropout is kept on a CPU only.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    places: Places | None = None
    storage: Storage | None = None  # made where none is given
    apart: tuple[Places, Places] | None = None
    device: str = "cpu"

    __array_priority__ = 1000  # before NumPy's and CuPy's arrays
    kernels = "minifcn.kernels.shapes"

    def __post_init__(self) -> None:
        self.shape = tuple(int(n) for n in self.shape)
        self.dtype = np.dtype(self.dtype)
        self.storage = self.storage or Storage(self.nbytes)

    @property
    def xp(self) -> Any:
        """What stands for the module ``numpy`` in a function of this array."""
        return _Namespace(self.device)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    @property
    def T(self) -> Standin:
        return self.transpose()

    def __len__(self) -> int:
        return self.shape[0]

    def __bool__(self) -> bool:
        raise TypeError("a forward that asks for the numbers of its input cannot be followed without them")

    __int__ = __float__ = __index__ = item = tolist = __bool__

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(
            "NumPy's own asarray, array and ascontiguousarray want the numbers of an array, which cannot be followed without "
            "them: in a forward take get_xp(x).asarray and the like (minifcn.backend)"
        )

    def __getattr__(self, name: str) -> Any:
        """NumPy's other methods, of which only the shape of what comes out is asked."""
        method = getattr(np.ndarray, name, None)
        if name in _SAYS:
            return _as_numpy_does(self, getattr, (self, name), {})
        if name.startswith("_") or not callable(method):
            raise AttributeError(f"a forward that asks for an array's {name!r} cannot be followed without its numbers")
        return lambda *arguments, **options: _as_numpy_does(self, method, (self, *arguments), options)

    # ------------------------------------------------------------------------------------------- new arrays, and views

    def new(self, shape: Sequence[int], dtype: Any = None) -> Standin:
        """Another array on the same device."""
        return Standin(tuple(shape), dtype or self.dtype, device=self.device)

    def copy(self) -> Standin:
        return self.new(self.shape)

    def astype(self, dtype: Any, copy: bool = True) -> Standin:
        return self if not copy and np.dtype(dtype) == self.dtype else self.new(self.shape, dtype)

    def fill(self, *_: Any, **__: Any) -> None:
        assert self.storage is not None
        self.storage.writes += 1

    sort = partition = put = __setitem__ = fill  # in place

    def __getitem__(self, key: Any) -> Standin:
        key = key if isinstance(key, tuple) else (key,)
        if any(isinstance(k, (np.ndarray, list)) and np.ndim(k) for k in key):
            return self.new(self._numbers()[key].shape)  # an index array copies
        if any(isinstance(k, Standin) and k.dtype == np.bool_ for k in key):
            bool(self)  # how many there are depends on the numbers
        if any(isinstance(k, Standin) for k in key):
            return self.new(self._numbers()[tuple(k._numbers() if isinstance(k, Standin) else k for k in key)].shape)
        return self._view(self._numbers()[key].shape, self._places_from(key))

    def reshape(self, *shape: Any, order: str = "C") -> Standin:
        target = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        return self._view(self._numbers().reshape(target).shape)

    def transpose(self, *axes: Any) -> Standin:
        return self._view(self._numbers().transpose(*axes).shape)

    def swapaxes(self, first: int, second: int) -> Standin:
        return self._view(self._numbers().swapaxes(first, second).shape)

    def squeeze(self, axis: Any = None) -> Standin:
        return self._view(self._numbers().squeeze(axis).shape)

    def ravel(self, order: str = "C") -> Standin:
        return self._view((self.size,))

    flatten = ravel

    def _view(self, shape: tuple[int, ...], places: Places | None = None) -> Standin:
        return Standin(shape, self.dtype, places, self.storage, device=self.device)

    def _numbers(self) -> np.ndarray:
        """A real array of this shape that takes no memory: NumPy says what its views look like."""
        return np.broadcast_to(np.zeros((), self.dtype), self.shape)

    def _places_from(self, key: tuple) -> Places | None:
        """The places behind ``self[key]``, where it takes slices of rows and columns out of (N, C, H, W)."""
        if self.places is None or self.ndim != 4 or not all(k is Ellipsis or isinstance(k, slice) for k in key):
            return None
        at = next((place for place, k in enumerate(key) if k is Ellipsis), len(key))
        before, after = key[:at], key[at + 1 :]
        cuts = [*before, *[slice(None)] * (4 - len(before) - len(after)), *after][2:]
        if not all(cut.step in (None, 1) and (cut.start or 0) >= 0 for cut in cuts):
            return None
        rows, columns = (place.then(Map.crop(cut.start or 0)) for place, cut in zip(self.places, cuts, strict=True))
        return rows, columns

    # ---------------------------------------------------------------------------------------------------- NumPy's functions

    def _reduced(self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False, **_: Any) -> Standin:
        axes = range(self.ndim) if axis is None else [a % self.ndim for a in (axis if isinstance(axis, tuple) else (axis,))]
        kept = [1 if place in axes else n for place, n in enumerate(self.shape) if keepdims or place not in axes]
        return self.new(kept, dtype)

    sum = mean = var = std = max = min = prod = _reduced

    def argmax(self, axis: int | None = None) -> Standin:
        return self._reduced(axis, np.intp)

    def any(self, axis: Any = None) -> Standin:
        return self._reduced(axis, np.bool_)

    all = any

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        if out is not None:
            for array in out:
                if isinstance(array, Standin):
                    array.fill()
            return out[0]
        if method in ("reduce", "accumulate"):
            return self._reduced(**{"axis": 0, **options}) if method == "reduce" else self.new(self.shape)
        if method != "__call__":
            return NotImplemented
        standins = [x for x in inputs if isinstance(x, Standin)]
        dtype = _result_dtype(ufunc, inputs)
        if ufunc.signature is not None:
            if ufunc is not np.matmul:
                return NotImplemented
            a, b = (np.shape(x) if not isinstance(x, Standin) else x.shape for x in inputs)
            return self.new((*np.broadcast_shapes(a[:-2], b[:-2]), a[-2], b[-1]), dtype)
        shape = np.broadcast_shapes(*(x.shape if isinstance(x, Standin) else np.shape(x) for x in inputs))
        results = tuple(joined(standins, shape, dtype) for _ in range(ufunc.nout))
        return results if ufunc.nout > 1 else results[0]

    def __array_function__(self, function, types, arguments, options):
        if function in (np.empty_like, np.zeros_like, np.ones_like, np.full_like):
            return self.new(options.get("shape") or arguments[0].shape, options.get("dtype") or arguments[0].dtype)
        if function in (np.put_along_axis, np.copyto, np.put, np.add.at):
            if isinstance(arguments[0], Standin):
                arguments[0].fill()  # writes into an array that is there
            return None
        if function in (np.transpose, np.reshape, np.swapaxes, np.squeeze, np.ravel):
            return getattr(arguments[0], function.__name__)(*arguments[1:], **options)
        if function is np.concatenate:
            return _concatenated(arguments[0], options.get("axis", arguments[1] if len(arguments) > 1 else 0))
        if function is np.pad:
            return _padded(arguments[0], arguments[1] if len(arguments) > 1 else options["pad_width"])
        return _as_numpy_does(self, function, arguments, options)


class _Namespace:
    """``numpy``, but that new arrays are stand-ins."""

    def __init__(self, device: str) -> None:
        self.device = device

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def empty(self, shape: Any, dtype: Any = float) -> Standin:
        return Standin(shape if isinstance(shape, tuple) else (shape,), dtype, device=self.device)

    zeros = ones = empty

    def full(self, shape: Any, value: Any, dtype: Any = float) -> Standin:
        return self.empty(shape, dtype)

    def ascontiguousarray(self, array: Standin, dtype: Any = None) -> Standin:
        """A copy where the array is a part of another."""
        assert array.storage is not None
        return array if array.nbytes == array.storage.nbytes else array.new(array.shape, dtype)

    def asarray(self, array: Any, dtype: Any = None) -> Any:
        return array if isinstance(array, Standin) else np.asarray(array, dtype)


def joined(arrays: Sequence[Standin], shape: Sequence[int], dtype: Any) -> Standin:
    """The result of adding or concatenating: it looks where its parts do, which should be one place."""
    result = arrays[0].new(shape, dtype)
    result.places, result.apart = common_places([array.places for array in arrays])
    return result


def common_places(places: Sequence[Places | None]) -> tuple[Places | None, tuple[Places, Places] | None]:
    """Where feature maps lie that are put together, and two of their places where these differ.

    Unknown as soon as one of them is unknown.
    """
    known = [place for place in places if place is not None]
    if len(known) < len(places) or not known:
        return None, None
    rows, columns = (replace(known[0][axis], field=max(place[axis].field for place in known)) for axis in (0, 1))
    strangers = [place for place in known[1:] if _where(place) != _where(known[0])]
    return (rows, columns), (known[0], strangers[0]) if strangers else None


def _where(places: Places) -> list[tuple]:
    return [(place.stride, place.offset) for place in places]


def _result_dtype(ufunc: Any, inputs: Sequence[Any]) -> np.dtype:
    """The dtype that a ufunc gives for these inputs; Python's own numbers adapt to the arrays."""
    dtypes = [type(x) if type(x) in (bool, int, float) else x.dtype if hasattr(x, "dtype") else np.asarray(x).dtype
              for x in inputs]  # fmt: skip
    if ufunc.signature is not None:
        return np.result_type(*dtypes)
    return ufunc.resolve_dtypes((*dtypes, *[None] * ufunc.nout))[-1]


def _concatenated(arrays: Sequence[Standin], axis: int) -> Standin:
    shape = list(arrays[0].shape)
    shape[axis] = sum(array.shape[axis] for array in arrays)
    return joined(arrays, shape, arrays[0].dtype)


def _padded(array: Standin, pad_width: Any) -> Standin:
    widths = np.broadcast_to(np.asarray(pad_width), (array.ndim, 2))
    result = array.new([n + before + after for n, (before, after) in zip(array.shape, widths, strict=True)])
    if array.places is not None:
        rows, columns = (p.then(Map.crop(-int(b))) for p, b in zip(array.places, widths[-2:, 0], strict=True))
        result.places = rows, columns
    return result


def _as_numpy_does(array: Standin, function: Any, arguments: Any, options: Any) -> Any:
    """What NumPy makes of real arrays of these shapes, for any function that is not met above: right, if not fast."""
    if function.__name__ in _ASKS or (function is np.where and len(arguments) == 1):
        bool(array)

    def real(value: Any) -> Any:
        if isinstance(value, Standin):
            return value._numbers()
        if isinstance(value, (tuple, list)):
            return type(value)(real(entry) for entry in value)
        return value

    def standin(value: Any) -> Any:
        if isinstance(value, (np.ndarray, np.generic)):
            return array.new(value.shape, value.dtype)
        return type(value)(standin(entry) for entry in value) if isinstance(value, (tuple, list)) else value

    return standin(function(*real(arguments), **{name: real(value) for name, value in options.items()}))
