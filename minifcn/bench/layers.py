"""The layers of VGG16, FCN-8s and ResNet one by one: forward, dx and dweight each on its own."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minifcn import functional as F
from minifcn import layers as L
from minifcn.backend import to_host
from minifcn.bench.contest import Contest
from minifcn.bench.device import Device
from minifcn.bench.timing import trial
from minifcn.kernels import Geometry
from minifcn.layers import Parameter
from minifcn.models.backbones import VGG16, scaled
from minifcn.training import SGD

CONVOLUTIONS, OTHERS, UPDATE = "VGG16's convolutions", "other layers", "update"
CLASSES = 21
SMALL = (1, 8, 12, 16)  # as in the lessons: there a layer costs what it takes to call NumPy
SMALL_LAYERS: dict[str, tuple[str, tuple[int, ...], dict[str, int]]] = {  # name, arguments and options of a class of both
    "Conv2d 3x3": ("Conv2d", (8, 8, 3), {"padding": 1}),
    "BatchNorm2d": ("BatchNorm2d", (8,), {}),
    "ReLU": ("ReLU", (), {}),
    "MaxPool2d 2x2": ("MaxPool2d", (2,), {}),
}
IN_CACHE = (28, 28)  # 64 channels of which are 0.2 MB
READ_AGAIN = ("relu", "batch_norm")  # whose gradient needs, beside dy, an array of x's size
SGD_OPTIONS: dict[str, Any] = {"lr": 1e-5, "momentum": 0.9, "weight_decay": 5e-4}


@dataclass(frozen=True)
class Case:
    """A function of :mod:`minifcn.functional`, the shapes of what it gets, and which gradients are timed.

    Each entry of `gradients` is one contest: the inputs whose gradients it computes, all in one call.
    """

    group: str
    name: str
    function: str
    shapes: Mapping[str, tuple[int, ...]]
    gradients: tuple[tuple[str, ...], ...]
    options: dict[str, Any] = field(default_factory=dict)
    macs: int = 0


def cases(size: tuple[int, int], batch_size: int, width: float = 1.0) -> Iterator[Case]:
    """What is timed, for pictures of `size` = (H, W); `width` is a factor on the channel counts.

    Raises ValueError for pictures smaller than 16 x 16, of which VGG16's last convolutions would see nothing.
    """
    (H, W), N = size, batch_size
    if min(H, W) < 16:
        raise ValueError(f"pictures of {H}x{W} are too small: VGG16 halves them four times, so give at least 16x16")
    for layer, C, O, shrunk in vgg16_convolutions(width):
        name = f"{layer} {C}->{O} @{H // shrunk}x{W // shrunk}"
        yield _convolution(CONVOLUTIONS, name, (N, C, H // shrunk, W // shrunk), (O, C, 3, 3), padding=1)
    coarsest = (H // 32 + 1, W // 32 + 1)  # fc7's map in FCN-8s with padding 100; the deconvolutions double it and add 2
    coarse, fine = tuple(2 * n + 2 for n in coarsest), tuple(4 * n + 6 for n in coarsest)
    wide, hidden, first = (scaled(channels, width) for channels in (512, 4096, 64))
    yield _convolution(OTHERS, "fc6", (N, wide, *(n + 6 for n in coarsest)), (hidden, wide, 7, 7))
    yield _convolution(OTHERS, "fc7", (N, hidden, *coarsest), (hidden, hidden, 1, 1))
    yield _deconvolution("deconv k4 s2", (N, CLASSES, *coarse), 4, 2)
    yield _deconvolution("deconv k16 s8", (N, CLASSES, *fine), 16, 8)
    yield from resnet_convolutions(size, N, width)
    picture, cached = (N, first, H, W), (N, first, *IN_CACHE)
    for where, shape in (("", picture), (f" in cache, {IN_CACHE[0]}x{IN_CACHE[1]}", cached)):
        x = {"x": shape}
        yield Case(OTHERS, f"max pool 2x2{where}", "max_pool2d", x, (("x",),), {"kernel_size": 2})
        yield Case(OTHERS, f"ReLU{where}", "relu", x, (("x",),))
        yield Case(
            OTHERS, f"batch norm{where}", "batch_norm", x | {"weight": (first,), "bias": (first,)}, (("x", "weight", "bias"),),
            {"running_mean": None, "running_var": None, "training": True},
        )  # fmt: skip
        yield Case(OTHERS, f"dropout{where}", "dropout", x if where else {"x": (N, hidden, *coarsest)}, (("x",),))


def resnet_convolutions(size: tuple[int, int], N: int, width: float) -> Iterator[Case]:
    """The kinds of convolution that VGG16 does not have: its first, wide one, one by one, by steps of two, and dilated."""
    (H, W), (narrow, middle, wide) = size, (scaled(channels, width) for channels in (64, 128, 256))
    quarter, eighth = (H // 4, W // 4), (H // 8, W // 8)
    for kind, C, O, (h, w), K, options in (
        ("7x7 s2", 3, narrow, (H, W), 7, {"stride": 2, "padding": 3}), ("1x1", wide, narrow, quarter, 1, {}),
        ("3x3 s2", middle, middle, quarter, 3, {"stride": 2, "padding": 1}),
        ("3x3 d2", wide, wide, eighth, 3, {"padding": 2, "dilation": 2}),
    ):  # fmt: skip
        yield _convolution(OTHERS, f"{kind} {C}->{O} @{h}x{w}", (N, C, h, w), (O, C, K, K), **options)


def vgg16_convolutions(width: float) -> list[tuple[str, int, int, int]]:
    """VGG16's distinct 3x3 convolutions: name, channels in and out, and by how much the picture has shrunk there."""
    distinct: dict[tuple[int, int, int], tuple[str, int, int, int]] = {}
    below = C = 3
    for stage, counts in enumerate(VGG16):
        for index, count in enumerate(counts, start=1):
            O = scaled(count, width)
            distinct.setdefault((stage, below, count), (f"conv{stage + 1}_{index}", C, O, 2**stage))
            below, C = count, O
    return list(distinct.values())


