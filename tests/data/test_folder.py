"""A folder of one's own pictures and masks: splits, classes, colours, and what is missing."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minifcn.data.folder import FolderSegmentation
from minifcn.data.palette import save_mask


@pytest.fixture
def folder(tmp_path):
    """folder("a", "train/b") writes pictures images/a.jpg ... with masks of labels 0, 1, 2 and void."""

    def make(*ids: str, suffix: str = ".jpg") -> Path:
        for id in ids:
            picture, mask = tmp_path / "images" / f"{id}{suffix}", tmp_path / "masks" / f"{id}.png"
            for path in (picture, mask):
                path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((4, 6, 3), 99, np.uint8)).save(picture)
            save_mask(mask, np.array([[0, 1, 2, 255, 0, 0]] * 4))
        return tmp_path

    return make


def test_subfolders_are_splits(folder):
    root = folder("train/a", "train/deep/b", "val/a")
    train, val = FolderSegmentation(root, "train"), FolderSegmentation(root, "val")
    assert (train.ids, val.ids) == (["train/a", "train/deep/b"], ["val/a"])
    assert FolderSegmentation(root, "all").ids == [*train.ids, *val.ids]
    assert train[1][1][0].tolist() == [0, 1, 2, 255, 0, 0]


def test_lists_are_splits_and_may_name_files_with_spaces(folder):
    root = folder("a", "my cat.v2", "c")
    (root / "train.txt").write_text("my cat.v2\nc.jpg\n")
    assert FolderSegmentation(root, "train").ids == ["my cat.v2", "c"]


def test_a_split_nobody_defined_is_refused(folder):
    root = folder("train/a", "val/b")
    with pytest.raises(ValueError, match=r"no split 'test': neither test\.txt nor images/test/"):
        FolderSegmentation(root, "test")
    root = folder("c")
    (root / "train.txt").write_text("c\n")
    shutil.rmtree(root / "images" / "val")
    with pytest.raises(ValueError, match="no split 'val'"):
        FolderSegmentation(root, "val")


def test_without_any_split_a_fifth_is_val_for_good(folder):
    root = folder(*(f"picture{k}" for k in range(20)))
    train, val = FolderSegmentation(root, "train"), FolderSegmentation(root, "val")
    assert (len(train), len(val)) == (16, 4)
    assert set(train.ids).isdisjoint(val.ids)
    assert val.ids == ["picture1", "picture17", "picture5", "picture9"]  # by their names, on every machine
    folder("another")
    assert len(set(FolderSegmentation(root, "val").ids) & set(val.ids)) >= 3


def test_two_pictures_make_one_of_each(folder):
    root = folder("a", "b")
    assert sorted(FolderSegmentation(root, "train").ids + FolderSegmentation(root, "val").ids) == ["a", "b"]


def test_a_single_picture_is_for_training(folder):
    root = folder("a")
    assert FolderSegmentation(root, "train").ids == ["a"]
    with pytest.raises(ValueError, match="val: the list of pictures is empty"):
        FolderSegmentation(root, "val")


def test_other_suffixes_of_pictures(folder):
    root = folder("a", suffix=".PNG")
    assert FolderSegmentation(root, "all")[0][0].tolist() == [[[99] * 3] * 6] * 4


def test_two_pictures_of_one_stem_are_refused(folder):
    folder("a")
    root = folder("a", suffix=".png")
    with pytest.raises(ValueError, match=r"a\.jpg and .*a\.png share one stem"):
        FolderSegmentation(root, "all")


def test_missing_masks_and_pictures_are_named(folder):
    root = folder("a", "b", "c")
    (root / "masks" / "b.png").unlink()
    (root / "train.txt").write_text("a\nb\nzebra\n")
    with pytest.raises(FileNotFoundError, match=r"2 of the 3 pictures of .*train\.txt lack .*: b, zebra; .*its mask, .*b\.png"):
        FolderSegmentation(root, "train")
    assert FolderSegmentation(root, "train", missing="skip").ids == ["a"]


def test_missing_folders_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"images: there is no such folder; pictures go into images/"):
        FolderSegmentation(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with pytest.raises(ValueError, match="the list of pictures is empty"):
        FolderSegmentation(tmp_path, num_classes=2)


def test_the_masks_tell_how_many_classes_there_are(folder):
    root = folder("train/a", "val/b")
    save_mask(root / "masks" / "val" / "b.png", np.full((4, 6), 7))
    assert FolderSegmentation(root, "train").classes == tuple(f"class {k}" for k in range(8))
    assert FolderSegmentation(root, "train", num_classes=3).num_classes == 3


def test_masks_of_0_and_255_are_most_likely_meant_otherwise(folder):
    root = folder("a")
    Image.fromarray(np.array([[0, 255, 0, 0, 0, 0]] * 4, np.uint8)).save(root / "masks" / "a.png")
    with pytest.raises(ValueError, match="only the labels 0, 255, and 255 is void; if 255 marks your object, write it as 1"):
        FolderSegmentation(root, "all")


def test_classes_txt_gives_names_and_colours(folder):
    root = folder("a")
    (root / "classes.txt").write_text("void 255 255 255\nroad surface 10 20 30\n\nsky 1 2 3\nroute 66\n")
    colours = np.array([[(10, 20, 30), (1, 2, 3), (0, 128, 0), (255, 255, 255), (1, 2, 3), (1, 2, 3)]] * 4, np.uint8)
    Image.fromarray(colours).save(root / "masks" / "a.png")
    dataset = FolderSegmentation(root, "all")
    assert dataset.classes == ("road surface", "sky", "route 66")
    assert dataset[0][1][0].tolist() == [0, 1, 2, 255, 1, 1]


@pytest.mark.parametrize(
    ("text", "sentence"), [("sky\nsky\n", "class 'sky' stands there twice"), ("void 1 2 3", "0 classes; 1 to 255")]
)
def test_classes_txt_that_says_nothing_useful(folder, text, sentence):
    root = folder("a")
    (root / "classes.txt").write_text(text)
    with pytest.raises(ValueError, match=rf"classes\.txt: {sentence}"):
        FolderSegmentation(root, "all")


def test_more_labels_than_classes_txt_has_are_refused(folder):
    root = folder("a")
    (root / "classes.txt").write_text("sky\nroad\n")
    with pytest.raises(ValueError, match=r"a\.png: label 2 .* 0 to 1 and void"):
        FolderSegmentation(root, "all")[0]


# ------------------------------------------------------------------------------------------------- labels that are none


def squares(*labels: int, size: int = 40) -> np.ndarray:
    """Rectangles of the labels on a ground of the first."""
    drawn = np.full((size, size), labels[0], np.uint8)
    for k, label in enumerate(labels[1:]):
        drawn[5 + 9 * k : 18 + 9 * k, 4 + 3 * k : 30] = label
    return drawn


def smaller(labels: np.ndarray, how: Image.Resampling) -> np.ndarray:
    return np.asarray(Image.fromarray(labels).resize((29, 31), how))


def through_jpeg(labels: np.ndarray) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(labels).save(buffer, "JPEG", quality=60)
    return np.asarray(Image.open(buffer))


JUNK = {
    "JPEG": (through_jpeg(squares(0, 255, 128)), "of the labels 0 to"),
    "JPEG of 0 and 255": (through_jpeg(squares(0, 255)), "of the labels 0 to"),
    "bilinear": (smaller(squares(0, 8, 4), Image.Resampling.BILINEAR), "lie between others along edges"),
    "bicubic": (smaller(squares(0, 200), Image.Resampling.BICUBIC), "of the labels 0 to"),
    "bilinear, few": (smaller(squares(1, 6), Image.Resampling.BILINEAR), "lie between others along edges"),
    "4 bits": (squares(0, 17, 34), "only 3 occur .0, 17, 34., all multiples of 17: were they stretched"),
    "2 bits": (squares(0, 85, 170), "all multiples of 85"),
    "stretched to be seen": (squares(0, 100, 200), "all multiples of 100"),
    "labels of a larger set": (squares(0, 7, 33), "of the labels 0 to 33 only 3 occur"),
}


@pytest.mark.parametrize("kind", JUNK)
def test_junk_makes_no_classes(folder, kind):
    labels, why = JUNK[kind]
    root = folder("a")
    Image.fromarray(labels).save(root / "masks" / "a.png")
    with pytest.raises(ValueError, match=f"masks: the 1 masks look as if they held no labels, .*: .*{why}.*classes.txt"):
        FolderSegmentation(root, "all")
    (root / "classes.txt").write_text("\n".join(f"class {k}" for k in range(255)))
    assert FolderSegmentation(root, "all").num_classes == 255  # whoever names them is believed


@pytest.mark.parametrize(
    "labels",
    [
        squares(0, 1),
        squares(0, 2, 1),
        squares(0, 3, 1, 2),
        smaller(squares(0, 3, 1, 2), Image.Resampling.NEAREST),
        np.kron(np.arange(16).reshape(4, 4), np.ones((5, 5))).astype(np.uint8),
        np.where(np.pad(np.zeros((20, 20), bool), 1, constant_values=True), 1, 2 * squares(0, 1, size=22)).astype(np.uint8),
        np.array([[0, 0, 255, 1, 1, 255, 2, 2]] * 9, np.uint8),
    ],
)
def test_labels_that_are_labels_are_counted_and_the_guess_is_noted(folder, labels):
    root = folder("a")
    Image.fromarray(labels).save(root / "masks" / "a.png")
    dataset = FolderSegmentation(root, "all")
    assert dataset.num_classes == labels[labels < 255].max() + 1
    assert dataset.notes == [
        f"{dataset.num_classes} classes, counted from the masks: write {root / 'classes.txt'} to name them"
    ]
