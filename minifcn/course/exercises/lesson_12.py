"""Exercises of lesson 12: the confusion matrix, four measures read from it, and an evaluation that does not lie."""

from __future__ import annotations

import numpy as np

from minifcn.course.exercises import Exercise
from minifcn.training.metrics import ConfusionMatrix

VOID = 255

# ------------------------------------------------------------------------------------------------------ iu_from_dice


def iu_from_dice(dice):
    """The IU of a class whose Dice score, 2·both / (truth + prediction), is this."""
    return dice / (2 - dice)


def the_other_way(right, dice):
    """This is the Dice score of an IU, 2·IU / (1 + IU); solve it for IU."""
    return 2 * dice / (1 + dice)


def half(right, dice):
    """You divide by 2; but the union is not the sum of both sets: two equal sets have a Dice score of 1 and an IU of 1."""
    return dice / 2


def plus_in_the_denominator(right, dice):
    """The sign below is wrong: union = sum − both, so the denominator is 2 − dice."""
    return dice / (2 + dice)


def one_for_two(right, dice):
    """The denominator is 1 + dice; with dice = 1 that would give one half for two equal sets."""
    return dice / (1 + dice)


def the_same(right, dice):
    """You return the Dice score itself; IU is smaller, except at 0 and 1."""
    return dice


def squared(right, dice):
    """This is the square of the Dice score, which only resembles the IU."""
    return dice**2


IU_FROM_DICE = Exercise(
    iu_from_dice,
    [(1.0,), (0.5,), (0.8,), (0.0,), (0.05,)],
    (the_other_way, half, plus_in_the_denominator, one_for_two, the_same, squared),
    step="warm-up",
)

# --------------------------------------------------------------------------------------------------------- confusion


def confusion(labels, predictions, n):
    """The confusion matrix, (n, n): pixels of class i (row) that were predicted to be j (column). Void (255) does not count."""
    return _matrix(labels, predictions, n).counts


def _matrix(labels: np.ndarray, predictions: np.ndarray, n: int) -> ConfusionMatrix:
    matrix = ConfusionMatrix(n)
    matrix.update(labels, predictions)
    return matrix


def exchanged(right, labels, predictions, n):
    """Rows and columns are exchanged: a row is a class of the truth, a column one of the predictions."""
    return right(labels, predictions, n).T


def void_is_background(right, labels, predictions, n):
    """Row 0 has too many: void pixels are counted as background. Leave them out of both arrays first."""
    return right(np.where(labels == VOID, 0, labels), predictions, n)


def void_is_last(right, labels, predictions, n):
    """The last row has too many: void pixels are counted as the last class. Leave them out of both arrays first."""
    return right(np.where(labels == VOID, n - 1, labels), predictions, n)


def void_is_right(right, labels, predictions, n):
    """Void pixels count as right, whatever was predicted there: leave them out of both arrays first."""
    return right(np.where(labels == VOID, predictions, labels), predictions, n)


def of_each_row(right, labels, predictions, n):
    """Each row is divided by its sum; return how many pixels there are."""
    counts = right(labels, predictions, n)
    return counts / np.maximum(1, counts.sum(axis=1, keepdims=True))


def of_all(right, labels, predictions, n):
    """These are shares of all pixels; return how many pixels there are."""
    counts = right(labels, predictions, n)
    return counts / max(1, counts.sum())


def without_the_last(right, labels, predictions, n):
    """The last class has no row and no column: range(n − 1) ends with n − 2. Classes are 0 to n − 1."""
    return np.where(np.add.outer(np.arange(n) == n - 1, np.arange(n) == n - 1), 0, right(labels, predictions, n))


def without_the_first(right, labels, predictions, n):
    """Class 0 has no row and no column: the background counts like the others."""
    return np.where(np.add.outer(np.arange(n) == 0, np.arange(n) == 0), 0, right(labels, predictions, n))


def only_whether(right, labels, predictions, n):
    """There are only 0 and 1: a pair that occurs more than once overwrites itself. Add 1 for every pixel (np.add.at)."""
    return (right(labels, predictions, n) > 0).astype(int)


