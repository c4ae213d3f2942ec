"""Augmentation: a picture and its labels changed together.

A transform is called as `transform(image, label, rng)` with image (H, W, 3) uint8, label (H, W) uint8 and a
`numpy.random.Generator`, and returns a new image and label. Pictures are interpolated bilinearly, labels are taken
from the nearest pixel (the mean of a cat and a dog is no cow). Pixels that come from outside the picture have the
colour `fill`, and 255, void, as label. The arguments are torchvision's.

`parse("flip,scale:0.5-2,crop:320x320,rotate:10,jitter:0.3")` makes a `Compose` from a line of text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance

from minifcn.data.palette import VOID
from minifcn.machine.facts import check_fits

Pair = tuple[np.ndarray, np.ndarray]
Transform = Callable[[np.ndarray, np.ndarray, np.random.Generator], Pair]
Colour = tuple[int, int, int]
IMAGENET_MEAN: Colour = (124, 116, 104)


def resize(image: np.ndarray, label: np.ndarray, size: tuple[int, int]) -> Pair:
    """Image and label at `size` (height, width); the image is smoothed first where it shrinks."""
    if label.shape == size:
        return image, label
    height, width = size
    _check_size(size)
    return (
        np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR)),
        np.asarray(Image.fromarray(label).resize((width, height), Image.Resampling.NEAREST)),
    )


def window(image: np.ndarray, label: np.ndarray, top: int, left: int, size: tuple[int, int], fill: Colour) -> Pair:
    """The window of `size` (height, width) whose first pixel is (top, left), which may lie outside the picture."""
    (H, W), (height, width) = label.shape, size
    new_image = np.empty((height, width, 3), np.uint8)
    new_image[:] = fill
    new_label = np.full(size, VOID, np.uint8)
    y0, y1, x0, x1 = max(top, 0), min(top + height, H), max(left, 0), min(left + width, W)
    inside = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    new_image[inside], new_label[inside] = image[y0:y1, x0:x1], label[y0:y1, x0:x1]
    return new_image, new_label


@dataclass(frozen=True)
class Compose:
    """One transform after another."""

    transforms: Sequence[Transform] = ()

    def __call__(self, image: np.ndarray, label: np.ndarray, rng: np.random.Generator) -> Pair:
        for transform in self.transforms:
            image, label = transform(image, label, rng)
        return image, label


@dataclass(frozen=True)
class Resize:
    """To exactly (height, width), or, where `size` is one number, so that the shorter side has it."""

    size: int | tuple[int, int]

    def __post_init__(self) -> None:
        _require(min(np.atleast_1d(self.size)) >= 1, f"size {self.size}", "at least 1 pixel")
        _check_size((self.size, self.size) if isinstance(self.size, int) else self.size)

    def __call__(self, image: np.ndarray, label: np.ndarray, rng: np.random.Generator) -> Pair:
        if not isinstance(self.size, int):
            return resize(image, label, self.size)
        H, W = label.shape
        factor = self.size / min(H, W)
        return resize(image, label, (max(1, round(H * factor)), max(1, round(W * factor))))


@dataclass(frozen=True)
class RandomScale:
    """Both sides times one factor from `low` .. `high`, evenly; `RandomScale(0.5, 0.5)` always halves."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _require(0 < self.low <= self.high <= 1000, f"scale {self.low} to {self.high}", "0 < low <= high <= 1000")

    def __call__(self, image: np.ndarray, label: np.ndarray, rng: np.random.Generator) -> Pair:
        factor = rng.uniform(self.low, self.high)
        H, W = label.shape
        return resize(image, label, (max(1, round(H * factor)), max(1, round(W * factor))))


