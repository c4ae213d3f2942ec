"""Does a page still match its script? Numbers may differ by rounding and pictures by how letters are drawn; no more."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence

from minifcn.course.catalogue import Lesson
from minifcn.course.page import PICTURES, Page

# Rounding errors of another BLAS: a relative 1e-6, and 1e-9 for numbers that stand for zero, such as 2.2e-16.
_RELATIVE, _ABSOLUTE = 1e-6, 1e-9
_NUMBER = re.compile(r"[-+−]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")

# Pictures are compared in blocks of 2 by 2 dots. Of 255, matplotlib 3.8 and 3.11 (FreeType 2.6 and 2.14) differ by up to 31
# in a block, since letters are drawn as outlines; one digit that becomes another makes at least 45, most often over 100.
_BLOCK = 2
_BLOCK_DIFFERENCE = 40
_MEAN_DIFFERENCE = 0.5  # over the picture: a ground of another colour


def differences(one: Lesson, page: Page, folder: Path) -> list[str]:
    """What in `folder` is not as the freshly rendered `page` says, a sentence each; an empty list when all matches."""
    path = folder / f"{one.name}.md"
    if not path.is_file():
        return [f"{path.name} is missing"]
    found = _text_differences(path.read_text(encoding="utf-8"), page.text, path.name)
    there = {picture.name for picture in (folder / PICTURES).glob(f"{one.number:02}_*")}
    found += [f"{PICTURES}/{name} is missing" for name in sorted(set(page.pictures) - there)]
    found += [f"{PICTURES}/{name} is no longer shown" for name in sorted(there - set(page.pictures))]
    for name in sorted(there & set(page.pictures)):
        said = picture_difference((folder / PICTURES / name).read_bytes(), page.pictures[name])
        found += [f"{PICTURES}/{name} {said}"] if said else []
    return found


def _text_differences(old: str, new: str, name: str) -> list[str]:
    """The first line that differs. Inside printed output numbers have a tolerance, everything else none."""
    olds, news = old.splitlines(), new.splitlines()
    printed = False
    for number, (before, after) in enumerate(zip(olds, news, strict=False), start=1):
        if before != after and not (printed and _same_but_for_rounding(before, after)):
            return [f"{name}, line {number}, says {before!r}, and the lesson now gives {after!r}"]
        printed = after == "```text" or (printed and after != "```")
    if len(olds) != len(news):
        return [f"{name} has {len(olds)} lines, and the lesson now gives {len(news)}"]
    return []


def _same_but_for_rounding(before: str, after: str) -> bool:
    if _NUMBER.sub("#", before).split() != _NUMBER.sub("#", after).split():
        return False
    pairs = zip(_numbers(before), _numbers(after), strict=True)
    return all(abs(a - b) <= _ABSOLUTE + _RELATIVE * max(abs(a), abs(b)) for a, b in pairs)


def _numbers(line: str) -> list[float]:
    return [float(word.replace("−", "-")) for word in _NUMBER.findall(line)]


def picture_difference(old: bytes, new: bytes) -> str:
    """What differs between two pictures or animations, or "" when only the smoothing of letters may."""
    if old == new:
        return ""
    before, after = _frames(old), _frames(new)
    if len(before) != len(after):
        return f"has {len(before)} frames, and the lesson now draws {len(after)}"
    for number, (a, b) in enumerate(zip(before, after, strict=True)):
        if a.shape != b.shape:
            return f"has {a.shape[1]}x{a.shape[0]} pixels, and the lesson now draws {b.shape[1]}x{b.shape[0]}"
        difference = np.abs(_blocks(a) - _blocks(b))
        if difference.max() > _BLOCK_DIFFERENCE or difference.mean() > _MEAN_DIFFERENCE:
            y, x = (_BLOCK * index for index in np.unravel_index(difference.max(axis=2).argmax(), difference.shape[:2]))
            place = f"around row {y}, column {x}" + (f" of frame {number}" if len(before) > 1 else "")
            return f"is not what the lesson now draws: the greatest difference is {place}"
    return ""


def _frames(content: bytes) -> list[np.ndarray]:
    with Image.open(io.BytesIO(content)) as picture:
        return [np.asarray(frame.convert("RGB"), np.float64) for frame in ImageSequence.Iterator(picture)]


def _blocks(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) -> the means of its blocks, (H/2, W/2, 3); a rest at the right and the bottom is left out."""
    H, W = (size // _BLOCK for size in pixels.shape[:2])
    return pixels[: H * _BLOCK, : W * _BLOCK].reshape(H, _BLOCK, W, _BLOCK, 3).mean(axis=(1, 3))
