"""A folder of your own pictures and masks.

    root/images/cat.jpg        pictures; jpg, png, bmp, gif, tif, webp
    root/masks/cat.png         one mask a picture, with the same stem: mode P or L with labels, or RGB with colours
    root/classes.txt           optional: one class a line, label 0 first

A line of classes.txt is a name, or a name and its colour in RGB masks (`sky 128 128 128`); a line `void R G B`
gives the colour of unlabelled pixels. Without the file, colours are VOC's and the labels found in the masks say how
many classes there are.

Splits are, whichever is there: `images/train/` and `masks/train/` (any depth below is fine), or a list
`root/train.txt` with one picture a line, by its stem or its file, maybe with its mask behind it. Where there is
neither, every fifth picture or so is `val` and the others are `train`, chosen by their names, so that the choice stays
when pictures are added. `all` is everything.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from minifcn.data import files
from minifcn.data.dataset import Sample, SegmentationDataset, present, untaught
from minifcn.data.files import MASK_SUFFIXES, Names, find_pictures
from minifcn.data.palette import VOC_PALETTE, VOID, decode_mask, make_palette
from minifcn.words import name_some

VAL_SHARE = 0.2


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
        found, found_masks = find_pictures(images), find_pictures(masks, MASK_SUFFIXES)
        pictures, labels = _by_stem(images, found.pictures), _by_stem(masks, found_masks.pictures)
        samples, source = self._samples(split, pictures, labels)
        there, absent = present(samples, source, missing)
        alone = sorted(labels.by_id.keys() - pictures.by_id.keys() - {labels.id_of(sample.label) for sample in there})
        notes = [files.left_out_sentence(found.left_out + found_masks.left_out)]
        notes += [f"masks without a picture: {len(alone)} ({name_some(alone, 5)})"] if alone else []
        classes, palette = self._classes(num_classes, found_masks.pictures, notes)
        super().__init__(f"{self.root.name} {split}", there, classes, palette, absent, filter(None, notes))

    def _samples(self, split: str, pictures: Names, labels: Names) -> tuple[list[Sample], Path]:
        """The samples of a split, and the list or folder that they come from."""
        images, path = self.root / "images", self.root / f"{split}.txt"
        if split != "all" and path.exists():
            lines = files.read_list(path, pictures)
            return [_sample(line, *files.read_line(line, pictures, labels), pictures, labels) for line in lines], path
        ids, source = sorted(pictures.by_id), images
        if split != "all" and (images / split).is_dir():
            ids, source = [id for id in ids if id.startswith(f"{split}/")], images / split
        elif split not in ("all", "train", "val") or (split != "all" and self._is_split()):
            raise ValueError(f"{self.root} has no split {split!r}: neither {path.name} nor images/{split}/ is there")
        elif split != "all":
            # names that no encoding made ("surrogates") have bytes too
            shuffled = sorted(ids, key=lambda id: zlib.crc32(id.encode("utf-8", "surrogatepass")))
            count = min(max(1, round(VAL_SHARE * len(shuffled))), len(shuffled) - 1)
            ids = sorted(shuffled[:count] if split == "val" else shuffled[count:])
        return [_sample(id, pictures.by_id[id], None, pictures, labels) for id in ids], source

    def _is_split(self) -> bool:
        """Did somebody say what train or val is?"""
        return any((self.root / f"{s}.txt").exists() or (self.root / "images" / s).is_dir() for s in ("train", "val"))

    def _classes(self, num_classes: int | None, masks: list[Path], notes: list[str]) -> tuple[list[str], np.ndarray]:
        """Names and palette from classes.txt, else numbered classes and VOC's palette; a guess is noted."""
        path = self.root / "classes.txt"
        if path.exists():
            return read_classes(path)
        if num_classes is None:
            num_classes = count_classes(masks)
            notes.append(f"{num_classes} classes, counted from the masks: write {path} to name them")
        return [f"class {label}" for label in range(num_classes)], VOC_PALETTE


def _by_stem(folder: Path, files: list[Path]) -> Names:
    """The files by their names. Raises ValueError where two share a stem."""
    names = Names(folder, files)
    for path in files:
        other = names.by_id[names.id_of(path)]
        if other != path:
            raise ValueError(f"{other} and {path} share one stem, so it cannot be told which belongs to the other")
    return names


def _sample(line: str, picture: Path | None, mask: Path | None, pictures: Names, labels: Names) -> Sample:
    """The sample that a line names; where there is no such picture or mask, with the path at which one is missing."""
    id = pictures.id_of(picture) if picture else files.without_suffix(files.composed(line))
    mask = mask or labels.by_id.get(id, labels.folder / f"{id}.png")
    return Sample(id, picture or pictures.folder / f"{id}.jpg", mask)


def read_classes(path: Path) -> tuple[list[str], np.ndarray]:
    """Names and palette from classes.txt: lines `name` or `name R G B`; spaces in a name are fine."""
    colours: dict[str, Sequence[int]] = {}
    void: Sequence[int] = VOC_PALETTE[VOID]
    for line in files.read_list(path):
        words = line.split()
        if not line.isprintable():
            raise ValueError(f"{path}: class {line!r} has characters that no name has; save the file as UTF-8")
        has_colour = len(words) > 3 and all(word.isdecimal() and int(word) < 256 for word in words[-3:])
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
    """One more than the largest label in the masks.

    Raises ValueError where fewer than two classes are labelled, and where the labels look like no labels: a gap between most
    of them, or values that only lie along edges, as smooth resizing and JPEG leave them.
    """
    if not masks:
        return 1
    with ThreadPoolExecutor(4) as pool:
        counts = sum(pool.map(_count_labels, masks), np.zeros((2, 256), np.int64))  # (2, 256): all pixels, those of edges
    labels = np.flatnonzero(counts[0])
    known = labels[labels != VOID]
    if len(known) < 2:
        raise ValueError(untaught(labels.tolist(), len(masks), str(masks[0].parent)))
    last = int(known[-1])
    edges = [int(label) for label in known if 2 * counts[1, label] > counts[0, label]]
    step = int(np.gcd.reduce(known))
    why = ""
    if 2 * len(known) < last + 1:
        why = f"of the labels 0 to {last} only {len(known)} occur ({name_some([str(label) for label in known], 6)})"
        why += f", all multiples of {step}: were they stretched to be seen, or saved with 2 or 4 bits?" if step > 1 else ""
    elif len(edges) > 1 and 2 * len(edges) >= len(known):
        why = f"labels {name_some([str(label) for label in edges], 6)} lie between others along edges, as smooth resizing makes"
    if why:
        raise ValueError(
            f"{masks[0].parent}: the {len(masks)} masks look as if they held no labels, and no classes.txt says what they "
            f"are: {why}; write the labels 0, 1, 2 ... as PNG, or a classes.txt with one class a line"
        )
    return last + 1


def _count_labels(mask: Path) -> np.ndarray:
    """(2, 256): the pixels of each label, and those of them that lie between a smaller and a larger label."""
    labels = decode_mask(mask)
    edge = np.zeros(labels.shape, bool)
    for lines, edges in ((labels, edge), (labels.T, edge.T)):
        before, middle, after = lines[:-2], lines[1:-1], lines[2:]
        rises, falls = (before < middle) & (middle < after), (before > middle) & (middle > after)
        edges[1:-1] |= (rises | falls) & (before != VOID) & (after != VOID)
    return np.stack([np.bincount(part.ravel(), minlength=256) for part in (labels, labels[edge])])
