"""IDD-Lite's and IDD's layouts, and the real IDD-Lite."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minifcn.data.dataset import check_disjoint
from minifcn.data.idd import IDD_CLASSES, IDD_LITE_CLASSES, IDDSegmentation


def write(root: Path, split: str, id: str, ending: str, mask: str, label: int) -> None:
    picture, labels = root / "leftImg8bit" / split / f"{id}{ending}", root / "gtFine" / split / f"{id}{mask}"
    for path in (picture, labels):
        path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((5, 9, 3), np.uint8)).save(picture)
    Image.fromarray(np.full((5, 9), label, np.uint8)).save(labels)


@pytest.fixture
def lite(tmp_path):
    for split, id, label in (("train", "7/frame2", 6), ("train", "12/frame1", 0), ("val", "3/frame1", 255)):
        write(tmp_path / "idd20k_lite", split, id, "_image.jpg", "_label.png", label)
    return tmp_path / "idd20k_lite"


def test_lite_has_seven_classes_and_ids_of_drive_and_frame(lite):
    dataset = IDDSegmentation(lite)
    assert dataset.ids == ["12/frame1", "7/frame2"]
    assert dataset.classes == IDD_LITE_CLASSES
    assert [np.unique(dataset[i][1]).tolist() for i in range(2)] == [[0], [6]]
    assert repr(dataset) == "IDD-Lite train: 2 pictures, 7 classes"


def test_the_root_may_be_the_folder_around_it(lite):
    assert IDDSegmentation(lite.parent, "val").ids == ["3/frame1"]


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_the_full_layout_has_26_classes(tmp_path, suffix):
    write(tmp_path, "val", "5/frame9", f"_leftImg8bit{suffix}", "_gtFine_labellevel3Ids.png", 25)
    dataset = IDDSegmentation(tmp_path, "val")
    assert (dataset.ids, dataset.num_classes, dataset.classes) == (["5/frame9"], 26, IDD_CLASSES)
    assert (dataset[0][1] == 25).all()


def test_label_7_is_none_of_lites(lite):
    write(lite, "train", "7/frame2", "_image.jpg", "_label.png", 7)
    with pytest.raises(ValueError, match=r"frame2_label\.png: label 7 .* 0 to 6 and void 255"):
        IDDSegmentation(lite)[1]


def test_missing_masks_are_named_or_skipped(lite):
    (lite / "gtFine" / "train" / "7" / "frame2_label.png").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"1 of the 2 pictures of .*train lacks .*: 7/frame2; the first misses its mask"
    ):
        IDDSegmentation(lite)
    assert IDDSegmentation(lite, missing="skip").ids == ["12/frame1"]


def test_the_test_split_has_no_labels(lite):
    with pytest.raises(ValueError, match="no labels for split 'test'; choose train or val"):
        IDDSegmentation(lite, "test")


def test_what_is_not_there_is_said(tmp_path, lite):
    with pytest.raises(FileNotFoundError, match=r"looked for leftImg8bit/ and gtFine/ in"):
        IDDSegmentation(tmp_path / "nowhere")
    (lite / "leftImg8bit" / "val" / "3" / "frame1_image.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"val holds no <drive>/<frame>_image\.jpg"):
        IDDSegmentation(lite, "val")


def test_the_real_idd_lite(shared_data):
    train, val = (IDDSegmentation(shared_data / "idd20k_lite", split) for split in ("train", "val"))
    assert (len(train), len(val)) == (1403, 204)
    check_disjoint(train, val)
    image, label = val[17]
    assert (image.shape, label.shape) == ((227, 320, 3), (227, 320))
    top, bottom = label[:40], label[-40:]
    assert np.bincount(top[top < 7]).argmax() == IDD_LITE_CLASSES.index("sky")
    assert np.bincount(bottom[bottom < 7]).argmax() == IDD_LITE_CLASSES.index("drivable")
