"""ONNX's own node tests for the operators that this package has, as they come with the `onnx` package.

Each is a single node with its inputs and expected outputs in float32. What the options of a node ask for and ours do not offer
directly is put together from ours where it can be (uneven padding is `pad`, then the operation). What is left out has its
reason below; `python tests/functional/test_onnx_nodes.py` lists both.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from minifcn import functional as F

onnx = pytest.importorskip("onnx", minversion="1.18", reason="onnx, whose tests these are, is not installed")
pytest.importorskip("onnx.backend.test.case.node")

OTHER_AXES = "not two spatial axes: images are (N, C, H, W) here"
INTEGERS = "integers: what is learnt from is floating here"
BROADCAST = "summands of different shapes: nothing is broadcast here"
UNEVEN_AVERAGE = "padding whose zeros are not counted, uneven or wider than half of the kernel"
DILATED = "a dilated average or Lp pooling"
COLUMN_MAJOR = "places of maxima counted column by column"
OTHER_PADDING = "padding with something other than a number, of something other than rows and columns, or a negative one"
CUBIC = "cubic interpolation"
OTHER_NEAREST = "a nearest neighbour that is found by another rule than PyTorch's"
BROKEN_SIZE = "the corners aligned of a size that is no whole number: PyTorch rounds it first"
ONE_PIXEL = "pytorch_half_pixel to a single row or column: a special case that PyTorch itself does not have"
OTHER_LINEAR = "half_pixel_symmetric, crop and resize in one, a size that keeps the ratio, or smoothing before it shrinks"
RANDOM = "a mask drawn by ONNX's generator"

ROUNDED = {"test_averagepool_2d_ceil_last_window_starts_on_pad"}  # what is expected there is typed in, with four digits

Outputs = list[np.ndarray | None]  # None: not compared


def _conv(x, weight, bias=None, *, strides=None, pads=None, dilations=None, group=1, auto_pad="NOTSET", **_):
    if x.ndim != 4:
        return OTHER_AXES
    strides, dilations = strides or [1, 1], dilations or [1, 1]
    frame = _frame(x, weight.shape[2:], strides, dilations, pads, auto_pad)
    x, padding = _evenly(x, frame, 0.0)
    return [F.conv2d(x, weight, bias, tuple(strides), padding, tuple(dilations), group)[0]]


def _conv_transpose(
    x, weight, bias=None, *, strides=None, pads=None, dilations=None, group=1, auto_pad="NOTSET", output_padding=None,
    output_shape=None, **_,
):  # fmt: skip
    if x.ndim != 4:
        return OTHER_AXES
    strides, dilations, extra = strides or [1, 1], dilations or [1, 1], output_padding or [0, 0]
    pads = pads or [0, 0, 0, 0]
    if auto_pad != "NOTSET":
        output_shape = [n * s for n, s in zip(x.shape[2:], strides, strict=True)]
    if output_shape:
        for axis in (0, 1):
            whole = strides[axis] * (x.shape[2 + axis] - 1) + extra[axis] + (weight.shape[2 + axis] - 1) * dilations[axis] + 1
            surplus = whole - output_shape[axis]
            if surplus < 0:
                extra, surplus = [*extra[:axis], extra[axis] - surplus, *extra[axis + 1 :]], 0
            first = surplus // 2 if auto_pad == "SAME_UPPER" else surplus - surplus // 2
            pads = [*pads[:axis], first, *pads[axis + 1 : 2 + axis], surplus - first, *pads[3 + axis :]]
    (top, left, bottom, right), even = pads, pads[:2] == pads[2:]
    padding = (top, left) if even else 0
    y, _ = F.conv_transpose2d(x, weight, bias, tuple(strides), padding, tuple(extra), group, tuple(dilations))
    if not even:
        H, W = y.shape[2:]
        y, _ = F.crop(y, top, left, H - top - bottom, W - left - right)
    return [y]


def _max_pool(
    x, *, kernel_shape, strides=None, pads=None, dilations=None, ceil_mode=0, auto_pad="NOTSET", storage_order=0, wants=1, **_
):  # fmt: skip
    if x.ndim != 4:
        return OTHER_AXES
    if x.dtype.kind != "f":
        return INTEGERS
    strides, dilations = strides or [1, 1], dilations or [1, 1]
    frame = _frame(x, kernel_shape, strides, dilations, pads, auto_pad)
    padded, padding = _evenly(x, frame, -np.inf, kernel_shape)
    y, cache = F.max_pool2d(padded, tuple(kernel_shape), tuple(strides), padding, tuple(dilations), bool(ceil_mode))
    if wants == 1:
        return [y]
    assert padded is x  # places in a padded picture would be others
    if storage_order:
        return COLUMN_MAJOR
    return [y, F.max_pool2d_indices(cache) + _first_of_planes(x)]


def _average_pool(
    x, *, kernel_shape, strides=None, pads=None, dilations=None, ceil_mode=0, count_include_pad=0, auto_pad="NOTSET", **_
):  # fmt: skip
    if x.ndim != 4:
        return OTHER_AXES
    if max(dilations or [1]) > 1:
        return DILATED
    strides = strides or [1, 1]
    frame = _frame(x, kernel_shape, strides, [1, 1], pads, auto_pad)
    padded, padding = _evenly(x, frame, 0.0, kernel_shape)
    if padded is not x and not count_include_pad:
        return UNEVEN_AVERAGE
    return [F.avg_pool2d(padded, tuple(kernel_shape), tuple(strides), padding, bool(ceil_mode), bool(count_include_pad))[0]]


def _lp_pool(x, *, kernel_shape, p=2, strides=None, pads=None, dilations=None, ceil_mode=0, auto_pad="NOTSET", **_):
    if x.ndim != 4:
        return OTHER_AXES
    if max(dilations or [1]) > 1:
        return DILATED
    strides = strides or [1, 1]
    top, left, bottom, right = _frame(x, kernel_shape, strides, [1, 1], pads, auto_pad)
    x, _ = F.pad(np.abs(x), (left, right, top, bottom))  # ONNX adds up powers of |x|, PyTorch of x
    return [F.lp_pool2d(x, p, tuple(kernel_shape), tuple(strides), bool(ceil_mode))[0]]


def _global_average_pool(x):
    return [F.adaptive_avg_pool2d(x, 1)[0]] if x.ndim == 4 else OTHER_AXES


def _global_max_pool(x):
    return [F.max_pool2d(x, x.shape[2:])[0]] if x.ndim == 4 else OTHER_AXES


def _max_unpool(x, indices, output_shape=None, *, kernel_shape, strides=None, pads=None, **_):
    """Places are counted over the whole array, in the size that follows from the kernel, whatever output_shape says."""
    strides, pads = strides or [1, 1], pads or [0] * 4
    H, W = (
        (n - 1) * s - pads[axis] - pads[axis + 2] + k
        for axis, (n, s, k) in enumerate(zip(x.shape[2:], strides, kernel_shape, strict=True))
    )
    planes = np.arange(x.shape[0] * x.shape[1]).reshape(*x.shape[:2], 1, 1)
    y, _ = F.max_unpool2d(x, indices - planes * (H * W), (H, W))
    if output_shape is not None:
        y, _ = F.pad(y, (0, int(output_shape[3]) - W, 0, int(output_shape[2]) - H))
    return [y]


def _batch_norm(x, weight, bias, mean, var, *, epsilon=1e-5, momentum=0.9, training_mode=0, wants=1, **_):
    before, M = var.copy(), x.size // x.shape[1]
    y, _ = F.batch_norm(x, mean, var, weight, bias, bool(training_mode), 1 - momentum, epsilon)
    if wants == 1:
        return [y]
    var = momentum * before + (var - momentum * before) * (M - 1) / M  # ONNX keeps the biased variance, PyTorch the unbiased
    return [y, mean, var]


def _along(function: Callable, x: np.ndarray, axis: int) -> Outputs:
    return [np.moveaxis(function(np.moveaxis(x, axis, 1)), 1, axis)]


def _softmax(x, *, axis=-1):
    return _along(F.softmax, x, axis)


def _log_softmax(x, *, axis=-1):
    return _along(F.log_softmax, x, axis)


def _softmax_cross_entropy(scores, labels, weight=None, *, ignore_index=None, reduction="mean", wants=1):
    loss, _ = F.cross_entropy(scores, labels, weight, ignore_index, reduction)
    return [loss, F.log_softmax(scores)][:wants]


def _relu(x):
    return [F.relu(x)[0]]


def _dropout(x, ratio=0.5, training=False, *, wants=1, **_):
    if training and ratio:
        return RANDOM
    y, _ = F.dropout(x, float(ratio), bool(training))
    return [y, None][:wants]


def _local_response_norm(x, *, size, alpha=1e-4, beta=0.75, bias=1.0):
    return [F.local_response_norm(x, size, alpha, beta, bias)[0]]


def _concat(*parts, axis):
    """Any axis as channels: those before it are pictures, those behind it pixels."""
    axis %= parts[0].ndim
    before, behind = parts[0].shape[:axis], parts[0].shape[axis + 1 :]
    y, _ = F.concat(*(part.reshape(int(np.prod(before)), part.shape[axis], -1, 1) for part in parts))
    return [y.reshape(*before, -1, *behind)]


def _add(a, b):
    if a.dtype.kind != "f":
        return INTEGERS
    return [F.add(a, b)[0]] if a.shape == b.shape else BROADCAST


def _gemm(a, b, c=None, *, alpha=1.0, beta=1.0, transA=0, transB=0):
    weight = (b if transB else b.T) * np.float32(alpha)
    y, _ = F.linear(a.T if transA else a, weight)
    return [y] if c is None else [F.add(y, np.broadcast_to(c * np.float32(beta), y.shape).astype(y.dtype))[0]]


def _pad(x, pads, value=0.0, axes=None, *, mode="constant"):
    axes = range(x.ndim) if axes is None else [int(axis) % x.ndim for axis in axes]
    sides = dict(zip(axes, zip(pads[: len(pads) // 2], pads[len(pads) // 2 :], strict=True), strict=True))
    touched = {axis for axis, side in sides.items() if any(side)}
    if mode != "constant" or not touched <= {2, 3} or x.ndim != 4 or min(pads) < 0:
        return OTHER_PADDING
    (top, bottom), (left, right) = (tuple(map(int, sides.get(axis, (0, 0)))) for axis in (2, 3))
    return [F.pad(x, (left, right, top, bottom), float(value))[0]]


def _resize(
    x, roi=None, scales=None, sizes=None, *, mode="nearest", coordinate_transformation_mode="half_pixel",
    nearest_mode="round_prefer_floor", axes=None, antialias=0, keep_aspect_ratio_policy="stretch", **_,
):  # fmt: skip
    if mode == "cubic":
        return CUBIC
    axes = axes or range(x.ndim)
    places = [list(axes).index(axis) for axis in (2, 3)]
    how = coordinate_transformation_mode
    if antialias or keep_aspect_ratio_policy != "stretch" or how in ("half_pixel_symmetric", "tf_crop_and_resize"):
        return OTHER_LINEAR
    if sizes is not None:
        options: dict[str, Any] = {"size": tuple(int(sizes[place]) for place in places)}
        factors = [new / old for new, old in zip(options["size"], x.shape[2:], strict=True)]
    else:
        factors = [float(scales[place]) for place in places]
        options = {"scale_factor": tuple(factors)}
    if how == "pytorch_half_pixel" and 1 in (round(n * factor) for n, factor in zip(x.shape[2:], factors, strict=True)):
        return ONE_PIXEL
    if how == "align_corners" and any(n * factor % 1 for n, factor in zip(x.shape[2:], factors, strict=True)):
        return BROKEN_SIZE
    if mode == "linear":
        return [F.interpolate(x, **options, mode="bilinear", align_corners=how == "align_corners")[0]]
    whole = all(factor >= 1 and factor == round(factor) for factor in factors)
    same = (how, nearest_mode) == ("asymmetric", "floor")
    same_where_whole = (how, nearest_mode) == ("half_pixel", "round_prefer_floor")
    return [F.interpolate(x, **options, mode="nearest")[0]] if same or (whole and same_where_whole) else OTHER_NEAREST


def _upsample(x, scales, *, mode="nearest"):
    return _resize(x, scales=scales, mode=mode, coordinate_transformation_mode="asymmetric", nearest_mode="floor")


def _frame(x, kernel, strides, dilations, pads, auto_pad) -> list[int]:
    """The padding of rows and columns, [top, left, bottom, right]."""
    if auto_pad in ("NOTSET", "VALID"):
        return list(pads or [0, 0, 0, 0])
    needed = [
        max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n)
        for n, k, s, d in zip(x.shape[2:], kernel, strides, dilations, strict=True)
    ]
    less, more = [n // 2 for n in needed], [n - n // 2 for n in needed]
    return [*less, *more] if auto_pad == "SAME_UPPER" else [*more, *less]


def _evenly(x, frame: list[int], value: float, pooled=(np.inf, np.inf)) -> tuple[np.ndarray, tuple[int, int]]:
    """x and the padding that the operation itself does; where it cannot, x padded here and none there.

    It cannot pad unevenly, nor a pooling by more than half of its kernel.
    """
    top, left, bottom, right = frame
    if (top, left) == (bottom, right) and 2 * top <= pooled[0] and 2 * left <= pooled[1]:
        return x, (top, left)
    return F.pad(x, (left, right, top, bottom), value)[0], (0, 0)


def _first_of_planes(x) -> np.ndarray:
    N, C, H, W = x.shape
    return np.arange(N * C).reshape(N, C, 1, 1) * (H * W)


OPERATORS = {  # operator of ONNX: the module of its tests, how to run it, how many must at least agree
    "Conv": ("conv", _conv, 6),
    "ConvTranspose": ("convtranspose", _conv_transpose, 9),
    "MaxPool": ("maxpool", _max_pool, 12),
    "AveragePool": ("averagepool", _average_pool, 9),
    "LpPool": ("lppool", _lp_pool, 5),
    "GlobalAveragePool": ("globalaveragepool", _global_average_pool, 2),
    "GlobalMaxPool": ("globalmaxpool", _global_max_pool, 2),
    "MaxUnpool": ("maxunpool", _max_unpool, 2),
    "BatchNormalization": ("batch_normalization or batchnorm", _batch_norm, 4),
    "Softmax": ("softmax", _softmax, 7),
    "LogSoftmax": ("logsoftmax", _log_softmax, 7),
    "SoftmaxCrossEntropyLoss": ("softmax_cross_entropy_loss or softmaxcrossentropy", _softmax_cross_entropy, 30),
    "Relu": ("relu", _relu, 1),
    "Dropout": ("dropout", _dropout, 8),
    "LRN": ("lrn", _local_response_norm, 2),
    "Concat": ("concat", _concat, 12),
    "Add": ("add", _add, 1),
    "Gemm": ("gemm", _gemm, 11),
    "Pad": ("pad", _pad, 1),
    "Resize": ("resize", _resize, 6),
    "Upsample": ("upsample", _upsample, 1),
}


def node_tests(operator: str) -> list:
    """ONNX's tests of a single node of this kind."""
    folder = "onnx.backend.test.case.node"
    names = (f"{folder}.{name}" for name in OPERATORS[operator][0].split(" or "))
    importlib.import_module(next(filter(importlib.util.find_spec, names)))
    everything = importlib.import_module(folder)._NodeTestCases
    return [test for test in everything if [node.op_type for node in test.model.graph.node] == [operator]]


