"""Cityscapes' layout: trainIds as they are, labelIds by the authors' table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minifcn import data
from minifcn.data.cityscapes import CITYSCAPES_CLASSES, CityscapesSegmentation

TRAIN_ID = {7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 17: 5, 19: 6, 20: 7, 21: 8, 22: 9, 23: 10, 24: 11, 25: 12, 26: 13, 27: 14, 28: 15,
            31: 16, 32: 17, 33: 18}  # fmt: skip


def write(root: Path, split: str, id: str, kind: str, labels: np.ndarray) -> None:
    picture, mask = root / "leftImg8bit" / split / f"{id}_leftImg8bit.png", root / "gtFine" / split / f"{id}_gtFine_{kind}.png"
    for path in (picture, mask):
        path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((*labels.shape, 3), np.uint8)).save(picture)
    Image.fromarray(labels).save(mask)


@pytest.fixture
def root(tmp_path):
    write(tmp_path / "cs", "train", "bonn/bonn_1", "labelIds", np.arange(34, dtype=np.uint8).reshape(2, 17))
    write(tmp_path / "cs", "val", "ulm/ulm_2", "labelIds", np.full((3, 5), 26, np.uint8))
    return tmp_path / "cs"


def test_every_label_id_has_its_train_id_or_is_void(root):
    dataset = data.build("cityscapes", root.parent)
    assert (dataset.ids, dataset.classes, repr(dataset)) == (
        ["bonn/bonn_1"],
        CITYSCAPES_CLASSES,
        "Cityscapes train: 1 picture, 19 classes",
    )
    assert dataset.read_label(0).ravel().tolist() == [TRAIN_ID.get(label, 255) for label in range(34)]
    assert (CityscapesSegmentation(root, "val")[0][1] == CITYSCAPES_CLASSES.index("car")).all()


def test_train_ids_are_read_where_they_are_there(root):
    write(root, "train", "bonn/bonn_1", "labelTrainIds", np.array([[0, 18, 255]], np.uint8))
    assert CityscapesSegmentation(root).read_label(0).tolist() == [[0, 18, 255]]
    write(root, "train", "bonn/bonn_1", "labelTrainIds", np.array([[0, 19, 255]], np.uint8))
    with pytest.raises(ValueError, match=r"labelTrainIds\.png: label 19 .* 0 to 18 and void 255"):
        CityscapesSegmentation(root).read_label(0)


def test_label_34_is_none(root):
    write(root, "train", "bonn/bonn_1", "labelIds", np.full((2, 2), 34, np.uint8))
    with pytest.raises(ValueError, match=r"label 34 .* 0 to 33"):
        CityscapesSegmentation(root).read_label(0)


def test_what_is_missing_is_said(root, tmp_path):
    with pytest.raises(ValueError, match="no labels for split 'test'; choose train or val"):
        CityscapesSegmentation(root, "test")
    with pytest.raises(FileNotFoundError, match=r"Cityscapes was not found: looked for leftImg8bit/ and gtFine/ in"):
        CityscapesSegmentation(tmp_path / "nowhere")
    (root / "gtFine" / "val" / "ulm" / "ulm_2_gtFine_labelIds.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"ulm/ulm_2; the first misses its mask"):
        CityscapesSegmentation(root, "val")
