"""Labels as pictures: PASCAL VOC's palette, class names, and masks read and written.

A mask holds one label a pixel: 0 .. num_classes-1, or 255 for *void*, the pixels nobody labelled, which neither
train nor count. VOC stores masks as palette PNGs (mode P): the file holds the labels themselves, the colours are
only for looking at. To read such a file as RGB and then match nothing is a classic way to a mean IU of .05.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from minifcn.data.images import open_image

VOID = 255

VOC_CLASSES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip

# Pillow's modes that hold one label a pixel: by palette, 8 bits, 1 bit, 16 bits, 32 bits.
_LABEL_MODES = ("P", "L", "1", "I;16", "I")


def voc_palette() -> np.ndarray:
    """PASCAL VOC's colours, (256, 3) uint8, by the rule of the development kit's `VOClabelcolormap.m`.

    The label's bits are dealt out in turns to red, green and blue, from the colour's highest bit downwards: label
    bits 0, 1, 2 become bit 7 of R, G, B, label bits 3, 4, 5 become bit 6, and bits 6 and 7 become bit 5 of R and G.
    Nothing is lost on the way, so all 256 colours differ. Label 15 (person) is (192, 128, 128), void (224, 224, 192).
    """
    label = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        palette[:, bit % 3] |= ((label >> bit & 1) << (7 - bit // 3)).astype(np.uint8)
    palette.flags.writeable = False
    return palette


VOC_PALETTE = voc_palette()


def make_palette(colours: Sequence[Sequence[int]], void: Sequence[int] = (255, 255, 255)) -> np.ndarray:
    """A (256, 3) uint8 palette of the given colours for labels 0, 1, ..., then black, and `void` for 255."""
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(colours)] = colours
    palette[VOID] = void
    palette.flags.writeable = False
    return palette


def decode_mask(
    source: Image.Image | str | Path,
    num_classes: int | None = None,
    palette: np.ndarray = VOC_PALETTE,
    name: str | None = None,
) -> np.ndarray:
    """The labels of a mask, (H, W) uint8.

    Mode P is read by index and mode L by value; RGB and RGBA by the palette's colours. With `num_classes`, labels
    must be 0 .. num_classes-1 or void (255). `name` is what an error calls the mask (default: its path). Raises
    ValueError for a file that cannot be decoded, a colour outside the palette, a label out of range and a mode that
    holds no labels; FileNotFoundError where there is no file.
    """
    image = source if isinstance(source, Image.Image) else open_image(source)
    name = name or (str(getattr(source, "filename", "the mask")) if image is source else str(source))
    if image.mode in ("RGB", "RGBA"):
        return _labels_of_colours(np.asarray(image)[..., :3], num_classes, palette, name)
    if image.mode == "P":
        _check_palette(image, num_classes, palette, name)
    if image.mode not in _LABEL_MODES:
        raise ValueError(
            f"{name}: a picture of mode {image.mode} holds no labels; save masks as PNG of mode P or L (one label a "
            f"pixel) or RGB (the palette's colours)"
        )
    labels = np.asarray(image)
    check_labels(labels, num_classes, name)
    return labels.astype(np.uint8)


def _check_palette(image: Image.Image, num_classes: int | None, palette: np.ndarray, name: str) -> None:
    """Raises ValueError where the colours of a palette mask are all of classes, but of other ones than its labels.

    Programs that make files small renumber the colours of a picture as they please: such a mask's labels mean nothing.
    """
    own = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    used = np.unique(np.asarray(image))
    used = used[used < len(own)]
    codes, meant = _codes(own[used]), _codes(palette)[used]
    known = _codes(palette[[*range(VOID if num_classes is None else num_classes), VOID]])
    if (codes != meant).any() and np.isin(codes, known).all():
        label = int(used[codes != meant][0])
        raise ValueError(
            f"{name}: label {label} has the colour {tuple(own[label].tolist())} there, which is another class's, so labels and "
            f"colours contradict each other; save the mask as RGB, where colours count, or with the classes' own palette"
        )


def _labels_of_colours(colours: np.ndarray, num_classes: int | None, palette: np.ndarray, name: str) -> np.ndarray:
    """(H, W, 3) colours -> (H, W) labels, each colour looked up among the palette's, which are sorted for that."""
    known = VOID if num_classes is None else num_classes
    labels = np.array([*range(known), VOID], np.uint8)
    codes, first = np.unique(_codes(palette[labels]), return_index=True)
    wanted = _codes(colours)  # (H, W)
    place = np.searchsorted(codes, wanted).clip(max=len(codes) - 1)
    outside = codes[place] != wanted
    if outside.any():
        y, x = np.argwhere(outside)[0]
        r, g, b = colours[y, x].tolist()
        kinds = len(np.unique(wanted[outside]))
        raise ValueError(
            f"{name}: colour ({r}, {g}, {b}) at row {y}, column {x} is outside the palette of labels 0 to {known - 1} "
            f"and void, as are {outside.sum()} pixels in {kinds} colours; is it another set's palette, or was the mask "
            f"saved as JPEG or resized smoothly?"
        )
    return labels[first][place]


def _codes(colours: np.ndarray) -> np.ndarray:
    """Colours (..., 3) uint8 -> one integer each, 0xRRGGBB."""
    return colours.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)


def check_labels(labels: np.ndarray, num_classes: int | None = None, name: str = "labels") -> None:
    """Raises ValueError unless every label is void (255) or in 0 .. num_classes-1 (default 0 .. 255)."""
    last = VOID if num_classes is None else num_classes - 1
    wrong = ((labels > last) & (labels != VOID)) | (labels < 0)
    if wrong.any():
        y, x = np.argwhere(wrong)[0]
        raise ValueError(
            f"{name}: label {labels[y, x]} at row {y}, column {x} ({wrong.sum()} such pixels) is out of range; possible "
            f"are 0 to {last} and void {VOID}; has the set more classes, or another value for void?"
        )


def colorize(labels: np.ndarray, palette: np.ndarray = VOC_PALETTE) -> np.ndarray:
    """Labels (H, W) -> colours (H, W, 3) uint8."""
    return palette[labels]


def save_mask(path: str | Path | BinaryIO, labels: np.ndarray, palette: np.ndarray = VOC_PALETTE) -> None:
    """Writes labels (H, W), 0 .. 255, as a palette PNG: the file holds the labels, a viewer shows the colours."""
    labels = np.asarray(labels)
    if labels.ndim != 2:
        raise ValueError(f"labels of shape {labels.shape} are no mask; expected (height, width)")
    check_labels(labels, name=str(path))
    image = Image.fromarray(labels.astype(np.uint8))
    image.putpalette(palette.tobytes())  # mode L becomes P; the bytes stay
    image.save(path, format="PNG")