def ours(test) -> Iterator[tuple[Outputs, list[np.ndarray]] | str]:
    """For each set of inputs of a test: what this package gives, and what ONNX expects; or why it is left out."""
    (node,) = test.model.graph.node
    function = OPERATORS[node.op_type][1]
    options = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    options = {name: value.decode() if isinstance(value, bytes) else value for name, value in options.items()}
    if len(node.output) > 1:
        options["wants"] = len(node.output)
    for inputs, expected in test.data_sets:
        given = iter(inputs)
        arguments = [np.array(next(given)) if name else None for name in node.input]
        outputs = function(*arguments, **options)
        yield outputs if isinstance(outputs, str) else (outputs, list(expected))


@pytest.mark.parametrize("operator", OPERATORS)
def test_agrees_with_onnx_on_its_own_node_tests(operator):
    left_out, compared = {}, 0
    for test in node_tests(operator):
        for result in ours(test):
            if isinstance(result, str):
                left_out[test.name] = result
                continue
            for mine, theirs in zip(*result, strict=True):
                if mine is not None:
                    assert mine.shape == theirs.shape, test.name
                    relative = 1e-3 if test.name in ROUNDED else 1e-5
                    np.testing.assert_allclose(mine, theirs, rtol=relative, atol=1e-6, err_msg=test.name)
            compared += 1
    least = OPERATORS[operator][2]
    assert compared >= least, f"only {compared} tests were compared; left out: {left_out}"


if __name__ == "__main__":
    for name in OPERATORS:
        for case in node_tests(name):
            for answer in ours(case):
                print(f"{name:24}{case.name:72}{answer if isinstance(answer, str) else 'compared'}")
