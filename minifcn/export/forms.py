"""What each kind of layer is in ONNX: one table, a function a kind.

A form is told the graph to write to, the layer, and what the layer was called with: the names of tensors, and sizes. It
returns the name of what comes out, or the names of several. Only layers without layers inside need one.

Where ONNX has the very operation, under other names, a form is one line; where it has not (a pooling to one size, a resize that
rounds as PyTorch does, an unpooling) the form is the operation's definition, with the shapes that each line makes.

Source: https://onnx.ai/onnx/operators, for the operations and their attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from minifcn import layers as L
from minifcn.export.writer import FLOAT, INT64, Writer
from minifcn.kernels.geometry import pair

Form = Callable[..., Any]
F = TypeVar("F", bound=Form)

FORMS: dict[type[L.Layer], Form] = {}


def form(*kinds: type[L.Layer]) -> Callable[[F], F]:
    """Decorates the form of one or several kinds of layer."""

    def decorate(function: F) -> F:
        FORMS.update(dict.fromkeys(kinds, function))
        return function

    return decorate


def form_of(layer: L.Layer) -> Form | None:
    """The form of a layer's class, or of the class whose ``forward`` it has; None where there is none."""
    if "forward" in vars(layer):
        return None  # somebody set one of his own on this very layer
    kinds = [kind for kind in type(layer).__mro__ if getattr(kind, "forward", None) is type(layer).forward]
    return next((FORMS[kind] for kind in kinds if kind in FORMS), None)


# ------------------------------------------------------------------------------------------------ layers with weights


@form(L.Conv2d)
def conv(graph: Writer, layer: L.Conv2d, x: str) -> str:
    return graph.node("Conv", x, *_weights(graph, layer), **_windows(layer), group=layer.groups)


@form(L.ConvTranspose2d)
def conv_transpose(graph: Writer, layer: L.ConvTranspose2d, x: str) -> str:
    more = pair(layer.output_padding, "output_padding", 0)
    return graph.node("ConvTranspose", x, *_weights(graph, layer), **_windows(layer), group=layer.groups, output_padding=more)


@form(L.Linear)
def linear(graph: Writer, layer: L.Linear, x: str) -> str:
    """y = x · Wᵀ + b, for an x of any number of axes."""
    weight, *bias = _weights(graph, layer)
    y = graph.node("MatMul", x, graph.node("Transpose", weight, perm=[1, 0]))
    return graph.node("Add", y, *bias) if bias else y


@form(L.BatchNorm2d)
def batch_norm(graph: Writer, layer: L.BatchNorm2d, x: str) -> str:
    """With the running statistics; ONNX wants a weight and a bias also where none are learnt."""
    ones = np.ones(layer.num_features)
    scale, shift = _weights(graph, layer) if layer.affine else (graph.constant(ones), graph.constant(0 * ones))
    statistics = graph.weight(layer.running_mean), graph.weight(layer.running_var)
    return graph.node("BatchNormalization", x, scale, shift, *statistics, epsilon=layer.eps)


# ------------------------------------------------------------------------------------------------- element by element


@form(L.ReLU)
def relu(graph: Writer, layer: L.ReLU, x: str) -> str:
    return graph.node("Relu", x)


@form(L.Identity, L.Dropout, L.Sequential)
def nothing(graph: Writer, layer: L.Layer, x: str) -> str:
    """What hands on what it gets: dropout in evaluation, a Sequential without layers inside."""
    return x


@form(L.Scale)
def scale(graph: Writer, layer: L.Scale, x: str) -> str:
    return graph.node("Mul", x, graph.constant(float(layer.factor)))


@form(L.LocalResponseNorm)
def local_response_norm(graph: Writer, layer: L.LocalResponseNorm, x: str) -> str:
    """x / (k + α · mean of the squares of ``size`` neighbours)^β.

    ONNX's own LRN knows odd sizes only, so the mean is what PyTorch makes it: an average pooling along the channels.
    """
    below, above = layer.size // 2, (layer.size - 1) // 2
    squares = graph.node("Unsqueeze", graph.node("Mul", x, x), graph.constant([1]))  # (N, 1, C, H, W)
    padded = graph.node("Pad", squares, graph.constant([0, 0, below, 0, 0, 0, 0, above, 0, 0]))  # (N, 1, C + size − 1, H, W)
    mean = graph.node("AveragePool", padded, kernel_shape=[layer.size, 1, 1])
    mean = graph.node("Squeeze", mean, graph.constant([1]))  # (N, C, H, W)
    strength = graph.node("Add", graph.node("Mul", mean, graph.constant(float(layer.alpha))), graph.constant(float(layer.k)))
    return graph.node("Div", x, graph.node("Pow", strength, graph.constant(float(layer.beta))))


# ------------------------------------------------------------------------------------------------ pooling, unpooling


