"""How every network of the clinic is trained and examined: a procedure in parts, of which a sick network has one that is wrong.

All train lesson 13's network on its pictures, 80 steps of 8, and are examined on 40 new ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from minifcn.course.small_fcn import SmallFCN, batches, pictures
from minifcn.data.palette import VOID
from minifcn.data.shapes import SHAPES_CLASSES
from minifcn.layers import CrossEntropyLoss, no_grad
from minifcn.training import SGD, ConfusionMatrix
from minifcn.training.schedules import poly
from minifcn.training.views import most_likely

STEPS, BATCH, LR, MOMENTUM = 80, 8, 0.05, 0.9
TRAINED, EXAMINED = 200, 40  # pictures
SHIFTS = tuple(range(-3, 4))  # by which a prediction is moved down and right, to see where it fits best
SHOWN = (12, 3)  # which of the examined pictures are on the chart
MARGIN = 4  # pixels of the scores that the last crop has to take away, above and on the left


# ----------------------------------------------------------------------------------------------------- the healthy parts


def labels_to_learn(labels):
    """Labels (N, H, W) as the loss gets them."""
    return labels


def pictures_to_learn(x):
    """Pictures (N, 3, H, W) as the network gets them in training."""
    return x


def pictures_to_examine(x):
    """The same for new pictures."""
    return x


def first_weights(net):
    """What is changed in a new network before it learns."""


def crop(scores, H, W):
    """Scores (N, C, H + margins, W + margins) -> (N, C, H, W): what lies over the picture."""
    top, left = (scores.shape[2] - H) // 2, (scores.shape[3] - W) // 2
    return scores[:, :, top : top + H, left : left + W]


def mode(net):
    """How the network is set before it is examined."""
    net.eval()


def average(matrices):
    """The mean IU reported, from one confusion matrix (5, 5) a picture, rows the truth."""
    whole = np.sum(matrices, axis=0)
    hits, union = np.diag(whole), whole.sum(0) + whole.sum(1) - np.diag(whole)
    return float(np.mean(hits[union > 0] / union[union > 0]))


def loss(criterion, scores, labels):
    """The loss of a batch."""
    return float(criterion(scores, labels))


def rate(lr, labels):
    """The learning rate, for batches like these labels (N, H, W)."""
    return lr


def forget_gradients(optimizer):
    """Between two steps."""
    optimizer.zero_grad()


Parts = dict[str, Callable[..., Any]]

PARTS: Parts = {
    part.__name__: part
    for part in (
        labels_to_learn, pictures_to_learn, pictures_to_examine, first_weights, crop, mode, average, loss, rate,
        forget_gradients,
    )
}  # fmt: skip


# ---------------------------------------------------------------------------------------------------------- the chart


@dataclass(frozen=True)
class Chart:
    """What one sees of a network: how it learnt, what it reports, and what came out of some tests."""

    losses: list[float | None]  # None where it is no number
    reported: float  # its own mean IU
    iu: list[float]  # of each class, counted by us
    accuracy: float  # of pixels
    outlines: float  # mean IU within two pixels of an outline
    inside: float  # mean IU everywhere else
    void: float  # of the unlabelled pixels along outlines: how many are called background
    phantoms: float  # of the pixels that are no circle: how many are called circle
    shifts: list[list[float]]  # mean IU of the prediction moved by SHIFTS down (rows) and right (columns)
    alone: float  # mean IU when each picture is given alone, instead of all in batches
    exchanged: float  # mean IU with red and blue exchanged in the new pictures
    seen: list[float]  # the smallest and the largest number that it was given in the examination
    gradients: list[float]  # the length of the whole gradient in the first four steps
    moved: dict[str, float]  # of each layer: how far its weights have moved, in parts of what they were
    masks: list[list[str]]  # what it says about the pictures SHOWN: rows of digits

    @property
    def mean_iu(self) -> float:
        """The mean over all classes that are there, from one matrix for all pictures."""
        return float(np.mean(self.iu))

    @property
    def best_shift(self) -> tuple[int, int]:
        """Where the prediction fits best: how far it has to be moved down and right."""
        row, column = np.unravel_index(int(np.argmax(self.shifts)), np.shape(self.shifts))
        return SHIFTS[row], SHIFTS[column]

    @property
    def last_loss(self) -> float:
        """The mean of the last eight; NaN where one is no number."""
        return float(np.mean([np.nan if one is None else one for one in self.losses[-8:]]))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def trained(parts: Parts, seed: int = 0) -> tuple[SmallFCN, dict[str, Any]]:
    """A network after its training with these parts in place of the healthy ones, and what was written down meanwhile."""
    part = PARTS | parts
    net = SmallFCN(seed=seed)
    part["first_weights"](net)
    before = {name: weights.data.copy() for name, weights in net.named_parameters()}
    x, labels = pictures(1000 * seed, TRAINED)
    x, labels = part["pictures_to_learn"](x), part["labels_to_learn"](labels)
    optimizer = SGD(net.parameters(), lr=part["rate"](LR, labels[:BATCH]), momentum=MOMENTUM)
    criterion, losses, gradients = CrossEntropyLoss(), [], []
    net.train()
    with np.errstate(all="ignore"):
        for step, chosen in enumerate(batches(TRAINED, BATCH, STEPS)):
            optimizer.scale_lr(poly(step, STEPS))
            losses.append(part["loss"](criterion, net(x[chosen]), labels[chosen]))
            part["forget_gradients"](optimizer)
            net.backward(_gradient(criterion, part["loss"], labels[chosen]))
            if step < 4:
                gradients.append(_length([one.grad for one in net.parameters() if one.grad is not None]))
            optimizer.step()
    moved = {
        name.partition(".")[0]: _length([weights.data - before[name]]) / (_length([before[name]]) or 1.0)
        for name, weights in net.named_parameters()
        if name.endswith(".weight")
    }
    return net, {"losses": losses, "gradients": gradients, "moved": moved}


def examined(net: SmallFCN, parts: Parts, notes: dict[str, Any], seed: int = 0) -> Chart:
    """The chart of a trained network."""
    part = PARTS | parts
    x, labels = pictures(100_000 + 1000 * seed, EXAMINED)
    x = part["pictures_to_examine"](x)
    part["mode"](net)
    said = _said(net, x, part["crop"], BATCH)
    matrices = [_matrix(labels[n], said[n]) for n in range(EXAMINED)]
    whole = _matrix(labels, said)
    near = _near(labels)
    return Chart(
        losses=[one if np.isfinite(one) else None for one in notes["losses"]],
        reported=float(part["average"](matrices)),
        iu=_iu(whole).tolist(),
        accuracy=float(np.trace(whole) / whole.sum()),
        outlines=float(_iu(_matrix(np.where(near, labels, VOID), said)).mean()),
        inside=float(_iu(_matrix(np.where(near, VOID, labels), said)).mean()),
        void=float((said[labels == VOID] == 0).mean()),
        phantoms=float((said[(labels != 1) & (labels != VOID)] == 1).mean()),
        shifts=[[_moved(labels, said, down, right) for right in SHIFTS] for down in SHIFTS],
        alone=float(_iu(_matrix(labels, _said(net, x, part["crop"], 1))).mean()),
        exchanged=float(_iu(_matrix(labels, _said(net, np.ascontiguousarray(x[:, ::-1]), part["crop"], BATCH))).mean()),
        seen=[float(x.min()), float(x.max())],
        gradients=[float(one) for one in notes["gradients"]],
        moved={name: float(one) for name, one in notes["moved"].items()},
        masks=[["".join(map(str, row)) for row in said[n]] for n in SHOWN],
    )


def _gradient(criterion: CrossEntropyLoss, loss: Callable[..., float], labels: np.ndarray) -> np.ndarray:
    """The gradient of what the loss gave: of the mean, or times whatever it was multiplied by."""
    dscores = criterion.backward()
    return dscores * getattr(loss, "factor", lambda labels: 1.0)(labels)


def _length(arrays: Sequence[np.ndarray]) -> float:
    return float(np.sqrt(sum(float((one**2).sum()) for one in arrays)))


def _said(net: SmallFCN, x: np.ndarray, crop: Callable[..., np.ndarray], batch: int) -> np.ndarray:
    """The class of each pixel, the network being as it is. The last crop of the network is the part's."""
    H, W = x.shape[2:]
    with no_grad(), np.errstate(all="ignore"):
        scores = [net(x[start : start + batch]) for start in range(0, len(x), batch)]
    wide = np.pad(np.concatenate(scores), ((0, 0), (0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)), mode="edge")
    return most_likely(np.nan_to_num(crop(wide, H, W)))


