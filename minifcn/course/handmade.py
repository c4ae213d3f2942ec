"""A network whose layers are a reader's functions: the small FCN of `small_fcn`, with mine.py in the library's place.

Each layer here is the library's, but for the lines that compute: those ask :class:`Workshop` for the function of that name,
which is the reader's where it is right and quick enough, and the library's answer to the exercise elsewhere. What reader and
library compute has one signature, so nothing else has to know whose it is.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from minifcn import functional as F
from minifcn.backend import Array
from minifcn.course.catalogue import lesson
from minifcn.course.exercises import exercises, has_exercises
from minifcn.course.results import plain, same
from minifcn.course.small_fcn import SmallFCN
from minifcn.layers import Conv2d, ConvTranspose2d, Layer, MaxPool2d, Parameter, ReLU

# The functions of mine.py that take part, in the course's order, each with the lesson that asks for it.
PARTS = {
    "mean_iu": 1, "conv2d": 2, "bias_gradient": 4, "weight_gradient": 4, "input_gradient": 4, "relu_backward": 6, "max_pool": 6,
    "switches": 6, "max_unpool": 6, "cross_entropy": 8, "cross_entropy_gradient": 8, "conv_transpose2d": 10,
    "bilinear_kernel": 10, "poly": 13, "adam_step": 13,
}  # fmt: skip

Function = Callable[..., Any]


def answers() -> dict[str, Function]:
    """The library's answer to each part, as far as its lesson is written."""
    found: dict[str, Function] = {}
    for number in sorted(set(PARTS.values())):
        if has_exercises(lesson(number)):
            found |= {exercise.name: exercise.answer for exercise in exercises(lesson(number)) if exercise.name in PARTS}
    return found


class Disagrees(ValueError):
    """A function that was right in its exercise gave something else than the library in the network."""


class Workshop:
    """Whose function is called where, and how long the reader's take.

    `own` are the reader's functions; `left_out` are (name, place) where the library's is called all the same; `seconds` are
    the reader's, by (name, place). While `compares`, each result of the reader's is held to the library's; `before` is told the
    name and the place before a function of the reader's is called.
    """

    def __init__(self, own: dict[str, Function], left_out: Iterable[tuple[str, str]] = ()) -> None:
        self.library = answers()
        self.own, self.left_out = own, set(left_out)
        self.seconds: dict[tuple[str, str], float] = defaultdict(float)
        self.compares = False
        self.before: Callable[[str, str], None] = lambda name, place: None

    def has(self, *names: str) -> bool:
        """Whether the library knows an answer to all of these: else their layer stays as it is."""
        return all(name in self.library for name in names)

    def call(self, name: str, place: str, *arguments: Any) -> Any:
        """The function's result at this place. Raises Disagrees, and what a reader's function raises."""
        if name not in self.own or (name, place) in self.left_out:
            return self.library[name](*arguments)
        self.before(name, place)
        began = time.perf_counter()
        result = self.own[name](*arguments)
        self.seconds[name, place] += time.perf_counter() - began
        if self.compares and not same(plain(result), plain(self.library[name](*arguments)), _rounding(arguments)):
            raise Disagrees(f"{name} is right in its exercise, and gives other numbers than the library for {place}")
        return result


def _rounding(arguments: Iterable[Any]) -> float:
    """What the last digits of these arguments come to: a bias in front of a batch norm has a gradient of nothing else."""
    arrays = [argument for argument in arguments if isinstance(argument, np.ndarray) and argument.dtype.kind == "f"]
    return max((float(np.finfo(a.dtype).eps * np.abs(a).sum(dtype=np.float64)) for a in arrays), default=0.0)


def handmade(workshop: Workshop, channels: tuple[int, ...]) -> SmallFCN:
    """The small FCN with the workshop's functions in it; its first weights are those that it has without them."""
    net = SmallFCN(channels=channels)
    for place, layer in list(net.children()):
        if isinstance(layer, Conv2d) and workshop.has("conv2d", "weight_gradient", "bias_gradient", "input_gradient"):
            setattr(net, place, HandmadeConv2d(layer, place, workshop))
        elif isinstance(layer, ReLU) and workshop.has("relu_backward"):
            setattr(net, place, HandmadeReLU(place, workshop))
        elif isinstance(layer, MaxPool2d) and workshop.has("max_pool", "switches", "max_unpool"):
            setattr(net, place, HandmadeMaxPool2d(layer, place, workshop))
        elif isinstance(layer, ConvTranspose2d) and workshop.has("conv_transpose2d", "bilinear_kernel", "conv2d"):
            setattr(net, place, HandmadeConvTranspose2d(layer, place, workshop))
    net.needs_dx = False
    return net


