"""A whole network's gradients against numeric ones: the picture and every parameter moved at once, along random directions.

Each parameter by itself would take a dozen forward passes, and a network has hundreds. Along one direction through all of them
a single number holds them all to account, if each one's part of the slope is made to count as much as any other's: then one
gradient among hundreds that is off by a thousandth is seen, and the single parameters are asked which one it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from minifcn import models
from minifcn.backend import Array
from minifcn.checks.examination import Examination
from minifcn.checks.numeric import Slope, Slopes
from minifcn.checks.report import Report
from minifcn.checks.subjects import LayerSubject, Subject
from minifcn.layers import BatchNorm2d, Layer, channels_of_picture, no_grad

_SMALL = {"width": 1 / 64, "padding": 1, "seed": 1}  # where the network takes them
_WIDER = {  # through many layers of one channel next to nothing comes back
    "vgg19": 1 / 16, "fcn-squeezenet": 1 / 8, "squeezenet1_1": 1 / 4, "squeeze-unet": 1 / 16, "resnet34": 1 / 16,
    "course-baseline": 1 / 8, "rrcnn-fcn": 1 / 8,
}  # fmt: skip
_SIDES = (1, 2, 4, 8, 16, 32, 63)
_TOLERANCE = 1e-6  # of all parts of a slope together
_TRIES = 8  # directions for each that is wanted: on the way of some, in a deep network of most, lies a ReLU's kink


def narrow(name: str, num_classes: int = 4, **given: Any) -> Layer:
    """The network ``name`` of the catalogue with few channels, and with the options that are ``given``."""
    known = models.options(name)
    small = {**_SMALL, "width": _WIDER.get(name, _SMALL["width"])}
    options: dict[str, Any] = {option: value for option, value in small.items() if option in known}
    return models.build(name, num_classes, **{**options, **given})


def awake(name: str, num_classes: int = 4, **given: Any) -> Layer:
    """In float64, all of it learning, with no weight, and no bias behind which a ReLU would sit on its kink, at zero."""
    rng = np.random.default_rng(7)
    net = narrow(name, num_classes, **given).to("float64").requires_grad_(True)
    for _, parameter in net.named_parameters():
        if parameter.data.ndim < 2 or not parameter.data.all():
            parameter.data[...] += rng.standard_normal(parameter.shape) / 4
    for key, buffer in net.named_buffers():
        buffer[...] = rng.uniform(0.5, 1.5, buffer.shape) if key.endswith("var") else rng.standard_normal(buffer.shape) / 4
    net.reseed(3)
    net.needs_dx = True
    return net


def settle(net: Layer, x: Array) -> None:
    """Makes the running statistics those of x: without, a deep network's scores grow in evaluation, and rounding with them."""
    for _, layer in net.named_layers():
        if isinstance(layer, BatchNorm2d):
            layer.momentum = 1.0
    with no_grad():
        net.train()(x)


def sized(name: str, size: tuple[int, int]) -> tuple[int, int]:
    """``size``, or for a classifier, which may need 63 pixels of each side, that much more."""
    H, W = size
    return size if models.entry(name).segments else (H + 63, W + 63)


def least_side(name: str) -> int:
    """The side of the smallest square that the network takes, among 1, 2, 4, 8, 16, 32 and 63."""
    net = narrow(name).eval()
    for side in _SIDES:
        try:
            with no_grad():
                net(np.zeros((1, 3, side, side), np.float32))
        except ValueError as error:
            refusal = error
        else:
            return side
    raise refusal


@dataclass(frozen=True)
class Along:
    """One direction: the slope that backward's gradients give, the numeric one, all parts of it together, how many count."""

    mine: float
    numeric: Slope
    weight: float
    large: int
    count: int

    @property
    def proves(self) -> bool:
        """Whether the numeric slope can be trusted and most gradients have a part in it."""
        return not self.numeric.kink and self.numeric.noise < _TOLERANCE * self.weight and self.large > self.count / 2

    @property
    def agrees(self) -> bool:
        return self.numeric.agrees(self.mine, _TOLERANCE * self.weight)

    @property
    def error(self) -> float:
        return abs(self.numeric.value - self.mine) / (self.weight or 1)