@form(L.MaxPool2d)
def max_pool(graph: Writer, layer: L.MaxPool2d, x: str) -> Any:
    """ONNX counts the places of the maxima through the whole batch, we through each channel by itself."""
    attributes = _windows(layer) | {"ceil_mode": int(layer.ceil_mode)}
    if not layer.return_indices:
        return graph.node("MaxPool", x, **attributes)
    y, places = graph.outputs_of("MaxPool", x, outputs=2, **attributes)
    pixels = graph.node("ReduceProd", graph.node("Shape", x, start=2, end=4), keepdims=1)  # H·W
    return y, graph.node("Mod", places, pixels)


@form(L.MaxUnpool2d)
def max_unpool(graph: Writer, layer: L.MaxUnpool2d, x: str, indices: str, output_size: Sequence[int] | None = None) -> str:
    """Zeros, into which each value is written at its place."""
    size = _size_before(graph, layer, x) if output_size is None else graph.sizes(output_size)  # OH, OW
    planes = graph.node("Shape", x, start=0, end=2)  # N, C
    pixels = graph.node("ReduceProd", size, keepdims=1)  # OH·OW
    zeros = graph.node("ConstantOfShape", graph.node("Concat", planes, pixels, axis=0))  # (N, C, OH·OW), float32
    in_rows = graph.node("Concat", planes, graph.constant([-1]), axis=0)
    x, indices = (graph.node("Reshape", array, in_rows) for array in (x, indices))  # (N, C, H·W)
    y = graph.node("ScatterElements", zeros, indices, x, axis=2)
    return graph.node("Reshape", y, graph.node("Concat", planes, size, axis=0))  # (N, C, OH, OW)


@form(L.AvgPool2d)
def avg_pool(graph: Writer, layer: L.AvgPool2d, x: str) -> str:
    """Where padding's zeros count they are laid around x first: onnxruntime up to 1.24, told to pad by itself, miscounts the
    last windows. Not where sizes are rounded up, for then the padding's end decides which windows there are."""
    windows, whole = _windows(layer), int(layer.count_include_pad)
    if whole and not layer.ceil_mode:
        PH, PW, *_ = windows["pads"]
        x = graph.node("Pad", x, graph.constant([0, 0, PH, PW, 0, 0, PH, PW]))
        windows["pads"] = [0, 0, 0, 0]
    return graph.node("AveragePool", x, **windows, ceil_mode=int(layer.ceil_mode), count_include_pad=whole)


@form(L.LPPool2d)
def lp_pool(graph: Writer, layer: L.LPPool2d, x: str) -> str:
    """(mean of x^p · taps)^(1/p). ONNX's own LpPool takes |x|, and whole numbers for p."""
    windows, p = _windows(layer), float(layer.norm_type)
    mean = graph.node("AveragePool", graph.node("Pow", x, graph.constant(p)), **windows, ceil_mode=int(layer.ceil_mode))
    total = graph.node("Mul", mean, graph.constant(float(np.prod(windows["kernel_shape"]))))
    return graph.node("Pow", total, graph.constant(1 / p))


@form(L.AdaptiveAvgPool2d)
def adaptive_avg_pool(graph: Writer, layer: L.AdaptiveAvgPool2d, x: str) -> str:
    """A · x · Bᵀ with a matrix of averages a side, made in the graph: ONNX knows the mean of the whole picture only."""
    OH, OW = pair(layer.output_size, "output_size", 1)
    if (OH, OW) == (1, 1):
        return graph.node("GlobalAveragePool", x)
    A = _averages(graph, graph.node("Shape", x, start=2, end=3), OH)  # (OH, H)
    B = _averages(graph, graph.node("Shape", x, start=3, end=4), OW)  # (OW, W)
    return graph.node("MatMul", A, graph.node("MatMul", x, graph.node("Transpose", B, perm=[1, 0])))  # (N, C, OH, OW)


def _averages(graph: Writer, n: str, n_out: int) -> str:
    """The (n_out, n) matrix whose row i averages the inputs from i·n/n_out, rounded down, to (i + 1)·n/n_out, rounded up."""
    rows = np.arange(n_out)[:, None]  # (n_out, 1)
    parts = graph.constant(n_out)
    start = graph.node("Div", graph.node("Mul", graph.constant(rows), n), parts)
    above = graph.node("Add", graph.node("Mul", graph.constant(rows + 1), n), graph.constant(n_out - 1))
    end = graph.node("Div", above, parts)
    inputs = _range(graph, n)  # (n,)
    is_inside = graph.node("And", graph.node("GreaterOrEqual", inputs, start), graph.node("Less", inputs, end))  # (n_out, n)
    return graph.node("Div", _as_float(graph, is_inside), _as_float(graph, graph.node("Sub", end, start)))


# ------------------------------------------------------------------------------------------------------------- sizes


@form(L.Add)
def add(graph: Writer, layer: L.Add, a: str, b: str, inplace: Any = False) -> str:
    return graph.node("Add", a, b)


