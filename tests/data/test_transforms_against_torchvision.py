"""Flips, crops, rotation and resizing of pictures and masks beside torchvision's, pixel by pixel.

torchvision's own functions get Pillow's pictures, and nothing may differ, not by one grey level. Chance is taken out: what our
transforms would draw is dictated, and torchvision's function is called with it.
"""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from PIL import Image

from minifcn.data import transforms as ours
from minifcn.data.palette import VOID

pytest.importorskip("torch", reason="torch, which torchvision needs, is not installed")
if not importlib.util.find_spec("torchvision"):
    pytest.skip("torchvision is not installed", allow_module_level=True)
from minifcn.bench.twins import torchvision_models  # noqa: F401 (makes it importable beside any PyTorch)

theirs = importlib.import_module("torchvision.transforms.functional")
NEAREST, BILINEAR = theirs.InterpolationMode.NEAREST, theirs.InterpolationMode.BILINEAR

FILL = (124, 116, 104)
SIZES = [(1, 1), (1, 9), (7, 1), (8, 8), (9, 14), (31, 20), (64, 47)]
each_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")


class Dictated:
    """A generator that draws what it is told."""

    def __init__(self, *draws: float) -> None:
        self.draws = list(draws)

    def random(self) -> float:
        return self.draws.pop(0)

    def uniform(self, low: float, high: float) -> float:
        assert low <= self.draws[0] <= high
        return self.draws.pop(0)

    def integers(self, low: int, high: int, endpoint: bool) -> int:
        assert endpoint
        assert low <= self.draws[0] <= high
        return int(self.draws.pop(0))


def pair(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A noisy picture and a mask with all kinds of labels."""
    rng = np.random.default_rng(size[0] * 1000 + size[1])
    return rng.integers(0, 256, (*size, 3), np.uint8), rng.choice(np.array([0, 1, 7, 20, VOID], np.uint8), size)


def same(mine: tuple[np.ndarray, np.ndarray], image: Image.Image, label: Image.Image) -> None:
    np.testing.assert_array_equal(mine[0], np.asarray(image))
    np.testing.assert_array_equal(mine[1], np.asarray(label))
    assert mine[0].dtype == mine[1].dtype == np.uint8


def pictures(image: np.ndarray, label: np.ndarray) -> tuple[Image.Image, Image.Image]:
    return Image.fromarray(image), Image.fromarray(label)


@each_size
def test_flip(size):
    image, label = pair(size)
    a, b = pictures(image, label)
    same(ours.RandomHorizontalFlip(0.5)(image, label, Dictated(0.49)), theirs.hflip(a), theirs.hflip(b))
    same(ours.RandomHorizontalFlip(0.5)(image, label, Dictated(0.51)), a, b)


@each_size
@pytest.mark.parametrize("wanted", [(1, 1), (5, 5), (8, 8), (13, 6), (40, 80)], ids=str)
def test_resize_to_a_size(size, wanted):
    image, label = pair(size)
    a, b = pictures(image, label)
    mine = ours.Resize(wanted)(image, label, Dictated())
    same(mine, theirs.resize(a, list(wanted), BILINEAR), theirs.resize(b, list(wanted), NEAREST))


@each_size
@pytest.mark.parametrize("factor", [0.5, 0.73, 1.0, 1.6, 2.0])
def test_scale(size, factor):
    image, label = pair(size)
    a, b = pictures(image, label)
    wanted = [max(1, round(n * factor)) for n in size]
    mine = ours.RandomScale(0.5, 2.0)(image, label, Dictated(factor))
    same(mine, theirs.resize(a, wanted, BILINEAR), theirs.resize(b, wanted, NEAREST))


@pytest.mark.parametrize("shorter", [1, 5, 8, 20, 33])
@each_size
def test_resize_of_the_shorter_side(size, shorter):
    """The longer side is rounded here, and cut by torchvision: 64x47 to 20 is 27x20, not 27.2."""
    image, label = pair(size)
    a, b = pictures(image, label)
    mine = ours.Resize(shorter)(image, label, Dictated())
    cut = theirs.resize(b, shorter, NEAREST).size[::-1]
    assert min(mine[1].shape) == min(cut) == shorter
    assert 0 <= max(mine[1].shape) - max(cut) <= 1
    same(mine, *(theirs.resize(one, list(mine[1].shape), how) for one, how in ((a, BILINEAR), (b, NEAREST))))


@each_size
@pytest.mark.parametrize("wanted", [(1, 1), (5, 5), (8, 9), (20, 13), (80, 80)], ids=str)
def test_crop_anywhere_also_larger_than_the_picture(size, wanted):
    """Every corner of the room: torchvision pads first, then crops."""
    image, label = pair(size)
    a, b = pictures(image, label)
    room = [have - want for have, want in zip(size, wanted, strict=True)]
    for top in {min(0, room[0]), max(0, room[0]), room[0] // 2}:
        for left in {min(0, room[1]), max(0, room[1]), room[1] // 2}:
            padding = [max(0, -left), max(0, -top), max(0, left + wanted[1] - size[1]), max(0, top + wanted[0] - size[0])]
            place = (top + padding[1], left + padding[0], *wanted)
            mine = ours.RandomCrop(wanted, FILL)(image, label, Dictated(top, left))
            same(mine, theirs.crop(theirs.pad(a, padding, FILL), *place), theirs.crop(theirs.pad(b, padding, VOID), *place))


@each_size
@pytest.mark.parametrize("wanted", [(1, 1), (2, 5), (8, 8), (20, 13)], ids=str)
def test_crop_of_the_middle(size, wanted):
    """Where a margin is odd the middle is half a pixel off: here always up and left, with torchvision to the even number."""
    image, label = pair(size)
    mine = ours.CenterCrop(wanted, FILL)(image, label, Dictated())
    odd = any((have - want) % 2 for have, want in zip(size, wanted, strict=True))
    larger = any(have < want for have, want in zip(size, wanted, strict=True))
    assert mine[1].shape == wanted
    if not odd and not larger:
        same(mine, *(theirs.center_crop(one, list(wanted)) for one in pictures(image, label)))
    elif not odd:
        padding = [max(0, (want - have) // 2) for have, want in zip(size[::-1], wanted[::-1], strict=True)]
        padded = [theirs.pad(one, padding, fill) for one, fill in zip(pictures(image, label), (FILL, VOID), strict=True)]
        same(mine, *(theirs.center_crop(one, list(wanted)) for one in padded))


@each_size
@pytest.mark.parametrize("angle", [-180.0, -90.0, -33.3, -0.01, 0.0, 10.0, 45.0, 90.0, 179.0])
def test_rotation(size, angle):
    image, label = pair(size)
    a, b = pictures(image, label)
    mine = ours.RandomRotation(180, FILL)(image, label, Dictated(angle))
    same(mine, theirs.rotate(a, angle, BILINEAR, fill=FILL), theirs.rotate(b, angle, NEAREST, fill=VOID))


@each_size
def test_brightness_contrast_saturation(size):
    """A step at a time: both stand on the same Pillow."""
    image, label = pair(size)
    steps = {"brightness": theirs.adjust_brightness, "contrast": theirs.adjust_contrast, "saturation": theirs.adjust_saturation}
    for name, adjust in steps.items():
        for factor in (0.0, 0.6, 1.0, 1.7):
            dictated = Dictated(factor)
            dictated.permutation = range
            mine = ours.ColorJitter(**{name: 1.0})(image, label, dictated)
            same(mine, adjust(Image.fromarray(image), factor), Image.fromarray(label))
