"""Exercises of lesson 01: pixel accuracy, counting pixels, the mean IU, and the predictor that knows one class."""

from __future__ import annotations

import numpy as np

from minifcn.course.exercises import Exercise
from minifcn.training.metrics import ConfusionMatrix

VOID = 255


def _no_void(labels, *_):
    return not (labels == VOID).any()


def _labelled(labels, *_):
    return int((labels != VOID).sum())


def _background(labels, *_):
    return int((labels == 0).sum())


def _objects(labels, *_):
    return int(((labels != 0) & (labels != VOID)).sum())


def _void(labels, *_):
    return int((labels == VOID).sum())


FACTS = {
    "no pixel is void": _no_void,
    "the number of labelled pixels": _labelled,
    "the number of background pixels": _background,
    "the number of labelled pixels that are not background": _objects,
    "the number of pixels that are not background": lambda labels, *_: int((labels != 0).sum()),
    "the number of void pixels": _void,
    "the number of pixels": lambda labels, *_: labels.size,
}


def _matrix(labels: np.ndarray, predictions: np.ndarray, num_classes: int) -> ConfusionMatrix:
    matrix = ConfusionMatrix(num_classes)
    matrix.update(labels, predictions)
    return matrix


def _labels(rng: np.random.Generator, shape: tuple[int, ...], classes: list[int], void: float) -> np.ndarray:
    labels = rng.choice(classes, shape).astype(np.uint8)
    labels[rng.random(shape) < void] = VOID
    return labels


# ---------------------------------------------------------------------------------------------------- pixel_accuracy


def pixel_accuracy(labels, predictions):
    """The share of pixels that are predicted right, of two arrays (H, W): pixels whose label is void (255) do not count."""
    classes = int(max(labels[labels != VOID].max(), predictions.max())) + 1
    return _matrix(labels, predictions, classes).pixel_accuracy()


def void_is_wrong(right, labels, predictions):
    """Void pixels are among those that you divide by: divide by the pixels with a label, not by all."""
    return (labels == predictions).mean()


def void_is_right_as_background(right, labels, predictions):
    """Void pixels count as background: leave every pixel whose label is 255 out of both arrays first."""
    return (np.where(labels == VOID, 0, labels) == predictions).mean()


def void_is_always_right(right, labels, predictions):
    """Void pixels count as right: they count as nothing, so leave them out of both arrays first."""
    return ((labels == predictions) | (labels == VOID)).mean()


def number_of_pixels(right, labels, predictions):
    """This is how many pixels are right; divide by the number of labelled pixels."""
    return (labels == predictions)[labels != VOID].sum()


def per_cent(right, labels, predictions):
    """This is in per cent; return the share itself, between 0 and 1."""
    return 100 * right(labels, predictions)


def error_rate(right, labels, predictions):
    """This is the share of pixels that are wrong: 1 minus the accuracy."""
    return 1 - right(labels, predictions)


def objects_only(right, labels, predictions):
    """The background is left out: a background pixel that is predicted as background is right, too."""
    return (labels == predictions)[(labels != VOID) & (labels != 0)].mean()


def mean_of_classes(right, labels, predictions):
    """This is the mean over the classes of their accuracies; here every pixel counts the same, whatever its class."""
    return np.mean([(predictions[labels == c] == c).mean() for c in np.unique(labels) if c != VOID])


def _accuracy_cases() -> list[tuple]:
    rng = np.random.default_rng(9)
    cases = []
    for shape, classes, void in (
        ((4, 5), [0, 1], 0.0),
        ((6, 5), [0, 1, 2], 0.2),
        ((7, 9), [0, 2, 3], 0.3),
        ((3, 8), [0, 4], 0.5),
    ):
        labels = _labels(rng, shape, classes, void)
        predictions = np.where(rng.random(shape) < 0.6, labels, rng.choice(classes, shape))
        predictions[labels == VOID] = rng.choice(classes, (labels == VOID).sum())
        cases.append((labels, predictions.astype(np.uint8)))
    return cases


PIXEL_ACCURACY = Exercise(
    pixel_accuracy,
    _accuracy_cases(),
    (
        void_is_wrong, void_is_right_as_background, void_is_always_right, number_of_pixels, per_cent, error_rate,
        objects_only, mean_of_classes,
    ),
    step="warm-up",
    facts=FACTS,
)  # fmt: skip

# ------------------------------------------------------------------------------------------------------ class_counts


