"""Exercises of lesson 08: rates, the loss over pixels and its gradient, with void and class weights, and a report's weights."""

from __future__ import annotations

import numpy as np

from minifcn import functional as F
from minifcn.course.exercises import Exercise

VOID = 255

# -------------------------------------------------------------------------------------------------------- equal_rate


def equal_rate(rate_of_sum, pixels):
    """The rate with which a mean over so many pixels learns exactly as fast as their sum does with `rate_of_sum`."""
    some, labels = np.zeros((1, 2, 1, 1)), np.zeros((1, 1, 1), int)
    gradients = {}
    for reduction in ("sum", "mean"):
        _, cache = F.cross_entropy(some.repeat(pixels, axis=3), labels.repeat(pixels, axis=2), reduction=reduction)
        gradients[reduction] = F.cross_entropy_backward(1.0, cache)[0, 0, 0, 0]
    return rate_of_sum * gradients["sum"] / gradients["mean"]


def divided_rate(right, rate_of_sum, pixels):
    """The wrong way round: the mean's gradient is so many times *smaller*, so its rate must be larger: multiply."""
    return rate_of_sum / pixels


def same_rate(right, rate_of_sum, pixels):
    """This is the sum's rate itself; the mean's gradient is `pixels` times smaller, so the same rate makes tiny steps."""
    return rate_of_sum


def pixels_of_voc(right, rate_of_sum, pixels):
    """Right for 375 x 500 pixels only: use `pixels`, not 187,500."""
    return right(rate_of_sum, 375 * 500)


def squared_pixels(right, rate_of_sum, pixels):
    """Multiplied by the pixels twice; the two gradients differ by that factor once."""
    return rate_of_sum * pixels**2


def root_of_pixels(right, rate_of_sum, pixels):
    """You multiply by the square root of the pixels; the gradient of a sum is `pixels` times that of a mean, without a root."""
    return rate_of_sum * pixels**0.5


def ratio_without_rate(right, rate_of_sum, pixels):
    """This is the factor between the two rates; multiply the sum's rate by it."""
    return float(pixels)


def inverse_of_both(right, rate_of_sum, pixels):
    """This is one divided by the right answer: rate_of_sum · pixels, and nothing below a fraction line."""
    return 1 / right(rate_of_sum, pixels)


EQUAL_RATE = Exercise(
    equal_rate,
    [(1.0, 2), (1e-10, 187_500), (3e-4, 48 * 64), (0.5, 1), (1e-12, 1000)],
    (divided_rate, same_rate, pixels_of_voc, squared_pixels, root_of_pixels, ratio_without_rate, inverse_of_both),
    step="warm-up",
)

# ----------------------------------------------------------------------------------------------------- cross_entropy


def cross_entropy(scores, labels, weight):
    """The loss, one number: the mean over the pixels that are not void (255), each weighted by the weight of its label.

    scores (N, C, H, W), labels (N, H, W), weight (C,). Where all pixels are void it is 0.
    """
    return F.cross_entropy(scores, labels, weight)[0]


def _pixels(scores, labels, weight, axis=1):
    """The loss and the weight of each pixel, both (N, H, W), 0 where it is void; softmax over `axis`."""
    log_p = F.log_softmax(np.moveaxis(scores, axis, 1))
    log_p = np.moveaxis(log_p, 1, axis)
    counted = labels != VOID
    known = np.where(counted, labels, 0)
    own = np.take_along_axis(log_p, known[:, None], axis=1)[:, 0]
    return -own * weight[known] * counted, weight[known] * counted


def _quotient(above, below):
    return above / below if below else 0.0


def void_as_background(right, scores, labels, weight):
    """Void pixels count as class 0: leave every pixel whose label is 255 out of the sum and out of the divisor."""
    return right(scores, np.where(labels == VOID, 0, labels), weight)


def void_as_last(right, scores, labels, weight):
    """Void pixels count as the last class: leave every pixel whose label is 255 out of the sum and out of the divisor."""
    return right(scores, np.where(labels == VOID, scores.shape[1] - 1, labels), weight)