@dataclass(frozen=True)
class RandomCrop:
    """A window of (height, width) from anywhere in the picture; a smaller picture ends up anywhere in the window."""

    size: tuple[int, int]
    fill: Colour = IMAGENET_MEAN

    def __post_init__(self) -> None:
        _require(min(self.size) >= 1, f"crop {self.size}", "at least 1 pixel")
        _check_size(self.size)

    def __call__(self, image: np.ndarray, label: np.ndarray, rng: np.random.Generator) -> Pair:
        room = [have - want for have, want in zip(label.shape, self.size, strict=True)]
        top, left = (int(rng.integers(min(0, r), max(0, r), endpoint=True)) for r in room)
        return window(image, label, top, left, self.size, self.fill)


@dataclass(frozen=True)
class CenterCrop:
    """The window of (height, width) in the middle; a smaller picture is padded on all sides."""

    size: tuple[int, int]
    fill: Colour = IMAGENET_MEAN

    def __post_init__(self) -> None:
        _require(min(self.size) >= 1, f"crop {self.size}", "at least 1 pixel")
        _check_size(self.size)

    def __call__(self, image: np.ndarray, label: np.ndarray, rng: np.random.Generator) -> Pair:
        top, left = ((have - want) // 2 for have, want in zip(label.shape, self.size, strict=True))
        return window(image, label, top, left, self.size, self.fill)


@dataclass(frozen=True)
class RandomHorizontalFlip:
    """Left and right exchanged with probability `p`."""

    p: float = 0.5

    def __post_init__(self) -> None:
        _require(0 <= self.p <= 1, f"flip probability {self.p}", "0 to 1")

    def __call__(self, image: np.ndarray, label: np.ndarray, rng: np.random.Generator) -> Pair:
        if rng.random() >= self.p:
            return image, label
        return np.ascontiguousarray(image[:, ::-1]), np.ascontiguousarray(label[:, ::-1])


@dataclass(frozen=True)
class RandomRotation:
    """Turned about the middle by an angle from -degrees .. degrees, evenly; the size stays."""

    degrees: float
    fill: Colour = IMAGENET_MEAN

    def __post_init__(self) -> None:
        _require(0 <= self.degrees <= 180, f"rotation by {self.degrees} degrees", "0 to 180")

    def __call__(self, image: np.ndarray, label: np.ndarray, rng: np.random.Generator) -> Pair:
        angle = rng.uniform(-self.degrees, self.degrees)
        return (
            np.asarray(Image.fromarray(image).rotate(angle, Image.Resampling.BILINEAR, fillcolor=self.fill)),
            np.asarray(Image.fromarray(label).rotate(angle, Image.Resampling.NEAREST, fillcolor=VOID)),
        )


@dataclass(frozen=True)
class ColorJitter:
    """Brightness, contrast, saturation times a factor from 1 - x .. 1 + x each, hue moved by up to `hue` of a turn.

    In random order, as torchvision does. The labels stay.
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def __post_init__(self) -> None:
        strengths = (self.brightness, self.contrast, self.saturation)
        _require(min(strengths) >= 0, f"colour jitter {strengths}", "0 or more")
        _require(0 <= self.hue <= 0.5, f"hue jitter {self.hue}", "0 to 0.5 of a turn")

    def __call__(self, image: np.ndarray, label: np.ndarray, rng: np.random.Generator) -> Pair:
        enhancers = (
            (self.brightness, ImageEnhance.Brightness),
            (self.contrast, ImageEnhance.Contrast),
            (self.saturation, ImageEnhance.Color),
        )
        picture = Image.fromarray(image)
        for step in rng.permutation(4):
            if step == 3:
                picture = _shift_hue(picture, rng.uniform(-self.hue, self.hue)) if self.hue else picture
                continue
            strength, enhance = enhancers[step]
            if strength:
                picture = enhance(picture).enhance(rng.uniform(max(0.0, 1 - strength), 1 + strength))
        return np.asarray(picture), label


def _shift_hue(picture: Image.Image, turn: float) -> Image.Image:
    hue, saturation, value = picture.convert("HSV").split()
    shift = round(turn * 255)
    hue = hue.point([(byte + shift) % 256 for byte in range(256)])  # round the colour circle
    return Image.merge("HSV", (hue, saturation, value)).convert("RGB")


def sizing(transform: Transform | None) -> Transform | None:
    """What of a transform decides how large pictures are, and so is for originals, too: resizes, crops, one fixed scale."""
    steps: Sequence[Any] = getattr(transform, "transforms", (transform,))
    sized = tuple(step for step in steps if _sizes(step))
    return Compose(sized) if sized else None


def _sizes(step: Any) -> bool:
    if isinstance(step, RandomScale):
        return step.low == step.high
    return isinstance(step, (Resize, RandomCrop, CenterCrop))


def parse(text: str, fill: Colour = IMAGENET_MEAN) -> Compose:
    """A line of text -> the transforms in its order; an empty line or "none" -> no transform.

        flip  flip:0.5             mirrored with a probability (default 0.5)
        scale:0.5-2                both sides times a random factor; scale:0.5 always halves
        resize:256  resize:256x320 shorter side, or height x width
        crop:320x320  crop:320     random window, height x width; center:320x320 in the middle
        rotate:10                  by up to 10 degrees to either side
        jitter:0.3  jitter:0.3/0.3/0.3/0.1   brightness, contrast, saturation (one for all three) and hue

    `fill` is the colour of new pixels. Raises ValueError for what it does not know, with the list of what it does.
    """
    makers: dict[str, tuple[str, Callable[[str], Transform]]] = {
        "flip": ("flip or flip:0.5", lambda a: RandomHorizontalFlip(float(a or 0.5))),
        "scale": ("scale:0.5-2 or scale:0.5", lambda a: RandomScale(*_range(a))),
        "resize": ("resize:256 or resize:256x320", lambda a: Resize(_size(a) if "x" in a else int(a))),
        "crop": ("crop:320 or crop:320x320", lambda a: RandomCrop(_size(a), fill)),
        "center": ("center:320 or center:320x320", lambda a: CenterCrop(_size(a), fill)),
        "rotate": ("rotate:10", lambda a: RandomRotation(float(a), fill)),
        "jitter": ("jitter:0.3 or jitter:0.3/0.3/0.3/0.1", lambda a: ColorJitter(*_strengths(a))),
    }
    transforms: list[Transform] = []
    for word in [] if text.strip() in ("", "none") else [part.strip() for part in text.split(",")]:
        if not word:
            raise ValueError(f"augmentation {text!r} has a comma with nothing beside it; write such as flip,crop:320, or none")
        name, _, argument = word.partition(":")
        if name not in makers:
            raise ValueError(f"augmentation {word!r} is not known; possible are {_examples(makers)}")
        example, make = makers[name]
        try:
            transforms.append(make(argument))
        except _ImpossibleValue:
            raise
        except ValueError as error:
            raise ValueError(f"augmentation {word!r} cannot be read; write {example}") from error
    return Compose(tuple(transforms))


class _ImpossibleValue(ValueError):
    """A well-written number that makes no sense for its transform."""


def _check_size(size: tuple[int, int]) -> None:
    """Raises ValueError where no picture of that size fits into memory, with its labels and as a network's float32."""
    if size[0] * size[1] > 2**24:
        try:
            check_fits(16 * size[0] * size[1], f"a picture of {size[0]}x{size[1]}", "choose a smaller size")
        except ValueError as error:
            raise _ImpossibleValue(str(error)) from None


def _require(condition: Any, what: str, possible: str) -> None:
    if not condition:
        raise _ImpossibleValue(f"{what} is not possible; choose {possible}")


def _examples(makers: dict[str, tuple[str, Callable[[str], Transform]]]) -> str:
    return "; ".join(example for example, _ in makers.values())


def _range(text: str) -> tuple[float, float]:
    low, dash, high = text.partition("-")
    return float(low), float(high if dash else low)


def _size(text: str) -> tuple[int, int]:
    height, x, width = text.partition("x")
    return int(height), int(width if x else height)


def _strengths(text: str) -> list[float]:
    numbers = [float(number) for number in text.split("/")]
    if len(numbers) not in (1, 4):
        raise ValueError
    return numbers * 3 if len(numbers) == 1 else numbers
