"""What a network is walked through with, to see every size without computing anything.

A :class:`Standin` has the shape and dtype of an array but no numbers. It carries along *where* its pixels look in the picture,
and which piece of memory a real array would occupy. It can be sliced, added to and multiplied with others, concatenated and
padded: what networks do between their layers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from minifcn.layers.coordinates import Map

Places = tuple[Map, Map]  # of rows, of columns


@dataclass(eq=False)
class Storage:
    """The memory that one real array would take; views of it share it."""

    nbytes: int


@dataclass(eq=False)
class Standin(np.lib.mixins.NDArrayOperatorsMixin):
    """``places`` is None where coordinates are unknown; ``apart`` holds two places that were joined although they differ."""

    shape: tuple[int, ...]
    dtype: np.dtype
    places: Places | None = None
    storage: Storage | None = None  # made where none is given
    apart: tuple[Places, Places] | None = None

    def __post_init__(self) -> None:
        self.shape = tuple(int(n) for n in self.shape)
        self.dtype = np.dtype(self.dtype)
        self.storage = self.storage or Storage(self.nbytes)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def __getitem__(self, key) -> Standin:
        shape = np.broadcast_to(np.zeros((), self.dtype), self.shape)[key].shape
        return replace(self, shape=shape, places=self._places_from(key), apart=None)

    def _places_from(self, key) -> Places | None:
        """The places behind ``self[key]``, where it takes slices of rows and columns out of (N, C, H, W)."""
        key = key if isinstance(key, tuple) else (key,)
        if self.places is None or self.ndim != 4 or not all(k is Ellipsis or isinstance(k, slice) for k in key):
            return None
        at = next((place for place, k in enumerate(key) if k is Ellipsis), len(key))
        before, after = key[:at], key[at + 1 :]
        cuts = [*before, *[slice(None)] * (4 - len(before) - len(after)), *after][2:]
        if not all(cut.step in (None, 1) and (cut.start or 0) >= 0 for cut in cuts):
            return None
        return tuple(place.then(Map.crop(cut.start or 0)) for place, cut in zip(self.places, cuts, strict=True))

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        if method != "__call__" or ufunc.signature is not None or options:
            return NotImplemented
        if out is not None:
            return out[0]
        shape = np.broadcast_shapes(*(np.shape(x) if not isinstance(x, Standin) else x.shape for x in inputs))
        return _joined([x for x in inputs if isinstance(x, Standin)], shape)

    def __array_function__(self, function, types, arguments, options):
        if function is np.concatenate:
            arrays, axis = arguments[0], options.get("axis", arguments[1] if len(arguments) > 1 else 0)
            shape = list(arrays[0].shape)
            shape[axis] = sum(array.shape[axis] for array in arrays)
            return _joined(list(arrays), shape)
        if function is np.pad:
            widths = np.broadcast_to(np.asarray(arguments[1]), (self.ndim, 2))
            shape = [n + sum(width) for n, width in zip(self.shape, widths, strict=True)]
            before = widths[-2:, 0]
            places = self.places and tuple(p.then(Map.crop(-int(b))) for p, b in zip(self.places, before, strict=True))
            return Standin(shape, self.dtype, places)
        return NotImplemented


def _joined(arrays: list[Standin], shape) -> Standin:
    """The result of adding or concatenating: it looks where its parts do, which should be one place."""
    result = Standin(shape, arrays[0].dtype)
    known = [array.places for array in arrays if array.places is not None]
    if known:
        fields = [max(places[axis].field for places in known) for axis in (0, 1)]
        result.places = tuple(replace(place, field=widest) for place, widest in zip(known[0], fields, strict=True))
        strangers = [places for places in known[1:] if _where(places) != _where(known[0])]
        result.apart = (known[0], strangers[0]) if strangers else None
    return result


def _where(places: Places) -> list[tuple]:
    return [(place.stride, place.offset) for place in places]
