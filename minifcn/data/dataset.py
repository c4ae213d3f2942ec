"""What every data set is: a list of pictures, each with its mask, found and checked before anything is read.

A data set is anything with this protocol; `SegmentationDataset` is the one all readers here return:

    len(dataset)           number of pictures
    dataset[i]             (image uint8 (H, W, 3) RGB, label uint8 (H, W))
    dataset.read_image(i), dataset.read_label(i)
    dataset.ids            one name a picture, the same for the same picture in every split
    dataset.classes, .num_classes, .palette, .ignore_index
"""

from __future__ import annotations

import copy
import difflib
import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minifcn.data.images import read_image
from minifcn.data.palette import VOC_PALETTE, VOID, decode_mask
from minifcn.words import counted, name_some


class Sample(NamedTuple):
    """One picture and its mask: the name it goes by, and where the two lie."""

    id: str
    image: Path
    label: Path


class SegmentationDataset:
    """Pictures with masks, read when asked for.

    `missing` holds the samples of the list whose files are not there (only with `missing="skip"`, see `present`), `notes` a
    sentence for each thing that was left out or guessed.
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
        notes: Iterable[str] = (),
    ) -> None:
        if not samples:
            raise ValueError(f"{name}: the list of pictures is empty; there is nothing to read")
        self.name = name
        self.samples = list(samples)
        self.ids = [sample.id for sample in samples]
        self.classes = tuple(classes)
        self.palette = palette
        self.missing = list(missing)
        self.notes = list(notes)

    @property
    def num_classes(self) -> int:
        return len(self.classes)

    def __len__(self) -> int:
        return len(self.samples)

    def __repr__(self) -> str:
        return f"{self.name}: {counted(len(self), 'picture')}, {counted(self.num_classes, 'class', 'classes')}"

    def read_image(self, index: int) -> np.ndarray:
        """Picture `index`, (H, W, 3) uint8 RGB."""
        return read_image(self.samples[index].image)

    def read_label(self, index: int) -> np.ndarray:
        """The labels of picture `index`, (H, W) uint8, checked against the number of classes."""
        return decode_mask(self.samples[index].label, self.num_classes, self.palette)

    def few(self, count: int) -> SegmentationDataset:
        """The same set with `count` of its pictures, spread evenly over it. Raises ValueError where it has not so many."""
        if not 1 <= count <= len(self):
            raise ValueError(
                f"{counted(count, 'picture')} of {self.name} {'is' if count == 1 else 'are'} wanted; it has {len(self)}"
            )
        some = copy.copy(self)
        some.samples = [self.samples[index] for index in spread(len(self), count)]
        some.ids = [sample.id for sample in some.samples]
        return some

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Picture and labels of one size. Raises ValueError where the mask has another size than its picture."""
        image, label = self.read_image(index), self.read_label(index)
        if image.shape[:2] != label.shape:
            sample, turned = self.samples[index], label.shape == image.shape[1::-1]
            raise ValueError(
                f"{sample.label}: the mask is {_size(label)} but its picture {sample.image} is {_size(image)} (height "
                f"x width); {_TURNED if turned else 'a mask has one label for each pixel of its picture'}"
            )
        return image, label


_TURNED = "if a camera's note in the picture (EXIF) turns it as it is read, its mask must be turned, too"


def _size(array: np.ndarray) -> str:
    return f"{array.shape[0]}x{array.shape[1]}"


def present(samples: Sequence[Sample], source: str | Path, missing: str = "error") -> tuple[list[Sample], list[Sample]]:
    """Parts samples into those whose picture and mask are both there, and the others.

    `missing="error"` raises FileNotFoundError naming up to ten of the others and their number; `"skip"` goes on
    without them. `source` is the list or folder that named them.
    """
    if missing not in ("error", "skip"):
        raise ValueError(f"missing {missing!r} is not possible; choose error or skip")
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
    first, rest = absent[0], total - len(absent)
    path, what = (first.label, "mask") if first.image.exists() else (first.image, "picture")
    if what == "mask" and any(path.with_suffix(suffix).exists() for suffix in (".jpg", ".jpeg")):
        advice = "JPEG changes labels, so masks are PNG: save them once more from where they were made"
    elif rest:
        still = f"the {rest} that {'is' if rest == 1 else 'are'} there"
        advice = f"add them, or go on with {still} by --missing skip (in Python missing='skip')"
    else:
        advice = "is this the right root?"
    lacks = "lacks its" if len(absent) == 1 else "lack their"
    names = name_some([sample.id for sample in absent])
    return (
        f"{len(absent)} of the {counted(total, 'picture')} of {source} {lacks} picture or mask: {names}; the first misses its "
        f"{what}, {path}{_instead(path)}; {advice}"
    )


