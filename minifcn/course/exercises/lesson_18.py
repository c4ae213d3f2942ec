"""Exercises of lesson 18: the names of ten illnesses, and the lines that heal four of them."""

from __future__ import annotations

import numpy as np

from minifcn.course.clinic.charts import PATIENTS, chart
from minifcn.course.clinic.illnesses import NAMES, against
from minifcn.course.exercises import Exercise

VOID = 255

# --------------------------------------------------------------------------------------------------------- diagnosis


def diagnosis(patient):
    """The illness of a patient, 1 to 10, by its name in the list."""
    return PATIENTS[patient]


def contradiction(name, patient):
    """The measurement on the patient's chart that speaks against this name."""
    return against(name, chart(patient)) or f"the signs of {name} are there, and yet it is another illness."


DIAGNOSIS = Exercise(diagnosis, [(patient,) for patient in PATIENTS], (), words=NAMES, against=contradiction)

# ------------------------------------------------------------------------------------------------------ cure_colours


def cure_colours(x):
    """Pictures (N, 3, H, W), blue first as patient 4 reads them -> red first."""
    return x[:, ::-1]


def untouched(right, x):
    """Nothing is exchanged: the channels are axis 1."""
    return x


def columns_turned(right, x):
    """You mirror the pictures, which is the last axis; the channels are axis 1."""
    return x[..., ::-1]


def rows_turned(right, x):
    """You turn the pictures upside down; the channels are axis 1."""
    return x[:, :, ::-1]


def pictures_turned(right, x):
    """You reverse the order of the pictures; the channels are axis 1."""
    return x[::-1]


def rolled(right, x):
    """The channels are moved on by one: green is in the place of red; red and blue change places, and green stays."""
    return x[:, [1, 2, 0]]


def rolled_back(right, x):
    """The channels are moved back by one; red and blue change places, and green stays."""
    return x[:, [2, 0, 1]]


def red_green(right, x):
    """The first two channels are exchanged; the first and the last are to be."""
    return x[:, [1, 0, 2]]


def negative(right, x):
    """You take the negative of the pictures; their channels are in the wrong order, and nothing else."""
    return -x


def _colour_cases() -> list[tuple]:
    rng = np.random.default_rng(180)
    return [(rng.normal(size=size),) for size in ((1, 3, 1, 2), (2, 3, 4, 5), (3, 3, 5, 2))]


CURE_COLOURS = Exercise(
    cure_colours,
    _colour_cases(),
    (untouched, columns_turned, rows_turned, pictures_turned, rolled, rolled_back, red_green, negative),
    step="warm-up",
)

# --------------------------------------------------------------------------------------------------------- cure_crop


def cure_crop(scores, H, W):
    """Scores (N, C, H + margins, W + margins), as much above as below -> (N, C, H, W), the middle."""
    return _cropped(scores, H, W)


def _cropped(scores, H, W, more=0, divided=2):
    top, left = (scores.shape[2] - H) // divided + more, (scores.shape[3] - W) // divided + more
    return scores[:, :, top : top + H, left : left + W]


def one_too_far(right, scores, H, W):
    """The crop begins one pixel too far down and right."""
    return np.pad(scores, ((0, 0), (0, 0), (0, 2), (0, 2)))[
        :, :, (scores.shape[2] - H) // 2 + 1 :, (scores.shape[3] - W) // 2 + 1 :
    ][:, :, :H, :W]


def top_left(right, scores, H, W):
    """The crop begins in the corner; the margin is as wide above as below, so begin at half of it."""
    return scores[:, :, :H, :W]


def bottom_right(right, scores, H, W):
    """The crop ends in the last corner; the margin is as wide above as below."""
    return scores[:, :, -H:, -W:]


def margins_exchanged(right, scores, H, W):
    """The margins of height and width are exchanged; each has its own."""
    top, left = (scores.shape[3] - W) // 2, (scores.shape[2] - H) // 2
    return scores[:, :, top : top + H, left : left + W]


def sizes_exchanged(right, scores, H, W):
    """Height and width are exchanged: rows are axis 2, columns axis 3."""
    return _cropped(scores, W, H)


def not_cropped(right, scores, H, W):
    """Nothing is taken away."""
    return scores


def margin_kept(right, scores, H, W):
    """Half of the margin is taken away above and left only; the result must be H x W."""
    top, left = (scores.shape[2] - H) // 2, (scores.shape[3] - W) // 2
    return scores[:, :, top:, left:]


def _crop_cases() -> list[tuple]:
    rng = np.random.default_rng(181)
    return [
        (rng.normal(size=(N, C, H + 2 * a, W + 2 * b)), H, W)
        for N, C, H, W, a, b in ((1, 1, 2, 3, 1, 1), (2, 3, 5, 4, 2, 3), (1, 5, 4, 7, 4, 1))
    ]


CURE_CROP = Exercise(
    cure_crop,
    _crop_cases(),
    (one_too_far, top_left, bottom_right, margins_exchanged, sizes_exchanged, not_cropped, margin_kept),
)

# ------------------------------------------------------------------------------------------------------ cure_average


def cure_average(matrices):
    """Confusion matrices (count, K, K), rows the truth, one a picture -> the mean IU over the classes that are there."""
    return _mean_iu(np.sum(matrices, axis=0))


def _mean_iu(whole, absent_counts=False):
    hits, union = np.diag(whole), whole.sum(0) + whole.sum(1) - np.diag(whole)
    iu = hits / np.maximum(union, 1)
    return float(iu.mean() if absent_counts else iu[union > 0].mean())