def contests(
    device: Device, size: tuple[int, int], batch_size: int, width: float = 1.0, channels_last: bool = False
) -> Iterator[Contest]:
    """Every case's forward and gradients, the loss, and an optimizer's update; `channels_last`: PyTorch's in the layout, of
    NCHW and channels-last, in which it is faster."""
    rng = np.random.default_rng(0)
    for case in cases(size, batch_size, width):
        yield from passes(case, device, rng, channels_last)
    yield from cross_entropy((batch_size, CLASSES, *size), device, rng)
    for name in SMALL_LAYERS:
        yield small(name, device, rng)
    yield sgd((scaled(4096, width),) * 2, device, rng)


def passes(case: Case, device: Device, rng: np.random.Generator, channels_last: bool = False) -> Iterator[Contest]:
    """The contests of one case: forward, then each of its gradients."""
    std = math.prod(case.shapes.get("weight", ())[1:]) ** -0.5  # of a convolution's weights: its results stay near 1
    arrays = {name: _draw(shape, rng, std if name == "weight" else 1.0) for name, shape in case.shapes.items()}
    in_place = {"inplace": True} if case.function == "relu" else {}  # as in the networks
    ours, theirs = _both(arrays, device, copy=bool(in_place))
    forward, backward = getattr(F, case.function), getattr(F, f"{case.function}_backward")
    y, cache = forward(**ours, **case.options)
    our_dy, their_dy = _both({"dy": _draw(y.shape, rng)}, device)
    dy = our_dy["dy"]
    once = dy.nbytes + sum(array.nbytes for array in arrays.values())  # each array, read or written
    pytorch: Any = None
    if device.pytorch:
        from minifcn.bench.torch_layers import passes_in

        pytorch = passes_in(case.function, theirs, their_dy["dy"], case.options, channels_last)

    def contest(what: str, our_pass: Any, their_pass: Any) -> Contest:
        group, name = f"{case.group}, batch {len(dy)}", f"{case.name}, {what}"
        if case.group == CONVOLUTIONS:  # many of them: a table for each pass
            group, name = f"{case.group}, {what}, batch {len(dy)}", case.name
        ours_alone, layout = None, ""
        if pytorch is not None:
            ours_alone, layout = faster([functools.partial(their_pass, side) for side in pytorch], device)
        moved = once + (arrays["x"].nbytes if what != "forward" and case.function in READ_AGAIN else 0)
        return Contest(group, name + layout, our_pass, ours_alone, case.macs, moved, random=case.function == "dropout")

    yield contest(
        "forward",
        lambda: forward(**ours, **case.options, **in_place)[0],
        lambda side: side.forward(**in_place),
    )
    for names in case.gradients:
        needs = {"needs": tuple(name in names for name in ("x", "weight", "bias"))} if len(arrays) > 1 else {}
        yield contest(
            f"d{names[0]}" if len(names) == 1 else "backward",
            lambda needs=needs: _first(backward(dy, cache, **needs)),
            lambda side, names=names: side.gradient(names),
        )


def faster(sides: list[Callable[[], Any]], device: Device) -> tuple[Callable[[], Any], str]:
    """PyTorch's pass in NCHW, or, where that was tried too and is faster, in channels-last; and what to say of it."""
    if len(sides) == 1:
        return sides[0], ""
    seconds = [trial(side, device.wait) for side in sides]
    return (sides[1], " (PyTorch: channels-last)") if seconds[1] < seconds[0] else (sides[0], "")