def divided_by_all_pixels(right, scores, labels, weight):
    """You divide by the number of all pixels, void ones included; divide by the sum of the weights of those that count."""
    return _pixels(scores, labels, weight)[0].sum() / labels.size


def divided_by_count(right, scores, labels, weight):
    """Equal where all weights are 1: you divide by the number of labelled pixels; divide by the sum of their weights."""
    return _quotient(_pixels(scores, labels, weight)[0].sum(), (labels != VOID).sum())


def divided_by_all_weights(right, scores, labels, weight):
    """You divide by the sum of the class weights, one for each class; divide by the sum of weight[label] over the pixels."""
    return _pixels(scores, labels, weight)[0].sum() / weight.sum()


def summed(right, scores, labels, weight):
    """This is the sum of the pixels' losses; divide it by the sum of their weights."""
    return _pixels(scores, labels, weight)[0].sum()


def weight_forgotten(right, scores, labels, weight):
    """Equal where all weights are 1: the weights are left out; multiply each pixel's loss by weight[label]."""
    return right(scores, labels, np.ones_like(weight))


def weighted_scores(right, scores, labels, weight):
    """The weights are multiplied with the scores; they belong to the losses: weight[label] · (−log p[label])."""
    return right(scores * weight[:, None, None], labels, np.ones_like(weight))


def mean_of_pictures(right, scores, labels, weight):
    """Equal for one picture: you average each picture by itself, then the pictures; all pixels together are one heap."""
    return np.mean([right(scores[[n]], labels[[n]], weight) for n in range(len(labels))])


def minus_forgotten(right, scores, labels, weight):
    """The minus is missing: log p is negative, the loss is −log p."""
    return -right(scores, labels, weight)


def logarithm_to_ten(right, scores, labels, weight):
    """This is the logarithm to the base 10; take the natural one, np.log."""
    return right(scores, labels, weight) / np.log(10)


def logarithm_to_two(right, scores, labels, weight):
    """This is the logarithm to the base 2; take the natural one, np.log."""
    return right(scores, labels, weight) / np.log(2)


def mean_probability(right, scores, labels, weight):
    """You average p of the truth itself; the loss of a pixel is −log of it."""
    losses, weights = _pixels(scores, labels, np.ones_like(weight))
    known = np.where(labels == VOID, 0, labels)
    return _quotient((np.exp(-losses) * weights * weight[known]).sum(), (weights * weight[known]).sum())


def logarithm_last(right, scores, labels, weight):
    """You average the probabilities and take the logarithm then; take it for each pixel, and average then."""
    mean = mean_probability(right, scores, labels, weight)
    return -np.log(mean) if mean else 0.0


def weight_in_divisor_only(right, scores, labels, weight):
    """Equal where all weights are 1: you divide by the sum of the weights, but multiply no loss by its weight[label]."""
    return _quotient(_pixels(scores, labels, np.ones_like(weight))[0].sum(), _pixels(scores, labels, weight)[1].sum())


@np.errstate(all="ignore")
def overflowing_p(right, scores, labels, weight):
    """Not a number for large scores: exp(1000) is too large for a computer. Subtract each pixel's largest score first."""
    e = np.exp(scores)
    return _if_finite(right(scores, labels, weight), np.log(e / e.sum(axis=1, keepdims=True)), labels, weight)


@np.errstate(all="ignore")
def overflowing_sum(right, scores, labels, weight):
    """Infinite for large scores: exp(1000) is too large for a computer. Subtract each pixel's largest score first."""
    log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    return _if_finite(right(scores, labels, weight), log_p, labels, weight)


@np.errstate(all="ignore")
def one_largest_for_all(right, scores, labels, weight):
    """You subtract the largest of *all* scores: where a pixel's scores lie far below, every exp is 0. Take each pixel's own."""
    shifted = scores - scores.max()
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return _if_finite(right(scores, labels, weight), log_p, labels, weight)


def _if_finite(loss, log_p, labels, weight):
    """The loss, unless computing it from these log p (N, C, H, W) gives no number."""
    counted = labels != VOID
    known = np.where(counted, labels, 0)
    own = np.take_along_axis(log_p, known[:, None], axis=1)[:, 0][counted]
    naive = -(own * weight[known][counted]).sum()
    return loss if np.isfinite(naive) else naive


