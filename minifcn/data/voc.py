"""PASCAL VOC 2011 and 2012 segmentation, in VOC's own layout, with the extra masks of SBD.

    VOCdevkit/VOC2012/JPEGImages/<id>.jpg
                      SegmentationClass/<id>.png            palette PNG, labels 0 .. 20 and void 255
                      SegmentationClassAug/<id>.png         SBD's masks as PNG, where somebody converted them
                      ImageSets/Segmentation/<split>.txt    one id a line
    benchmark_RELEASE/dataset/{train,val}.txt, cls/<id>.mat     SBD (Hariharan et al., ICCV 2011) as it is distributed

Splits are `train`, `val`, `trainval`, any other list in ImageSets/Segmentation, the path of a list file, and

    train_aug    VOC's train and all of SBD, less VOC's val: the 10582 pictures most papers train on
    sbd_train    SBD's train, the 8498 pictures that the FCN authors trained on
    seg11valid   VOC2011's val less SBD's train, the 736 pictures that the FCN authors measured on

each from its list in ImageSets/Segmentation or, where there is none, worked out from the lists of VOC and SBD.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from minifcn.data import files
from minifcn.data.dataset import Sample, SegmentationDataset, present
from minifcn.data.files import Names
from minifcn.data.images import decoding
from minifcn.data.palette import VOC_CLASSES, check_labels

YEARS = ("2012", "2011")


class VOCSegmentation(SegmentationDataset):
    """A split of VOC segmentation, or of any set in VOC's layout.

    `root` is VOC2012, the VOCdevkit around it or the folder around that; `sbd_root` is where SBD lies (default:
    beside them). Pictures of `train_aug` and `sbd_train` keep VOC's own mask where they have one, since SBD's
    outlines are coarser and know no void. With `missing="skip"` pictures that are not there are left out instead of
    raising FileNotFoundError. Raises ValueError for an unknown split or an empty list.
    """

    def __init__(
        self,
        root: str | Path = "data",
        split: str = "train",
        year: str = "2012",
        *,
        sbd_root: str | Path | None = None,
        missing: str = "error",
        classes: Sequence[str] = VOC_CLASSES,
    ) -> None:
        self.root = find_root(root, year)
        self.sbd_root = sbd_root
        images = self.root / "JPEGImages"
        listing = files.find_pictures(images, deep=False)
        self._pictures = Names(images, listing.pictures)
        ids, source = self._ids(split)
        masks, mat_folders = self._mask_folders(Path(split).stem)
        samples = [
            Sample(id, self._pictures.by_id.get(id, images / f"{id}.jpg"), _first_there(masks, mat_folders, id)) for id in ids
        ]
        there, absent = present(samples, source, missing)
        notes = filter(None, [files.left_out_sentence(listing.left_out)])
        super().__init__(f"{self.root.name} {split}", there, classes, missing=absent, notes=notes)

    def read_label(self, index: int) -> np.ndarray:
        path = self.samples[index].label
        if path.suffix != ".mat":
            return super().read_label(index)
        labels = read_sbd_mask(path)
        check_labels(labels, self.num_classes, str(path))
        return labels

    def _ids(self, split: str) -> tuple[list[str], Path | str]:
        """The ids of a split, and the list or rule that they come from."""
        lists = self.root / "ImageSets" / "Segmentation"
        if split.endswith(".txt"):
            path = Path(split) if Path(split).exists() else self.root / split
        else:
            path = lists / f"{split}.txt"
        if path.exists():
            return self._read_ids(path), path
        if split == "train_aug":
            own, val = (self._read_ids(lists / f"{part}.txt") for part in ("train", "val"))
            return _less([*own, *self._sbd_ids("train"), *self._sbd_ids("val")], val), "VOC train + SBD - VOC val"
        if split == "sbd_train":
            return self._sbd_ids("train"), "SBD train"
        if split == "seg11valid":
            return _less(self._voc2011_val(), self._sbd_ids("train")), "VOC2011 val - SBD train"
        known = ", ".join(sorted(path.stem for path in lists.glob("[!.]*.txt"))) or "none"
        raise ValueError(
            f"{split!r} is no split of {self.root}; its lists are {known}; also possible are train_aug, sbd_train and "
            f"seg11valid (with SBD) and the path of a list file"
        )

    def _voc2011_val(self) -> list[str]:
        """VOC2011's val, whose pictures are all in VOC2012 as well."""
        if self.root.name == "VOC2011":
            return self._read_ids(self.root / "ImageSets" / "Segmentation" / "val.txt")
        around = self.root.parent
        tried = [base / "VOC2011" for base in (around, around.parent / "TrainVal" / "VOCdevkit")]
        for folder in tried:
            if (path := folder / "ImageSets" / "Segmentation" / "val.txt").exists():
                return self._read_ids(path)
        raise FileNotFoundError(
            f"seg11valid is worked out from VOC2011's val, which was looked for in {' and '.join(map(str, tried))}; put "
            f"VOC2011 there, or the list itself, seg11valid.txt, into {self.root / 'ImageSets' / 'Segmentation'}"
        )

    def _sbd_ids(self, split: str) -> list[str]:
        return self._read_ids(self._sbd_folder() / f"{split}.txt")

    def _sbd_folder(self) -> Path:
        """The folder with SBD's train.txt, val.txt and cls/."""
        tried = self._sbd_candidates()
        for folder in tried:
            if (folder / "train.txt").exists() and (folder / "cls").is_dir():
                return folder
        raise FileNotFoundError(
            f"SBD was not found: looked for train.txt and cls/ in {', '.join(map(str, tried))}; fetch SBD and give its "
            f"folder as sbd_root, or put a list of the split into {self.root / 'ImageSets' / 'Segmentation'}"
        )

    def _sbd_candidates(self) -> list[Path]:
        if self.sbd_root is not None:
            return [Path(self.sbd_root) / below for below in ("", "dataset", "benchmark_RELEASE/dataset")]
        return [base / "benchmark_RELEASE" / "dataset" for base in (self.root, *self.root.parents[:2])]

    def _mask_folders(self, split: str) -> tuple[list[Names], list[Path]]:
        """Where to look for a mask, first choice first: folders of pictures, then those of SBD's .mat files."""
        with_sbd = split.startswith(("train_aug", "trainaug", "sbd"))
        folders = [self.root / name for name in ("SegmentationClass", "SegmentationClassAug")[: 1 + with_sbd]]
        pictures = [Names(path, files.find_pictures(path, files.MASK_SUFFIXES, deep=False).pictures) for path in folders]
        return pictures, [candidate / "cls" for candidate in self._sbd_candidates() if with_sbd]

    def _read_ids(self, path: Path) -> list[str]:
        """Ids of a list, which may also name files, or pictures with their masks (`/JPEGImages/<id>.jpg ...`)."""
        ids = []
        for line in files.read_list(path, self._pictures):
            picture, _ = files.read_line(line, self._pictures)
            word = line.split()[0].replace("\\", "/").rsplit("/", 1)[-1]  # of a picture that is not there
            ids.append(self._pictures.id_of(picture) if picture else files.without_suffix(files.composed(word)))
        return ids


