"""What the functions refuse, each with one sentence that names what was given; and what they must not do to their inputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from minifcn import functional as F
from minifcn.checks.cases import cases, names

X = np.ones((2, 4, 5, 6))
WEIGHT = np.ones((6, 4, 3, 3))
LABELS = np.zeros((2, 5, 6), np.int64)
RUNNING = (np.zeros(4), np.ones(4))

IMAGE_CALLS = {
    "conv2d": lambda x: F.conv2d(x, WEIGHT.astype(x.dtype)),
    "conv_transpose2d": lambda x: F.conv_transpose2d(x, np.ones((4, 2, 3, 3), x.dtype)),
    "max_pool2d": lambda x: F.max_pool2d(x, 2),
    "max_unpool2d": lambda x: F.max_unpool2d(x, np.zeros(x.shape, np.int64), (10, 12)),
    "avg_pool2d": lambda x: F.avg_pool2d(x, 2),
    "adaptive_avg_pool2d": lambda x: F.adaptive_avg_pool2d(x, 2),
    "batch_norm": lambda x: F.batch_norm(x, None, None, training=True),
    "interpolate": lambda x: F.interpolate(x, size=3),
    "concat": lambda x: F.concat(np.ones((2, 4, 5, 6)), x),
    "crop": lambda x: F.crop(x, 1, 1, 2, 2),
    "pad": lambda x: F.pad(x, (1, 1, 1, 1)),
    "cross_entropy": lambda x: F.cross_entropy(x, np.zeros((x.shape[0], *x.shape[2:]), np.int64)),
    "local_response_norm": lambda x: F.local_response_norm(x, 5),
}


@pytest.mark.parametrize("function", IMAGE_CALLS)
@pytest.mark.parametrize("empty_axis", [0, 2, 3])
def test_an_empty_batch_or_picture_is_refused(function, empty_axis):
    shape = [2, 4, 5, 6]
    shape[empty_axis] = 0
    with pytest.raises(ValueError, match=r"empty|must be"):
        IMAGE_CALLS[function](np.ones(shape))


@pytest.mark.parametrize(
    "function", [name for name in IMAGE_CALLS if name not in ("batch_norm", "cross_entropy", "local_response_norm")]
)
def test_a_single_picture_is_refused_with_the_way_to_add_an_axis(function):
    with pytest.raises(ValueError, match=r"\(N, C, H, W\)"):
        IMAGE_CALLS[function](np.ones((4, 5, 6)))


@pytest.mark.parametrize("function", [*IMAGE_CALLS, "relu", "dropout", "add", "linear"])
@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool", "complex128"])
def test_whole_numbers_are_refused_with_the_way_to_convert_them(function, dtype):
    of_two = {"add": lambda x: F.add(x, x), "linear": lambda x: F.linear(x, np.ones((3, 6), x.dtype))}
    call = {**IMAGE_CALLS, **of_two}.get(function, getattr(F, function))
    with pytest.raises(TypeError, match=rf"dtype {dtype}; convert it"):
        call(np.ones((2, 4, 5, 6), dtype))


@pytest.mark.parametrize("function", ["relu", "dropout", "conv2d"])
def test_a_list_is_refused(function):
    with pytest.raises(TypeError, match="give a NumPy or CuPy array"):
        getattr(F, function)([[1.0, 2.0]], *([WEIGHT] if function == "conv2d" else []))


def test_concat_takes_its_arrays_one_by_one():
    for call in (F.concat, lambda: F.concat([X, X]), lambda: F.concat((X, X))):
        with pytest.raises(TypeError, match=r"one by one, concat\(a, b\)"):
            call()


MIXED = {
    "conv2d": lambda x: F.conv2d(x, WEIGHT),
    "conv2d's bias": lambda x: F.conv2d(x, WEIGHT.astype("f"), np.ones(6)),
    "conv_transpose2d": lambda x: F.conv_transpose2d(x, np.ones((4, 2, 3, 3))),
    "batch_norm": lambda x: F.batch_norm(x, *RUNNING),
    "batch_norm's weight": lambda x: F.batch_norm(x, None, None, np.ones(4), training=True),
    "cross_entropy": lambda x: F.cross_entropy(x, LABELS, np.ones(4)),
    "add": lambda x: F.add(x, X),
    "concat": lambda x: F.concat(x, X),
    "linear": lambda x: F.linear(x, np.ones((3, 6))),
    "linear's bias": lambda x: F.linear(x, np.ones((3, 6), "f"), np.ones(3)),
}


@pytest.mark.parametrize("call", MIXED)
def test_mixed_dtypes_are_refused_and_named(call):
    with pytest.raises(TypeError, match=r"float32.*float64"):
        MIXED[call](X.astype("f"))


REFUSED = {
    "channels that do not fit": (lambda: F.conv2d(X, np.ones((6, 3, 3, 3))), "4 channels.*expects 3"),
    "channels last": (
        lambda: F.conv2d(X.transpose(0, 2, 3, 1), WEIGHT), r"4; pictures are .*\(N, H, W, C\): give x\.transpose\(0, 3, 1"),
    "one picture, channels last": (
        lambda: F.conv2d(X[0].transpose(1, 2, 0), WEIGHT), r"like \(H, W, C\): give x\.transpose\(2, 0, 1\)\[None\]"),
    "one picture": (lambda: F.conv2d(X[0], WEIGHT), r"pictures are \(N, C, H, W\): add an axis for a single one, x\[None\]"),
    "channels that stand nowhere": (lambda: F.conv2d(X, np.ones((6, 3, 3, 3))), r"expects 3; pictures are \(N, C, H, W\)$"),
    "deconvolution: channels last": (
        lambda: F.conv_transpose2d(X.transpose(0, 2, 3, 1), np.ones((4, 2, 3, 3))), r"\(N, H, W, C\): give x\.transpose\(0, 3"),
    "groups that do not divide": (lambda: F.conv2d(X, WEIGHT, groups=3), "groups=3"),
    "groups of zero": (lambda: F.conv2d(X, WEIGHT, groups=0), "groups"),
    "a kernel larger than the picture": (lambda: F.conv2d(X, np.ones((6, 4, 7, 3))), "7 pixels of height.*only 5"),
    "stride 0": (lambda: F.conv2d(X, WEIGHT, stride=0), "stride must be at least 1"),
    "negative padding": (lambda: F.conv2d(X, WEIGHT, padding=-1), "padding must be at least 0"),
    "a weight of three axes": (lambda: F.conv2d(X, np.ones((6, 4, 3))), "four axes"),
    "a bias of the wrong length": (lambda: F.conv2d(X, WEIGHT, np.ones(4)), r"must be \(6,\)"),
    "deconvolution: channels": (lambda: F.conv_transpose2d(X, np.ones((3, 2, 3, 3))), "4 channels.*expects 3"),
    "deconvolution: groups": (lambda: F.conv_transpose2d(X, np.ones((4, 2, 3, 3)), groups=3), "groups=3"),
    "deconvolution: too much padding": (lambda: F.conv_transpose2d(X, np.ones((4, 2, 3, 3)), padding=9), "less padding"),
    "output_padding of a whole stride": (
        lambda: F.conv_transpose2d(X, np.ones((4, 2, 3, 3)), stride=2, output_padding=2), "output_padding=2 must be smaller"),
    "pooling: padding over half the kernel": (lambda: F.max_pool2d(X, 3, padding=2), "at most half"),
    "pooling: picture smaller than a window": (lambda: F.avg_pool2d(X, 7), "smaller than one window"),
    "unpooling: indices outside": (lambda: F.max_unpool2d(X, np.full(X.shape, 99), (5, 6)), "outside an output of 5x6"),
    "unpooling: indices of another shape": (lambda: F.max_unpool2d(X, np.zeros((2, 4, 1, 1), int), (9, 9)), "indices must be"),
    "unpooling: indices that are floats": (lambda: F.max_unpool2d(X, np.zeros(X.shape), (9, 9)), "indices must be integers"),
    "batch norm: one value a channel": (
        lambda: F.batch_norm(np.ones((1, 3, 1, 1)), None, None, training=True), "one value a channel"),
    "batch norm: evaluation without statistics": (lambda: F.batch_norm(X, None, None), "running_mean and running_var"),
    "batch norm: statistics of another size": (lambda: F.batch_norm(X, np.zeros(3), np.ones(3)), r"must be \(4,\)"),
    "dropout: p": (lambda: F.dropout(X, 1.5), "p=1.5 must be a probability"),
    "interpolate: neither": (lambda: F.interpolate(X), "give size or scale_factor"),
    "interpolate: both": (lambda: F.interpolate(X, 3, 2.0), "give size or scale_factor"),
    "interpolate: mode": (lambda: F.interpolate(X, 3, mode="bicubic"), "'bicubic'; possible are 'bilinear' and 'nearest'"),
    "interpolate: nearest with corners": (lambda: F.interpolate(X, 3, mode="nearest", align_corners=True), "align_corners"),
    "interpolate: nothing left": (lambda: F.interpolate(X, scale_factor=0.01), "empty picture"),
    "adaptive pooling: size 0": (lambda: F.adaptive_avg_pool2d(X, 0), "output_size must be at least 1"),
    "add: other shapes": (lambda: F.add(X, X[:, :1]), r"a has shape \(2, 4, 5, 6\) and b \(2, 1, 5, 6\); they must be equal"),
    "concat: another height": (lambda: F.concat(X, X, X[:, :, 1:]), r"\(2, 4, 4, 6\) may differ in their channels only"),
    "concat: another batch": (lambda: F.concat(X, X[:1]), "may differ in their channels only"),
    "concat: a dy of another size": (
        lambda: F.concat_backward(X, F.concat(X[:, :1, 1:], X[:, 1:, 1:])[1]), r"\(2, 4, 4, 6\)"),
    "crop: too low": (lambda: F.crop(X, 3, 0, 3, 6), r"3x6 pixels from \(3, 0\) on reach out of a 5x6 map"),
    "crop: too far right": (lambda: F.crop(X, 0, 4, 5, 3), "reach out"),
    "crop: above": (lambda: F.crop(X, -1, 0, 2, 2), "reach out"),
    "crop: left": (lambda: F.crop(X, 0, -1, 2, 2), "reach out"),
    "crop: nothing": (lambda: F.crop(X, 0, 0, 0, 2), "reach out"),
    "crop: no columns": (lambda: F.crop(X, 0, 0, 2, 0), "reach out"),
    "pad: negative": (lambda: F.pad(X, (1, -1, 0, 0)), r"padding=\(1, -1, 0, 0\).*must not be negative; crop"),
    "linear: other features": (lambda: F.linear(X, np.ones((3, 4))), r"\(2, 4, 5, 6\) and weight \(3, 4\) expects.*flatten"),
    "linear: a single number": (lambda: F.linear(np.float64(1.0), np.ones((3, 1))), r"x has shape \(\)"),
    "linear: a weight of four axes": (lambda: F.linear(X, np.ones((3, 6, 1, 1))), r"must be \(O, C\)"),
    "linear: no features": (lambda: F.linear(np.ones((2, 0)), np.ones((3, 0))), "each at least 1"),
    "linear: a bias of the wrong length": (lambda: F.linear(X, np.ones((3, 6)), np.ones(6)), r"must be \(3,\)"),
    "response norm: one axis": (lambda: F.local_response_norm(np.ones(3), 5), r"must be \(N, C, ...\)"),
    "response norm: size 0": (lambda: F.local_response_norm(X, 0), "size=0 must be at least 1"),
    "response norm: k = 0": (lambda: F.local_response_norm(X, 5, k=0), "k=0 positive, or it divides by zero"),
    "response norm: a negative alpha": (lambda: F.local_response_norm(X, 5, -1e-4), "alpha=-0.0001 must not be negative"),
    "void without ignore_index": (lambda: F.cross_entropy(X, np.full((2, 5, 6), 255), ignore_index=None), "contain 255 but"),
    "a label out of range": (lambda: F.cross_entropy(X, np.full((2, 5, 6), 7)), r"contain \[7\]; possible are 0\.\.3"),
    "a negative label": (lambda: F.cross_entropy(X, np.full((2, 5, 6), -1)), r"contain \[-1\]"),
    "labels of another size": (lambda: F.cross_entropy(X, LABELS[:, :4]), r"need labels \(2, 5, 6\)"),
    "labels that are one-hot": (lambda: F.cross_entropy(X, np.zeros(X.shape, int)), "integer a pixel"),
    "reduction": (lambda: F.cross_entropy(X, LABELS, reduction="avg"), "'avg'; possible are mean, sum, none"),
    "label smoothing": (lambda: F.cross_entropy(X, LABELS, label_smoothing=2), "label_smoothing=2"),
    "class weights of another length": (lambda: F.cross_entropy(X, LABELS, np.ones(3)), r"must be \(4,\)"),
    "a dloss of another shape": (
        lambda: F.cross_entropy_backward(np.ones(3), F.cross_entropy(X, LABELS)[1]), "dloss has shape"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_refused_with_a_sentence(what):
    call, sentence = REFUSED[what]
    with pytest.raises(ValueError, match=sentence) as refusal:
        call()
    assert "\n" not in str(refusal.value)


TYPES = {
    "a stride of 1.5": lambda: F.conv2d(X, WEIGHT, stride=1.5),
    "three paddings": lambda: F.conv2d(X, WEIGHT, padding=(1, 1, 1)),
    "a kernel size that is a string": lambda: F.max_pool2d(X, "2"),
    "a stride of True": lambda: F.conv2d(X, WEIGHT, stride=True),
    "one padding": lambda: F.pad(X, 1),
    "two paddings": lambda: F.pad(X, (1, 1)),
    "a padding of a half": lambda: F.pad(X, (0, 0.5, 0, 0)),
    "a crop from a half on": lambda: F.crop(X, 0.5, 0, 2, 2),
    "a crop of True pixels": lambda: F.crop(X, 0, 0, 2, True),
    "a size of 2.5": lambda: F.local_response_norm(X, 2.5),
    "a size of True": lambda: F.local_response_norm(X, True),
    "labels that are floats": lambda: F.cross_entropy(X, LABELS.astype(float)),
    "labels that are a list": lambda: F.cross_entropy(X, LABELS.tolist()),
}


@pytest.mark.parametrize("what", TYPES)
def test_wrong_types_are_type_errors(what):
    with pytest.raises(TypeError, match=r"integer"):
        TYPES[what]()


def test_labels_in_a_list_are_told_of_an_array():
    with pytest.raises(TypeError, match=r"labels are a list; give an integer array, e\.g\. numpy\.asarray\(labels\)"):
        F.cross_entropy(X, LABELS.tolist())


@pytest.mark.parametrize("function", names())
def test_a_dy_of_another_shape_is_refused(function):
    case = next(cases(function, 1, seed=3))
    y, cache = case.forward()
    with pytest.raises(ValueError, match="shape"):
        getattr(F, f"{function}_backward")(np.ones((*np.shape(y), 2)), cache)


@pytest.mark.parametrize("function", names())
def test_functions_are_pure(function):
    """Inputs stay as they were (but for running statistics), dy too; backward can be called twice; views are welcome."""
    for case in cases(function, 6, seed=4):
        inputs = {name: array.copy() for name, array in case.inputs.items()}
        y, cache = replace(case, inputs=inputs).forward(**repeatable(function))
        for name, array in inputs.items():
            if not name.startswith("running"):
                np.testing.assert_array_equal(array, case.inputs[name], err_msg=name)
        dy = np.random.default_rng(1).standard_normal(np.shape(y))
        kept = dy.copy()
        first, second = (case.backward(dy, cache) for _ in range(2))
        np.testing.assert_array_equal(dy, kept)
        for one, two in zip(first, second, strict=True):
            np.testing.assert_array_equal(one, two)

        strided = {name: _strided(array) for name, array in case.inputs.items()}
        y_strided, cache = replace(case, inputs=strided).forward(**repeatable(function))
        np.testing.assert_allclose(y_strided, y, rtol=1e-12)
        for one, two in zip(first, case.backward(_strided(dy), cache), strict=True):
            np.testing.assert_allclose(two, one, rtol=1e-10, atol=1e-13) if one is not None else None


def repeatable(function) -> dict:
    """What makes the function give the same again."""
    return {"rng": np.random.default_rng(0)} if function == "dropout" else {}


def _strided(array):
    """The same numbers in memory that is not contiguous."""
    if np.ndim(array) == 0:
        return array
    doubled = np.repeat(array, 2, axis=-1)
    return doubled[..., ::2]


@pytest.mark.parametrize("function", ["conv2d", "conv_transpose2d", "batch_norm", "linear"])
def test_needs_leaves_out_what_is_not_needed_and_changes_nothing_else(function):
    case = next(case for case in cases(function, 50, seed=5) if {"weight", "bias"} <= case.inputs.keys())
    y, cache = getattr(F, function)(**case.inputs, **case.options)
    backward = getattr(F, f"{function}_backward")
    dy = np.random.default_rng(1).standard_normal(y.shape)
    everything = backward(dy, cache)
    for number in range(8):
        needs = tuple(bool(number & bit) for bit in (1, 2, 4))
        for gradient, full, needed in zip(backward(dy, cache, needs=needs), everything, needs, strict=True):
            assert (gradient is not None) == needed
            if needed:
                np.testing.assert_array_equal(gradient, full)