def softmax_over_everything(right, scores, labels, weight):
    """The probabilities of all pixels together add up to 1; those of each pixel must: sum over axis 1, with keepdims=True."""
    together = np.log(np.exp(scores - scores.max()).sum()) + scores.max()
    apart = np.log(np.exp(scores - scores.max(axis=1, keepdims=True)).sum(axis=1)) + scores.max(axis=1)
    _, weights = _pixels(scores, labels, weight)
    return right(scores, labels, weight) + _quotient(((together - apart) * weights).sum(), weights.sum())


def all_classes(right, scores, labels, weight):
    """You add up −log p of all classes; a pixel's loss is that of its own class alone."""
    _, weights = _pixels(scores, labels, weight)
    return _quotient(-(F.log_softmax(scores).sum(axis=1) * weights).sum(), weights.sum())


def softmax_over_columns(right, scores, labels, weight):
    """The probabilities add up over a row of pixels instead of over the classes: softmax runs along axis 1, the C classes."""
    return _quotient(*(part.sum() for part in _pixels(scores, labels, weight, axis=3)))


def softmax_over_pictures(right, scores, labels, weight):
    """The probabilities add up over axis 0, the pictures; softmax runs along axis 1, the C classes."""
    return _quotient(*(part.sum() for part in _pixels(scores, labels, weight, axis=0)))


def no_softmax(right, scores, labels, weight):
    """You take minus the score of the truth; first softmax makes a probability of it, then −log."""
    counted = labels != VOID
    known = np.where(counted, labels, 0)
    own = np.take_along_axis(scores, known[:, None], axis=1)[:, 0]
    return _quotient(-(own * weight[known] * counted).sum(), (weight[known] * counted).sum())


def nan_of_nothing(right, scores, labels, weight):
    """Not a number where all pixels are void, since 0 / 0 is: such a piece has the loss 0."""
    return right(scores, labels, weight) if (labels != VOID).any() else np.nan


def _loss_cases() -> list[tuple]:
    rng = np.random.default_rng(80)

    def case(shape, void=0.0, weight=None, scale=1.0, large=0.0):
        N, C, H, W = shape
        labels = rng.integers(0, C, (N, H, W))
        labels[rng.random((N, H, W)) < void] = VOID
        if 0 < void < 1:
            labels[0, 0, :2] = VOID, 0  # there is one of each
        scores = scale * rng.normal(size=shape) + large * rng.integers(0, 2, (N, 1, H, W))  # large ones here and there
        return scores, labels, np.ones(C) if weight is None else np.array(weight)

    return [
        case((1, 3, 1, 2)),
        case((1, 3, 4, 5), void=0.3),
        case((2, 4, 3, 5), void=0.4),
        case((2, 3, 5, 4), void=0.3, weight=[0.5, 2.0, 1.5]),
        case((3, 5, 4, 6), void=0.5, weight=[1.0, 0.2, 3.0, 0.7, 2.0], scale=3),
        case((1, 4, 3, 5), void=0.2, large=1000),
        case((1, 3, 2, 4), void=1.0),
    ]


CROSS_ENTROPY = Exercise(
    cross_entropy,
    _loss_cases(),
    (
        void_as_background, void_as_last, divided_by_all_pixels, divided_by_count, divided_by_all_weights, summed,
        weight_forgotten, weighted_scores, mean_of_pictures, minus_forgotten, logarithm_to_ten, logarithm_to_two,
        mean_probability, logarithm_last, weight_in_divisor_only, overflowing_p, overflowing_sum, one_largest_for_all,
        softmax_over_columns, softmax_over_pictures, softmax_over_everything, all_classes, no_softmax, nan_of_nothing,
    ),
)  # fmt: skip

# -------------------------------------------------------------------------------------------- cross_entropy_gradient


def cross_entropy_gradient(scores, labels, weight):
    """The gradient of `cross_entropy` with respect to the scores, (N, C, H, W): 0 for void pixels."""
    _, cache = F.cross_entropy(scores, labels, weight)
    return F.cross_entropy_backward(1.0, cache)


