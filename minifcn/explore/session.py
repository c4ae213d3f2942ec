"""What the page asks for: one network and one picture, as dictionaries that JSON can hold.

A session knows no HTTP; the exported file is made of the same answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from minifcn.data import Preprocessing
from minifcn.explore.fields import places_of
from minifcn.explore.lines import lines_of
from minifcn.explore.packing import packed, packed_terms
from minifcn.explore.steps import Step
from minifcn.explore.sums import formula_of
from minifcn.explore.trace import Place, Trace
from minifcn.explore.what_if import Change, DropSkip, Nudge, SwitchOff, Turn
from minifcn.layers import BatchNorm2d, Conv2d, ConvTranspose2d, Layer
from minifcn.training.metrics import ConfusionMatrix
from minifcn.training.validation import none_if_nan

MOST_PIXELS = 2**20  # of a picture: more would take seconds a click, and gigabytes
_THUMB = 72  # pixels of a thumbnail's longer side
_THUMBS = 3  # thumbnails of each step
_CHANNELS = 24  # of the step that is looked at
_CHANGES = {"off": SwitchOff, "skip": DropSkip, "turn": Turn, "nudge": Nudge}


@dataclass(frozen=True)
class Subject:
    """A network and what is known of it: how pictures are prepared, the names and colours (classes, 3) of its classes."""

    net: Layer
    name: str
    classes: Sequence[str]
    colours: np.ndarray
    preprocessing: Callable[[np.ndarray], np.ndarray]

    @classmethod
    def of_run(cls, net: Layer, about: dict[str, Any], name: str) -> Subject:
        """Of a network that was trained, and what its checkpoint says of it."""
        classes, palette = about["classes"], np.array(about["palette"], np.uint8)
        return cls(net, name, classes, palette[: len(classes)], Preprocessing.from_config(about["preprocessing"]))


class Session:
    """``subject`` at work on ``image`` (H, W, 3) uint8; ``labels`` (H, W) are the truth, where it is known."""

    def __init__(self, subject: Subject, image: np.ndarray, labels: np.ndarray | None = None) -> None:
        if not (isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3):
            raise ValueError("the picture must be uint8 (H, W, 3), as data.read_image gives it")
        check_size(image)
        self.subject, self.image, self.labels = subject, image, labels
        x = subject.preprocessing(image)[None]
        weights = next(subject.net.parameters()).data
        self.first = self.trace = Trace(subject.net, x.astype(weights.dtype, copy=False), labels)

    def with_picture(self, image: np.ndarray) -> Session:
        """The same with another picture; the truth stays where the size does: it may be painted over."""
        keeps = self.labels is not None and image.shape == self.image.shape
        session = Session(self.subject, image, self.labels if keeps else None)
        return session.changed(self.trace.changes)

    def changed(self, changes: Sequence[Change]) -> Session:
        """The same with other changes to the network."""
        session = object.__new__(Session)
        session.subject, session.image, session.labels, session.first = self.subject, self.image, self.labels, self.first
        session.trace = self.first if not changes else Trace(self.first.net, self.first.x, self.labels, changes)
        return session

    # --------------------------------------------------------------------------------------------------------- overview

    def overview(self) -> dict[str, Any]:
        """All that the page shows before anything is clicked."""
        places = places_of(self.trace.steps)
        return {
            "name": self.subject.name,
            "network": str(self.subject.net.config["name"]),
            "classes": [
                {"name": name, "colour": colour.tolist()}
                for name, colour in zip(self.subject.classes, self.subject.colours, strict=True)
            ],
            "picture": packed(self.image, "u1"),
            "labels": None if self.labels is None else packed(self.labels, "u1"),
            "steps": [self._about(step, place) for step, place in zip(self.trace.steps, places, strict=True)],
            "changes": [
                {"kind": kind, **vars(change)}
                for change in self.trace.changes
                for kind, maker in _CHANGES.items()
                if type(change) is maker
            ],
            **self._prediction(),
        }

    def _about(self, step: Step, place: Any) -> dict[str, Any]:
        mine, torch = lines_of(step)
        weight = getattr(step.layer, "weight", None)
        return {
            "key": step.key,
            "kind": step.kind,
            "shape": list(step.y.shape),
            "sources": list(step.sources),
            "minifcn": mine,
            "torch": torch,
            **_liveliest(step.maps, _THUMBS),
            "weight": None if weight is None else list(weight.shape),
            "known": step.layer is None or formula_of(step) is not None,
            "place": None if place is None else [f"{place[0].stride}", f"{place[0].offset}", f"{place[0].field}"],
        }

    def _prediction(self) -> dict[str, Any]:
        """Labels or, of a classifier, probabilities; beside the truth and beside the unchanged network."""
        scores = self.trace.scores
        if scores.ndim != 4:
            exponents = np.exp(scores[0].astype(np.float64) - scores[0].max())
            return {"prediction": None, "probabilities": (exponents / exponents.sum()).tolist(), "iu": None, "moved": None}
        prediction = scores[0].argmax(axis=0).astype(np.uint8)
        moved = float((prediction != self.first.scores[0].argmax(axis=0)).mean())
        iu = None
        if self.labels is not None and prediction.shape == self.labels.shape:
            matrix = ConfusionMatrix(len(self.subject.classes))
            matrix.update(self.labels, prediction)
            iu = none_if_nan(matrix.mean_iu())
        return {"prediction": packed(prediction, "u1"), "probabilities": None, "iu": iu, "moved": moved}

    # ------------------------------------------------------------------------------------------------------ one number

    def map(self, key: str, channel: int) -> dict[str, Any]:
        """One map, exactly."""
        self.trace.at(key, channel, 0, 0)
        return packed(self.trace.maps(key)[channel], "f4")

    def forward(self, key: str, channel: int, row: int, column: int) -> dict[str, Any]:
        """What a number is made of."""
        step, found = self.trace.step(key), self.trace.terms(key, channel, row, column)
        box = self.trace.field(key, row, column)
        answer = {
            **_numbers(value=found.value, bias=found.bias), "terms": packed_terms(found.terms),
            "isSum": self.trace.is_sum(key), "box": None if box is None else list(box),
        }  # fmt: skip
        if step.own(BatchNorm2d):
            answer["four"] = _numbers(**self.trace.batch_norm(key, channel, row, column)._asdict())
        if step.own(ConvTranspose2d):
            views = self.trace.three_views(key, channel, row, column)
            answer["views"] = {name: packed_terms(terms) for name, terms in views._asdict().items()}
        return answer

    def channels(self, key: str) -> dict[str, Any]:
        """The channels of a step that vary the most, and their thumbnails."""
        return _liveliest(self.trace.maps(key), _CHANNELS)

    def kernel(self, key: str, channel: int, channel_in: int) -> dict[str, Any]:
        """The kernel (KH, KW) of a convolution that leads from one channel to another, and its place in the weight."""
        step = self.trace.at(key, channel, 0, 0)
        layer: Any = step.layer
        if not step.own(Conv2d, ConvTranspose2d):
            raise ValueError(f"{key} is a {step.kind} and has no kernels")
        first, second = (channel_in, channel) if step.own(ConvTranspose2d) else (channel, channel_in)
        second %= layer.weight.shape[1]
        return {"first": first, "second": second, "values": packed(layer.weight.data[first, second], "f4")}

    def influence(self, key: str, channel: int, row: int, column: int) -> dict[str, Any]:
        """How strongly each pixel reaches a number: (H, W), its channels' derivatives by size, added up."""
        return packed(np.abs(self.trace.influence(key, channel, row, column)[0]).sum(axis=0), "f4")

    def gradient(self, key: str, channel: int, start: Place | None) -> dict[str, Any]:
        """The gradient of one map."""
        self.trace.at(key, channel, 0, 0)
        return packed(self.trace.gradient(key, start)[channel], "f4")

    def gradients(self, start: Place | None) -> dict[str, Any]:
        """Of each step the channels whose gradients vary the most, and their thumbnails."""
        return {"steps": [_liveliest(self.trace.gradient(key, start), _THUMBS) for key in self.trace.keys]}

    def backward(self, key: str, channel: int, row: int, column: int, start: Place | None) -> dict[str, Any]:
        """What the gradient of a number is made of."""
        found = self.trace.gradient_terms(key, channel, row, column, start)
        loss = self.trace.gradients(start).loss
        return {**_numbers(value=found.value, loss=loss), "terms": packed_terms(found.terms)}

    def weight(self, key: str, index: Sequence[int], start: Place | None) -> dict[str, Any]:
        """What the gradient of a weight is made of."""
        first, second, kh, kw = index
        found = self.trace.weight_gradient(key, (first, second, kh, kw), start)
        weight: Any = self.trace.step(key).layer
        number = float(weight.weight.data[first, second, kh, kw])
        return {**_numbers(value=found.value, weight=number), "terms": packed_terms(found.terms)}


