"""What every data set is: a list of pictures, each with its mask, found and checked before anything is read.

A data set is anything with this protocol; `SegmentationDataset` is the one all readers here return:

    len(dataset)           number of pictures
    dataset[i]             (image uint8 (H, W, 3) RGB, label uint8 (H, W))
    dataset.read_image(i), dataset.read_label(i)
    dataset.ids            one name a picture, the same for the same picture in every split
    dataset.classes, .num_classes, .palette, .ignore_index
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minifcn.data.images import read_image
from minifcn.data.palette import VOC_PALETTE, VOID, decode_mask


class Sample(NamedTuple):
    """One picture and its mask: the name it goes by, and where the two lie."""

    id: str
    image: Path
    label: Path


class SegmentationDataset:
    """Pictures with masks, read when asked for.

    `missing` holds the samples of the list whose files are not there (only with `missing="skip"`, see `present`).
    Raises ValueError where `samples` is empty.
    """

    ignore_index = VOID

    def __init__(
        self,
        name: str,
        samples: Sequence[Sample],
        classes: Sequence[str],
        palette: np.ndarray = VOC_PALETTE,
        missing: Sequence[Sample] = (),
    ) -> None:
        if not samples:
            raise ValueError(f"{name}: the list of pictures is empty; there is nothing to read")
        self.name = name
        self.samples = list(samples)
        self.ids = [sample.id for sample in samples]
        self.classes = tuple(classes)
        self.palette = palette
        self.missing = list(missing)

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    def __len__(self) -> int:
        return len(self.samples)

    def __repr__(self) -> str:
        return f"{self.name}: {len(self)} pictures, {self.num_classes} classes"

    def read_image(self, index: int) -> np.ndarray:
        """Picture `index`, (H, W, 3) uint8 RGB."""
        return read_image(self.samples[index].image)

    def read_label(self, index: int) -> np.ndarray:
        """The labels of picture `index`, (H, W) uint8, checked against the number of classes."""
        return decode_mask(self.samples[index].label, self.num_classes, self.palette)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Picture and labels of one size. Raises ValueError where the mask has another size than its picture."""
        image, label = self.read_image(index), self.read_label(index)
        if image.shape[:2] != label.shape:
            sample = self.samples[index]
            raise ValueError(
                f"{sample.label}: the mask is {_size(label)} but its picture {sample.image} is {_size(image)} (height "
                f"x width); a mask has one label for each pixel of its picture"
            )
        return image, label


def _size(array: np.ndarray) -> str:
    return f"{array.shape[0]}x{array.shape[1]}"


def read_list(path: Path) -> list[str]:
    """The lines of an image-set list or the like; empty lines and lines that start with # are left out.

    Raises FileNotFoundError, or ValueError where no line is left.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a text file ({error.reason}); expected one name a line") from error
    kept = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not kept:
        raise ValueError(f"{path}: the list is empty; expected one name a line")
    return kept


def present(samples: Sequence[Sample], source: str | Path, missing: str = "error") -> tuple[list[Sample], list[Sample]]:
    """Parts samples into those whose picture and mask are both there, and the others.

    `missing="error"` raises FileNotFoundError naming up to ten of the others and their number; `"skip"` goes on
    without them. `source` is the list or folder that named them.
    """
    if missing not in ("error", "skip"):
        raise ValueError(f"missing={missing!r} is not possible; choose 'error' or 'skip'")
    files: dict[Path, set[str]] = {}
    there: list[Sample] = []
    absent: list[Sample] = []
    for sample in samples:
        (there if _exists(sample.image, files) and _exists(sample.label, files) else absent).append(sample)
    if absent and (missing == "error" or not there):
        raise FileNotFoundError(_absent_sentence(absent, len(samples), source))
    return there, absent


def _exists(path: Path, files: dict[Path, set[str]]) -> bool:
    """Is the file there? One listing a folder serves its thousands of files."""
    folder = path.parent
    if folder not in files:
        files[folder] = set(os.listdir(folder)) if folder.is_dir() else set()
    return path.name in files[folder]


def _absent_sentence(absent: Sequence[Sample], total: int, source: str | Path) -> str:
    first = absent[0]
    path, what = (first.label, "mask") if first.image.exists() else (first.image, "picture")
    advice = (
        f"add them, or go on with the {total - len(absent)} that are there by missing='skip'"
        if len(absent) < total
        else "is this the right root?"
    )
    return (
        f"{len(absent)} of the {total} pictures of {source} lack their picture or mask: "
        f"{name_some([sample.id for sample in absent])}; the first misses its {what}, {path}; {advice}"
    )


def name_some(names: Sequence[str], most: int = 10) -> str:
    """Up to `most` names, and how many more there are."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def title(dataset: SegmentationDataset) -> str:
    """What to call a data set; one that only follows the protocol need not have a name."""
    return getattr(dataset, "name", type(dataset).__name__)


def check_disjoint(train: SegmentationDataset, val: SegmentationDataset) -> None:
    """Raises ValueError where a picture is in both: a measure on pictures that were trained on means nothing."""
    in_train = set(train.ids)
    both = [name for name in val.ids if name in in_train]
    if both:
        raise ValueError(
            f"{len(both)} pictures are both in {title(train)} and in {title(val)}: {name_some(both)}; take them off one of "
            f"the two, since a measure on pictures that were trained on means nothing"
        )