def by_picture(right, matrices):
    """That is the mean of each picture's mean IU; add the matrices up first."""
    return float(np.mean([_mean_iu(one) for one in matrices]))


def by_picture_with_absent(right, matrices):
    """That is what patient 8 does: each picture by itself, and a class that is not in it counts as 0."""
    return float(np.mean([_mean_iu(one, absent_counts=True) for one in matrices]))


def absent_as_zero(right, matrices):
    """A class that is nowhere counts as 0; leave it out."""
    return _mean_iu(np.sum(matrices, axis=0), absent_counts=True)


def pixel_accuracy(right, matrices):
    """That is the share of right pixels."""
    whole = np.sum(matrices, axis=0)
    return float(np.trace(whole) / whole.sum())


def accuracy_of_classes(right, matrices):
    """Hits are divided by the true pixels only; the union has the wrongly called ones, too."""
    whole = np.sum(matrices, axis=0)
    there = whole.sum(1) > 0
    return float(np.mean(np.diag(whole)[there] / whole.sum(1)[there]))


def precision_of_classes(right, matrices):
    """Hits are divided by the called pixels only; the union has the missed ones, too."""
    whole = np.sum(matrices, axis=0)
    there = whole.sum(0) > 0
    return float(np.mean(np.diag(whole)[there] / whole.sum(0)[there]))


def hits_twice(right, matrices):
    """The hits are in the union twice, once as true pixels and once as called ones: subtract them once."""
    whole = np.sum(matrices, axis=0)
    both = whole.sum(0) + whole.sum(1)
    return float(np.mean(np.diag(whole)[both > 0] / both[both > 0]))


def first_picture(right, matrices):
    """Only the first picture counts; add up all matrices."""
    return _mean_iu(matrices[0])


def mean_over_pictures_of_each_class(right, matrices):
    """Each class is averaged over the pictures in which it is; add the matrices up first."""
    by_class = []
    for c in range(matrices.shape[1]):
        union = matrices[:, c].sum(1) + matrices[:, :, c].sum(1) - matrices[:, c, c]
        if (union > 0).any():
            by_class.append(np.mean(matrices[:, c, c][union > 0] / union[union > 0]))
    return float(np.mean(by_class))


def _matrices(rng: np.random.Generator, count: int, K: int, absent: int | None) -> np.ndarray:
    matrices = rng.integers(0, 9, (count, K, K)) + 12 * np.eye(K, dtype=int)
    for n in range(count):
        gone = int(rng.integers(1, K))
        matrices[n, gone], matrices[n, :, gone] = 0, 0
    if absent is not None:
        matrices[:, absent], matrices[:, :, absent] = 0, 0
    return matrices


def _average_cases() -> list[tuple]:
    rng = np.random.default_rng(182)
    return [(_matrices(rng, *sizes),) for sizes in ((2, 3, None), (4, 5, None), (3, 4, 2), (5, 5, 4))]


CURE_AVERAGE = Exercise(
    cure_average,
    _average_cases(),
    (
        by_picture, by_picture_with_absent, absent_as_zero, pixel_accuracy, accuracy_of_classes, precision_of_classes,
        hits_twice, first_picture, mean_over_pictures_of_each_class,
    ),
)  # fmt: skip

# --------------------------------------------------------------------------------------------------------- cure_rate


def cure_rate(lr, labels):
    """The rate for a loss that is summed, from that for a mean: divided by the labelled pixels of labels (N, H, W)."""
    return lr / (labels != VOID).sum()


def void_counted(right, lr, labels):
    """Void pixels are counted; the loss has nothing from them."""
    return lr / labels.size


def background_left_out(right, lr, labels):
    """Background is left out; it is labelled, and in the loss. Only 255 is not."""
    return lr / ((labels != VOID) & (labels != 0)).sum()


def pixels_of_one(right, lr, labels):
    """You count the pixels of one picture; the loss sums over the whole batch."""
    return lr / (labels[0] != VOID).sum()


def by_the_batch(right, lr, labels):
    """You divide by the number of pictures; the loss sums over pixels."""
    return lr / len(labels)


def multiplied(right, lr, labels):
    """You multiply; the gradient of a sum is larger, so the rate has to be smaller."""
    return lr * (labels != VOID).sum()


def void_only(right, lr, labels):
    """You count the void pixels; all others are labelled."""
    return lr / (labels == VOID).sum()


def root(right, lr, labels):
    """You divide by the root; the gradient of a sum is as many times longer as there are pixels."""
    return lr / np.sqrt((labels != VOID).sum())


def unchanged(right, lr, labels):
    """The rate is as it was."""
    return lr


def _rate_cases() -> list[tuple]:
    rng = np.random.default_rng(183)
    cases = []
    for lr, shape in ((0.05, (1, 2, 3)), (0.05, (2, 4, 5)), (0.3, (3, 5, 2)), (2.0, (4, 6, 7))):
        labels = rng.integers(0, 5, shape).astype(np.uint8)
        labels[rng.random(shape) < 0.3] = VOID
        labels.flat[0], labels.flat[1] = VOID, 1
        cases.append((lr, labels))
    return cases


CURE_RATE = Exercise(
    cure_rate,
    _rate_cases(),
    (void_counted, background_left_out, pixels_of_one, by_the_batch, multiplied, void_only, root, unchanged),
)

EXERCISES = (CURE_COLOURS, DIAGNOSIS, CURE_CROP, CURE_AVERAGE, CURE_RATE)
