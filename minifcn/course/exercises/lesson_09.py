"""Exercises of lesson 09: a row as a kernel, the weights of a table, and a classifier that slides."""

from __future__ import annotations

import numpy as np

from minifcn import functional as F
from minifcn.course.exercises import Exercise

# -------------------------------------------------------------------------------------------------------- fc_to_conv


def fc_to_conv(weight, C, KH, KW):
    """The weights (O, C·KH·KW) of a fully connected layer that saw C maps of KH x KW, as a convolution's (O, C, KH, KW)."""
    return weight.reshape(len(weight), C, KH, KW)


def channels_last(right, weight, C, KH, KW):
    """You read each row as (KH, KW, C), channels last; it was flattened channel by channel: reshape to (O, C, KH, KW)."""
    return weight.reshape(len(weight), KH, KW, C).transpose(0, 3, 1, 2)


def channels_stay_last(right, weight, C, KH, KW):
    """The channels are the last axis; a convolution's weights are (O, C, KH, KW), and so were the maps that were flattened."""
    return weight.reshape(len(weight), KH, KW, C)


def outputs_last(right, weight, C, KH, KW):
    """You read the rows as if the outputs were the last axis (weight transposed); here each *row* belongs to one output."""
    return weight.reshape(C, KH, KW, -1).transpose(3, 0, 1, 2)


def transposed_first(right, weight, C, KH, KW):
    """You transpose the weights before folding them, which mixes the outputs: fold the rows as they are."""
    return weight.T.reshape(len(weight), C, KH, KW)


def turned(right, weight, C, KH, KW):
    """The kernels are turned around; the library's convolution does not turn them, so the row is folded as it is."""
    return right(weight, C, KH, KW)[:, :, ::-1, ::-1]


def sides_exchanged(right, weight, C, KH, KW):
    """KH and KW are exchanged: rows first, (O, C, KH, KW)."""
    return weight.reshape(len(weight), C, KW, KH)


def sides_transposed(right, weight, C, KH, KW):
    """Each kernel is transposed: its numbers run along its rows, KW at a time."""
    return weight.reshape(len(weight), C, KW, KH).transpose(0, 1, 3, 2)


def flat_kernels(right, weight, C, KH, KW):
    """The channels are in the kernel's rows, (O, 1, C·KH, KW); each channel has a kernel of its own: (O, C, KH, KW)."""
    return weight.reshape(len(weight), 1, C * KH, KW)


def _fc_cases() -> list[tuple]:
    rng = np.random.default_rng(90)
    sizes = ((3, 4, 2, 2), (2, 3, 2, 3), (5, 2, 3, 1), (4, 3, 4, 2), (6, 5, 1, 1))  # O, C, KH, KW
    return [(rng.normal(size=(O, C * KH * KW)), C, KH, KW) for O, C, KH, KW in sizes]


FC_TO_CONV = Exercise(
    fc_to_conv,
    _fc_cases(),
    (
        channels_last, channels_stay_last, outputs_last, transposed_first, turned, sides_exchanged, sides_transposed,
        flat_kernels,
    ),
    step="warm-up",
)  # fmt: skip

# -------------------------------------------------------------------------------------------------------- parameters


def parameters(table):
    """The weights and biases of a network for 3 x 224 x 224: ("conv", K, O), ("pool", 2, 0) and ("fc", 0, O) in a list."""
    return _count(table)


def _count(table, side=224, bias=1, channels=3, kernel=None, pools=0, area=True):
    """The same by hand, with one thing changed: `area` counts what a first fully connected layer sees of each map."""
    total, C, flat = 0, channels, None
    for kind, K, O in table:
        if kind == "pool":
            side //= 2
            total += pools * C
        elif kind == "conv":
            total += (kernel or K) ** 2 * C * O + bias * O
            C = O
        else:
            inputs = flat or (C * side * side if area else C)
            total += inputs * O + bias * O
            flat = O
    return total


def without_biases(right, table):
    """The biases are left out: each output, of a convolution or a fully connected layer, has one."""
    return _count(table, bias=0)


def all_kernels_are_3x3(right, table):
    """Every kernel counts as 3 x 3; a convolution's kernel has K x K cells, and K may be 1."""
    return _count(table, kernel=3)


