"""A folder of your own pictures and masks.

    root/images/cat.jpg        pictures; jpg, png, bmp, tif, webp
    root/masks/cat.png         one mask a picture, with the same stem: mode P or L with labels, or RGB with colours
    root/classes.txt           optional: one class a line, label 0 first

A line of classes.txt is a name, or a name and its colour in RGB masks (`sky 128 128 128`); a line `void R G B`
gives the colour of unlabelled pixels. Without the file, colours are VOC's and the labels found in the masks say how
many classes there are.

Splits are, whichever is there: `images/train/` and `masks/train/` (any depth below is fine), or a list
`root/train.txt` with one stem a line. Where there is neither, every fifth picture or so is `val` and the others are
`train`, chosen by their names, so that the choice stays when pictures are added. `all` is everything.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from minifcn.data.dataset import Sample, SegmentationDataset, name_some, present, read_list
from minifcn.data.images import IMAGE_SUFFIXES
from minifcn.data.palette import VOC_PALETTE, VOID, decode_mask, make_palette

VAL_SHARE = 0.2
MASK_SUFFIXES = (".png", ".bmp", ".tif", ".tiff")


class FolderSegmentation(SegmentationDataset):
    """A split of a folder of pictures and masks; an id is the path below images/ without suffix.

    `num_classes` is only for folders without classes.txt whose masks do not show every class. Raises
    FileNotFoundError for a missing folder, list or mask (unless `missing="skip"`), ValueError for a split that is
    neither a subfolder nor a list, two pictures of one stem, and a classes.txt that cannot be read.
    """

    def __init__(
        self,
        root: str | Path = "data",
        split: str = "train",
        *,
        num_classes: int | None = None,
        missing: str = "error",
    ) -> None:
        self.root = Path(root).expanduser()
        images, masks = self.root / "images", self.root / "masks"
        for folder in (images, masks):
            if not folder.is_dir():
                raise FileNotFoundError(f"{folder}: there is no such folder; pictures go into images/, masks into masks/")
        pictures, labels = _by_stem(images, IMAGE_SUFFIXES), _by_stem(masks, MASK_SUFFIXES)
        ids, source = self._ids(split, pictures)
        samples = [Sample(id, pictures.get(id, images / f"{id}.jpg"), labels.get(id, masks / f"{id}.png")) for id in ids]
        there, absent = present(samples, source, missing)
        classes, palette = self._classes(num_classes, list(labels.values()))
        super().__init__(f"{self.root.name} {split}", there, classes, palette, absent)

    def _ids(self, split: str, pictures: dict[str, Path]) -> tuple[list[str], Path]:
        """The ids of a split, and the list or folder that they come from."""
        images, path = self.root / "images", self.root / f"{split}.txt"
        if split == "all":
            return sorted(pictures), images
        if path.exists():
            return [_stem(word) for word in read_list(path)], path
        if (images / split).is_dir():
            return sorted(id for id in pictures if id.startswith(f"{split}/")), images / split
        if split not in ("train", "val") or self._is_split():
            raise ValueError(f"{self.root} has no split {split!r}: neither {path.name} nor images/{split}/ is there")
        shuffled = sorted(pictures, key=lambda id: zlib.crc32(id.encode()))
        count = min(max(1, round(VAL_SHARE * len(shuffled))), len(shuffled) - 1)
        return sorted(shuffled[:count] if split == "val" else shuffled[count:]), images

    def _is_split(self) -> bool:
        """Did somebody say what train or val is?"""
        return any((self.root / f"{s}.txt").exists() or (self.root / "images" / s).is_dir() for s in ("train", "val"))

    def _classes(self, num_classes: int | None, masks: list[Path]) -> tuple[list[str], np.ndarray]:
        """Names and palette from classes.txt, else numbered classes and VOC's palette."""
        path = self.root / "classes.txt"
        if path.exists():
            return read_classes(path)
        if num_classes is None:
            num_classes = count_classes(masks)
        return [f"class {label}" for label in range(num_classes)], VOC_PALETTE


def _by_stem(folder: Path, suffixes: tuple[str, ...]) -> dict[str, Path]:
    """Path below the folder without suffix -> file. Raises ValueError where two files share a stem."""
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in suffixes and not path.name.startswith("."):
            id = path.relative_to(folder).with_suffix("").as_posix()
            if id in found:
                raise ValueError(f"{found[id]} and {path} share one stem, so it cannot be told which belongs to the other")
            found[id] = path
    return found


def _stem(word: str) -> str:
    """A line of a list, with or without suffix -> id."""
    path = Path(word)
    return path.with_suffix("").as_posix() if path.suffix.lower() in IMAGE_SUFFIXES else path.as_posix()


def read_classes(path: Path) -> tuple[list[str], np.ndarray]:
    """Names and palette from classes.txt: lines `name` or `name R G B`; spaces in a name are fine."""
    colours: dict[str, Sequence[int]] = {}
    void: Sequence[int] = VOC_PALETTE[VOID]
    for line in read_list(path):
        words = line.split()
        has_colour = len(words) > 3 and all(word.isdigit() and int(word) < 256 for word in words[-3:])
        name = " ".join(words[:-3] if has_colour else words)
        colour = [int(word) for word in words[-3:]] if has_colour else VOC_PALETTE[len(colours) % VOID]
        if name in colours:
            raise ValueError(f"{path}: class {name!r} stands there twice")
        if name == "void":
            void = colour if has_colour else void
        else:
            colours[name] = colour
    if not 1 <= len(colours) <= VOID:
        raise ValueError(f"{path}: {len(colours)} classes; 1 to {VOID} are possible, one a line")
    return list(colours), make_palette(list(colours.values()), void)


def count_classes(masks: list[Path]) -> int:
    """One more than the largest label in the masks. Raises ValueError where that is no more than one class."""
    with ThreadPoolExecutor(4) as pool:
        labels = set().union(*pool.map(lambda path: np.unique(decode_mask(path)).tolist(), masks))
    known = sorted(labels - {VOID})
    if len(known) < 2 and VOID in labels:
        raise ValueError(
            f"the {len(masks)} masks hold only the labels {name_some([str(label) for label in sorted(labels)])}, and 255 is "
            f"void; if 255 marks your object, write it as 1"
        )
    return max(known, default=0) + 1
