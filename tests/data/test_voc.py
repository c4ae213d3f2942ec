"""VOC's layout: roots, lists, SBD's masks, the splits that are worked out, and the real thing."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from minifcn.data.dataset import check_disjoint
from minifcn.data.palette import save_mask
from minifcn.data.voc import VOCSegmentation


@pytest.fixture
def sbd(tmp_path):
    """sbd(train, val) writes SBD's lists and empty .mat files."""

    def make(train: list[str], val: list[str], folder: str = "benchmark_RELEASE/dataset") -> Path:
        root = tmp_path / folder
        (root / "cls").mkdir(parents=True)
        (root / "train.txt").write_text("\n".join(train))
        (root / "val.txt").write_text("\n".join(val))
        for id in {*train, *val}:
            (root / "cls" / f"{id}.mat").write_bytes(b"")
        return root

    return make


@pytest.fixture
def fake_scipy(monkeypatch):
    """A `scipy.io.loadmat` whose file has SBD's structure, with the id's last digit as label."""

    def loadmat(path):
        segmentation = np.asfortranarray(np.full((11, 17), int(Path(path).stem[-1]), np.uint8))
        GTcls = np.array([[(segmentation,)]], dtype=[("Segmentation", object)])
        return {"GTcls": GTcls}

    module = ModuleType("scipy.io")
    module.loadmat = loadmat
    monkeypatch.setitem(sys.modules, "scipy", SimpleNamespace(io=module))
    monkeypatch.setitem(sys.modules, "scipy.io", module)


@pytest.mark.parametrize("below", ["", "VOCdevkit", "VOCdevkit/VOC2012"])
def test_the_root_may_be_any_of_three_folders(below, voc_tree, tmp_path):
    tree = voc_tree(train=["a"])
    assert VOCSegmentation(tmp_path / below).root == tree.root


def test_a_root_without_voc_says_what_was_looked_for(tmp_path):
    with pytest.raises(FileNotFoundError) as raised:
        VOCSegmentation(tmp_path)
    for part in ("VOC2012 was not found", "JPEGImages/", str(tmp_path / "VOCdevkit" / "VOC2012"), "download the set"):
        assert part in str(raised.value)


def test_the_year_chooses_the_folder(voc_tree, tmp_path):
    voc_tree(train=["a"])
    tree = voc_tree(year="2011", train=["b"])
    dataset = VOCSegmentation(tmp_path, year="2011")
    assert (dataset.root, dataset.ids) == (tree.root, ["b"])
    with pytest.raises(ValueError, match="year '2010' is not possible"):
        VOCSegmentation(tmp_path, year="2010")


def test_any_list_and_any_list_file_is_a_split(voc_tree, tmp_path):
    tree = voc_tree(train=["a"], cats=["c", "b"])
    assert VOCSegmentation(tree.root, "cats").ids == ["c", "b"]
    (tree.root / "ImageSets" / "mine.txt").write_text("b\n")
    assert VOCSegmentation(tree.root, "ImageSets/mine.txt").ids == ["b"]
    (tmp_path / "other.txt").write_text("a\nc\n")
    assert VOCSegmentation(tree.root, str(tmp_path / "other.txt")).ids == ["a", "c"]


def test_an_unknown_split_lists_the_possible_ones(voc_tree):
    tree = voc_tree(train=["a"], val=["b"])
    with pytest.raises(ValueError, match=r"'vall' is no split of .*its lists are train, val; also possible are train_aug"):
        VOCSegmentation(tree.root, "vall")


def test_train_aug_is_voc_train_and_sbd_less_voc_val(voc_tree, sbd):
    tree = voc_tree(train=["a1", "b2"], val=["c3", "d4"])
    for id in ("e5", "f6"):
        tree.add(id, mask=False)
    sbd(train=["b2", "c3", "e5"], val=["d4", "f6"])
    dataset = VOCSegmentation(tree.root, "train_aug")
    assert dataset.ids == ["a1", "b2", "e5", "f6"]
    check_disjoint(dataset, VOCSegmentation(tree.root, "val"))


def test_train_aug_takes_vocs_own_mask_then_png_then_mat(voc_tree, sbd, fake_scipy):
    tree = voc_tree(train=["a1"], val=["z9"])
    for id in ("e5", "f6"):
        tree.add(id, mask=False)
    sbd(train=["a1", "e5"], val=["f6"])
    (tree.root / "SegmentationClassAug").mkdir()
    for id, label in (("a1", 11), ("e5", 12)):
        save_mask(tree.root / "SegmentationClassAug" / f"{id}.png", np.full((11, 17), label, np.uint8))
    dataset = VOCSegmentation(tree.root, "train_aug")
    assert [np.unique(dataset[i][1]).tolist() for i in range(3)] == [[1], [12], [6]]