def _divisor(labels, weight):
    counted = labels != VOID
    return (weight[np.where(counted, labels, 0)] * counted).sum() or 1.0


def _one_hot(labels, C):
    return labels[:, None] == np.arange(C)[:, None, None]


def not_divided(right, scores, labels, weight):
    """This is the gradient of the sum: divide by the sum of the weights of the pixels that count, as the mean does."""
    return right(scores, labels, weight) * _divisor(labels, weight)


def one_hot_forgotten(right, scores, labels, weight):
    """These are the probabilities (divided); subtract 1 at the pixel's own class: p − one-hot."""
    weights = (weight[np.where(labels == VOID, 0, labels)] * (labels != VOID))[:, None]
    return F.softmax(scores) * weights / _divisor(labels, weight)


def void_left_in(right, scores, labels, weight):
    """Void pixels are pushed: their probabilities are in it, since no one-hot was subtracted; their gradient is 0."""
    void = (labels == VOID)[:, None]
    return right(scores, labels, weight) + F.softmax(scores) * void / _divisor(labels, weight)


def void_as_class_0(right, scores, labels, weight):
    """Void pixels are pushed towards class 0: their gradient is 0, and they do not count in the divisor."""
    return right(scores, np.where(labels == VOID, 0, labels), weight)


def void_as_class_0_undivided(right, scores, labels, weight):
    """Void pixels are pushed towards class 0. You left them out of the divisor; make their gradient 0, too."""
    known = np.where(labels == VOID, 0, labels)
    return right(scores, known, weight) * _divisor(known, weight) / _divisor(labels, weight)


def sign(right, scores, labels, weight):
    """The sign is the wrong way round: it is p − one-hot, since more score for the truth makes the loss smaller."""
    return -right(scores, labels, weight)


def weights_left_out(right, scores, labels, weight):
    """Equal where all weights are 1: the weights are left out; multiply each pixel's gradient by weight[label]."""
    return right(scores, labels, np.ones_like(weight))


def weight_of_the_channel(right, scores, labels, weight):
    """Each class's gradient is multiplied by that class's own weight; it must be the weight of the pixel's *label*, for all."""
    plain = right(scores, labels, np.ones_like(weight)) * _divisor(labels, np.ones_like(weight))
    return plain * weight[:, None, None] / _divisor(labels, weight)


def by_all_pixels(right, scores, labels, weight):
    """You divide by the number of all pixels, void ones included; divide by the sum of the weights of those that count."""
    return right(scores, labels, weight) * _divisor(labels, weight) / labels.size


def by_their_number(right, scores, labels, weight):
    """Equal where all weights are 1: you divide by the number of labelled pixels; divide by the sum of their weights."""
    return right(scores, labels, weight) * _divisor(labels, weight) / max(1, (labels != VOID).sum())


def by_pictures(right, scores, labels, weight):
    """You divide by the number of pictures; divide by the sum of the weights of the pixels that count."""
    return right(scores, labels, weight) * _divisor(labels, weight) / len(labels)


def by_all_numbers(right, scores, labels, weight):
    """You divide by all numbers of the scores, N·C·H·W; divide by the sum of the weights of the pixels that count."""
    return right(scores, labels, weight) * _divisor(labels, weight) / scores.size


def weights_below_only(right, scores, labels, weight):
    """Equal where all weights are 1: you divide by the sum of the weights, but multiply no pixel by its weight[label]."""
    ones = np.ones_like(weight)
    return right(scores, labels, ones) * _divisor(labels, ones) / _divisor(labels, weight)


@np.errstate(all="ignore")
def overflowed(right, scores, labels, weight):
    """Not a number for large scores: exp(1000) is too large for a computer. Subtract each pixel's largest score first."""
    e = np.exp(scores)
    broken = np.isnan(e / e.sum(axis=1, keepdims=True)) & (labels != VOID)[:, None]
    return np.where(broken, np.nan, right(scores, labels, weight))


