"""Follows a network through a forward pass: every layer's inputs and outputs, cost, memory and coordinates, in their order.

The network's own layers and functions run, on a :class:`~minifcn.anatomy.standin.Standin` that has a shape and no numbers, and
a watcher notes what each elementary layer (one without layers inside) took and gave. So a VGG16 on a full picture takes
milliseconds, skips, crops and layers used twice are counted as they happen, and no layer has to be known here by name: one that
was written yesterday is right by construction. What nobody knows (where a layer's pixels look, unless its ``coordinates`` say
so) stays unknown, and is printed as "?".
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minifcn.anatomy.standin import Places, Standin, Storage, common_places, metered
from minifcn.backend import Array, device_of
from minifcn.kernels import Geometry, shapes
from minifcn.layers import Layer, Watcher, no_grad, watching
from minifcn.layers.coordinates import Map
from minifcn.layers.lengths import Length
from minifcn.layers.module import one_pass


@dataclass(frozen=True)
class Step:
    """One elementary layer at work. Bytes are those of the arrays, ``macs`` multiply-adds of the forward pass."""

    name: str
    layer: Layer
    inputs: tuple[Standin, ...]
    outputs: tuple[Standin, ...]
    macs: int
    im2col_bytes: int  # the matrix of all windows of one picture, were it made
    kept: tuple[Storage, ...]  # what backward will need
    apart: tuple[Places, Places] | None  # two places of what came in, where the layer puts together what lies apart
    given: tuple[Any, ...]  # all that it was called with, keyword arguments last: a Ref for an array, sizes as Length
    made: tuple[int, ...]  # the numbers of its outputs, as a Ref says them

    @property
    def x(self) -> Standin:
        """The first input; a layer that holds what it gives takes none."""
        return self.inputs[0]

    @property
    def y(self) -> Standin:
        """The first output."""
        return self.outputs[0]

    @property
    def parameters(self) -> int:
        return sum(parameter.size for parameter in self.layer.parameters())


@dataclass(frozen=True)
class Ref:
    """One of the arrays of a :class:`Graph`: number 0 is the picture, and each output of a step gets the next number.

    An array that no layer gave, which was computed between the layers or has been written over since, has no number.
    """

    number: int | None


@dataclass(frozen=True)
class Graph:
    """What a forward pass did: its steps in their order, the arrays by their numbers, and what the network returned, a Ref."""

    steps: list[Step]
    arrays: list[Standin]
    returned: Any  # a tuple of Refs where there are several
    compared: list[Any]  # comparisons, between the layers, of sizes of other arrays than the picture


def trace(net: Layer, input_shape: Sequence[int], evaluating: bool = False) -> list[Step]:
    """The steps of :func:`graph`."""
    return graph(net, input_shape, evaluating).steps


def graph(net: Layer, input_shape: Sequence[int], evaluating: bool = False) -> Graph:
    """What ``net(x)`` does for an x of ``input_shape`` (N, C, H, W), in the net's dtype and, unless it is to be
    ``evaluating``, in its present mode.

    The network itself is not touched: a shadow of it runs, in which stand-ins take the arrays' places. Raises ValueError where
    the picture does not fit the network, with the layer's own sentence, and TypeError where its forward asks for numbers. A
    layer that is not the network's own attribute (its class's, a closure's) goes by the name of its class.
    """
    shadow = _shadow(net)
    if evaluating:
        shadow.eval()
    tracer = _Tracer(net, shadow)
    with watching(tracer), shapes.collecting() as tracer.geometries, one_pass() as tracer.under_way:
        tracer.number(x := picture(net, input_shape))
        y = shadow(x)
        tracer.pause()
        returned = tracer.referred(y)
        tracer.under_way.undo()  # a forward that somebody set on a layer is still the network's own layer's
    if not tracer.steps:
        raise ValueError(f"{type(net).__name__} calls none of its layers, as self.conv(x), so there is nothing to follow")
    return Graph(tracer.steps, [this.array for this in tracer.arrays], returned, tracer.compared)


def inference_peak(net: Layer, input_shape: Sequence[int]) -> int:
    """Bytes of arrays that are alive at once, at the most, in ``net(x)`` of evaluation without a backward; parameters not
    counted, x counted. What each kernel takes for itself comes on top."""
    shadow = _shadow(net).eval()
    with no_grad(), metered() as meter:
        shadow(picture(net, input_shape))
    return meter.peak


def picture(net: Layer, shape: Sequence[int]) -> Standin:
    """A stand-in for a batch of pictures (N, C, H, W), as the network takes them."""
    weights = next((parameter.data for parameter in net.parameters()), np.empty(0, np.float32))
    return Standin(tuple(shape), weights.dtype, (Map(), Map()), device=device_of(weights))


def copy_with(net: Layer, stand_in: Callable[[Array], Any]) -> Layer:
    """A copy of the network in which ``stand_in(array)`` takes the place of each parameter's and buffer's array.

    It has kept nothing, has no gradients, and its generators are its own. It is told apart from a deep copy by what is written
    into deepcopy's own memo: what shall stand in each array's place.
    """
    memo: dict[int, Any] = {}
    for parameter in net.parameters():
        memo[id(parameter.data)] = stand_in(parameter.data)
        if parameter.grad is not None:
            memo[id(parameter.grad)] = None
    for _, buffer in net.named_buffers():
        memo[id(buffer)] = stand_in(buffer)
    for _, layer in net.named_layers():
        memo[id(layer._stack)] = []
    return copy.deepcopy(net, memo)


def _shadow(net: Layer) -> Layer:
    """A copy of the network whose parameters and buffers are stand-ins."""
    return copy_with(net, lambda array: Standin(array.shape, array.dtype, device=device_of(array)))


@dataclass(frozen=True)
class _Numbered:
    """An array that has got a number: how often it had been written to, and its shape, as plain numbers and as lengths."""

    array: Standin
    writes: int
    shape: tuple[int, ...]
    lengths: tuple[int, ...]


def _writes(array: Standin) -> int:
    return array.storage.writes if array.storage else 0


class _Tracer(Watcher):
    """Notes a step for each layer of the shadow, under the name of the network's own layer."""

    geometries: list[Geometry]
    under_way: Any  # the pass, which knows who has kept something

    def __init__(self, net: Layer, shadow: Layer) -> None:
        pairs = zip(net.named_layers(), shadow.named_layers(), strict=True)
        self.own = {id(twin): (key or type(layer).__name__, layer) for (key, layer), (_, twin) in pairs}
        self.parameters = {id(parameter.data.storage) for parameter in shadow.parameters()}
        self.parameters |= {id(buffer.storage) for _, buffer in shadow.named_buffers()}
        self.steps: list[Step] = []
        self.already_kept = self.already_compared = 0
        self.arrays: list[_Numbered] = []
        self.compared: list[Any] = []
        self.numbers: dict[int, int] = {}  # the latest number of an array, by its id

    def number(self, array: Standin) -> int:
        """Gives an array the next number; who reads its shape between the layers is told the lengths of just this array."""
        number = self.numbers[id(array)] = len(self.arrays)
        compared = self.compared if number > 0 else None  # of the picture's own size, that is a check
        lengths = tuple(Length(n, ("size", number, axis), compared) for axis, n in enumerate(array.shape))
        self.arrays.append(_Numbered(array, _writes(array), array.shape, lengths))
        array.shape = lengths
        return number

    def referred(self, value: Any) -> Any:
        """``value`` with a Ref in each array's place."""
        if isinstance(value, Standin):
            number = self.numbers.get(id(value))
            return Ref(number if number in self.valid else None)
        return tuple(map(self.referred, value)) if isinstance(value, (tuple, list)) else value

    def pause(self) -> None:
        """The code between the layers has its say no more: shapes are plain numbers, and what it has written over is noted."""
        self.valid = {number for number, this in enumerate(self.arrays) if _writes(this.array) == this.writes}
        for this in self.arrays:
            this.array.shape = this.shape

    def begin(self, layer: Layer) -> None:
        self.geometries.clear()
        self.already_kept = len(self.under_way.layers)
        self.already_compared = len(self.compared)
        self.pause()

    def forward(self, layer: Layer, inputs: tuple[Any, ...], outputs: Any) -> None:
        name, own = self.own.get(id(layer), (type(layer).__name__, layer))
        arrays = tuple(value for value in _flat(inputs) if isinstance(value, Standin))
        results = tuple(value for value in map(_standin, _flat(outputs)) if value is not None)
        given, made = self.referred(inputs), tuple(map(self.number, results))
        for this in self.arrays:
            this.array.shape = this.lengths
        del self.compared[self.already_compared :]  # what the layer itself compared, to check what it was called with
        if not results:
            return  # a number, which costs nothing
        apart = self._place(layer, arrays, results)
        kept = {id(a.storage): a.storage for a in _flat(self._kept()) if isinstance(a, Standin)}
        storages = tuple(storage for key, storage in kept.items() if storage and key not in self.parameters)
        columns = [g.C * g.KH * g.KW * g.OH * g.OW for g in self.geometries]
        itemsize = results[0].dtype.itemsize
        macs = sum(geometry.macs for geometry in self.geometries)
        self.steps.append(Step(name, own, arrays, results, macs, sum(columns) * itemsize, storages, apart, given, made))

    def _kept(self) -> list[Any]:
        """What was kept since the layer began, by itself or by whoever works for it."""
        times = Counter(self.under_way.layers[self.already_kept :])
        return [cache for layer, count in times.items() for cache in layer.kept()[-count:]]

    def _place(self, layer: Layer, inputs: tuple[Standin, ...], outputs: tuple[Standin, ...]) -> tuple[Places, Places] | None:
        """Says where the outputs' pixels look; returns the places of inputs that do not fit together."""
        pictures = [x for x in inputs if x.ndim == 4 and x.dtype.kind == "f"]
        places, apart = common_places([x.places for x in pictures])
        rows, columns = (layer.coordinates(axis) for axis in (0, 1))
        for y in outputs:
            if any(y is x for x in inputs):
                continue  # handed on as it came
            y.apart = None  # said once, here
            y.places = None
            if places is not None and rows is not None and columns is not None:
                y.places = places[0].then(rows), places[1].then(columns)
        return apart or next((x.apart for x in inputs if x.apart), None)


def _standin(value: Any) -> Standin | None:
    """A layer's output as a stand-in: that of a real array, which no input came into, has its shape."""
    if isinstance(value, np.ndarray):
        return Standin(value.shape, value.dtype)
    return value if isinstance(value, Standin) else None


def _flat(value: Any) -> Iterator[Any]:
    """The entries of nested tuples, lists and dicts."""
    if isinstance(value, (tuple, list, dict)):
        for entry in value.values() if isinstance(value, dict) else value:
            yield from _flat(entry)
    else:
        yield value