def only_right_ones(right, labels, predictions, n):
    """Only the diagonal is filled: pixels that were predicted wrongly have their places beside it."""
    return np.diag(np.diag(right(labels, predictions, n)))


def _labelled(rng: np.random.Generator, shape: tuple[int, ...], n: int, void: float) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and predictions of which 60 of 100 are right, none of them void."""
    labels = rng.choice(n, shape).astype(np.uint8)
    predictions = np.where(rng.random(shape) < 0.6, labels, rng.choice(n, shape)).astype(np.uint8)
    labels[rng.random(shape) < void] = VOID
    return labels, predictions


def _confusion_cases() -> list[tuple]:
    rng = np.random.default_rng(120)
    return [
        (*_labelled(rng, shape, n, void), n)
        for shape, n, void in (((3, 4), 2, 0.0), ((5, 7), 3, 0.0), ((6, 5), 3, 0.3), ((2, 5, 6), 4, 0.1), ((7, 9), 6, 0.2))
    ]


CONFUSION = Exercise(
    confusion,
    _confusion_cases(),
    (
        exchanged, void_is_background, void_is_last, void_is_right, of_each_row, of_all, without_the_last, without_the_first,
        only_whether, only_right_ones,
    ),
)  # fmt: skip

# ---------------------------------------------------------------------------------------------------------- measures


def measures(matrix):
    """Pixel accuracy, mean accuracy, mean IU and frequency weighted IU of a confusion matrix (n, n), in this order."""
    return tuple(ConfusionMatrix(len(matrix), counts=matrix).measures().values())


def absent_is_zero(right, matrix):
    """A class without pixels counts as 0; leave it out of a mean: nothing can be right or wrong about it."""
    table = ConfusionMatrix(len(matrix), counts=matrix)
    accuracies = np.diag(matrix) / np.maximum(1, matrix.sum(axis=1))
    measured = right(matrix)
    return measured[0], accuracies.mean(), np.nan_to_num(table.per_class_iu()).mean(), measured[3]


def absent_is_nan(right, matrix):
    """A class without pixels makes your mean NaN (0 / 0); leave such classes out of it."""
    table = ConfusionMatrix(len(matrix), counts=matrix)
    with np.errstate(all="ignore"):
        accuracies = np.diag(matrix) / matrix.sum(axis=1)
    measured = right(matrix)
    return measured[0], accuracies.mean(), table.per_class_iu().mean(), measured[3]


def columns_for_rows(right, matrix):
    """Rows and columns are exchanged: the pixels of a class in the truth are the sum of its *row*."""
    return right(matrix.T)


def predicted_accuracy(right, matrix):
    """Your mean accuracy divides by the predicted pixels, the column's sum; divide by those of the truth, the row's sum."""
    pixel, _, iu, weighted = right(matrix)
    return pixel, right(matrix.T)[1], iu, weighted


def predicted_shares(right, matrix):
    """The frequency weighted IU is weighted by predicted pixels; weight by those of the truth, the row's sum."""
    return (*right(matrix)[:3], right(matrix.T)[3])


def dice_for_iu(right, matrix):
    """Your IU is the Dice score, 2·both / (truth + prediction); IU is both / (truth + prediction − both)."""
    pixel, accuracy, *_ = right(matrix)
    sums = matrix.sum(axis=0) + matrix.sum(axis=1)
    dice = np.divide(2 * np.diag(matrix), sums, out=np.full(len(matrix), np.nan), where=sums > 0)
    rows = matrix.sum(axis=1)
    return pixel, accuracy, np.nanmean(dice), np.nansum(rows * dice) / rows.sum()


def union_counts_twice(right, matrix):
    """Your union is truth + prediction, in which the pixels that are in both are counted twice: subtract them once."""
    pixel, accuracy, iu, weighted = dice_for_iu(right, matrix)
    return pixel, accuracy, iu / 2, weighted / 2


def mean_of_rows(right, matrix):
    """Your pixel accuracy is the mean over the classes; divide all right pixels, the diagonal's sum, by all pixels."""
    _, accuracy, iu, weighted = right(matrix)
    return accuracy, accuracy, iu, weighted