def class_counts(labels, num_classes):
    """How many pixels of labels (H, W) have each class: an array of shape (num_classes,). Void (255) is not counted."""
    matrix = ConfusionMatrix(num_classes)
    matrix.update(labels, np.where(labels == VOID, 0, labels))
    return matrix.counts.sum(axis=1)


def void_is_background(right, labels, num_classes):
    """Class 0 has too many: the void pixels (255) are in it. Leave them out before counting."""
    return right(np.where(labels == VOID, 0, labels), num_classes)


def void_is_last(right, labels, num_classes):
    """The last class has too many: the void pixels (255) are in it. Leave them out before counting."""
    return right(np.where(labels == VOID, num_classes - 1, labels), num_classes)


def void_has_a_place(right, labels, num_classes):
    """There are 256 numbers, one for each possible label; return the first num_classes of them, which leaves void out."""
    return np.bincount(labels.ravel(), minlength=256)


def shares(right, labels, num_classes):
    """These are shares of the labelled pixels; return how many pixels there are, without dividing."""
    return right(labels, num_classes) / max(1, (labels != VOID).sum())


def shares_of_all(right, labels, num_classes):
    """These are shares of all pixels; return how many pixels there are, without dividing."""
    return right(labels, num_classes) / labels.size


def background_left_out(right, labels, num_classes):
    """Class 0, the background, is missing: it is a class like the others here."""
    return np.where(np.arange(num_classes) == 0, 0, right(labels, num_classes))


def classes_from_one(right, labels, num_classes):
    """Classes are counted from 1 on; the labels begin with 0, and the last one is num_classes − 1."""
    return np.array([(labels == c).sum() for c in range(1, num_classes + 1)])


def only_present(right, labels, num_classes):
    """Classes that do not occur are missing: give every class its place, with 0 where there is no pixel of it."""
    return np.array([(labels == c).sum() for c in np.unique(labels) if c != VOID])


def _count_cases() -> list[tuple]:
    rng = np.random.default_rng(10)
    return [
        (_labels(rng, (4, 5), [0, 1, 2], 0.0), 3),
        (_labels(rng, (6, 5), [0, 1, 2], 0.2), 3),
        (_labels(rng, (7, 9), [0, 2, 3], 0.2), 5),
        (_labels(rng, (8, 8), [0, 15, 20], 0.1), 21),
        (np.full((3, 4), VOID, np.uint8), 4),
    ]


CLASS_COUNTS = Exercise(
    class_counts,
    _count_cases(),
    (
        void_is_background, void_is_last, void_has_a_place, shares, shares_of_all, background_left_out, classes_from_one,
        only_present,
    ),
    facts=FACTS,
)  # fmt: skip

# ----------------------------------------------------------------------------------------------------------- mean_iu


def mean_iu(labels, predictions, num_classes):
    """The mean IU of two arrays (H, W): void labels do not count, classes in neither array are left out of the mean."""
    return _matrix(labels, predictions, num_classes).mean_iu()


def void_counts_as_wrong(right, labels, predictions, num_classes):
    """Void pixels count as wrong predictions: leave every pixel whose label is 255 out of both arrays first."""
    matrix = _matrix(np.where(labels == VOID, num_classes, labels), predictions, num_classes + 1)
    return np.nanmean(matrix.per_class_iu()[:num_classes])


def void_counts_as_background(right, labels, predictions, num_classes):
    """Void pixels count as background: leave every pixel whose label is 255 out of both arrays first."""
    return right(np.where(labels == VOID, 0, labels), predictions, num_classes)


def absent_is_zero(right, labels, predictions, num_classes):
    """Classes that are in neither array count as 0; leave them out of the mean: nothing can be right or wrong about them."""
    return np.nan_to_num(_matrix(labels, predictions, num_classes).per_class_iu()).mean()


def absent_is_one(right, labels, predictions, num_classes):
    """Classes that are in neither array count as 1; leave them out of the mean: nothing can be right or wrong about them."""
    return np.nan_to_num(_matrix(labels, predictions, num_classes).per_class_iu(), nan=1.0).mean()


def absent_is_nan(right, labels, predictions, num_classes):
    """Your answer is NaN as soon as a class is in neither array (0 / 0): leave such classes out of the mean."""
    return _matrix(labels, predictions, num_classes).per_class_iu().mean()


def truth_only(right, labels, predictions, num_classes):
    """You divide by the pixels of the truth: that is the mean *accuracy*. The union also has the pixels predicted wrongly."""
    return _matrix(labels, predictions, num_classes).mean_accuracy()


