"""Small data sets in their own layouts, written for each test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minifcn.data.palette import save_mask


class VocTree:
    """A folder in VOC's layout that grows picture by picture."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lists = root / "ImageSets" / "Segmentation"
        for folder in (root / "JPEGImages", root / "SegmentationClass", self.lists):
            folder.mkdir(parents=True)

    def add(self, id: str, size: tuple[int, int] = (11, 17), label: int | np.ndarray = 1, mask: bool = True) -> None:
        """A picture of (height, width) whose colour follows from its id, and its mask."""
        colour = np.random.default_rng(sum(id.encode())).integers(0, 256, 3)
        Image.fromarray(np.full((*size, 3), colour, np.uint8)).save(self.root / "JPEGImages" / f"{id}.jpg")
        if mask:
            labels = np.full(size, label, np.uint8) if np.ndim(label) == 0 else label
            save_mask(self.root / "SegmentationClass" / f"{id}.png", labels)

    def list(self, split: str, ids: Sequence[str]) -> Path:
        path = self.lists / f"{split}.txt"
        path.write_text("".join(f"{id}\n" for id in ids))
        return path


@pytest.fixture
def voc_tree(tmp_path: Path) -> Callable[..., VocTree]:
    """voc_tree(train=["a", "b"], val=["c"]) writes VOCdevkit/VOC2012 with these lists and all their pictures."""

    def make(year: str = "2012", **lists: Sequence[str]) -> VocTree:
        tree = VocTree(tmp_path / "VOCdevkit" / f"VOC{year}")
        for split, ids in lists.items():
            tree.list(split, ids)
            for id in ids:
                tree.add(id)
        return tree

    return make


@pytest.fixture
def truncated_jpeg() -> Callable[[Path], None]:
    """Cuts a picture's file in the middle of its pixels."""

    def cut(path: Path) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
        Image.fromarray(noise).save(path, "JPEG")
        path.write_bytes(path.read_bytes()[:-2000])

    return cut
