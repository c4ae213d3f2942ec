"""Exercises of lesson 11: where a pixel looks, maps in a row, crops, and the best answer that a stride allows."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from minifcn.course.exercises import Exercise
from minifcn.layers.coordinates import Map, chain
from minifcn.training.metrics import ConfusionMatrix

VOID = 255

# ----------------------------------------------------------------------------------------------------------- address


def address(i, K, S, P):
    """Where in its input does output `i` of a convolution with kernel K, stride S and padding P look (its window's middle)?"""
    place = Map.conv(K, S, P)
    return float(place.stride * i + place.offset)


def half_kernel(right, i, K, S, P):
    """Half a pixel too far: the middle of K pixels lies (K − 1)/2 behind the first one, not K/2."""
    return right(i, K, S, P) + 0.5


def whole_half(right, i, K, S, P):
    """Right for odd kernels: you take K // 2; the middle of an even window lies between two pixels, at (K − 1)/2."""
    return S * i + K // 2 - P


def rounded_half(right, i, K, S, P):
    """Right for odd kernels: you round (K − 1)/2 down; the middle of an even window lies between two pixels."""
    return S * i + (K - 1) // 2 - P


def padding_added(right, i, K, S, P):
    """The padding has the wrong sign: zeros in front make the window begin P pixels *before* the picture."""
    return right(i, K, S, P) + 2 * P


def padding_left_out(right, i, K, S, P):
    """The padding is left out: it makes the window begin P pixels before the picture."""
    return right(i, K, S, P) + P


def window_start(right, i, K, S, P):
    """This is where the window begins; asked is its middle, (K − 1)/2 further on."""
    return S * i - P


def window_end(right, i, K, S, P):
    """This is the window's last pixel; asked is its middle."""
    return S * i - P + K - 1


def all_times_stride(right, i, K, S, P):
    """You multiply all by the stride; only i is: the way to the middle and the padding are in pixels of the input."""
    return S * (i + (K - 1) / 2 - P)


def stride_left_out(right, i, K, S, P):
    """Equal for stride 1: output i's window begins S·i pixels further on, not i."""
    return right(i, K, 1, P)


def padding_times_stride(right, i, K, S, P):
    """You multiply the padding by the stride: it counts in pixels of the input, like the kernel."""
    return S * (i - P) + (K - 1) / 2


ADDRESS = Exercise(
    address,
    [(0, 3, 1, 0), (2, 3, 1, 1), (0, 2, 2, 0), (3, 2, 2, 0), (5, 7, 2, 3), (4, 4, 3, 1), (7, 11, 4, 100)],
    (
        half_kernel, whole_half, rounded_half, padding_added, padding_left_out, window_start, window_end, stride_left_out,
        all_times_stride, padding_times_stride,
    ),
    step="warm-up",
)  # fmt: skip

# ----------------------------------------------------------------------------------------------------------- compose


def compose(layers):
    """The map (stride, offset, field) of layers in a row, each ("conv", K, S, P) or ("deconv", K, S, P)."""
    total = chain(*(getattr(Map, kind)(K, S, P) for kind, K, S, P in layers))
    return np.array([total.stride, total.offset, total.field], float)


def _row(layers, conv=None, deconv=None, then=None):
    """The same by hand, with one of the three rules replaced; each rule gives or takes (stride, offset, field)."""
    rules = {"conv": conv or _conv, "deconv": deconv or _deconv}
    stride, offset, field = Fraction(1), Fraction(0), Fraction(1)
    for kind, K, S, P in layers:
        stride, offset, field = (then or _then)((stride, offset, field), rules[kind](K, S, P))
    return np.array([stride, offset, field], float)


STRIDE, OFFSET, FIELD = range(3)


def _with_part(part, right, layers, **rules):
    """The answer, but one of its three parts by other rules: so mistakes about different parts can be made together."""
    result = list(right(layers))
    result[part] = _row(layers, **rules)[part]
    return np.array(result)


def _conv(K, S, P):
    return Fraction(S), Fraction(K - 1, 2) - P, Fraction(K)


def _deconv(K, S, P):
    return Fraction(1, S), -(Fraction(K - 1, 2) - P) / S, Fraction(math.ceil(Fraction(K, S)))


def _then(a, b):
    return a[0] * b[0], a[0] * b[1] + a[1], a[2] + a[0] * (b[2] - 1)


def offsets_added(right, layers):
    """Offsets are added as they are; one counts in pixels of the map before it: multiply it by the stride so far first."""
    return _with_part(OFFSET, right, layers, then=lambda a, b: (a[0] * b[0], a[1] + b[1], 0))


def offset_times_new_stride(right, layers):
    """You multiply an offset by the stride *with* its own layer; it must be the stride before that layer."""
    return _with_part(OFFSET, right, layers, then=lambda a, b: (a[0] * b[0], a[0] * b[0] * b[1] + a[1], 0))


def half_rounded_down(right, layers):
    """Right for odd kernels: (K − 1)/2 is rounded down. Half pixels are real here: use fractions or floats."""
    return _with_part(OFFSET, right, layers, conv=lambda K, S, P: (S, Fraction((K - 1) // 2 - P), K), deconv=_down)


def _down(K, S, P):
    return Fraction(1, S), -Fraction((K - 1) // 2 - P, S), _deconv(K, S, P)[2]


def half_of_k(right, layers):
    """You take K/2 for the middle of a window; the middle of K pixels lies (K − 1)/2 behind the first one."""
    return _with_part(OFFSET, right, layers, conv=lambda K, S, P: _conv(K + 1, S, P), deconv=_later)


def _later(K, S, P):
    return (*_deconv(K + 1, S, P)[:2], _deconv(K, S, P)[2])


def deconvolution_as_convolution(right, layers):
    """A deconvolution is treated as a convolution: its stride is 1/S and its offset −offset/S, for it goes back."""
    return _row(layers, deconv=_conv)


def deconvolution_offset_kept(right, layers):
    """A deconvolution's stride is 1/S here, but its offset is the convolution's: solve j = S·i + offset for i, −offset/S."""
    return _with_part(OFFSET, right, layers, deconv=lambda K, S, P: (Fraction(1, S), *_conv(K, S, P)[1:]))


def deconvolution_offset_sign(right, layers):
    """A deconvolution's offset has the wrong sign: solve j = S·i + offset for i: the offset is *subtracted*, −offset/S."""
    return _with_part(OFFSET, right, layers, deconv=lambda K, S, P: (Fraction(1, S), _conv(K, S, P)[1] / S, 1))


def deconvolution_offset_undivided(right, layers):
    """A deconvolution's offset is not divided by its stride: solve j = S·i + offset for i, which is (j − offset)/S."""
    return _with_part(OFFSET, right, layers, deconv=lambda K, S, P: (Fraction(1, S), -_conv(K, S, P)[1], 1))


def deconvolution_whole_kernel(right, layers):
    """A deconvolution's field is its whole kernel here; one output pixel only meets every S-th weight: K / S, rounded up."""
    return _with_part(FIELD, right, layers, deconv=lambda K, S, P: (*_deconv(K, S, P)[:2], Fraction(K)))


def field_grows_by_k(right, layers):
    """The field grows by stride · K in each layer; a window of K adds only K − 1 new pixels."""
    return _with_part(FIELD, right, layers, then=lambda a, b: (*_then(a, b)[:2], a[2] + a[0] * b[2]))


def field_without_stride(right, layers):
    """The field grows by K − 1 in each layer; multiply it by the stride so far, for the pixels of a map lie that far apart."""
    return _with_part(FIELD, right, layers, then=lambda a, b: (*_then(a, b)[:2], a[2] + b[2] - 1))


def field_with_new_stride(right, layers):
    """You multiply K − 1 by the stride *with* its own layer; it must be the stride before that layer."""
    return _with_part(FIELD, right, layers, then=lambda a, b: (*_then(a, b)[:2], a[2] + a[0] * b[0] * (b[2] - 1)))


def field_multiplied(right, layers):
    """The fields are multiplied; overlapping windows share pixels: add stride so far · (K − 1)."""
    return _with_part(FIELD, right, layers, then=lambda a, b: (*_then(a, b)[:2], a[2] * b[2]))


def padding_sign(right, layers):
    """The padding has the wrong sign: zeros in front move the windows P pixels back, so it is subtracted."""
    return right([(kind, K, S, -P) for kind, K, S, P in layers])


def padding_ignored(right, layers):
    """The padding is left out: zeros in front move the windows P pixels back."""
    return right([(kind, K, S, 0) for kind, K, S, P in layers])


def whole_number_halves(right, layers):
    """Right for odd kernels: you take K // 2; the middle of an even window lies between two pixels, at (K − 1)/2."""
    return _with_part(OFFSET, right, layers, conv=lambda K, S, P: (S, Fraction(K // 2 - P), K), deconv=_up)


def _up(K, S, P):
    return Fraction(1, S), -Fraction(K // 2 - P, S), _deconv(K, S, P)[2]


def deconvolution_field_rounded_down(right, layers):
    """A deconvolution's field is rounded down: where K is no multiple of S some pixels meet one weight more. Round K / S up."""
    return _with_part(FIELD, right, layers, deconv=lambda K, S, P: (*_deconv(K, S, P)[:2], Fraction(K // S)))


def strides_added(right, layers):
    """The strides are added; a step of the second map is S steps of the first: multiply."""
    return _with_part(STRIDE, right, layers, then=lambda a, b: (a[0] + b[0] - 1, *_then(a, b)[1:]))


def last_layer_only(right, layers):
    """This is the map of the last layer alone: put each layer behind all those before it."""
    return right(layers[-1:])


def backwards(right, layers):
    """The layers are put together in the wrong order: the first in the list is the one that looks at the picture."""
    return right(layers[::-1])


COMPOSE = Exercise(
    compose,
    [
        ([("conv", 3, 1, 1)],),
        ([("conv", 3, 1, 0), ("conv", 2, 2, 0)],),
        ([("conv", 3, 1, 1), ("conv", 2, 2, 0), ("conv", 5, 1, 2), ("conv", 2, 2, 0)],),
        ([("conv", 7, 2, 3), ("conv", 3, 2, 0), ("conv", 4, 1, 0)],),
        ([("conv", 2, 2, 0), ("conv", 2, 2, 0), ("deconv", 4, 2, 0)],),
        ([("conv", 11, 4, 100), ("conv", 3, 2, 0), ("conv", 5, 1, 2), ("deconv", 16, 8, 1)],),
        ([("conv", 2, 2, 0), ("deconv", 5, 2, 1), ("conv", 3, 1, 0)],),
    ],
    (
        offsets_added, offset_times_new_stride, half_rounded_down, whole_number_halves, half_of_k, deconvolution_as_convolution,
        deconvolution_offset_kept, deconvolution_offset_sign, deconvolution_offset_undivided, deconvolution_whole_kernel,
        deconvolution_field_rounded_down,
        field_grows_by_k, field_without_stride, field_with_new_stride, field_multiplied, padding_sign, padding_ignored,
        strides_added, last_layer_only, backwards,
    ),
)  # fmt: skip

# -------------------------------------------------------------------------------------------------------------- crop


def crop(a, b):
    """How many pixels to leave out at the start of map a, so that it begins where map b does; both have one stride.

    Maps are (stride, offset, field). A fraction where no whole number does it; negative where a begins later than b.
    """
    (stride, of_a, _), (_, of_b, _) = a, b
    return float((Fraction(of_b) - Fraction(of_a)) / Fraction(stride))


def other_way_round(right, a, b):
    """The sign is the wrong way round: pixels are left out of a, which begins earlier: offset of b minus offset of a."""
    return right(b, a)


def in_picture_pixels(right, a, b):
    """This is the way in pixels of the picture; one pixel of the map is `stride` of these: divide by the stride."""
    return right(a, b) * a[0]


def times_stride(right, a, b):
    """You multiply by the stride; one pixel of the map is `stride` pixels of the picture, so divide."""
    return right(a, b) * a[0] ** 2


def cut_to_whole(right, a, b):
    """The fraction is cut off: where the maps lie half a pixel apart, no crop fits, and to cut it off would hide that."""
    return int(right(a, b))


def rounded_down(right, a, b):
    """The fraction is rounded down (by // or floor): where the maps lie half a pixel apart, no crop fits; return the half."""
    return math.floor(right(a, b))


def rounded(right, a, b):
    """The fraction is rounded: where the maps lie half a pixel apart, no crop fits, and rounding would hide that."""
    return round(right(a, b))


def without_sign(right, a, b):
    """Equal where a begins earlier; where it begins later the crop is negative: do not take the absolute value."""
    return abs(right(a, b))


def never_negative(right, a, b):
    """Equal where a begins earlier; where it begins later the crop is negative, which says that a must be padded: not 0."""
    return max(0.0, right(a, b))


def by_fields(right, a, b):
    """You compare the fields, how much a pixel sees; where the maps begin is in their offsets, the second numbers."""
    return (b[2] - a[2]) / a[0]


def half_the_fields(right, a, b):
    """You take half the difference of the fields; where the maps begin is in their offsets, the second numbers."""
    return (b[2] - a[2]) / 2


def offset_of_a(right, a, b):
    """You look at a's offset alone; the way goes from a's to b's."""
    return -a[1] / a[0]


CROP = Exercise(
    crop,
    [
        ((1.0, -19.0, 468.0), (1.0, 0.0, 1.0)),
        ((16.0, -91.5, 100.0), (16.0, -11.5, 436.0)),
        ((8.0, -95.5, 44.0), (8.0, -23.5, 452.0)),
        ((4.0, 1.5, 10.0), (4.0, -2.5, 46.0)),
        ((2.0, 0.5, 4.0), (2.0, 3.5, 9.0)),
        ((2.0, 4.0, 7.0), (2.0, 1.0, 5.0)),
    ],
    (
        other_way_round, in_picture_pixels, times_stride, cut_to_whole, rounded_down, rounded, without_sign, never_negative,
        by_fields, half_the_fields, offset_of_a,
    ),
)  # fmt: skip

# ----------------------------------------------------------------------------------------------------- best_possible


def best_possible(mask, stride):
    """The mean IU of the best answer to a mask (H, W) that has one class for each square of stride x stride pixels.

    That is the square's most frequent label, void (255) not counted; of equally frequent ones the smaller; 0 where all is
    void. Squares at the right and the bottom may be smaller. Void pixels, and classes in neither of both, do not count.
    """
    return _mean_iu(mask, in_squares(mask, stride))


def in_squares(mask: np.ndarray, stride: int) -> np.ndarray:
    """The mask (H, W) with one class for each square of stride x stride pixels."""
    return _each_square(mask, stride, _most_frequent)


def _each_square(mask, stride, label):
    answer = np.zeros_like(mask)
    for top in range(0, mask.shape[0], stride):
        for left in range(0, mask.shape[1], stride):
            square = (slice(top, top + stride), slice(left, left + stride))
            answer[square] = label(mask[square])
    return answer


def _most_frequent(labels):
    known = labels[labels != VOID]
    return np.bincount(known).argmax() if known.size else 0


def _mean_iu(mask, answer):
    return _mean(_matrix(mask, answer).per_class_iu()[:VOID])


def _mean(values):
    there = values[~np.isnan(values)]
    return there.mean() if there.size else np.nan


def _matrix(mask, answer):
    """Of the labelled pixels; an answer may say void by mistake, as 255th class."""
    matrix = ConfusionMatrix(VOID + 1, ignore_index=None)
    matrix.update(mask[mask != VOID], answer[mask != VOID])
    return matrix


def void_has_a_vote(right, mask, stride):
    """Void pixels vote for class 0 when a square's most frequent label is looked for: leave them out first."""
    return _mean_iu(mask, _each_square(mask, stride, lambda labels: _most_frequent(np.where(labels == VOID, 0, labels))))


def void_counts_in_the_end(right, mask, stride):
    """Void pixels count as class 0 in the mean IU: leave them out there, too."""
    return _mean_iu(np.where(mask == VOID, 0, mask), in_squares(mask, stride))


def void_is_background(right, mask, stride):
    """Void pixels count as class 0, in the vote and in the mean IU: leave them out of both."""
    return right(np.where(mask == VOID, 0, mask), stride)


def labels_averaged(right, mask, stride):
    """You average label numbers: between circle (1) and triangle (3) that gives square (2). Take the most frequent one."""
    return _mean_iu(mask, _each_square(mask, stride, lambda labels: labels[labels != VOID].mean() if _has_label(labels) else 0))


def all_averaged(right, mask, stride):
    """You average label numbers, void's 255 among them; numbers of labels mean nothing. Take the most frequent one."""
    return _mean_iu(mask, _each_square(mask, stride, lambda labels: int(labels.mean())))


def _has_label(labels):
    return (labels != VOID).any()


def ties_to_the_larger(right, mask, stride):
    """Of equally frequent labels you take the larger; asked is the smaller, which argmax finds first."""
    return _mean_iu(
        mask, _each_square(mask, stride, lambda labels: 254 - np.argmax(np.bincount(labels.ravel(), minlength=256)[254::-1]))
    )


def largest_label(right, mask, stride):
    """You take the largest label of a square; take the most frequent one."""
    return _mean_iu(mask, _each_square(mask, stride, lambda labels: labels[labels != VOID].max(initial=0)))


def largest_with_void(right, mask, stride):
    """You take the largest label of a square, and void's 255 is the largest of all; take the most frequent one but void."""
    return _mean_iu(mask, _each_square(mask, stride, np.max))


def corner_of_the_square(right, mask, stride):
    """You take the label in each square's upper left corner (a mask[::stride, ::stride]); take its most frequent one."""
    return _mean_iu(mask, _each_square(mask, stride, lambda labels: labels[0, 0]))


def middle_of_the_square(right, mask, stride):
    """You take the label in the middle of each square; take its most frequent one."""
    return _mean_iu(mask, _each_square(mask, stride, lambda labels: labels[labels.shape[0] // 2, labels.shape[1] // 2]))


def rest_left_out(right, mask, stride):
    """The smaller squares at the right and the bottom are left out, where the mask is no multiple of the stride; they count."""
    H, W = (size // stride * stride for size in mask.shape)
    return right(mask[:H, :W], stride)


def rest_is_background(right, mask, stride):
    """The smaller squares at the right and the bottom are class 0; they have a most frequent label, too."""
    answer = in_squares(mask, stride)
    H, W = (size // stride * stride for size in mask.shape)
    answer[H:], answer[:, W:] = 0, 0
    return _mean_iu(mask, answer)


def pixel_accuracy(right, mask, stride):
    """This is the pixel accuracy of the right answer; asked is its mean IU."""
    return _matrix(mask, in_squares(mask, stride)).pixel_accuracy()


def mean_accuracy(right, mask, stride):
    """You divide by the pixels of the truth: that is the mean *accuracy*. The union also has the pixels answered wrongly."""
    return _matrix(mask, in_squares(mask, stride)).mean_accuracy()


def without_background(right, mask, stride):
    """Class 0 is missing from the mean: the background counts like the others."""
    return _mean(_matrix(mask, in_squares(mask, stride)).per_class_iu()[1:])


def lost_classes_left_out(right, mask, stride):
    """A class that is in the mask but in no square is left out of the mean; it is lost, and its IU is 0."""
    answer = in_squares(mask, stride)
    return _mean(_matrix(mask, answer).per_class_iu()[np.unique(answer)])


def _masks() -> list[tuple]:
    rng = np.random.default_rng(110)
    cases = []
    for (H, W), stride, classes, void in (
        ((8, 12), 4, 3, 0.0), ((9, 14), 4, 3, 0.15), ((11, 13), 3, 5, 0.3), ((10, 15), 5, 4, 0.2), ((7, 10), 8, 4, 0.1),
    ):  # fmt: skip
        coarse = rng.integers(0, classes, (H // 3 + 1, W // 3 + 1))
        mask = coarse.repeat(3, axis=0).repeat(3, axis=1)[:H, :W].astype(np.uint8)
        flips = rng.random((H, W)) < 0.2
        mask[flips] = rng.integers(0, classes, flips.sum())
        mask[rng.random((H, W)) < void] = VOID
        cases.append((mask, stride))
    return cases


BEST_POSSIBLE = Exercise(
    best_possible,
    _masks(),
    (
        void_has_a_vote, void_counts_in_the_end, void_is_background, labels_averaged, all_averaged, ties_to_the_larger,
        largest_label, largest_with_void, corner_of_the_square, middle_of_the_square, rest_left_out, rest_is_background,
        pixel_accuracy, mean_accuracy, without_background, lost_classes_left_out,
    ),
    step="stretch",
)  # fmt: skip

EXERCISES = (ADDRESS, COMPOSE, CROP, BEST_POSSIBLE)
