"""CamVid (Brostow et al., 2008), 11 classes, in the two forms in which it is passed on.

    <split>/<frame>.png, <split>annot/<frame>.png        SegNet's copy: mode L or P, labels 0 .. 10, and 11 for void
    <split>/<frame>.png, <split>_labels/<frame>_L.png    the authors' masks in colours of 32 classes, in three splits

The 32 classes are joined to SegNet's 11 (Badrinarayanan et al. 2017): a lane marking is road, a child a pedestrian.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from minifcn.data.dataset import Sample, SegmentationDataset, find_root, present
from minifcn.data.files import MASK_SUFFIXES, find_pictures, left_out_sentence
from minifcn.data.palette import VOID, decode_mask, make_palette

# class -> (SegNet's colour, {the authors' class: its colour})
_CLASSES: dict[str, tuple[tuple[int, int, int], dict[str, tuple[int, int, int]]]] = {
    "sky": ((128, 128, 128), {"Sky": (128, 128, 128)}),
    "building": ((128, 0, 0), {
        "Building": (128, 0, 0), "Bridge": (0, 128, 64), "Wall": (64, 192, 0), "Tunnel": (64, 0, 64), "Archway": (192, 0, 128),
    }),
    "pole": ((192, 192, 128), {"Column_Pole": (192, 192, 128), "TrafficCone": (0, 0, 64)}),
    "road": ((128, 64, 128), {"Road": (128, 64, 128), "LaneMkgsDriv": (128, 0, 192), "LaneMkgsNonDriv": (192, 0, 64)}),
    "pavement": ((60, 40, 222), {"Sidewalk": (0, 0, 192), "ParkingBlock": (64, 192, 128), "RoadShoulder": (128, 128, 192)}),
    "tree": ((128, 128, 0), {"Tree": (128, 128, 0), "VegetationMisc": (192, 192, 0)}),
    "sign": ((192, 128, 128), {"SignSymbol": (192, 128, 128), "Misc_Text": (128, 128, 64), "TrafficLight": (0, 64, 64)}),
    "fence": ((64, 64, 128), {"Fence": (64, 64, 128)}),
    "car": ((64, 0, 128), {
        "Car": (64, 0, 128), "SUVPickupTruck": (64, 128, 192), "Truck_Bus": (192, 128, 192), "Train": (192, 64, 128),
        "OtherMoving": (128, 64, 64),
    }),
    "pedestrian": ((64, 64, 0), {
        "Pedestrian": (64, 64, 0), "Child": (192, 128, 64), "CartLuggagePram": (64, 0, 192), "Animal": (64, 128, 64),
    }),
    "bicyclist": ((0, 128, 192), {"Bicyclist": (0, 128, 192), "MotorcycleScooter": (192, 0, 192)}),
}  # fmt: skip
CAMVID_CLASSES = tuple(_CLASSES)
SPLITS = ("train", "val", "test")
_COLOURS = [colour for _, members in _CLASSES.values() for colour in members.values()]  # of the authors' classes but Void
_JOINED = [place for place, (_, members) in enumerate(_CLASSES.values()) for _ in members]  # their classes among the 11


class CamVidSegmentation(SegmentationDataset):
    """A split of CamVid; an id is `<split>/<frame>`.

    `root` holds train/ and trainannot/ or train_labels/, or is the folder around it. Raises ValueError for an unknown split
    and FileNotFoundError for missing files, unless `missing="skip"`.
    """

    def __init__(self, root: str | Path = "data", split: str = "train", *, missing: str = "error") -> None:
        if split not in SPLITS:
            raise ValueError(f"CamVid has no split {split!r}; choose {', '.join(SPLITS)}")
        self.root = find_root(root, (split, (f"{split}annot", f"{split}_labels")), "CamVid")
        images, annotated = self.root / split, self.root / f"{split}annot"
        self.in_colours = not annotated.is_dir()
        masks, ending = (self.root / f"{split}_labels", "_L") if self.in_colours else (annotated, "")
        found = find_pictures(images)
        by_name = {path.stem: path for path in find_pictures(masks, MASK_SUFFIXES).pictures}
        samples = [
            Sample(f"{split}/{image.stem}", image, by_name.get(name := image.stem + ending, masks / f"{name}.png"))
            for image in found.pictures
        ]
        there, absent = present(samples, images, missing)
        notes = filter(None, [left_out_sentence(found.left_out)])
        palette = make_palette([colour for colour, _ in _CLASSES.values()])
        super().__init__(f"CamVid {split}", there, CAMVID_CLASSES, palette, absent, notes)

    def read_label(self, index: int) -> np.ndarray:
        """The labels of picture `index`, (H, W) uint8, 0 .. 10 and void."""
        table = np.full(256, VOID, np.uint8)
        if self.in_colours:
            table[: len(_JOINED)] = _JOINED
            return table[decode_mask(self.samples[index].label, len(_COLOURS), make_palette(_COLOURS, void=(0, 0, 0)))]
        table[: self.num_classes] = range(self.num_classes)  # and 11, "unlabelled", is void
        return table[decode_mask(self.samples[index].label, self.num_classes + 1, self.palette)]