def accuracy_is_pixel_accuracy(right, matrix):
    """Your mean accuracy is the pixel accuracy; divide for each class first, then take the mean over the classes."""
    pixel, _, iu, weighted = right(matrix)
    return pixel, pixel, iu, weighted


def not_weighted(right, matrix):
    """Your frequency weighted IU is the mean IU; multiply each IU by its class's share of the pixels and add up."""
    pixel, accuracy, iu, _ = right(matrix)
    return pixel, accuracy, iu, iu


def in_per_cent(right, matrix):
    """These are per cent; return shares, from 0 to 1."""
    return tuple(100 * measure for measure in right(matrix))


def without_background(right, matrix):
    """The background is missing from the means: class 0 counts like the others."""
    pixel, _, _, weighted = right(matrix)
    with np.errstate(all="ignore"):
        accuracies = np.diag(matrix) / matrix.sum(axis=1)
    return (
        pixel,
        np.nanmean(accuracies[1:]),
        np.nanmean(ConfusionMatrix(len(matrix), counts=matrix).per_class_iu()[1:]),
        weighted,
    )


def _matrices() -> list[tuple]:
    rng = np.random.default_rng(121)
    lesson = np.array([[50, 3, 2], [4, 20, 1], [6, 0, 14]])
    absent = rng.integers(1, 30, (5, 5))
    absent[3], absent[:, 3] = 0, 0  # neither in the truth nor predicted
    only_predicted = rng.integers(1, 30, (4, 4))
    only_predicted[1] = 0
    never_predicted = rng.integers(1, 30, (4, 4))
    never_predicted[:, 2] = 0
    return [(matrix,) for matrix in (np.array([[30, 2], [5, 3]]), lesson, absent, only_predicted, never_predicted)]


MEASURES = Exercise(
    measures,
    _matrices(),
    (
        absent_is_zero, absent_is_nan, columns_for_rows, predicted_accuracy, predicted_shares, dice_for_iu,
        union_counts_twice, mean_of_rows, accuracy_is_pixel_accuracy, not_weighted, in_per_cent, without_background,
    ),
    parts=("pixel accuracy", "mean accuracy", "mean IU", "f.w. IU"),
)  # fmt: skip

# ---------------------------------------------------------------------------------------------------------- evaluate


def evaluate(scores, labels, batch):
    """The mean IU of pictures, looked at `batch` at a time: scores (N, C, H, W), labels (N, H, W) with void. One number.

    It must not depend on `batch`: fill one confusion matrix, and read the mean IU from it at the end.
    """
    return _matrix(labels, scores.argmax(axis=1).astype(np.uint8), scores.shape[1]).mean_iu()


def _batches(scores, labels, batch):
    return [(scores[i : i + batch], labels[i : i + batch]) for i in range(0, len(scores), batch)]


def mean_of_means(right, scores, labels, batch):
    """This is the mean of the batches' mean IUs, which depends on the batch size: fill one matrix for all of them."""
    means = [right(*part, batch) for part in _batches(scores, labels, batch)]
    known = [mean for mean in means if not np.isnan(mean)]
    return sum(known) / len(known) if known else np.nan


def weighted_by_pictures(right, scores, labels, batch):
    """The batches' mean IUs are averaged, though weighted by their pictures; a mean of quotients is none: fill one matrix."""
    parts = _batches(scores, labels, batch)
    return sum(len(part[1]) * right(*part, batch) for part in parts) / len(scores)


def absent_in_a_batch_is_zero(right, scores, labels, batch):
    """A class that is not in a batch counts as 0 for this batch: fill one matrix for all batches, and divide at the end."""
    means = []
    for part, truth in _batches(scores, labels, batch):
        matrix = _matrix(truth, part.argmax(axis=1).astype(np.uint8), scores.shape[1])
        means.append(np.nan_to_num(matrix.per_class_iu()).mean())
    return np.mean(means)


def per_picture(right, scores, labels, batch):
    """This is the mean over pictures, each with a mean IU of its own: fill one matrix for all of them."""
    return mean_of_means(right, scores, labels, 1)