def along_all(subject: Subject, gradients: dict[str, Array], dys: tuple[Array, ...], rng: np.random.Generator) -> Along:
    """Moves picture and parameters together, each so far that its own part of the slope counts as much as any other's."""
    arrays = subject.values
    starts = np.cumsum([0, *(array.size for array in arrays.values())])

    def outputs(flat: Array) -> tuple[Array, ...]:
        pieces = (flat[start:stop] for start, stop in pairwise(starts))
        return subject.outputs({name: piece.reshape(arrays[name].shape) for name, piece in zip(arrays, pieces, strict=True)})

    def direction(name: str) -> Array:
        v = rng.standard_normal(arrays[name].shape)
        size = float(np.sqrt((arrays[name] ** 2).mean()))
        return v * min(size, 1 / (abs(float((gradients[name] * v).sum())) or 1e-300))

    slopes = Slopes(outputs, np.concatenate([array.ravel() for array in arrays.values()]), dys, _TOLERANCE)
    directions = {name: direction(name) for name in arrays}
    parts = [float((gradients[name] * v).sum()) for name, v in directions.items()]
    numeric = slopes.along(np.concatenate([v.ravel() for v in directions.values()]))
    return Along(sum(parts), numeric, sum(map(abs, parts)), sum(abs(part) > 0.1 for part in parts), len(parts))


@dataclass(frozen=True)
class Passage:
    """One mode: the directions that prove something, and, where one disagrees, every gradient by itself."""

    mode: str
    shape: tuple[int, ...]
    gradients: int
    tries: list[Along]
    rows: Report | None = None
    complaints: dict[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        if self.complaints or not all(one.agrees for one in self.tries):
            return "WRONG"
        return "right" if self.tries else "undecided"

    def lines(self) -> list[str]:
        error = f", error {max(one.error for one in self.tries):.0e}" if self.tries else ""
        size = "x".join(map(str, self.shape))
        lines = [f"  {self.mode:10}  pictures {size}, {self.gradients} gradients at once{error}: {self.verdict}"]
        if self.verdict == "undecided":
            lines.append("      no direction is free of ReLUs on their kinks: try another --seed, or a network of fewer layers")
        lines += [f"      {key}: {sentence}" for key, sentence in self.complaints.items()]
        wrong = [row for row in (self.rows.rows if self.rows is not None else []) if not row.passed]
        return lines + [f"      {row.name}: {row.verdict} {' '.join(row.lines())}".rstrip() for row in wrong]


@dataclass(frozen=True)
class NetworkReport:
    """True when every gradient of the network is right in each mode; prints as a line or more for each."""

    name: str
    passages: list[Passage]

    @property
    def passed(self) -> bool:
        return all(passage.verdict == "right" for passage in self.passages)

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        title = f"{self.name}, narrow, in float64: {'every gradient is right' if self.passed else 'NOT right'}"
        return "\n".join([title, *(line for passage in self.passages for line in passage.lines())])


def check_network(name: str, seed: int = 0, directions: int = 3, **given: Any) -> NetworkReport:
    """Checks the gradients of the picture and of every parameter of the network ``name``, in training and in evaluation.

    Options are the network's own. Dropout drops the same each time; running statistics are settled first.
    """
    rng = np.random.default_rng(seed)
    net = awake(name, **given)
    side = least_side(name)
    H, W = sized(name, (max(20, side), max(33, side)))
    x = rng.standard_normal((2, channels_of_picture(net), H, W))
    settle(net, x)
    modes = ("training", "evaluation") if any(True for _ in net.named_buffers()) else ("training",)
    return NetworkReport(name, [_passage(net, mode, x, rng, directions, seed) for mode in modes])


def _passage(net: Layer, mode: str, x: Array, rng: np.random.Generator, directions: int, seed: int) -> Passage:
    subject = LayerSubject(net.train(mode == "training"), (x,), {})
    dys = tuple(rng.standard_normal(y.shape) for y in subject.outputs({}))
    gradients, complaints = subject.gradients(dys)
    unused = {name for name, gradient in gradients.items() if gradient is None}
    if mode == "evaluation" and not complaints:  # where a second head scores nothing
        for name in unused:
            del subject.values[name]
    elif unused:
        complaints |= dict.fromkeys(unused, "backward gave no gradient for it")
    known = {name: gradients[name] for name in subject.values if name not in complaints}
    tries: list[Along] = []
    if not complaints:
        candidates = (along_all(subject, known, dys, rng) for _ in range(_TRIES * directions))
        for one in candidates:
            tries += [one] if one.proves else []
            if len(tries) == directions or (not one.agrees and one.proves):
                break
    rows = None
    if not all(one.agrees for one in tries):
        rows = Report(net.config["name"], [
            Examination(subject, name, known[name], dys, rng, _TOLERANCE).row(directions, False, None) for name in known
        ])  # fmt: skip
    return Passage(mode, x.shape, len(known), tries, rows, complaints)