def _instead(path: Path) -> str:
    """What lies where a file is missing: the files whose names are most like its own."""
    names = [name for name in os.listdir(path.parent) if not name.startswith(".")] if path.parent.is_dir() else []
    same = [name for name in names if Path(name).stem.casefold() == path.stem.casefold()]
    close = same or difflib.get_close_matches(path.name, names[:20000], 3, 0.5) or sorted(names)[:3]
    return f" (its folder holds {', '.join(close)}{' ...' if len(names) > len(close) else ''})" if names else ""


def find_root(root: str | Path, holds: Sequence[str | Sequence[str]], name: str) -> Path:
    """The folder that holds all of these folders (of a tuple, one of them): `root` or a folder in it.

    Raises FileNotFoundError, with the name of the data set, where there is none.
    """
    root = Path(root).expanduser()
    wanted = [(one,) if isinstance(one, str) else one for one in holds]
    for folder in [root, *sorted(path for path in root.glob("*") if path.is_dir())]:
        if all(any((folder / one).is_dir() for one in either) for either in wanted):
            return folder
    folders = " and ".join(" or ".join(f"{one}/" for one in either) for either in wanted)
    raise FileNotFoundError(f"{name} was not found: looked for {folders} in {root} and the folders in it")


def spread(length: int, count: int) -> list[int]:
    """Up to `count` indices spread evenly over a data set: always the same ones, so that results compare."""
    return sorted({int(index) for index in np.linspace(0, length - 1, min(count, length))})


def title(dataset: SegmentationDataset) -> str:
    """What to call a data set; one that only follows the protocol need not have a name."""
    return getattr(dataset, "name", type(dataset).__name__)


def check_disjoint(train: SegmentationDataset, val: SegmentationDataset) -> None:
    """Raises ValueError where a picture is in both: a measure on pictures that were trained on means nothing."""
    in_train = set(train.ids)
    both = [name for name in val.ids if name in in_train]
    if both:
        count, them = counted(len(both), "picture is", "pictures are"), "it" if len(both) == 1 else "them"
        raise ValueError(
            f"{count} both in {title(train)} and in {title(val)}: {name_some(both)}; take {them} off one of the two, since a "
            f"measure on pictures that were trained on means nothing"
        )


def check_taught(*datasets: SegmentationDataset) -> None:
    """Raises ValueError for a set in which fewer than two classes are labelled: it teaches and measures nothing.

    Masks are read until two classes have been seen, which most often are in the first.
    """
    for dataset in datasets:
        labels: set[int] = set()
        for index in range(len(dataset)):
            labels.update(np.unique(dataset.read_label(index)).tolist())
            if len(labels - {dataset.ignore_index}) > 1:
                break
        else:
            raise ValueError(untaught(labels, len(dataset), title(dataset)))


def untaught(labels: Iterable[int], masks: int, name: str) -> str:
    """The sentence about masks in which these labels, and so fewer than two classes, are all that there is."""
    labels = sorted(labels)
    void = f", and {VOID} is void; if {VOID} marks your object, write it as 1" if VOID in labels else ""
    return (
        f"the {counted(masks, 'mask')} of {name} {'holds' if masks == 1 else 'hold'} only the "
        f"label{'s' * (len(labels) > 1)} {', '.join(map(str, labels))}{void}; with fewer than two classes there is nothing to "
        f"learn, and a measure of 1.0 means nothing"
    )


def fingerprint(dataset: SegmentationDataset) -> str:
    """The same for the same pictures by name, in the same order, with the same classes, wherever the set lies."""
    content = repr((list(dataset.ids), list(dataset.classes), dataset.ignore_index))
    return hashlib.blake2b(content.encode("utf-8", "backslashreplace"), digest_size=16).hexdigest()