def counted_twice(right, labels, predictions, num_classes):
    """The intersection is in your union twice: truth + prediction counts shared pixels two times, so subtract them once."""
    counts = _matrix(labels, predictions, num_classes).counts
    both = counts.sum(axis=0) + counts.sum(axis=1)
    return np.nanmean(np.divide(np.diag(counts), both, out=np.full(len(counts), np.nan), where=both > 0))


def dice(right, labels, predictions, num_classes):
    """This is the Dice score, 2 · intersection / (truth + prediction); IU is intersection / union."""
    return 2 * counted_twice(right, labels, predictions, num_classes)


def accuracy_of_all_pixels(right, labels, predictions, num_classes):
    """This is the pixel accuracy, the share of pixels that are right; the mean IU looks at each class by itself."""
    return _matrix(labels, predictions, num_classes).pixel_accuracy()


def weighted_by_pixels(right, labels, predictions, num_classes):
    """Each class is weighted by its pixels; in the mean IU every class counts the same, however small."""
    return _matrix(labels, predictions, num_classes).frequency_weighted_iu()


def pooled(right, labels, predictions, num_classes):
    """You add up intersections and unions of all classes and divide once; divide class by class, then take the mean."""
    counts = _matrix(labels, predictions, num_classes).counts
    shared = np.trace(counts)
    return shared / (2 * counts.sum() - shared)


def zeros_left_out(right, labels, predictions, num_classes):
    """Classes whose IU is 0 are left out of the mean; leave out only those with an empty *union*."""
    ious = _matrix(labels, predictions, num_classes).per_class_iu()
    return np.mean(ious[ious > 0])


def without_background(right, labels, predictions, num_classes):
    """The background is missing from the mean: class 0 counts like the others."""
    return np.nanmean(_matrix(labels, predictions, num_classes).per_class_iu()[1:])


def label_classes_only(right, labels, predictions, num_classes):
    """You divide by the number of classes of the labels; a class that is only predicted counts too: its IU is 0."""
    matrix = _matrix(labels, predictions, num_classes)
    return np.mean(matrix.per_class_iu()[matrix.counts.sum(axis=1) > 0])


def predicted_classes_only(right, labels, predictions, num_classes):
    """You divide by the number of predicted classes; a class that is never predicted counts too: its IU is 0."""
    matrix = _matrix(labels, predictions, num_classes)
    return np.mean(matrix.per_class_iu()[matrix.counts.sum(axis=0) > 0])


def _seen(labels: np.ndarray, predictions: np.ndarray) -> tuple[set[int], set[int]]:
    """The classes of the labels, and those predicted where there is a label."""
    counted = labels != VOID
    return set(labels[counted].tolist()), set(predictions[counted].tolist())


def _classes(labels: np.ndarray, predictions: np.ndarray) -> int:
    truth, said = _seen(labels, predictions)
    return len(truth | said)


def _both_alike(labels, predictions, _):
    truth, said = _seen(labels, predictions)
    return truth == said


def _iu_cases() -> list[tuple]:
    rng = np.random.default_rng(11)
    cases = []
    for shape, classes, void, num_classes in (
        ((6, 6), [0, 1], 0.0, 2),
        ((6, 7), [0, 1, 2], 0.0, 3),
        ((8, 7), [0, 1, 2], 0.25, 3),
        ((9, 8), [0, 1, 3], 0.2, 6),
        ((9, 9), [0, 2, 3, 4], 0.1, 8),
    ):
        labels = _labels(rng, shape, classes, void)
        predictions = np.where(rng.random(shape) < 0.6, labels, _labels(rng, shape, [*classes, classes[-1]], 0.0))
        predictions[labels == VOID] = rng.choice(classes, (labels == VOID).sum())
        cases.append((labels, predictions.astype(np.uint8), num_classes))
    return [*cases, *_classes_in_one_array_only(rng)]


def _classes_in_one_array_only(rng: np.random.Generator) -> list[tuple]:
    """Class 1 is never predicted, classes 4 and 5 are only predicted; and a class that is predicted on void alone."""
    labels = _labels(rng, (7, 8), [0, 1, 2], 0.1)
    wrong = rng.choice([4, 5], labels.shape)
    predictions = np.where(labels == 1, wrong, np.where(rng.random(labels.shape) < 0.7, labels, 2)).astype(np.uint8)
    predictions[labels == VOID] = 0
    only_on_void = np.where(labels == VOID, 5, np.where(rng.random(labels.shape) < 0.7, labels, 0)).astype(np.uint8)
    return [(labels, predictions, 6), (labels, only_on_void, 6)]


