"""Layers made of layers."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar, overload

from minifcn.backend import Array
from minifcn.layers.activation import ReLU
from minifcn.layers.conv import Conv2d
from minifcn.layers.merge import Add
from minifcn.layers.module import Layer, is_grad_off
from minifcn.layers.norm import BatchNorm2d
from minifcn.layers.watch import is_watched

Kind = TypeVar("Kind", bound=Layer)


def forward_through(layers: Sequence[Layer], x: Array) -> Array:
    """x through layers in a row; a convolution takes the in-place ReLU behind it along, in one pass over memory.

    Where no backward will follow, so it does with a batch norm in evaluation, which is a matter of its weights.
    """
    place = 0
    while place < len(layers):
        convolution, norm, relu = _in_one_pass(layers[place : place + 3])
        if convolution and norm:
            x = convolution.forward_normalised(x, norm, relu)
        elif convolution and relu:
            x = convolution.forward_relu(x, relu)
        else:
            x = layers[place](x)
        place += max(1, sum(layer is not None for layer in (convolution, norm, relu)))
    return x


def backward_through(layers: Sequence[Layer], dy: Array | None) -> Array | None:
    """dy through the same layers, the other way, a ReLU and the convolution in front of it in one."""
    place = len(layers)
    while place:
        convolution, _, relu = _in_one_pass(layers[max(0, place - 2) : place], "backward")
        if dy is not None and convolution and relu:
            dy = convolution.backward_relu(dy, relu)
            place -= 2
        else:
            dy = layers[place - 1].backward(dy)
            place -= 1
    return dy


def _in_one_pass(layers: Sequence[Layer], way: str = "forward") -> tuple[Conv2d | None, BatchNorm2d | None, ReLU | None]:
    """The convolution that the layers begin with, and what it takes along; None where there is nothing of the kind.

    There is not where somebody watches, or has set a "forward" or "backward" of his own on one of them.
    """
    first, second, third = (*layers, None, None, None)[:3]
    convolution = None if is_watched() else _as_it_is(first, Conv2d, way)
    if convolution is None:
        return None, None, None
    norm = _as_it_is(second, BatchNorm2d, way)
    norm = norm if norm and way == "forward" and _folds(convolution, norm) else None
    relu = _as_it_is(third if norm else second, ReLU, way)
    return convolution, norm, relu if relu and relu.inplace else None


def add_behind(last: Layer, add: Layer, a: Array, b: Array) -> Array:
    """``add(a, b)`` for an a that ``last`` made. The sum is written over a where nobody needs a any more: behind a convolution
    or a batch norm. A ReLU keeps its output for its backward, and other layers may return their input."""
    given_away = any(_as_it_is(last, kind, "forward") for kind in (Conv2d, BatchNorm2d))
    return add(a, b, inplace=True) if given_away and _as_it_is(add, Add, "forward") else add(a, b)


def _as_it_is(layer: Layer | None, kind: type[Kind], way: str) -> Kind | None:
    """The layer, if it is of that kind, no subclass, and goes that way as its class says."""
    return layer if isinstance(layer, kind) and type(layer) is kind and way not in vars(layer) else None


def _folds(convolution: Conv2d, norm: BatchNorm2d) -> bool:
    """Whether the batch norm is a matter of the convolution's weights, and these have the digits for it.

    Arrays that do not belong together are left to the two layers, which know what to say of them.
    """
    if norm.training or not is_grad_off():
        return False
    weight, bias = convolution.weight.data, convolution.bias.data if convolution.bias else None
    channels, dtype = (len(weight),), weight.dtype
    digits = dtype.itemsize >= 4 and dtype.isnative
    fit = (array is None or (array.shape == channels and array.dtype == dtype) for array in (bias, *norm.constants()))
    return digits and norm.running_mean is not None and norm.running_var is not None and all(fit)


def set_needs_dx(layers: Iterable[Layer], value: bool) -> None:
    """Tells layers that stand in a row whether somebody will read the gradient of what enters the first of them.

    Where nobody does, nobody reads what goes on to a pad or a ReLU in front of the first layer with parameters either. A layer
    that stands in the row again needs it there.
    """
    row = list(layers)
    for layer in row:
        layer.needs_dx = value or row.count(layer) > 1
        if any(True for _ in layer.parameters()):
            return


def needs_dx_of(*names: str) -> property:
    """``needs_dx`` of a container whose input enters at these parts, up to the first that learns: ``needs_dx_of("conv1")``."""

    def get(container: Layer) -> bool:
        return getattr(container, names[0]).needs_dx

    def put(container: Layer, value: bool) -> None:
        for name in names:
            getattr(container, name).needs_dx = value

    return property(get, put, doc=f"Whether backward computes the gradient of what enters at {names[0]}.")


class Sequential(Layer):
    """One layer after the other; backward goes the other way. Layers are named "0", "1", ... or as the keywords say."""

    def __init__(self, *layers: Layer, **named: Layer) -> None:
        super().__init__()
        for name, layer in itertools.chain(((str(place), layer) for place, layer in enumerate(layers)), named.items()):
            if name in dict(self.children()):
                raise ValueError(f"Sequential: there are two layers {name!r}")
            if not isinstance(layer, Layer):
                stars = "**" if isinstance(layer, Mapping) else "*"
                one_by_one = f": give the layers one by one, Sequential({stars}layers)" if isinstance(layer, Iterable) else ""
                raise TypeError(f"Sequential: {name} is a {type(layer).__name__}, not a Layer{one_by_one}")
            setattr(self, name, layer)

    def forward(self, x: Array) -> Array:
        return forward_through(list(self), x)

    def backward(self, dy: Array) -> Array | None:
        return backward_through(list(self), dy)

    @property
    def needs_dx(self) -> bool:
        """The first layer's: it is the one that the input enters."""
        return all(layer.needs_dx for layer in list(self)[:1])

    @needs_dx.setter
    def needs_dx(self, value: bool) -> None:
        set_needs_dx(self, value)

    def __iter__(self) -> Iterator[Layer]:
        return (layer for _, layer in self.children())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @overload
    def __getitem__(self, index: int) -> Layer: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index):
        layers = list(self)
        return Sequential(*layers[index]) if isinstance(index, slice) else layers[index]
