"""Missing files, masks of another size, empty lists, and splits that share pictures."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn.data.dataset import Sample, SegmentationDataset, check_disjoint, present, spread
from minifcn.data.files import read_list
from minifcn.data.voc import VOCSegmentation


def test_a_pair_is_picture_and_labels(voc_tree, rng):
    tree = voc_tree(train=["a", "b"])
    labels = rng.choice([0, 20, 255], (8, 9)).astype(np.uint8)
    tree.add("b", (8, 9), labels)
    dataset = VOCSegmentation(tree.root)
    image, label = dataset[1]
    assert image.shape == (8, 9, 3)
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(label, labels)
    assert (len(dataset), dataset.ids, dataset.num_classes, dataset.ignore_index) == (2, ["a", "b"], 21, 255)


def test_a_mask_of_another_size_is_refused_with_both_sizes(voc_tree):
    tree = voc_tree(train=["a"])
    tree.add("a", (11, 17), np.zeros((17, 11), np.uint8))
    with pytest.raises(ValueError, match=r"a\.png: the mask is 17x11 but its picture .*a\.jpg is 11x17 .* must be turned, too"):
        VOCSegmentation(tree.root)[0]
    tree.add("a", (11, 17), np.zeros((11, 16), np.uint8))
    with pytest.raises(ValueError, match=r"the mask is 11x16 .* a mask has one label for each pixel of its picture"):
        VOCSegmentation(tree.root)[0]


def test_masks_that_were_compressed_are_said(voc_tree):
    tree = voc_tree(train=["a", "b"])
    for mask in (tree.root / "SegmentationClass").glob("*.png"):
        mask.rename(mask.with_suffix(".jpg"))
    with pytest.raises(
        FileNotFoundError, match=r"^2 of the 2 pictures .*its folder holds a\.jpg \.\.\.\); JPEG changes labels, so"
    ):
        VOCSegmentation(tree.root)


def test_label_200_in_a_set_names_its_file(voc_tree):
    tree = voc_tree(train=["a", "b"])
    tree.add("b", label=200)
    with pytest.raises(ValueError, match=r"b\.png: label 200 .*0 to 20 and void 255"):
        VOCSegmentation(tree.root)[1]


def test_a_truncated_jpeg_in_a_set_is_named(voc_tree, truncated_jpeg):
    tree = voc_tree(train=["a", "b"])
    truncated_jpeg(tree.root / "JPEGImages" / "b.jpg")
    dataset = VOCSegmentation(tree.root)
    dataset[0]
    with pytest.raises(ValueError, match=r"b\.jpg: the picture cannot be decoded"):
        dataset[1]


def test_missing_pictures_are_named_up_to_ten_and_counted(voc_tree):
    tree = voc_tree(train=["a", "b"])
    lost = [f"lost_{k:02d}" for k in range(13)]
    path = tree.list("train", ["a", *lost, "b"])
    with pytest.raises(FileNotFoundError) as raised:
        VOCSegmentation(tree.root)
    sentence = str(raised.value)
    assert f"13 of the 15 pictures of {path}" in sentence
    assert all(id in sentence for id in lost[:10])
    assert "lost_10" not in sentence
    assert "and 3 more" in sentence
    assert "the 2 that are there by --missing skip (in Python missing='skip')" in sentence


def test_one_picture_is_one(voc_tree):
    tree = voc_tree(train=["a"], val=["a"])
    train, val = VOCSegmentation(tree.root), VOCSegmentation(tree.root, "val")
    assert repr(train) == "VOC2012 train: 1 picture, 21 classes"
    with pytest.raises(ValueError, match=r"^1 picture is both in VOC2012 train and in VOC2012 val: a; take it off one"):
        check_disjoint(train, val)
    path = tree.list("train", ["a", "lost"])
    with pytest.raises(FileNotFoundError, match=rf"^1 of the 2 pictures of {path} lacks its picture .* the 1 that is there by"):
        VOCSegmentation(tree.root)


def test_missing_pictures_can_be_skipped_and_are_remembered(voc_tree):
    tree = voc_tree(train=["a", "b"])
    tree.list("train", ["lost", "a", "b", "maskless"])
    tree.add("maskless", mask=False)
    dataset = VOCSegmentation(tree.root, missing="skip")
    assert dataset.ids == ["a", "b"]
    assert [sample.id for sample in dataset.missing] == ["lost", "maskless"]


def test_a_missing_mask_is_called_a_mask(voc_tree):
    tree = voc_tree(train=["a"])
    (tree.root / "SegmentationClass" / "a.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"the first misses its mask, .*a\.png; is this the right root"):
        VOCSegmentation(tree.root, missing="skip")


def test_missing_takes_two_words(tmp_path):
    with pytest.raises(ValueError, match="missing 'ignore' is not possible; choose error or skip"):
        present([Sample("a", tmp_path / "a.jpg", tmp_path / "a.png")], "a list", "ignore")


@pytest.mark.parametrize("content", ["", "\n  \n# nothing yet\n"])
def test_an_empty_list_is_refused(content, voc_tree):
    tree = voc_tree(train=["a"])
    (tree.lists / "train.txt").write_text(content)
    with pytest.raises(ValueError, match=r"train\.txt: the list is empty"):
        VOCSegmentation(tree.root)


def test_a_set_without_samples_is_refused():
    with pytest.raises(ValueError, match="my set: the list of pictures is empty"):
        SegmentationDataset("my set", [], ["background", "cat"])


def test_lists_may_have_comments_spaces_and_windows_line_ends(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"# mine\r\na b\r\n\r\n  c\r\n")
    assert read_list(tmp_path / "list.txt") == ["a b", "c"]


def test_a_list_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF")
    with pytest.raises(ValueError, match=r"list\.txt: not a text file"):
        read_list(tmp_path / "list.txt")


def test_splits_that_share_pictures_are_refused(voc_tree):
    tree = voc_tree(train=["a", "b", "c"], val=["d", "c", "b"])
    train, val = (VOCSegmentation(tree.root, split) for split in ("train", "val"))
    with pytest.raises(ValueError, match="2 pictures are both in VOC2012 train and in VOC2012 val: c, b; take them off"):
        check_disjoint(train, val)


def test_splits_that_share_nothing_pass(voc_tree):
    tree = voc_tree(train=["a", "b"], val=["c"])
    assert check_disjoint(VOCSegmentation(tree.root, "train"), VOCSegmentation(tree.root, "val")) is None


@pytest.mark.parametrize(("length", "count", "indices"), [(10, 4, [0, 3, 6, 9]), (2, 4, [0, 1]), (5, 1, [0]), (5, 0, [])])
def test_indices_are_spread_over_the_set(length, count, indices):
    assert spread(length, count) == indices


def test_a_few_pictures_are_those_of_the_set(voc_tree):
    tree = voc_tree(train=[f"p{k}" for k in range(7)])
    whole = VOCSegmentation(tree.root)
    some = whole.few(3)
    assert (some.ids, len(some), len(whole)) == (["p0", "p3", "p6"], 3, 7)
    np.testing.assert_array_equal(some[1][1], whole[3][1])
    for count in (0, 8):
        with pytest.raises(ValueError, match=f"{count} pictures of .* are wanted; it has 7"):
            whole.few(count)
