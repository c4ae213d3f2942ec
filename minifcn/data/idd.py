"""The Indian Driving Dataset (Varma et al., WACV 2019): IDD-Lite with 7 classes, and the full set with 26.

    IDD-Lite   leftImg8bit/<split>/<drive>/<frame>_image.jpg
               gtFine/<split>/<drive>/<frame>_label.png                      mode L, labels 0 .. 6 and void 255
    full IDD   leftImg8bit/<split>/<drive>/<frame>_leftImg8bit.png or .jpg
               gtFine/<split>/<drive>/<frame>_gtFine_labellevel3Ids.png      mode L, labels 0 .. 25 and void 255

The full set is distributed with polygons; its authors' `createLabels.py` draws the labellevel3Ids masks from them.
Which of the two layouts a folder has is seen from its files.
"""

from __future__ import annotations

from pathlib import Path

from minifcn.data.dataset import Sample, SegmentationDataset, find_root, present
from minifcn.data.files import find_pictures, left_out_sentence
from minifcn.data.palette import make_palette

# Classes with the colours of the authors' `anue_labels.py`; a class that joins several labels has one of theirs.
_LITE = {
    "drivable": (128, 64, 128),
    "non-drivable": (244, 35, 232),
    "living things": (220, 20, 60),
    "vehicles": (0, 0, 142),
    "roadside objects": (220, 190, 40),
    "far objects": (107, 142, 35),
    "sky": (70, 130, 180),
}
_LEVEL3 = {
    "road": (128, 64, 128),
    "drivable fallback": (250, 170, 160),
    "sidewalk": (244, 35, 232),
    "non-drivable fallback": (152, 251, 152),
    "person": (220, 20, 60),
    "rider": (255, 0, 0),
    "motorcycle": (0, 0, 230),
    "bicycle": (119, 11, 32),
    "autorickshaw": (255, 204, 54),
    "car": (0, 0, 142),
    "truck": (0, 0, 70),
    "bus": (0, 60, 100),
    "vehicle fallback": (136, 143, 153),
    "curb": (220, 190, 40),
    "wall": (102, 102, 156),
    "fence": (190, 153, 153),
    "guard rail": (180, 165, 180),
    "billboard": (174, 64, 67),
    "traffic sign": (220, 220, 0),
    "traffic light": (250, 170, 30),
    "pole": (153, 153, 153),
    "obs-str-bar-fallback": (169, 187, 214),
    "building": (70, 70, 70),
    "bridge": (150, 100, 100),
    "vegetation": (107, 142, 35),
    "sky": (70, 130, 180),
}
IDD_LITE_CLASSES = tuple(_LITE)
IDD_CLASSES = tuple(_LEVEL3)
SPLITS = ("train", "val")


class IDDSegmentation(SegmentationDataset):
    """A split of IDD-Lite or of the full IDD; an id is `<drive>/<frame>`.

    `root` holds leftImg8bit/ and gtFine/, or is the folder around it. Raises ValueError for an unknown split (test
    has no labels) and FileNotFoundError for missing files, unless `missing="skip"`.
    """

    def __init__(self, root: str | Path = "data", split: str = "train", *, missing: str = "error") -> None:
        if split not in SPLITS:
            raise ValueError(f"IDD has no labels for split {split!r}; choose {' or '.join(SPLITS)}")
        self.root = find_root(root, ("leftImg8bit", "gtFine"), "IDD")
        images = self.root / "leftImg8bit" / split
        found = find_pictures(images)
        frames = [path for path in found.pictures if path.parent.parent == images]
        full = [path for path in frames if path.stem.endswith("_leftImg8bit")]
        lite = [] if full else [path for path in frames if path.stem.endswith("_image")]
        if not full and not lite:
            raise FileNotFoundError(f"{images} holds no <drive>/<frame>_image.jpg and no <drive>/<frame>_leftImg8bit.png")
        ending, mask = ("_leftImg8bit", "_gtFine_labellevel3Ids.png") if full else ("_image", "_label.png")
        colours = _LEVEL3 if full else _LITE
        samples = []
        for image in full or lite:
            id = f"{image.parent.name}/{image.stem.removesuffix(ending)}"
            samples.append(Sample(id, image, self.root / "gtFine" / split / f"{id}{mask}"))
        there, absent = present(samples, images, missing)
        name = f"{'IDD' if full else 'IDD-Lite'} {split}"
        notes = filter(None, [left_out_sentence(found.left_out)])
        super().__init__(name, there, tuple(colours), make_palette(list(colours.values())), absent, notes)
