"""PyTorch's own test inputs for these operators (its ``op_db``), put through this package.

What PyTorch covers and this package does not is listed with its reason; everything else must agree, and enough must be left.
"""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest

from minifcn.checks.cases import Case
from minifcn.checks.parity import compare

torch = pytest.importorskip("torch")
with mock.patch.object(torch.backends, "disable_global_flags"):  # else no later test could set cuDNN's options
    op_db = pytest.importorskip("torch.testing._internal.common_methods_invocations").op_db

ONE_PICTURE = "a single picture without a batch axis, or not two spatial axes: images are (N, C, H, W) here"
EMPTY = "an empty batch: refused here, with a sentence"
PADDING_NAME = "padding by name, 'same' or 'valid'"
DIVISOR = "divisor_override"
SIZE_NONE = "an output size of None"
PROBABILITIES = "targets that are probabilities, not classes"
RECOMPUTED = "recompute_scale_factor"
BROADCAST = "summands of different shapes: nothing is broadcast here"
SCALED = "a sum with a factor, alpha"
OTHER_PADDING = "padding with something other than zeros in front of and behind rows and columns, or a negative one"
OTHER_AXIS = "a concatenation along another axis than the channels"
ONE_OUTPUT = "a weight of one axis, or an empty one: weights are (O, C) here"
DUPLICATES = "indices that occur twice: which value stays is undefined, in PyTorch too"


def _images_only(x) -> str | None:
    if x.ndim != 4:
        return ONE_PICTURE
    return EMPTY if 0 in x.shape else None


def _convolution(sample, function):
    weight, bias = (*sample.args, None)[:2]
    if isinstance(sample.kwargs.get("padding"), str):
        return PADDING_NAME
    return _images_only(sample.input) or Case(function, {"x": sample.input, "weight": weight, "bias": bias}, sample.kwargs)


def _max_pool2d(sample, function):
    options = {name: value for name, value in sample.kwargs.items() if name != "return_indices"}
    return _images_only(sample.input) or Case(function, {"x": sample.input}, options)


def _max_unpool2d(sample, function):
    indices = sample.args[0]
    if _images_only(sample.input):
        return _images_only(sample.input)
    if any(len(set(plane)) < len(plane) for plane in indices.flatten(2).flatten(0, 1).tolist()):
        return DUPLICATES
    size = sample.kwargs.get("output_size")
    if size is None:
        H, W = torch.nn.functional.max_unpool2d(sample.input, *sample.args, **sample.kwargs).shape[2:]
    else:
        H, W = size[-2:]
    return Case(function, {"x": sample.input, "indices": indices}, {"output_size": (int(H), int(W))})


def _avg_pool2d(sample, function):
    names = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
    options = {**dict(zip(names, sample.args, strict=False)), **sample.kwargs}
    if options.pop("divisor_override", None) is not None:
        return DIVISOR
    return _images_only(sample.input) or Case(function, {"x": sample.input}, options)


def _adaptive_avg_pool2d(sample, function):
    size = sample.args[0]
    if isinstance(size, (tuple, list)) and None in size:
        return SIZE_NONE
    return _images_only(sample.input) or Case(function, {"x": sample.input}, {"output_size": size})


def _elementwise(sample, function):
    return Case(function, {"x": sample.input}, {"p": 0.5, "training": True} | sample.kwargs if function == "dropout" else {})


def _batch_norm(sample, function):
    if 0 in sample.input.shape:
        return EMPTY
    mean, var, *affine = sample.args
    names = ("weight", "bias", "training", "momentum", "eps")
    arguments = {"running_mean": mean, "running_var": var, "training": False, "momentum": 0.1, "eps": 1e-5}
    arguments |= dict(zip(names, affine, strict=False)) | sample.kwargs
    inputs = {name: arguments.pop(name, None) for name in ("running_mean", "running_var", "weight", "bias")}
    missing = {name: None for name in ("running_mean", "running_var") if inputs[name] is None}
    return Case(function, {"x": sample.input, **inputs}, arguments | missing)


def _interpolate(sample, function):
    options = {"size": sample.args[0]} if sample.args else {}
    options |= sample.kwargs
    if options.pop("recompute_scale_factor", None):
        return RECOMPUTED
    options["align_corners"] = bool(options.get("align_corners"))
    for name in ("size", "scale_factor"):
        if isinstance(options.get(name), (tuple, list)):
            options[name] = tuple(options[name])
    return _images_only(sample.input) or Case(function, {"x": sample.input}, options)


