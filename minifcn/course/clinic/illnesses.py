"""Sixteen illnesses: for each the part of the procedure that is wrong, and the signs by which it is told from the others.

A sign is something that must be seen on the chart if it is this illness. What speaks against a diagnosis is the first of its
signs that the chart does not show.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from minifcn.course.clinic.procedure import Chart, Parts
from minifcn.data.palette import VOID


@dataclass(frozen=True)
class Sign:
    """`expected`: what one would see; `holds`: whether this chart shows it; `measured`: what the chart shows."""

    expected: str
    holds: Callable[[Chart], bool]
    measured: Callable[[Chart], str]


@dataclass(frozen=True)
class Illness:
    """A name from the list, the wrong part, the signs, and the line that heals it."""

    name: str
    parts: Parts
    signs: tuple[Sign, ...]
    cure: str


def against(name: str, chart: Chart) -> str:
    """The measurement that contradicts the diagnosis, in a sentence; "" where all of its signs are there."""
    for sign in ILLNESSES[name].signs:
        if not sign.holds(chart):
            return f"If it were {name}, {sign.expected}; here {sign.measured(chart)}."
    return ""


# ----------------------------------------------------------------------------------------------------- the wrong parts


def void_as_background(labels):
    return np.where(labels == VOID, 0, labels)


def blue_first(x):
    return np.ascontiguousarray(x[:, ::-1])


def crop_off_by_two(scores, H, W):
    top, left = (scores.shape[2] - H) // 2 + 2, (scores.shape[3] - W) // 2 + 2
    return scores[:, :, top : top + H, left : left + W]


def still_training(net):
    net.train()


def averaged_by_picture(matrices):
    by_picture = []
    for matrix in matrices:
        hits, union = np.diag(matrix), matrix.sum(0) + matrix.sum(1) - np.diag(matrix)
        by_picture.append(np.mean(hits / np.maximum(union, 1)))  # a class that is not there counts as 0
    return float(np.mean(by_picture))


def resized_smoothly(labels):
    resized = []
    for mask in np.where(labels == VOID, 0, labels).astype(np.uint8):
        H, W = mask.shape
        small = Image.fromarray(mask).resize((W // 2, H // 2), Image.Resampling.BILINEAR)
        resized.append(np.asarray(small.resize((W, H), Image.Resampling.BILINEAR)))
    return np.stack(resized)


def small_kernels(net):
    rng = np.random.default_rng(1)
    for k in net.ups:
        up = getattr(net, f"up{k}")
        up.weight.data[...] = rng.normal(0, 0.02, up.weight.shape)


def kernels_of_zero(net):
    for k in net.ups:
        getattr(net, f"up{k}").weight.data[...] = 0


class Summed:
    """The loss summed over the labelled pixels, instead of their mean; its gradient is as many times larger."""

    @staticmethod
    def factor(labels):
        return float((labels != VOID).sum())

    def __call__(self, criterion, scores, labels):
        return float(criterion(scores, labels)) * self.factor(labels)


def a_hundredth(lr, labels):
    return lr / 100


def a_hundred_times(lr, labels):
    return lr * 100


def next_mask(labels):
    return np.roll(labels, -1, axis=0)


def shifted_classes(labels):
    return np.where((labels > 0) & (labels != VOID), labels % 4 + 1, labels).astype(np.uint8)


def flipped_alone(x):
    x = x.copy()
    x[::2] = x[::2, :, :, ::-1]
    return x


def not_scaled(x):
    return (x + 1) * 128


def gradients_kept(optimizer):
    pass


# ----------------------------------------------------------------------------------------------------------- the signs


def _iu(value: float) -> str:
    return f"{value:.2f}"


def _learnt(below: float) -> Sign:
    return Sign(
        f"the last losses would be below {below}, for nothing disturbs the training",
        lambda chart: chart.last_loss < below,
        lambda chart: f"their mean is {_loss(chart.last_loss)}",
    )


def _ends_between(low: float, high: float, why: str) -> Sign:
    return Sign(
        f"the loss would fall and stop between {low} and {high}, {why}",
        lambda chart: low < chart.last_loss < high,
        lambda chart: f"the mean of the last losses is {_loss(chart.last_loss)}",
    )


def _loss(value: float) -> str:
    return "no number" if math.isnan(value) else f"{value:.2f}" if value < 1e4 else f"{value:.0e}"


def _blows_up(chart: Chart) -> bool:
    return math.isnan(chart.last_loss) or chart.last_loss > 100


_SOLID = Sign(
    "it would be nearly right away from outlines",
    lambda chart: chart.inside > 0.88,
    lambda chart: f"the mean IU there is {_iu(chart.inside)}",
)
_ALL_BACKGROUND = Sign(
    "it would call nearly everything background",
    lambda chart: chart.iu[0] > 0.6 and max(chart.iu[1:]) < 0.2,
    lambda chart: f"the IU of the shapes is up to {_iu(max(chart.iu[1:]))}, of background {_iu(chart.iu[0])}",
)
_GRADIENT_AS_USUAL = Sign(
    "the first gradient would be as long as in a healthy network, about 3",
    lambda chart: 1 < chart.gradients[0] < 30,
    lambda chart: f"it is {chart.gradients[0]:.2g}",
)


def _first_loss(low: float, high: float, words: str) -> Sign:
    return Sign(
        words,
        lambda chart: chart.losses[0] is not None and low < chart.losses[0] < high,
        lambda chart: f"it is {_loss(math.nan if chart.losses[0] is None else chart.losses[0])}",
    )


_LN5 = _first_loss(1.5, 1.7, "the first loss would be ln 5 = 1.61 still, for only the step is wrong")

_LIST = (
    Illness(
        "averaged by picture",
        {"average": averaged_by_picture},
        (
            Sign(
                "the mean IU that it reports would lie far below the one counted from all its masks",
                lambda chart: chart.reported < chart.mean_iu - 0.1,
                lambda chart: f"it reports {_iu(chart.reported)}, and the count gives {_iu(chart.mean_iu)}",
            ),
        ),
        "add up the confusion matrices of all pictures, then divide",
    ),
    Illness(
        "classes shifted by one",
        {"labels_to_learn": shifted_classes},
        (
            Sign(
                "background would be right and every shape called by another's name",
                lambda chart: chart.iu[0] > 0.9 and max(chart.iu[1:]) < 0.08,
                lambda chart: f"the IU of background is {_iu(chart.iu[0])}, of the shapes up to {_iu(max(chart.iu[1:]))}",
            ),
            _learnt(0.3),
        ),
        "leave the labels' numbers alone",
    ),
    Illness(
        "crop off by two",
        {"crop": crop_off_by_two},
        (
            Sign(
                "the masks would fit much better when they are moved",
                lambda chart: np.max(chart.shifts) > chart.shifts[3][3] + 0.05 and chart.best_shift != (0, 0),
                lambda chart: (
                    f"unmoved they have a mean IU of {_iu(chart.shifts[3][3])}, and moved, at the best, "
                    f"{_iu(np.max(np.delete(np.ravel(chart.shifts), 24)))}"
                ),
            ),
        ),
        "begin the crop at (margin) // 2",
    ),
    Illness(
        "examined in training mode",
        {"mode": still_training},
        (
            Sign(
                "a picture given alone would get another answer than in a batch",
                lambda chart: abs(chart.alone - chart.mean_iu) > 0.05,
                lambda chart: f"the mean IU is {_iu(chart.mean_iu)} in batches and {_iu(chart.alone)} one by one",
            ),
        ),
        "call eval() before it is examined",
    ),
    Illness(
        "gradients not zeroed",
        {"forget_gradients": gradients_kept},
        (
            Sign(
                "the second gradient would hold the first as well, and be about twice as long",
                lambda chart: 1.3 < chart.gradients[1] / max(chart.gradients[0], 1e-30) < 3,
                lambda chart: f"the first two are {chart.gradients[0]:.2g} and {chart.gradients[1]:.2g} long",
            ),
            _LN5,
        ),
        "zero_grad() in each step",
    ),
    Illness(
        "kernels of zero",
        {"first_weights": kernels_of_zero},
        (
            Sign(
                "no gradient at all would come through: a score of 0 times a kernel of 0",
                lambda chart: chart.gradients[0] == 0,
                lambda chart: f"the first gradient is {chart.gradients[0]:.2g} long",
            ),
        ),
        "start the deconvolutions as interpolation",
    ),
    Illness(
        "kernels too small",
        {"first_weights": small_kernels},
        (
            Sign(
                "the first gradient would be far shorter than a healthy one's 3, and not zero",
                lambda chart: 0 < chart.gradients[0] < 0.5,
                lambda chart: f"it is {chart.gradients[0]:.2g} long",
            ),
        ),
        "start the deconvolutions as interpolation",
    ),
    Illness(
        "loss summed",
        {"loss": Summed()},
        (_first_loss(1000, math.inf, "the first loss would be ln 5 times the pixels of a batch, about 35,000"),),
        "divide the rate by the number of labelled pixels, or the loss",
    ),
    Illness(
        "masks of other pictures",
        {"labels_to_learn": next_mask},
        (
            _GRADIENT_AS_USUAL,
            _ALL_BACKGROUND,
            Sign(
                "the weights would have moved as far as in a healthy network",
                lambda chart: max(chart.moved.values()) > 0.35,
                lambda chart: f"those of one layer have moved by {_times(max(chart.moved.values()))} what they were, at most",
            ),
            _ends_between(0.5, 0.95, "at what can be known without looking: mostly background, a little of everything"),
        ),
        "give each picture its own mask",
    ),
    Illness(
        "masks resized smoothly",
        {"labels_to_learn": resized_smoothly},
        (
            Sign(
                "circles would appear where there is none, between background and other shapes",
                lambda chart: 0.002 < chart.phantoms < 0.03,
                lambda chart: f"of the pixels that are no circle {chart.phantoms:.2%} are called one",
            ),
            _SOLID,
            _ends_between(0.15, 0.48, "for nobody can learn the invented labels along outlines"),
        ),
        "resize masks by the nearest pixel",
    ),
    Illness(
        "pictures flipped alone",
        {"pictures_to_learn": flipped_alone},
        (
            _GRADIENT_AS_USUAL,
            _ends_between(0.3, 0.7, "for half of the masks belong to the mirror image"),
            Sign(
                "it would have learnt something from the other half: shapes are found",
                lambda chart: chart.mean_iu > 0.4,
                lambda chart: f"the mean IU is {_iu(chart.mean_iu)}",
            ),
        ),
        "flip each mask with its picture",
    ),
    Illness(
        "pictures not scaled",
        {"pictures_to_examine": not_scaled},
        (
            Sign(
                "the numbers that it was given in the examination would not lie between -1 and 1",
                lambda chart: chart.seen[1] > 2,
                lambda chart: f"they lie between {chart.seen[0]:.2g} and {chart.seen[1]:.2g}",
            ),
        ),
        "x / 128 - 1, in the examination too",
    ),
    Illness(
        "rate too large",
        {"rate": a_hundred_times},
        (
            _LN5,
            Sign(
                "the loss would be in the thousands within four steps",
                lambda chart: any(one is None or one > 1000 for one in chart.losses[1:4]),
                lambda chart: f"the first four are {', '.join(_loss(math.nan if x is None else x) for x in chart.losses[:4])}",
            ),
        ),
        "a hundredth of the rate",
    ),
    Illness(
        "rate too small",
        {"rate": a_hundredth},
        (
            _GRADIENT_AS_USUAL,
            Sign(
                "the weights would hardly have moved",
                lambda chart: max(chart.moved.values()) < 0.35,
                lambda chart: f"those of one layer have moved by {_times(max(chart.moved.values()))} what they were",
            ),
        ),
        "a hundred times the rate",
    ),
    Illness(
        "red and blue exchanged",
        {"pictures_to_examine": blue_first},
        (
            Sign(
                "exchanging them once more would heal it",
                lambda chart: chart.exchanged > chart.mean_iu + 0.3,
                lambda chart: f"the mean IU is {_iu(chart.mean_iu)}, and {_iu(chart.exchanged)} with the two exchanged",
            ),
        ),
        "read pictures in the order in which they were read in training",
    ),
    Illness(
        "void as background",
        {"labels_to_learn": void_as_background},
        (
            Sign(
                "most of the unlabelled pixels along outlines would be called background",
                lambda chart: chart.void > 0.68,
                lambda chart: f"{chart.void:.0%} of them are",
            ),
            _SOLID,
            _learnt(0.25),
            Sign(
                "circles would not appear where there is none",
                lambda chart: chart.phantoms < 0.002,
                lambda chart: f"of the pixels that are no circle {chart.phantoms:.2%} are called one",
            ),
        ),
        "leave 255 in the labels, and let the loss ignore it",
    ),
)


def _times(value: float) -> str:
    return "no number times" if not math.isfinite(value) else f"{value:.2g} times"


ILLNESSES = {illness.name: illness for illness in _LIST}
NAMES = tuple(ILLNESSES)
