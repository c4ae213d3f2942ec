"""Cityscapes (Cordts et al., CVPR 2016): 19 classes, 2975 pictures to train on and 500 to validate on.

    leftImg8bit/<split>/<city>/<frame>_leftImg8bit.png
    gtFine/<split>/<city>/<frame>_gtFine_labelTrainIds.png    mode L, labels 0 .. 18 and void 255
    gtFine/<split>/<city>/<frame>_gtFine_labelIds.png         mode L, labels 0 .. 33, of which 19 are evaluated

The set is distributed with labelIds; its authors' `createTrainIdLabelImgs.py` makes the labelTrainIds. Where a split has
those they are read, else labelIds are, and mapped by the same table, `labels.py` of the authors' scripts.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from minifcn.data.dataset import Sample, SegmentationDataset, find_root, present
from minifcn.data.files import find_pictures, left_out_sentence
from minifcn.data.palette import VOID, decode_mask, make_palette

# class -> (labelId, colour); the order is that of the trainIds
_CLASSES = {
    "road": (7, (128, 64, 128)),
    "sidewalk": (8, (244, 35, 232)),
    "building": (11, (70, 70, 70)),
    "wall": (12, (102, 102, 156)),
    "fence": (13, (190, 153, 153)),
    "pole": (17, (153, 153, 153)),
    "traffic light": (19, (250, 170, 30)),
    "traffic sign": (20, (220, 220, 0)),
    "vegetation": (21, (107, 142, 35)),
    "terrain": (22, (152, 251, 152)),
    "sky": (23, (70, 130, 180)),
    "person": (24, (220, 20, 60)),
    "rider": (25, (255, 0, 0)),
    "car": (26, (0, 0, 142)),
    "truck": (27, (0, 0, 70)),
    "bus": (28, (0, 60, 100)),
    "train": (31, (0, 80, 100)),
    "motorcycle": (32, (0, 0, 230)),
    "bicycle": (33, (119, 11, 32)),
}
CITYSCAPES_CLASSES = tuple(_CLASSES)
SPLITS = ("train", "val")
_PICTURE, _LABEL_IDS, _TRAIN_IDS = "_leftImg8bit", "_gtFine_labelIds.png", "_gtFine_labelTrainIds.png"
_LABELS = 34  # labelIds


class CityscapesSegmentation(SegmentationDataset):
    """A split of Cityscapes' fine annotations; an id is `<city>/<frame>`.

    `root` holds leftImg8bit/ and gtFine/, or is the folder around it. Raises ValueError for an unknown split (test
    has no labels) and FileNotFoundError for missing files, unless `missing="skip"`.
    """

    def __init__(self, root: str | Path = "data", split: str = "train", *, missing: str = "error") -> None:
        if split not in SPLITS:
            raise ValueError(f"Cityscapes has no labels for split {split!r}; choose {' or '.join(SPLITS)}")
        self.root = find_root(root, ("leftImg8bit", "gtFine"), "Cityscapes")
        images, masks = self.root / "leftImg8bit" / split, self.root / "gtFine" / split
        found = find_pictures(images)
        frames = [path for path in found.pictures if path.stem.endswith(_PICTURE) and path.parent.parent == images]
        if not frames:
            raise FileNotFoundError(f"{images} holds no <city>/<frame>{_PICTURE}.png")
        self.has_train_ids = next(masks.glob(f"*/*{_TRAIN_IDS}"), None) is not None
        ending = _TRAIN_IDS if self.has_train_ids else _LABEL_IDS
        samples = []
        for image in frames:
            id = f"{image.parent.name}/{image.stem.removesuffix(_PICTURE)}"
            samples.append(Sample(id, image, masks / f"{id}{ending}"))
        there, absent = present(samples, images, missing)
        notes = filter(None, [left_out_sentence(found.left_out)])
        palette = make_palette([colour for _, colour in _CLASSES.values()])
        super().__init__(f"Cityscapes {split}", there, CITYSCAPES_CLASSES, palette, absent, notes)

    def read_label(self, index: int) -> np.ndarray:
        """The labels of picture `index`, (H, W) uint8, 0 .. 18 and void."""
        if self.has_train_ids:
            return super().read_label(index)
        return _train_ids()[decode_mask(self.samples[index].label, _LABELS)]


def _train_ids() -> np.ndarray:
    """(256,) uint8: labelId -> trainId, void for all that is not evaluated."""
    table = np.full(256, VOID, np.uint8)
    table[[label for label, _ in _CLASSES.values()]] = range(len(_CLASSES))
    return table
