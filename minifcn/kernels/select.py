"""Which rung computes which convolution: the one that the user forces, else the fastest for its shape.

`kernels.using("im2col")` forces a rung inside a `with`, the variable MINIFCN_KERNEL forces one for the process; where
the forced rung does not cover a geometry, or lacks one of the three functions, the choice is made as usual. So it is under
`using("plain")`, which is for everything else (see `dispatch`): a convolution's definition, `loops`, has a name of its own.

The choice depends on the shape and the dtype only, but for weights that `channelwise` knows by what they hold: where nothing is
forced these go to it, and not to the rung of their shape. It is never timed while it runs: another rung rounds otherwise, and a
training run that is resumed in another process must continue bit for bit.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np

from minifcn.kernels.convolution import channelwise, dilated, inside
from minifcn.kernels.convolution.costs import dilated_nanoseconds, inside_nanoseconds, nanoseconds, winograd_pays
from minifcn.kernels.dispatch import CUDA, HOST, forced, package, package_for
from minifcn.kernels.geometry import Geometry
from minifcn.kernels.threads import at_once, get_num_threads

_RUNGS = ("loops", "taps", "im2col", "strips", "winograd", "one_by_one", "zero_insertion", "phases", "dilated", "inside")
_LITTLE, _MUCH = 1 << 22, 1 << 29  # multiply-adds of dx that can keep a thread busy; and that need the memory of all threads
_HOST_ONLY = ("loops", "strips", "winograd", "dilated", "inside")  # these know NumPy arrays only


def rungs() -> tuple[str, ...]:
    """The names of all rungs for NumPy arrays: the ladder from the definition upwards, then those for special shapes."""
    return _RUNGS


@functools.cache
def rung(name: str) -> ModuleType:
    """The module of a rung: `covers`, and of `forward`, `input_gradient`, `weight_gradient` those that it offers."""
    if name not in (*_RUNGS, "cuda"):
        raise ValueError(f"there is no kernel {name!r}: choose one of {', '.join((*_RUNGS, 'plain'))}")
    return importlib.import_module(f"minifcn.kernels.{name}" if name == "cuda" else f"minifcn.kernels.convolution.{name}")


@contextlib.contextmanager
def using(name: str | None) -> Iterator[None]:
    """Forces one rung, or all "plain" definitions, inside a `with` block, in this thread; None gives the usual choice back.

    Raises:
        ValueError: no rung has this name.
    """
    if name not in (None, "plain"):
        rung(name)
    token = forced.set(name)
    try:
        yield
    finally:
        forced.reset(token)


def choose(what: str, geometry: Geometry, dtype: Any = np.float32, on_gpu: bool = False) -> str:
    """The name of the rung that runs `what` ("forward", "input_gradient" or "weight_gradient") of a geometry."""
    dtype = np.dtype(np.float32 if dtype == np.float16 else dtype)  # as `_run` computes it
    name = forced.get()
    if name and name not in ("plain", *(_HOST_ONLY if on_gpu else ("cuda",))) and _offers(name, what, geometry, dtype):
        return name
    return _fastest(what, geometry, dtype, on_gpu)


def _offers(name: str, what: str, geometry: Geometry, dtype: np.dtype) -> bool:
    return hasattr(rung(name), what) and rung(name).covers(geometry, dtype)


@functools.lru_cache(maxsize=4096)
def _fastest(what: str, g: Geometry, dtype: np.dtype, on_gpu: bool) -> str:
    """The choice by shape. Its figures, and the measurements behind them, are in `costs`."""
    if on_gpu:
        return "cuda"
    if _offers("one_by_one", what, g, dtype):
        return "one_by_one"
    if (g.SH, g.SW) != (1, 1) and _offers("phases", what, g, dtype) and _enlarges(g):
        return "phases"
    if _offers("winograd", what, g, dtype) and winograd_pays(what, g):
        return "winograd"
    if (g.KH, g.KW, g.SH, g.SW, g.G) == (3, 3, 1, 1, 1) and (g.DH, g.DW) != (1, 1):
        return _fastest_dilated(what, g, dtype)
    return "strips"


def _enlarges(g: Geometry) -> bool:
    """Whether nearly all phases have equally many taps: kernels of 2s pixels for stride s, or of 2s − 1 if s is large."""
    few = g.C // g.G < 8
    return all(K % S == 0 or (K % S == S - 1 >= 3 and not few) for K, S in ((g.KH, g.SH), (g.KW, g.SW)))


def _fastest_dilated(what: str, g: Geometry, dtype: np.dtype) -> str:
    """For a 3x3 kernel: as it is; only where its taps meet the picture; or Winograd of small pictures."""
    costs = {"strips": nanoseconds(what, "strips", g), "inside": inside_nanoseconds(what, g, inside.share(g))}
    if _offers("dilated", what, g, dtype):
        costs["dilated"] = dilated_nanoseconds(what, dilated.small(g))
    return min(costs, key=lambda name: costs[name])


# What does more than one thing in one go, and the part of it by which its rung is chosen
_CHOSEN_AS = {"forward_relu": "forward", "gradients": "weight_gradient", "relu_gradients": "weight_gradient"}


def forward(x: Any, weight: Any, bias: Any, geometry: Geometry) -> Any:
    """y (N, O, OH, OW) of x (N, C, H, W), weight (O, C/G, KH, KW) and bias (O,) or None."""
    return _run("forward", (x, weight, bias), (geometry.x_shape, geometry.weight_shape, (geometry.O,)), geometry)


def offers_relu(x: Any, geometry: Geometry) -> bool:
    """Whether :func:`forward_relu` can be called: the rung that would run `forward` takes ReLU along."""
    return _shares("forward_relu", x, geometry)


def forward_relu(x: Any, weight: Any, bias: Any, geometry: Geometry) -> Any:
    """max(forward, 0) in one pass over memory."""
    shapes = (geometry.x_shape, geometry.weight_shape, (geometry.O,))
    return _run("forward_relu", (x, weight, bias), shapes, geometry)


def input_gradient(dy: Any, weight: Any, geometry: Geometry) -> Any:
    """dx (N, C, H, W) of dy (N, O, OH, OW) and weight (O, C/G, KH, KW): also a transposed convolution's forward."""
    return _run("input_gradient", (dy, weight), (geometry.y_shape, geometry.weight_shape), geometry)


