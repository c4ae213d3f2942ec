"""The small network that the lessons train, with its pictures and its loop: one for all of them, so that numbers compare.

A convolution of 3x3 (with batch norm and ReLU) for each entry of ``channels``, a max-pooling between two of them; then class
scores, and a learned deconvolution for each pooling. On the way up, scores read behind each pooling but the last are added.
Without these skips, one deconvolution makes the whole way up, as in FCN-32s.

    channels (16, 32, 64, 64)    lessons 07, 08, 11 to 18     62,639 weights     48 x 64 pixels
    channels (8, 16, 16)         the capstone                  4,722 weights     24 x 32 pixels

A lesson that wants to see what a part is for leaves it out: ``skips=False``, ``norm=False``.

Weights and pictures are float64. In float32 the rounding of one processor's matrix products grows to the third digit within a
hundred steps; in float64 all that a lesson prints comes out the same on every machine, for twice the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from minifcn.backend import Array
from minifcn.data.shapes import SHAPES_CLASSES, ShapesOptions, draw
from minifcn.layers import BatchNorm2d, Conv2d, CrossEntropyLoss, Identity, Layer, MaxPool2d, ReLU, evaluating
from minifcn.layers.containers import needs_dx_of
from minifcn.layers.trunk import TrunkOf
from minifcn.models.fcn import bilinear_layer, crop_to_picture, join, own, score_layer, through
from minifcn.training import ConfusionMatrix, Optimizer
from minifcn.training.views import most_likely

SMALL = ShapesOptions(height=(48, 48), width=(64, 64), objects=(1, 2), size=(24, 34))
SMALLEST = ShapesOptions(height=(24, 24), width=(32, 32), objects=(1, 2), size=(12, 17))


class SmallFCN(Layer):
    """x (N, in_channels, H, W) -> scores (N, num_classes, H, W), for any H and W. All scores start at zero.

    ``skips=False``: nothing is read on the way, and one deconvolution makes the whole way up; ``norm=False``: no batch norm.
    ``seed`` draws the first weights.
    """

    needs_dx = needs_dx_of("conv1")

    def __init__(
        self, num_classes: int = len(SHAPES_CLASSES), channels: tuple[int, ...] = (16, 32, 64, 64), *, in_channels: int = 3,
        skips: bool = True, norm: bool = True, seed: int | None = 0, dtype: str = "float64",
    ) -> None:  # fmt: skip
        super().__init__()
        if len(channels) < 2 or min(channels) < 1:
            raise ValueError(f"channels={channels} make no FCN; give two or more numbers, each at least 1, as (8, 16, 16)")
        self.depth = len(channels)  # of the convolutions; there is one pooling less
        self.ups = range(self.depth - 1, 0, -1) if skips else range(1, 0, -1)  # deconvolution k undoes pooling k
        self.skips = range(self.depth - 2, 0, -1) if skips else range(0)  # the poolings that are read, the last one first
        self.taps = (*(f"pool{k}" for k in reversed(self.skips)), f"relu{self.depth}")
        places = own(self, _trunk((in_channels, *channels), norm, np.random.default_rng(seed)))
        place = places[self.taps[-1]]
        setattr(self, f"score{self.depth}", score_layer(channels[-1], num_classes))
        stride = 2 if skips else 2 ** (self.depth - 1)
        for k in self.ups:
            up = bilinear_layer(num_classes, 2 * stride, stride, learn=True)
            setattr(self, f"up{k}", up)
            place = through(place, up)
            if k - 1 in self.skips:
                setattr(self, f"score{k - 1}", score_layer(channels[k - 2], num_classes))
                joined, place = join(place, places[f"pool{k - 1}"])
                setattr(self, f"join{k - 1}", joined)
        self.crop = crop_to_picture(place)
        self.needs_dx = False
        self.to(dtype)

    def forward(self, x: Array) -> Array:
        *pools, deepest = TrunkOf(self, self.taps)(x)
        score = self._part("score", self.depth)(deepest)
        for k in self.ups:
            score = self._part("up", k)(score)
            if k - 1 in self.skips:
                score = self._part("join", k - 1)(score, self._part("score", k - 1)(pools.pop()))
        return self.crop(score, x.shape[2:])

    def backward(self, dy: Array) -> Array | None:
        dscore, dpools = self.crop.backward(dy), []
        for k in reversed(self.ups):
            if k - 1 in self.skips:
                dscore, dside = self._part("join", k - 1).backward(dscore)
                dpools.append(self._part("score", k - 1).backward(dside))
            dscore = self._part("up", k).backward(dscore)
        ddeepest = self._part("score", self.depth).backward(dscore)
        return TrunkOf(self, self.taps).backward(*dpools, ddeepest)

    def _part(self, kind: str, number: int) -> Layer:
        return getattr(self, f"{kind}{number}")


def _trunk(channels: tuple[int, ...], norm: bool, rng: np.random.Generator) -> dict[str, Layer]:
    """conv, batch norm, ReLU for each step from one number of channels to the next, and a pooling between two of them."""
    row: dict[str, Layer] = {}
    for k in range(1, len(channels)):
        row[f"conv{k}"] = Conv2d(channels[k - 1], channels[k], 3, padding=1, rng=rng)
        row[f"norm{k}"] = BatchNorm2d(channels[k]) if norm else Identity()
        row[f"relu{k}"] = ReLU()
        if k < len(channels) - 1:
            row[f"pool{k}"] = MaxPool2d(2, ceil_mode=True)
    return row


# ------------------------------------------------------------------------------------------------ pictures and the loop


def scaled(images: np.ndarray) -> np.ndarray:
    """Pictures (N, H, W, 3) uint8 as the network wants them: (N, 3, H, W) float64 from -1 to 1."""
    return np.ascontiguousarray((images / 128 - 1).transpose(0, 3, 1, 2))


def pictures(first: int, count: int, options: ShapesOptions = SMALL) -> tuple[np.ndarray, np.ndarray]:
    """Pictures `first` to `first + count - 1` of the shapes: x (count, 3, H, W) float64 and labels (count, H, W) uint8."""
    drawn = [draw(options, index) for index in range(first, first + count)]
    return scaled(np.stack([image for image, _ in drawn])), np.stack([labels for _, labels in drawn])


def batches(pictures: int, size: int, steps: int) -> Iterator[np.ndarray]:
    """For each step, which pictures it looks at: always the same ones."""
    rng = np.random.default_rng(0)
    for _ in range(steps):
        yield rng.choice(pictures, size, replace=False)


def train(
    net: Layer, x: np.ndarray, labels: np.ndarray, optimizer: Optimizer, steps: int, *, batch: int = 8,
    schedule: Callable[[int], float] | None = None, criterion: CrossEntropyLoss | None = None,
) -> list[float]:  # fmt: skip
    """Trains the network for so many steps and returns the loss of each. Lesson 13 writes this loop line by line."""
    criterion, losses = criterion or CrossEntropyLoss(), []
    net.train()
    for step, chosen in enumerate(batches(len(x), batch, steps)):
        optimizer.scale_lr(schedule(step) if schedule else 1.0)
        losses.append(float(criterion(net(x[chosen]), labels[chosen])))
        optimizer.zero_grad()
        net.backward(criterion.backward())
        optimizer.step()
    return losses


def predict(net: Layer, x: np.ndarray, batch: int = 8) -> np.ndarray:
    """The class of each pixel, (N, H, W) uint8, the network being in evaluation."""
    with evaluating(net):
        return np.concatenate([most_likely(net(x[start : start + batch])) for start in range(0, len(x), batch)])


def measure(net: Layer, x: np.ndarray, labels: np.ndarray) -> ConfusionMatrix:
    """The confusion matrix of the network's predictions for these pictures."""
    matrix = ConfusionMatrix(len(SHAPES_CLASSES))
    matrix.update(labels, predict(net, x))
    return matrix