def last_batch_only(right, scores, labels, batch):
    """Only the last batch is in it: make the matrix before the loop, not in it."""
    return right(*_batches(scores, labels, batch)[-1], batch)


def first_batch_only(right, scores, labels, batch):
    """Only the first batch is in it: return behind the loop, not in it."""
    return right(*_batches(scores, labels, batch)[0], batch)


def rest_forgotten(right, scores, labels, batch):
    """The last pictures, which fill no whole batch, are left out."""
    kept = len(scores) // batch * batch
    return right(scores[:kept], labels[:kept], batch)


def best_of_objects(right, scores, labels, batch):
    """The background cannot win: take argmax over all classes, 0 included."""
    lowered = scores.copy()
    lowered[:, 0] = -np.inf
    return right(lowered, labels, batch)


def least_likely(right, scores, labels, batch):
    """You take the class with the *lowest* score: argmax, not argmin."""
    return right(-scores, labels, batch)


def void_as_background(right, scores, labels, batch):
    """Void pixels count as background: leave every pixel whose label is 255 out."""
    return right(scores, np.where(labels == VOID, 0, labels), batch)


def absent_counts_as_zero(right, scores, labels, batch):
    """A class that is nowhere counts as 0; leave it out of the mean."""
    matrix = _matrix(labels, scores.argmax(axis=1).astype(np.uint8), scores.shape[1])
    return np.nan_to_num(matrix.per_class_iu()).mean()


def pixel_accuracy(right, scores, labels, batch):
    """This is the pixel accuracy, the share of pixels that are right; the mean IU looks at each class by itself."""
    return _matrix(labels, scores.argmax(axis=1).astype(np.uint8), scores.shape[1]).pixel_accuracy()


def mean_dice(right, scores, labels, batch):
    """This is the mean of the Dice scores, 2·both / (truth + prediction); IU is both / (truth + prediction − both)."""
    ius = _class_ius(scores, labels)
    return np.nanmean(2 * ius / (1 + ius))


def union_with_both_twice(right, scores, labels, batch):
    """Your union is truth + prediction, which holds the pixels that are in both twice: subtract them once."""
    ius = _class_ius(scores, labels)
    return np.nanmean(ius / (1 + ius))


def mean_accuracy(right, scores, labels, batch):
    """This is the mean accuracy: you divide by the pixels of the truth; the union also holds those wrongly predicted."""
    return _matrix(labels, scores.argmax(axis=1).astype(np.uint8), scores.shape[1]).mean_accuracy()


def _class_ius(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return _matrix(labels, scores.argmax(axis=1).astype(np.uint8), scores.shape[1]).per_class_iu()


def _evaluate_cases() -> list[tuple]:
    rng = np.random.default_rng(122)
    cases = []
    for N, C, H, W, present, batch in ((4, 3, 5, 6, 3, 2), (5, 3, 4, 7, 3, 2), (7, 5, 6, 5, 4, 3), (6, 4, 5, 4, 4, 4)):
        labels = np.empty((N, H, W), np.uint8)
        for picture in labels:  # each has some of the classes, as pictures do
            picture[...] = rng.choice(rng.choice(present, 2, replace=False), (H, W))
        scores = rng.normal(size=(N, C, H, W))
        scores[:, present:] -= 20  # a class that is nowhere, and is never predicted
        np.put_along_axis(
            scores, labels[:, None].astype(int), np.take_along_axis(scores, labels[:, None].astype(int), 1) + 1, 1
        )
        labels[rng.random(labels.shape) < 0.1] = VOID
        cases.append((scores, labels, batch))
    return cases


EVALUATE = Exercise(
    evaluate,
    _evaluate_cases(),
    (
        mean_of_means, weighted_by_pictures, absent_in_a_batch_is_zero, per_picture, last_batch_only, first_batch_only,
        rest_forgotten, best_of_objects, least_likely, void_as_background, absent_counts_as_zero, pixel_accuracy, mean_dice,
        union_with_both_twice, mean_accuracy,
    ),
    step="stretch",
)  # fmt: skip

EXERCISES = (IU_FROM_DICE, CONFUSION, MEASURES, EVALUATE)
