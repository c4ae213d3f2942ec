"""Pictures and masks: data sets, augmentation, and batches read ahead of the training step.

    train = data.build("voc2012", "VOCdevkit", "train")
    loader = data.Loader(train, batch_size=4, shuffle=True, transform=data.parse("flip,crop:320x320"))
    for batch in loader.epoch(0):
        batch.images, batch.labels

Every part is loaded when it is first used, so that `import minifcn.data` costs nothing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minifcn.lazy import lazy

if TYPE_CHECKING:
    from minifcn.data.camvid import CamVidSegmentation
    from minifcn.data.cityscapes import CityscapesSegmentation
    from minifcn.data.dataset import SegmentationDataset, check_disjoint, check_taught, fingerprint
    from minifcn.data.files import find_pictures, left_out_sentence, named_pictures
    from minifcn.data.folder import FolderSegmentation
    from minifcn.data.idd import IDDSegmentation
    from minifcn.data.images import read_image
    from minifcn.data.loader import Batch, Loader
    from minifcn.data.palette import colorize, decode_mask, save_mask
    from minifcn.data.preprocessing import Preprocessing
    from minifcn.data.report import check, overlaps, stats
    from minifcn.data.shapes import ShapesSegmentation
    from minifcn.data.transforms import Compose, Transform, parse, sizing
    from minifcn.data.voc import VOCSegmentation

__all__ = [
    "Batch", "CamVidSegmentation", "CityscapesSegmentation", "Compose", "FolderSegmentation", "IDDSegmentation", "Loader",
    "Preprocessing", "SegmentationDataset", "ShapesSegmentation", "Transform", "VOCSegmentation", "build", "check",
    "check_disjoint", "check_taught", "colorize", "decode_mask", "find_pictures", "fingerprint", "home", "left_out_sentence",
    "named_pictures", "names", "overlaps", "parse", "read_image", "save_mask", "sizing", "stats",
]  # fmt: skip

_HOME = {
    "camvid": ("CamVidSegmentation",),
    "cityscapes": ("CityscapesSegmentation",),
    "dataset": ("SegmentationDataset", "check_disjoint", "check_taught", "fingerprint"),
    "files": ("find_pictures", "left_out_sentence", "named_pictures"),
    "folder": ("FolderSegmentation",),
    "idd": ("IDDSegmentation",),
    "images": ("read_image",),
    "loader": ("Batch", "Loader"),
    "palette": ("colorize", "decode_mask", "save_mask"),
    "preprocessing": ("Preprocessing",),
    "report": ("check", "overlaps", "stats"),
    "shapes": ("ShapesSegmentation",),
    "transforms": ("Compose", "Transform", "parse", "sizing"),
    "voc": ("VOCSegmentation",),
}
_load, __dir__ = lazy(__name__, _HOME)
if not TYPE_CHECKING:  # which would take any misspelt name for Any
    __getattr__ = _load

# name on the command line -> reader, and the options that the name stands for
_SETS: dict[str, tuple[str, dict[str, str]]] = {
    "voc": ("VOCSegmentation", {"year": "2012"}),
    "voc2012": ("VOCSegmentation", {"year": "2012"}),
    "voc2011": ("VOCSegmentation", {"year": "2011"}),
    "idd": ("IDDSegmentation", {}),
    "cityscapes": ("CityscapesSegmentation", {}),
    "camvid": ("CamVidSegmentation", {}),
    "folder": ("FolderSegmentation", {}),
    "shapes": ("ShapesSegmentation", {}),
}


def names() -> tuple[str, ...]:
    """The data sets that `build` knows."""
    return tuple(_SETS)


def home(name: str, root: str | Path | None = None) -> str:
    """Where the data set of that name lies: `root`, or where `build` looks without one, as an absolute path."""
    default = "data/shapes" if name == "shapes" else "data"
    return os.path.abspath(os.path.expanduser(default if root is None else root))


def build(name: str, root: str | Path | None = None, split: str = "train", **options: Any) -> SegmentationDataset:
    """The data set of that name: one of `names()`.

    `root` defaults to `data`, for shapes to `data/shapes`, where they are drawn when they are not there yet.
    `options` go to the reader: `missing="skip"` for all, `sbd_root` for VOC, `num_classes` for a folder, the
    difficulty of `ShapesOptions` for shapes. Raises ValueError for an unknown name, and what the reader raises.
    """
    if name not in _SETS:
        raise ValueError(f"data set {name!r} is not known; choose one of {', '.join(_SETS)}")
    reader, fixed = _SETS[name]
    if root is not None:
        options["root"] = root
    return _load(reader)(split=split, **fixed, **options)