def kernels_not_squared(right, table):
    """A kernel has K · K cells, not K."""
    total, C, side, flat = 0, 3, 224, None
    for kind, K, O in table:
        if kind == "pool":
            side //= 2
        elif kind == "conv":
            total, C = total + K * C * O + O, O
        else:
            total, flat = total + (flat or C * side * side) * O + O, O
    return total


def area_forgotten(right, table):
    """The first fully connected layer sees *all* pixels of each map: its inputs are channels · height · width."""
    return _count(table, area=False)


def never_halved(right, table):
    """The maps are never halved: each pooling halves both of their sides, so fewer pixels reach the fully connected layer."""
    return _count([line for line in table if line[0] != "pool"])


def own_outputs_as_inputs(right, table):
    """You take a layer's own outputs as its inputs; its inputs are the outputs of the layer before, 3 for the first."""
    total, C, side, flat = 0, 3, 224, None
    for kind, K, O in table:
        if kind == "pool":
            side //= 2
        elif kind == "conv":
            total, C = total + K * K * O * O + O, O
        else:
            total, flat = total + (flat or C * side * side) * O + O, O
    return total


def one_channel_in(right, table):
    """The picture counts as one channel; it has three, red, green and blue."""
    return _count(table, channels=1)


def pools_have_weights(right, table):
    """You count weights for the poolings; a maximum has none."""
    return _count(table, pools=4)


def inputs_forgotten(right, table):
    """A filter has a kernel for *each* of its input channels: K · K · inputs weights, not K · K."""
    total, C, side, flat = 0, 3, 224, None
    for kind, K, O in table:
        if kind == "pool":
            side //= 2
        elif kind == "conv":
            total, C = total + K * K * O + O, O
        else:
            total, flat = total + (flat or C * side * side) * O + O, O
    return total


def one_side(right, table):
    """The first fully connected layer sees channels · height · *width* numbers; one of the two sides is missing."""
    total, C, side, flat = 0, 3, 224, None
    for kind, K, O in table:
        if kind == "pool":
            side //= 2
        elif kind == "conv":
            total, C = total + K * K * C * O + O, O
        else:
            total, flat = total + (flat or C * side) * O + O, O
    return total


def maps_again(right, table):
    """Only the first fully connected layer sees the maps; the next one sees the outputs of the one before it."""
    total, C, side = 0, 3, 224
    for kind, K, O in table:
        if kind == "pool":
            side //= 2
        elif kind == "conv":
            total, C = total + K * K * C * O + O, O
        else:
            total += C * side * side * O + O
    return total


def only_convolutions(right, table):
    """The fully connected layers are missing, in which most of the weights are."""
    return _count([line for line in table if line[0] != "fc"])


def _tables() -> list[tuple]:
    def stages(text, *fully):
        table = []
        for stage in text.split("/"):
            table += [("conv", int(word[0]), int(word[2:])) for word in stage.split()]
            table.append(("pool", 2, 0))
        return [*table, *(("fc", 0, O) for O in fully)]

    return [
        ([("conv", 3, 4)],),
        (stages("5-6", 10),),
        (stages("3-8/3-12 1-10", 20, 5),),
        (stages("3-64 3-64/3-128 3-128/3-256 3-256 1-256/3-512 3-512 1-512/3-512 3-512 1-512", 4096, 4096, 1000),),
        (stages("3-64/3-128/3-256 3-256/3-512 3-512/3-512 3-512", 4096, 4096, 1000),),
    ]