def weight_gradient(x: Any, dy: Any, geometry: Geometry) -> Any:
    """dweight (O, C/G, KH, KW) of x (N, C, H, W) and dy (N, O, OH, OW)."""
    return _run("weight_gradient", (x, dy), (geometry.x_shape, geometry.y_shape), geometry)


def gradients(x: Any, dy: Any, weight: Any, geometry: Geometry, needs: tuple[bool, bool]) -> tuple[Any, Any]:
    """dx and dweight, each None unless it is in `needs`: together where the rung shares work between them."""
    if all(needs) and _shares("gradients", dy, geometry):
        return _run("gradients", (x, dy, weight), (geometry.x_shape, geometry.y_shape, geometry.weight_shape), geometry)
    if all(needs) and _worth_a_thread_each(dy, geometry):
        dx, dweight = at_once(lambda: input_gradient(dy, weight, geometry), lambda: weight_gradient(x, dy, geometry))
        return dx, dweight
    dx = input_gradient(dy, weight, geometry) if needs[0] else None
    return dx, weight_gradient(x, dy, geometry) if needs[1] else None


def _worth_a_thread_each(array: Any, geometry: Geometry) -> bool:
    """Whether one thread for dx and one for dweight are done sooner than all threads with the one and then the other: where
    these would have little to share, or are two. The bits are the same."""
    threads = get_num_threads()
    few = threads > 1 and min(threads, geometry.tasks) <= 2
    return few and _LITTLE < geometry.macs < _MUCH and isinstance(array, np.ndarray)


def offers_relu_gradients(dy: Any, geometry: Geometry) -> bool:
    """Whether :func:`relu_gradients` can be called."""
    return _shares("relu_gradients", dy, geometry)


def relu_gradients(x: Any, dy: Any, y: Any, weight: Any, geometry: Geometry, needs: tuple[bool, bool]) -> tuple[Any, Any, Any]:
    """dx and dweight, each None unless it is in `needs`, and dbias (O,): of :func:`forward_relu`'s y and its dy."""
    return _module(_CHOSEN_AS["relu_gradients"], dy, geometry).relu_gradients(x, dy, y, weight, geometry, needs)


def _shares(whole: str, array: Any, geometry: Geometry) -> bool:
    """Whether the rung that would compute a part of `whole` offers all of it in one go."""
    module = _module(_CHOSEN_AS[whole], array, geometry)
    return hasattr(module, whole) and module.covers(geometry, array.dtype)


def _module(what: str, array: Any, geometry: Geometry) -> ModuleType:
    """What computes `what` of this kind of array: the chosen rung, the package that serves another kind, or the definition."""
    home = package_for(array)
    if home in (HOST, CUDA):
        return rung(choose(what, geometry, array.dtype, home == CUDA))
    return package(home) if home else rung("loops")


def _run(what: str, arrays: tuple[Any, ...], shapes: tuple[tuple[int, ...], ...], geometry: Geometry) -> Any:
    """Checks the arrays, chooses and runs. float16 is computed in float32 and rounded once, at the end."""
    dtype = arrays[0].dtype
    for array, shape in zip(arrays, shapes, strict=True):
        if array is None:
            continue
        if array.shape != shape:
            raise ValueError(f"{what} needs arrays of shapes {shapes} for {geometry}, but one has shape {array.shape}")
        if array.dtype != dtype or dtype.kind != "f":
            dtypes = ", ".join(str(array.dtype) for array in arrays if array is not None)
            raise TypeError(f"{what} needs arrays of one float type, not {dtypes}: convert them first")
    if dtype == np.float16:
        wide = tuple(None if array is None else array.astype(np.float32) for array in arrays)
        return _run(what, wide, shapes, geometry).astype(dtype)
    if what in channelwise.OFFERS and (factors := _factors(arrays[0], arrays[1], geometry)):
        first, _, *rest = arrays
        return getattr(channelwise, what)(first, *factors, *rest, geometry)
    return getattr(_module(_CHOSEN_AS.get(what, what), arrays[0], geometry), what)(*arrays, geometry)


def _factors(array: Any, weight: Any, geometry: Geometry) -> channelwise.Factors | None:
    """What `channelwise` makes of the weight, unless the user forces a rung or the arrays are not NumPy's."""
    return None if forced.get() or package_for(array) is not HOST else channelwise.factors(weight, geometry)
