"""CamVid in its two forms: SegNet's labels, and the authors' 32 colours joined to the same 11 classes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from minifcn import data
from minifcn.data.camvid import CAMVID_CLASSES, CamVidSegmentation


def write(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


@pytest.fixture
def picture():
    return np.zeros((2, 6, 3), np.uint8)


def test_segnets_labels_with_11_as_void(tmp_path, picture):
    write(tmp_path / "CamVid" / "train" / "a.png", picture)
    write(tmp_path / "CamVid" / "trainannot" / "a.png", np.arange(12, dtype=np.uint8).reshape(2, 6))
    dataset = data.build("camvid", tmp_path)
    assert (dataset.ids, dataset.classes) == (["train/a"], CAMVID_CLASSES)
    assert dataset[0][1].tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 255]]
    write(tmp_path / "CamVid" / "trainannot" / "a.png", np.full((2, 6), 12, np.uint8))
    with pytest.raises(ValueError, match=r"label 12 .* 0 to 11"):
        dataset.read_label(0)


def test_the_authors_colours_are_joined(tmp_path, picture):
    colours = {(128, 0, 192): "road", (64, 128, 64): "pedestrian", (192, 64, 128): "car", (0, 0, 192): "pavement",
               (0, 64, 64): "sign", (64, 0, 64): "building"}  # fmt: skip
    mask = np.array([list(colours), [(0, 0, 0)] * 6], np.uint8)
    write(tmp_path / "val" / "b_1.png", picture)
    write(tmp_path / "val_labels" / "b_1_L.png", mask)
    label = CamVidSegmentation(tmp_path, "val").read_label(0)
    assert [CAMVID_CLASSES[value] for value in label[0]] == list(colours.values())
    assert (label[1] == 255).all()
    write(tmp_path / "val_labels" / "b_1_L.png", np.full((2, 6, 3), 7, np.uint8))
    with pytest.raises(ValueError, match=r"b_1_L\.png: colour \(7, 7, 7\)"):
        CamVidSegmentation(tmp_path, "val").read_label(0)


def test_what_is_missing_is_said(tmp_path, picture):
    with pytest.raises(ValueError, match="no split 'training'; choose train, val, test"):
        CamVidSegmentation(tmp_path, "training")
    with pytest.raises(FileNotFoundError, match="CamVid was not found: looked for test/ and testannot/ or test_labels/ in"):
        CamVidSegmentation(tmp_path, "test")
    write(tmp_path / "test" / "a.png", picture)
    (tmp_path / "testannot").mkdir()
    with pytest.raises(FileNotFoundError, match="test/a; the first misses its mask"):
        CamVidSegmentation(tmp_path, "test")