def test_a_list_of_train_aug_may_name_files(voc_tree):
    tree = voc_tree(train=["a"])
    tree.add("b", mask=False)
    (tree.root / "SegmentationClassAug").mkdir()
    save_mask(tree.root / "SegmentationClassAug" / "b.png", np.zeros((11, 17), np.uint8))
    tree.list("train_aug", [f"/JPEGImages/{id}.jpg /SegmentationClassAug/{id}.png" for id in "ab"])
    dataset = VOCSegmentation(tree.root, "train_aug")
    assert dataset.ids == ["a", "b"]
    assert dataset.samples[0].label.parent.name == "SegmentationClass"
    assert dataset[1][1].max() == 0


def test_an_ordinary_split_never_falls_back_on_sbds_masks(voc_tree, sbd):
    tree = voc_tree(val=["a1"])
    sbd(train=["a1"], val=[])
    (tree.root / "SegmentationClass" / "a1.png").unlink()
    with pytest.raises(FileNotFoundError, match="misses its mask"):
        VOCSegmentation(tree.root, "val")


def test_mat_masks_are_checked_and_contiguous(voc_tree, sbd, fake_scipy):
    tree = voc_tree(train=["x1"])
    tree.add("e5", mask=False)
    sbd(train=["e5"], val=["e5"])
    dataset = VOCSegmentation(tree.root, "sbd_train")
    label = dataset.read_label(0)
    assert label.flags.c_contiguous
    assert (label == 5).all()
    dataset.classes = dataset.classes[:5]
    with pytest.raises(ValueError, match=r"e5\.mat: label 5 "):
        dataset.read_label(0)


def test_mat_masks_without_scipy_say_what_to_install(voc_tree, sbd, monkeypatch):
    tree = voc_tree(train=["x1"])
    tree.add("e5", mask=False)
    sbd(train=["e5"], val=["e5"])
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(ValueError, match=r"e5\.mat: .*run `pip install scipy`"):
        VOCSegmentation(tree.root, "sbd_train")[0]


def test_sbd_may_lie_elsewhere_and_its_absence_is_explained(voc_tree, sbd, tmp_path):
    tree = voc_tree(train=["a1"], val=["b2"])
    with pytest.raises(FileNotFoundError, match=r"SBD was not found: looked for train\.txt and cls/ in .*sbd_root"):
        VOCSegmentation(tree.root, "train_aug")
    sbd(train=["a1"], val=["b2"], folder="elsewhere/dataset")
    for given in ("elsewhere", "elsewhere/dataset"):
        assert VOCSegmentation(tree.root, "train_aug", sbd_root=tmp_path / given).ids == ["a1"]


def test_seg11valid_is_voc2011_val_less_sbd_train(voc_tree, sbd):
    tree = voc_tree(val=["a1", "b2", "c3", "d4"])
    sbd(train=["b2"], val=["c3"])
    with pytest.raises(FileNotFoundError, match=r"worked out from VOC2011's val.*seg11valid\.txt"):
        VOCSegmentation(tree.root, "seg11valid")
    voc_tree(year="2011", val=["a1", "b2", "c3"])
    assert VOCSegmentation(tree.root, "seg11valid").ids == ["a1", "c3"]
    assert VOCSegmentation(tree.root.parent, "seg11valid", year="2011").ids == ["a1", "c3"]
    tree.list("seg11valid", ["d4"])
    assert VOCSegmentation(tree.root, "seg11valid").ids == ["d4"]


def test_the_real_voc_is_found_and_read(voc_root):
    train, val = (VOCSegmentation(voc_root, split) for split in ("train", "val"))
    assert (len(train), len(val)) == (440, 445)
    check_disjoint(train, val)
    image, label = train[train.ids.index("2007_000063")]  # a dog before a chair
    assert image.shape == (375, 500, 3)
    assert np.unique(label).tolist() == [0, 9, 12, 255]


def test_the_real_full_list_lacks_its_pictures_plainly(voc_root):
    with pytest.raises(FileNotFoundError, match=r"1004 of the 1449 pictures of .*val_full\.txt .*and 994 more"):
        VOCSegmentation(voc_root, "ImageSets/full/val_full.txt")
    dataset = VOCSegmentation(voc_root, "ImageSets/full/val_full.txt", missing="skip")
    assert (len(dataset), len(dataset.missing)) == (445, 1004)


def test_the_root_may_be_the_working_directory(voc_tree, sbd, monkeypatch):
    tree = voc_tree(train=["a1"], val=["b2"])
    sbd(train=["a1"], val=["b2"])
    monkeypatch.chdir(tree.root)
    assert repr(VOCSegmentation(".", "train_aug")) == "VOC2012 train_aug: 1 picture, 21 classes"