def find_root(root: str | Path, year: str = "2012") -> Path:
    """The folder that holds JPEGImages and ImageSets, from it or from a folder up to three levels above it.

    Raises FileNotFoundError that says what was looked for.
    """
    if str(year) not in YEARS:
        raise ValueError(f"VOC year {year!r} is not possible; choose {' or '.join(YEARS)}")
    below = ("", f"VOC{year}", f"VOCdevkit/VOC{year}", f"TrainVal/VOCdevkit/VOC{year}")
    tried = [Path(root).expanduser() / folder for folder in below]
    for folder in tried:
        if (folder / "JPEGImages").is_dir() and (folder / "ImageSets" / "Segmentation").is_dir():
            return folder.absolute()
    raise FileNotFoundError(
        f"VOC{year} was not found: looked for JPEGImages/ and ImageSets/Segmentation/ in {', '.join(map(str, tried))}; "
        f"give the folder of VOC{year} or of VOCdevkit as root, or download the set"
    )


def read_sbd_mask(path: Path) -> np.ndarray:
    """The labels of one of SBD's cls/<id>.mat, (H, W) uint8, without void. ValueError where SciPy is not installed."""
    try:
        from scipy.io import loadmat
    except ImportError:
        raise ValueError(
            f"{path}: SBD's .mat masks are read with SciPy, which is not installed; run `pip install scipy`, or put the "
            f"masks as PNG into SegmentationClassAug/"
        ) from None
    with decoding(path):
        return np.ascontiguousarray(loadmat(path)["GTcls"][0]["Segmentation"][0], np.uint8)


def _less(ids: Iterable[str], without: Iterable[str]) -> list[str]:
    """The sorted set of ids that are not in `without`."""
    return sorted(set(ids) - set(without))


def _first_there(masks: Sequence[Names], mat_folders: Sequence[Path], id: str) -> Path:
    """The first of the folders' masks that exists, else where the first would be."""
    pictures = (folder.by_id.get(id) for folder in masks)
    for path in itertools.chain(pictures, (folder / f"{id}.mat" for folder in mat_folders)):
        if path is not None and path.exists():
            return path
    return masks[0].folder / f"{id}.png"