@form(L.Concat)
def concat(graph: Writer, layer: L.Concat, *parts: str) -> str:
    return graph.node("Concat", *parts, axis=1)


@form(L.Flatten)
def flatten(graph: Writer, layer: L.Flatten, x: str) -> str:
    return graph.node("Flatten", x, axis=1)


@form(L.Crop)
def crop(graph: Writer, layer: L.Crop, x: str, size: Sequence[int]) -> str:
    start = graph.constant([layer.offset, layer.offset])
    return graph.node("Slice", x, start, graph.node("Add", start, graph.sizes(size)), graph.constant([2, 3]))


@form(L.PadTo)
def pad_to(graph: Writer, layer: L.PadTo, x: str) -> str:
    """Mod's sign is that of the divisor, as Python's: −5 mod 16 are the 11 pixels that 5 lack."""
    margin = layer.margin
    lacking = graph.node("Sub", graph.constant(layer.remainder - 2 * margin), graph.node("Shape", x, start=2, end=4))
    lacking = graph.node("Mod", lacking, graph.constant(layer.multiple))
    behind = graph.node("Add", lacking, graph.constant(margin))  # bottom, right
    before = graph.constant([0, 0, margin, margin, 0, 0])  # of N, C, H, W, and behind N, C
    return graph.node("Pad", x, graph.node("Concat", before, behind, axis=0))


@form(L.Upsample)
def upsample(graph: Writer, layer: L.Upsample, x: str, size: Sequence[int] | None = None) -> str:
    """By a factor, or to a size; "nearest" to a size is a form of its own."""
    size = pair(layer.size, "size", 1) if layer.size is not None else size
    if layer.mode == "nearest" and size is not None:
        return _nearest(graph, x, size)
    if layer.mode == "nearest":
        how: dict[str, Any] = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    else:
        corners = "align_corners" if layer.align_corners else "half_pixel"
        how = {"mode": "linear", "coordinate_transformation_mode": corners}
    if size is not None:
        planes = graph.node("Shape", x, start=0, end=2)
        return graph.node("Resize", x, "", "", graph.node("Concat", planes, graph.sizes(size), axis=0), **how)
    factors = layer.scale_factor if isinstance(layer.scale_factor, (tuple, list)) else (layer.scale_factor,) * 2
    return graph.node("Resize", x, "", graph.constant(np.array([1, 1, *factors], np.float32)), **how)


def _nearest(graph: Writer, x: str, size: Sequence[int]) -> str:
    """Output i takes input floor(i · n/n_out), in float32 as PyTorch and we compute it: ONNX's Resize divides, and for one pair
    of sizes in forty the two round differently."""
    for axis in (2, 3):
        n, n_out = graph.node("Shape", x, start=axis, end=axis + 1), graph.sizes([size[axis - 2]])
        step = graph.node("Div", _as_float(graph, n), _as_float(graph, n_out))
        source = graph.node("Floor", graph.node("Mul", _as_float(graph, _range(graph, n_out)), step))
        x = graph.node("Gather", x, graph.node("Cast", source, to=INT64), axis=axis)
    return x


# -------------------------------------------------------------------------------------------------------------- parts


def _weights(graph: Writer, layer: Any) -> list[str]:
    """The weight and, where there is one, the bias."""
    return [graph.weight(parameter.data) for parameter in (layer.weight, layer.bias) if parameter is not None]


def _windows(layer: Any) -> dict[str, Any]:
    """The attributes of a convolution or a pooling. ONNX pads top, left, bottom, right."""
    PH, PW = pair(getattr(layer, "padding", 0), "padding", 0)
    return {
        "kernel_shape": pair(layer.kernel_size, "kernel_size", 1),
        "strides": pair(layer.stride, "stride", 1),
        "pads": [PH, PW, PH, PW],
        "dilations": pair(getattr(layer, "dilation", 1), "dilation", 1),
    }


def _size_before(graph: Writer, layer: L.MaxUnpool2d, x: str) -> str:
    """OH, OW = (n − 1)·S − 2P + K: the size of the smallest picture of which the pooling makes x's."""
    windows = _windows(layer)
    steps = graph.node("Sub", graph.node("Shape", x, start=2, end=4), graph.constant(1))
    rest = np.subtract(windows["kernel_shape"], 2 * np.array(windows["pads"][:2]))
    return graph.node("Add", graph.node("Mul", steps, graph.constant(windows["strides"])), graph.constant(rest))


def _range(graph: Writer, n: str) -> str:
    """0, 1, ..., n − 1, of a row of one integer, n: so many ones, each adding up those before it. (onnxruntime refuses ONNX's
    Range of an n that is known: it takes it for the row.)"""
    return graph.node("CumSum", graph.node("Expand", graph.constant(1), n), graph.constant(0), exclusive=1)


def _as_float(graph: Writer, x: str) -> str:
    return graph.node("Cast", x, to=FLOAT)