PARAMETERS = Exercise(
    parameters,
    _tables(),
    (
        without_biases, all_kernels_are_3x3, kernels_not_squared, area_forgotten, never_halved, own_outputs_as_inputs,
        one_channel_in, pools_have_weights, only_convolutions, inputs_forgotten, one_side, maps_again,
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------------ scores_of_any_size


def scores_of_any_size(x, conv, fc):
    """The heat map (K, h, w) of x (C, H, W): conv (O, C, 3, 3) without padding, ReLU, max-pool 2, and fc (K, O·2·2), slid."""
    return _slid(x, conv, fc)


def _slid(x, conv, fc, padding=0, relu=True, pool="max", stride=2, fold=None):
    """The heat map, with one thing done in another way."""
    y = F.conv2d(x[None], conv, padding=padding)[0]
    y = F.relu(y)[0] if relu else y
    y = F.max_pool2d(y, 2, stride)[0] if pool == "max" else F.avg_pool2d(y, 2, stride)[0]
    kernel = fc.reshape(len(fc), len(conv), 2, 2) if fold is None else fold(fc, len(conv))
    return F.conv2d(y, kernel)[0][0]


def padding_added(right, x, conv, fc):
    """The convolution is padded; the classifier's was not, so its maps are 2 rows and columns smaller than the picture."""
    return _slid(x, conv, fc, padding=1)


def pool_of_stride_one(right, x, conv, fc):
    """The pooling moves by one pixel; it moves by two, and halves the maps."""
    return _slid(x, conv, fc, stride=1)


def mean_pool(right, x, conv, fc):
    """You pool by the mean; this classifier takes the maximum."""
    return _slid(x, conv, fc, pool="mean")


def relu_forgotten(right, x, conv, fc):
    """The ReLU between convolution and pooling is missing."""
    return _slid(x, conv, fc, relu=False)


def folded_channels_last(right, x, conv, fc):
    """The rows of fc are folded channels last; they were flattened channel by channel: reshape to (K, O, 2, 2)."""
    return _slid(x, conv, fc, fold=lambda fc, O: fc.reshape(len(fc), 2, 2, O).transpose(0, 3, 1, 2))


def folded_and_turned(right, x, conv, fc):
    """The kernels made of fc are turned around; fold its rows as they are."""
    return _slid(x, conv, fc, fold=lambda fc, O: fc.reshape(len(fc), O, 2, 2)[:, :, ::-1, ::-1])


def probabilities(right, x, conv, fc):
    """These are probabilities (softmax); return the scores themselves."""
    return F.softmax(right(x, conv, fc)[None])[0]


def first_place_only(right, x, conv, fc):
    """Only the first place is there, the classifier's answer for the crop at the top left; slide it over all places."""
    return right(x, conv, fc)[:, :1, :1]


def mean_over_places(right, x, conv, fc):
    """The scores are averaged over the places; the heat map keeps one score for each of them."""
    return right(x, conv, fc).mean(axis=(1, 2))


def convolution_turned(right, x, conv, fc):
    """The kernels of the convolution are turned around; the library does not turn them (lesson 02)."""
    return _slid(x, conv[:, :, ::-1, ::-1].copy(), fc)


def first_channel_only(right, x, conv, fc):
    """Only channel 0 of the picture is looked at: add up the products of all C channels."""
    return _slid(x[:1], conv[:, :1].copy(), fc)


def classes(right, x, conv, fc):
    """These are classes, the places of the highest scores (argmax); return the scores themselves."""
    return right(x, conv, fc).argmax(axis=0)


def crops_side_by_side(right, x, conv, fc):
    """Your crops lie side by side, 6 pixels apart; neighbouring places of the heat map are 2 pixels apart, so crops overlap."""
    return right(x, conv, fc)[:, ::3, ::3]


def _slide_cases() -> list[tuple]:
    rng = np.random.default_rng(91)
    cases = []
    for C, H, W, O, K in ((1, 6, 6, 4, 3), (1, 10, 12, 4, 3), (2, 9, 13, 3, 2), (3, 14, 8, 5, 4)):
        cases.append((rng.normal(size=(C, H, W)), rng.normal(size=(O, C, 3, 3)), rng.normal(size=(K, O * 4))))
    return cases


SCORES_OF_ANY_SIZE = Exercise(
    scores_of_any_size,
    _slide_cases(),
    (
        padding_added, pool_of_stride_one, mean_pool, relu_forgotten, folded_channels_last, folded_and_turned, probabilities,
        first_place_only, mean_over_places, crops_side_by_side, convolution_turned, first_channel_only, classes,
    ),
    step="stretch",
)  # fmt: skip

EXERCISES = (FC_TO_CONV, PARAMETERS, SCORES_OF_ANY_SIZE)