def cross_entropy(shape: tuple[int, ...], device: Device, rng: np.random.Generator) -> Iterator[Contest]:
    """Softmax cross-entropy of scores (N, C, H, W), a tenth of the pixels void: the loss, and with it the gradient."""
    N, C, H, W = shape
    labels = rng.integers(0, C, (N, H, W), dtype=np.uint8)
    labels[rng.random(labels.shape) < 0.1] = 255
    ours, theirs = _both({"scores": _draw(shape, rng), "labels": labels}, device)
    sides: tuple[Any, Any] = None, None
    if device.pytorch:
        from minifcn.bench import torch_layers

        sides = torch_layers.cross_entropy(**theirs)
    group, size = f"{OTHERS}, batch {N}", ours["scores"].nbytes
    yield Contest(group, "cross-entropy, forward", lambda: F.cross_entropy(**ours)[0], sides[0], moved=size + labels.nbytes)
    yield Contest(
        group, "cross-entropy, both", lambda: F.cross_entropy_backward(1.0, F.cross_entropy(**ours)[1]), sides[1],
        moved=3 * size + labels.nbytes,
    )  # fmt: skip


def small(name: str, device: Device, rng: np.random.Generator) -> Contest:
    """A layer called on a small x, forward and backward."""
    kind, arguments, options = SMALL_LAYERS[name]
    layer = getattr(L, kind)(*arguments, **options)
    x = _draw(SMALL, rng)
    y = layer(x)
    layer.backward(np.ones_like(y))
    ours, theirs = _both({"x": x, "dy": _draw(y.shape, rng)}, device)
    layer.to(device.name)

    def our_pass() -> Any:
        layer(ours["x"])
        return layer.backward(ours["dy"])

    their_pass = None
    if device.pytorch:
        from minifcn.bench import torch_layers

        state = {key: device.theirs(to_host(value), copy=True) for key, value in layer.state_dict().items()}
        their_pass = torch_layers.eager(kind, arguments, options, state, **theirs)
    group = f"small layers, {'x'.join(map(str, SMALL))}, forward and backward"
    return Contest(group, name, our_pass, their_pass, moved=2 * (x.nbytes + y.nbytes))


def sgd(shape: tuple[int, ...], device: Device, rng: np.random.Generator) -> Contest:
    """One update, with momentum and weight decay, of one parameter of fc7's size."""
    ours, theirs = _both({"data": _draw(shape, rng), "grad": _draw(shape, rng)}, device, copy=True)
    parameter = Parameter(ours["data"])
    parameter.grad = ours["grad"]
    optimizer = SGD([parameter], **SGD_OPTIONS)

    def our_update() -> Any:
        optimizer.step()
        return parameter.data

    their_update = None
    if device.pytorch:
        from minifcn.bench import torch_layers

        their_update = torch_layers.sgd(**theirs, options=SGD_OPTIONS)
    return Contest(
        UPDATE, f"SGD, {parameter.size / 1e6:.1f} M weights", our_update, their_update, moved=5 * parameter.data.nbytes
    )


def _convolution(group: str, name: str, x_shape: tuple[int, ...], weight_shape: tuple[int, ...], **options: int) -> Case:
    shapes = {"x": x_shape, "weight": weight_shape, "bias": weight_shape[:1]}
    macs = Geometry.of(x_shape, weight_shape, **options).macs
    return Case(group, name, "conv2d", shapes, (("x",), ("weight",)), options, macs)


def _deconvolution(name: str, x_shape: tuple[int, ...], kernel: int, stride: int) -> Case:
    N, C, H, W = x_shape
    shapes = {"x": x_shape, "weight": (C, C, kernel, kernel)}
    macs = N * H * W * math.prod(shapes["weight"])  # each x meets each weight once
    return Case(OTHERS, name, "conv_transpose2d", shapes, (("x",), ("weight",)), {"stride": stride}, macs)


def _draw(shape: tuple[int, ...], rng: np.random.Generator, std: float = 1.0) -> np.ndarray:
    values = rng.standard_normal(shape, dtype=np.float32)
    values *= np.float32(std)
    return values


def _both(arrays: dict[str, np.ndarray], device: Device, copy: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arrays for us and, where it takes part, for PyTorch; in the same memory on the CPU unless `copy`."""
    ours = {name: device.ours(array) for name, array in arrays.items()}
    return ours, {name: device.theirs(array, copy) for name, array in arrays.items()} if device.pytorch else {}


def _first(gradients: Any) -> Any:
    """The first gradient that was computed."""
    return next(g for g in gradients if g is not None) if isinstance(gradients, tuple) else gradients