def _numbers(**values: float | None) -> dict[str, float | None]:
    """JSON knows neither NaN nor infinity: they become None, which the page shows as "?"."""
    return {name: None if value is None else none_if_nan(value) for name, value in values.items()}


def changes_of(described: Any) -> list[Change]:
    """Changes from what the page says of them. Raises ValueError for what is none."""
    changes: list[Change] = []
    try:
        for one in described:
            fields = {name: tuple(value) if isinstance(value, list) else value for name, value in one.items() if name != "kind"}
            changes.append(_CHANGES[one["kind"]](**fields))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"these are no changes to a network: {str(described)[:200]}") from error
    return changes


def check_size(image: np.ndarray) -> None:
    """Raises ValueError for a picture that is too large to be explored."""
    H, W = image.shape[:2]
    if H * W > MOST_PIXELS:
        raise ValueError(
            f"a picture of {H}x{W} has {H * W / 1e6:.1f} million pixels, each of which would be opened; give a copy of at most "
            f"{MOST_PIXELS / 1e6:.1f} million, such as {_smaller(H, W)}"
        )


def _smaller(H: int, W: int) -> str:
    factor = (MOST_PIXELS / 4 / (H * W)) ** 0.5
    return f"{round(H * factor)}x{round(W * factor)}"


def by_use(maps: np.ndarray) -> np.ndarray:
    """The channels (C,) of maps (C, H, W), those first that vary the most, or of single numbers are the largest."""
    use = maps.reshape(len(maps), -1).astype(np.float64)
    return np.argsort(-(use.std(axis=1) if use.shape[1] > 1 else np.abs(use[:, 0])), kind="stable")


def _liveliest(maps: np.ndarray, most: int) -> dict[str, Any]:
    """The channels of maps (C, H, W) that vary the most, and their thumbnails."""
    channels = by_use(maps)[:most].tolist()
    return {"channels": channels, "thumbs": [packed(thumbnail(maps[channel]), "i1") for channel in channels]}


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """A map (H, W) in small, as int8 from -127 to 127, its largest number being 127."""
    H, W = pixels.shape
    factor = min(1.0, _THUMB / max(H, W))
    size = max(1, round(W * factor)), max(1, round(H * factor))
    small = np.asarray(Image.fromarray(pixels.astype(np.float32)).resize(size, Image.Resampling.BOX))
    small = np.nan_to_num(small, posinf=0, neginf=0)
    return np.round(127 * small / (np.abs(small).max() or 1)).astype(np.int8)