def _cross_entropy(sample, function):
    labels = sample.args[0]
    if labels.is_floating_point():
        return PROBABILITIES
    if sample.input.ndim < 2:
        return ONE_PICTURE
    if sample.input.numel() == 0:
        return EMPTY
    options = {"ignore_index": -100, "reduction": "mean", "label_smoothing": 0.0} | sample.kwargs
    return Case(function, {"scores": sample.input, "labels": labels, "weight": options.pop("weight", None)}, options)


def _add(sample, function):
    (other,) = sample.args
    if sample.input.shape != other.shape:
        return BROADCAST
    return SCALED if sample.kwargs else Case(function, {"a": sample.input, "b": other}, {})


def _cat(sample, function):
    tensors = sample.input
    if (sample.args or (sample.kwargs.get("dim"),))[0] != 1:
        return OTHER_AXIS
    left_out = next((reason for reason in map(_images_only, tensors) if reason), None)
    return left_out or Case(function, {f"parts[{number}]": tensor for number, tensor in enumerate(tensors)}, {})


def _linear(sample, function):
    weight, bias = (*sample.args, None)[:2]
    if weight.ndim != 2 or 0 in weight.shape:
        return ONE_OUTPUT
    return Case(function, {"x": sample.input, "weight": weight, "bias": bias}, {})


def _local_response_norm(sample, function):
    if 0 in sample.input.shape:
        return EMPTY
    return Case(function, {"x": sample.input}, {"size": sample.args[0]} | sample.kwargs)


def _pad(sample, function):
    padding, mode, value = (*sample.args, *("constant", 0.0)[len(sample.args) - 1 :])
    if mode != "constant" or len(padding) != 4 or min(padding) < 0:
        return OTHER_PADDING
    return _images_only(sample.input) or Case(function, {"x": sample.input}, {"padding": padding, "value": value or 0.0})


OPERATORS = {  # operator of PyTorch, its variant: our function, how to call it, how many samples must at least be left
    ("conv2d", ""): ("conv2d", _convolution, 13),
    ("conv_transpose2d", ""): ("conv_transpose2d", _convolution, 5),
    ("max_pool2d", ""): ("max_pool2d", _max_pool2d, 700),
    ("max_unpool2d", "grad"): ("max_unpool2d", _max_unpool2d, 15),
    ("avg_pool2d", ""): ("avg_pool2d", _avg_pool2d, 2),
    ("adaptive_avg_pool2d", ""): ("adaptive_avg_pool2d", _adaptive_avg_pool2d, 2),
    ("relu", ""): ("relu", _elementwise, 3),
    ("dropout", ""): ("dropout", _elementwise, 10),
    ("batch_norm", ""): ("batch_norm", _batch_norm, 8),
    ("interpolate", "nearest"): ("interpolate", _interpolate, 5),
    ("interpolate", "bilinear"): ("interpolate", _interpolate, 15),
    ("cross_entropy", ""): ("cross_entropy", _cross_entropy, 10),
    ("add", ""): ("add", _add, 2),
    ("cat", ""): ("concat", _cat, 1),
    ("pad", "constant"): ("pad", _pad, 2),
    ("linear", ""): ("linear", _linear, 4),
    ("local_response_norm", ""): ("local_response_norm", _local_response_norm, 5),
}


@pytest.mark.parametrize(("operator", "variant"), OPERATORS)
def test_agrees_with_pytorch_on_its_own_samples(operator, variant):
    function, translate, least = OPERATORS[operator, variant]
    full_name = operator if operator in ("add", "cat") else f"nn.functional.{operator}"
    info = next(info for info in op_db if (info.name, info.variant_test_name) == (full_name, variant))
    torch.manual_seed(0)
    left_out, compared = {}, 0
    for sample in info.sample_inputs("cpu", torch.float64, requires_grad=False):
        case = translate(sample, function)
        if isinstance(case, str):
            left_out[case] = left_out.get(case, 0) + 1
            continue
        arrays = {name: tensor.detach().numpy() for name, tensor in case.inputs.items() if tensor is not None}
        case = Case(function, arrays, {name: _plain(value) for name, value in case.options.items()})
        for what, error in compare(case).items():
            assert error < 1e-10, f"{what} of {case} is off by {error:.1e}"
        compared += 1
    assert compared >= least, f"only {compared} samples were compared; left out: {left_out}"


def _plain(value):
    return value.item() if isinstance(value, (np.generic, torch.Tensor)) else value