class HandmadeConv2d(Layer):
    """Lessons 02 and 04: ``conv2d``, and its three gradients."""

    def __init__(self, like: Conv2d, place: str, workshop: Workshop) -> None:
        super().__init__()
        assert like.bias is not None  # all convolutions of the small FCN have one
        self.weight, self.bias = like.weight, like.bias
        self.stride, self.padding = like.stride, like.padding
        self.place, self.call = place, workshop.call

    def forward(self, x: Array) -> Array:
        self._push(x)
        return self.call("conv2d", self.place, x, self.weight.data, self.bias.data, self.stride, self.padding)

    def backward(self, dy: Array) -> Array | None:
        x, (KH, KW) = self._pop(), self.weight.data.shape[2:]
        self.weight.accumulate(self.call("weight_gradient", self.place, x, dy, KH, KW, self.stride, self.padding))
        self.bias.accumulate(self.call("bias_gradient", self.place, dy))
        if not self.needs_dx:
            return None
        return self.call("input_gradient", self.place, dy, self.weight.data, *x.shape[2:], self.stride, self.padding)


class HandmadeReLU(Layer):
    """Lesson 06: ``relu_backward``; forward is one line in any language."""

    def __init__(self, place: str, workshop: Workshop) -> None:
        super().__init__()
        self.place, self.call = place, workshop.call

    def forward(self, x: Array) -> Array:
        self._push(x)
        return np.maximum(x, 0)

    def backward(self, dy: Array) -> Array:
        return self.call("relu_backward", self.place, dy, self._pop())


class HandmadeMaxPool2d(Layer):
    """Lesson 06: ``max_pool`` and ``switches``; the gradient goes back by ``max_unpool``, for windows do not overlap here."""

    def __init__(self, like: MaxPool2d, place: str, workshop: Workshop) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.ceil_mode = like.kernel_size, like.stride, like.ceil_mode
        self.place, self.call = place, workshop.call

    def forward(self, x: Array) -> Array:
        switches = self.call("switches", self.place, x, self.kernel_size, self.stride) if self.training else None
        self._push((x.shape[2:], switches))
        return self.call("max_pool", self.place, x, self.kernel_size, self.stride, self.ceil_mode)

    def backward(self, dy: Array) -> Array:
        size, switches = self._pop()
        return self.call("max_unpool", self.place, dy, switches, *size)


class HandmadeConvTranspose2d(Layer):
    """Lesson 10: ``conv_transpose2d`` from a ``bilinear_kernel``. Its gradients are a convolution's, from 02 and 04."""

    def __init__(self, like: ConvTranspose2d, place: str, workshop: Workshop) -> None:
        super().__init__()
        self.stride, self.padding, self.place, self.call = like.stride, like.padding, place, workshop.call
        kernel = workshop.call("bilinear_kernel", place, like.kernel_size)
        self.weight = Parameter(np.eye(like.in_channels)[:, :, None, None] * kernel)  # (C, C, K, K): each class by itself

    def forward(self, x: Array) -> Array:
        self._push(x)
        return self.call("conv_transpose2d", self.place, x, self.weight.data, self.stride, self.padding, 0)

    def backward(self, dy: Array) -> Array:
        x, weight = self._pop(), self.weight.data  # x is what a convolution with this weight would make of y
        self.weight.accumulate(self.call("weight_gradient", self.place, dy, x, *weight.shape[2:], self.stride, self.padding))
        no_bias = np.zeros(len(weight))
        return self.call("conv2d", self.place, dy, weight, no_bias, self.stride, self.padding)


class HandmadeLoss:
    """Lesson 08: ``cross_entropy`` and its gradient; the library's where the lesson is not written."""

    def __init__(self, workshop: Workshop) -> None:
        self.call, self.is_own = workshop.call, workshop.has("cross_entropy", "cross_entropy_gradient")

    def __call__(self, scores: Array, labels: Array) -> tuple[float, Array]:
        """The loss and the gradient of the scores."""
        if not self.is_own:
            loss, cache = F.cross_entropy(scores, labels)
            return float(loss), F.cross_entropy_backward(1.0, cache)
        arguments = (scores, labels, np.ones(scores.shape[1]))
        return (
            float(self.call("cross_entropy", "the loss", *arguments)),
            self.call("cross_entropy_gradient", "the loss", *arguments),
        )


class HandmadeAdam:
    """Lesson 13: ``adam_step`` for every weight, with the rate that ``poly`` leaves."""

    def __init__(self, parameters: Iterable[Parameter], rate: float, steps: int, workshop: Workshop) -> None:
        self.rate, self.steps, self.call, self.done = rate, steps, workshop.call, 0
        self.parameters = list(parameters)
        self.averages = [(np.zeros_like(p.data), np.zeros_like(p.data)) for p in self.parameters]

    def step(self) -> None:
        """One step of all weights; forgets their gradients."""
        rate = self.rate * float(self.call("poly", "the rate", self.done, self.steps, 0.9))
        self.done += 1
        for i, parameter in enumerate(self.parameters):
            assert parameter.grad is not None  # backward has gone through every layer
            parameter.data, *averages = self.call(
                "adam_step", "all weights", parameter.data, parameter.grad, *self.averages[i], self.done, rate
            )
            self.averages[i] = (averages[0], averages[1])
            parameter.grad = None