def truth_only(right, scores, labels, weight):
    """Only the class of the truth has a gradient here; the others have one too, p: each takes from the truth."""
    return right(scores, labels, weight) * _one_hot(labels, scores.shape[1])


def times_p(right, scores, labels, weight):
    """You multiply by p once too often, as if softmax and logarithm had not cancelled: it is p − one-hot and no more."""
    return right(scores, labels, weight) * F.softmax(scores)


def over_columns(right, scores, labels, weight):
    """The probabilities add up over a row of pixels instead of over the classes: softmax runs along axis 1, the C classes."""
    p = np.moveaxis(F.softmax(np.moveaxis(scores, 3, 1)), 1, 3)
    weights = (weight[np.where(labels == VOID, 0, labels)] * (labels != VOID))[:, None]
    return (p - _one_hot(labels, scores.shape[1])) * weights / _divisor(labels, weight)


def nan_where_all_void(right, scores, labels, weight):
    """Not a number where all pixels are void, since 0 / 0 is: such a piece has a gradient of 0."""
    result = right(scores, labels, weight)
    return result if (labels != VOID).any() else np.full_like(result, np.nan)


CROSS_ENTROPY_GRADIENT = Exercise(
    cross_entropy_gradient,
    _loss_cases(),
    (
        not_divided, one_hot_forgotten, void_left_in, void_as_class_0, void_as_class_0_undivided, sign, weights_left_out,
        weight_of_the_channel, by_all_pixels, by_their_number, by_pictures, by_all_numbers, weights_below_only, overflowed,
        truth_only, times_p, over_columns, nan_where_all_void,
    ),
)  # fmt: skip

# ----------------------------------------------------------------------------------------------------- class_weights


def class_weights(counts):
    """The report's weights for whole numbers counts (C,), the pixels of each class: 1 minus the class's share of all pixels."""
    return 1 - counts / counts.sum()


def shares(right, counts):
    """These are the shares: frequent classes weigh most. The weight is 1 minus the share."""
    return 1 - right(counts)


def inverse_counts(right, counts):
    """This is 1 / count; the report takes 1 minus the share, which is far milder."""
    return 1 / counts


def inverse_shares(right, counts):
    """This is 1 / share; the report takes 1 minus the share, which is far milder."""
    return counts.sum() / counts


def adding_to_one(right, counts):
    """You divide by the sum of the weights; the report leaves them as they are, each 1 minus the class's share."""
    return right(counts) / right(counts).sum()


def mean_of_one(right, counts):
    """You scale the weights so that their mean is 1; the report leaves them as they are, each 1 minus the class's share."""
    return right(counts) / right(counts).mean()


def largest_is_one(right, counts):
    """You divide by the largest weight; the report leaves the weights as they are, each 1 minus the class's share."""
    return right(counts) / right(counts).max()


def share_of_the_largest(right, counts):
    """You divide by the largest count, so the most frequent class weighs 0; a share is a part of the sum of all counts."""
    return 1 - counts / counts.max()


def whole_division(right, counts):
    """All weights are 1: `//` drops the remainder, and a share is less than 1. Divide with `/`."""
    return 1.0 - counts // counts.sum()


def median_recipe(right, counts):
    """This is the median of the shares divided by each share, the stronger recipe; the report takes 1 minus the share."""
    return np.median(counts) / counts


def share_among_classes(right, counts):
    """You divide by the number of classes; a share is the class's count divided by the sum of all counts."""
    return 1 - counts / len(counts)


CLASS_WEIGHTS = Exercise(
    class_weights,
    [
        (np.array([75, 20, 5]),),
        (np.array([1, 1]),),
        (np.array([2198453584, 519609102, 28929892, 450973, 1823922767, 2775322]),),
        (np.array([3, 700, 12, 90, 41]),),
    ],
    (
        shares, inverse_counts, inverse_shares, adding_to_one, mean_of_one, largest_is_one, share_of_the_largest,
        whole_division, median_recipe, share_among_classes,
    ),
    step="stretch",
)  # fmt: skip

EXERCISES = (EQUAL_RATE, CROSS_ENTROPY, CROSS_ENTROPY_GRADIENT, CLASS_WEIGHTS)