MEAN_IU = Exercise(
    mean_iu,
    _iu_cases(),
    (
        void_counts_as_wrong, void_counts_as_background, absent_is_zero, absent_is_one, absent_is_nan, truth_only,
        counted_twice, dice, accuracy_of_all_pixels, weighted_by_pixels, without_background, label_classes_only,
        predicted_classes_only, pooled, zeros_left_out,
    ),
    facts={
        "no pixel is void": _no_void,
        "every class is in one of the arrays": lambda labels, predictions, n: _classes(labels, predictions) == n,
        "no class is in the labels alone or the predictions alone": _both_alike,
        "the number of classes": lambda labels, predictions, n: n,
        "the number of classes in either array": lambda labels, predictions, n: _classes(labels, predictions),
        "the number of classes of the labels": lambda labels, predictions, n: _classes(labels, labels),
    },
)  # fmt: skip

# ----------------------------------------------------------------------------------------------------- best_constant


def best_constant(labels, num_classes):
    """The lazy predictor that says one class everywhere, the class with the most pixels in labels (H, W).

    Return three things: that class, the predictor's pixel accuracy, its mean IU. Void (255) does not count.
    """
    best = int(np.argmax(class_counts(labels, num_classes)))
    everywhere = np.full_like(labels, best)
    return best, pixel_accuracy(labels, everywhere), mean_iu(labels, everywhere, num_classes)


def background_always(right, labels, num_classes):
    """You always say background; say the class with the most pixels, whichever it is."""
    everywhere = np.zeros_like(labels)
    return 0, pixel_accuracy(labels, everywhere), mean_iu(labels, everywhere, num_classes)


def void_divides(right, labels, num_classes):
    """The accuracy is a share of all pixels: divide by those that have a label."""
    best, accuracy, iu = right(labels, num_classes)
    return best, accuracy * (labels != VOID).mean(), iu


def void_wins(right, labels, num_classes):
    """Void (255) is no class, even where most pixels have it: leave it out before you count."""
    values, counts = np.unique(labels, return_counts=True)
    _, accuracy, iu = right(labels, num_classes)
    return values[counts.argmax()], accuracy, iu


def iu_of_one_class(right, labels, num_classes):
    """The IU is that of the one class alone; the mean has a 0 for every other class of the labels."""
    best, accuracy, _ = right(labels, num_classes)
    return best, accuracy, accuracy


def iu_over_all_classes(right, labels, num_classes):
    """The IU is divided by num_classes; divide by the number of classes that occur, for a mean IU leaves the others out."""
    best, accuracy, _ = right(labels, num_classes)
    return best, accuracy, accuracy / num_classes


def pixels_for_share(right, labels, num_classes):
    """The second number is how many pixels are right; return the share of the labelled pixels."""
    best, accuracy, iu = right(labels, num_classes)
    return best, accuracy * (labels != VOID).sum(), iu


def rarest(right, labels, num_classes):
    """This is the class with the *fewest* pixels; a lazy predictor says the commonest."""
    counts = class_counts(labels, num_classes)
    everywhere = np.full_like(labels, np.argmin(np.where(counts, counts, labels.size)))
    return everywhere[0, 0], pixel_accuracy(labels, everywhere), mean_iu(labels, everywhere, num_classes)


def _constant_cases() -> list[tuple]:
    rng = np.random.default_rng(12)
    return [
        (_labels(rng, (4, 5), [0, 0, 1], 0.0), 2),
        (_labels(rng, (6, 5), [0, 1, 2, 2, 2], 0.2), 4),
        (_labels(rng, (7, 6), [0, 0, 3], 0.7), 5),
        (_labels(rng, (5, 8), [1, 4, 4, 4], 0.2), 7),
    ]


BEST_CONSTANT = Exercise(
    best_constant,
    _constant_cases(),
    (background_always, void_divides, void_wins, iu_of_one_class, iu_over_all_classes, pixels_for_share, rarest),
    step="stretch",
    parts=("the class", "the pixel accuracy", "the mean IU"),
    facts={**FACTS, "the number of classes of the labels": lambda labels, n: len(_seen(labels, labels)[0])},
)

EXERCISES = (PIXEL_ACCURACY, CLASS_COUNTS, MEAN_IU, BEST_CONSTANT)