def _matrix(labels: np.ndarray, said: np.ndarray) -> np.ndarray:
    matrix = ConfusionMatrix(len(SHAPES_CLASSES))
    matrix.update(labels, said)
    return np.asarray(matrix.counts)


def _iu(matrix: np.ndarray) -> np.ndarray:
    hits, union = np.diag(matrix), matrix.sum(0) + matrix.sum(1) - np.diag(matrix)
    return hits / np.maximum(union, 1)


def _moved(labels: np.ndarray, said: np.ndarray, down: int, right: int) -> float:
    """The mean IU of the prediction, moved, over those pixels that all moves leave."""
    edge = max(SHIFTS)
    H, W = labels.shape[1:]
    window = said[:, edge - down : H - edge - down, edge - right : W - edge - right]
    return float(_iu(_matrix(labels[:, edge : H - edge, edge : W - edge], window)).mean())


def _near(labels: np.ndarray) -> np.ndarray:
    """Pixels within three of an unlabelled one; outlines are unlabelled."""
    near = labels == VOID
    for _ in range(3):
        padded = np.pad(near, ((0, 0), (1, 1), (1, 1)))
        near = padded[:, :-2, 1:-1] | padded[:, 2:, 1:-1] | padded[:, 1:-1, :-2] | padded[:, 1:-1, 2:] | near
    return near
