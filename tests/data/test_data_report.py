"""`data check` and `data stats`: everything that is wrong is listed, everything that is right is counted."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from minifcn.data.report import check, overlaps, stats
from minifcn.data.voc import VOCSegmentation


def test_a_good_set_is_ok_and_counted(voc_tree):
    tree = voc_tree(train=["a", "b"])
    tree.add("c", (9, 5), np.array([[0, 3, 3, 255, 20]] * 9))
    tree.list("train", ["a", "b", "c"])
    ticks = []
    report = check(VOCSegmentation(tree.root), progress=lambda: ticks.append(1))
    assert report.ok
    assert (report.name, report.pictures, len(ticks)) == ("VOC2012 train", 3, 3)
    assert report.sizes == {(11, 17): 2, (9, 5): 1}
    assert report.labels == {0: 1, 1: 2, 3: 1, 20: 1, 255: 1}
    assert (report.problems, report.missing, report.twice) == ([], [], [])


def test_every_bad_file_is_listed_and_none_stops_the_check(voc_tree, truncated_jpeg):
    tree = voc_tree(train=["good", "half", "small", "label", "last"])
    truncated_jpeg(tree.root / "JPEGImages" / "half.jpg")
    tree.add("small", (11, 17), np.zeros((3, 4), np.uint8))
    tree.add("label", label=200)
    tree.list("train", ["lost", "good", "half", "small", "label", "last"])
    report = check(VOCSegmentation(tree.root, missing="skip"))
    assert not report.ok
    assert report.missing == ["lost"]
    assert len(report.problems) == 3
    for problem, parts in zip(
        report.problems, [("half.jpg", "cut short"), ("small.png", "3x4"), ("label.png", "200")], strict=True
    ):
        assert all(part in problem for part in parts)
    assert report.sizes == {(11, 17): 2}


def test_missing_files_alone_are_not_ok(voc_tree):
    tree = voc_tree(train=["a"])
    tree.list("train", ["a", "lost"])
    assert not check(VOCSegmentation(tree.root, missing="skip")).ok


def test_an_unexpected_error_gets_the_pictures_name(voc_tree, monkeypatch):
    dataset = VOCSegmentation(voc_tree(train=["a"]).root)
    monkeypatch.setattr(VOCSegmentation, "read_label", lambda self, index: 1 / 0)
    assert check(dataset).problems == ["a: division by zero"]


def test_copies_are_found_within_and_between_splits(voc_tree):
    tree = voc_tree(train=["a", "b"], val=["c", "d"])
    for copy in ("b", "d"):
        shutil.copy(tree.root / "JPEGImages" / "a.jpg", tree.root / "JPEGImages" / f"{copy}.jpg")
    train, val = (check(VOCSegmentation(tree.root, split)) for split in ("train", "val"))
    assert train.twice == [["a", "b"]]
    assert val.twice == []
    assert overlaps([train, val]) == [("VOC2012 train", "VOC2012 val", ["d"])]
    assert overlaps([val]) == []


def test_pixels_frequencies_and_weights_by_hand(voc_tree):
    tree = voc_tree(train=["a", "b", "c"])
    tree.add("a", (2, 5), np.array([[0, 0, 0, 1, 255], [0, 0, 0, 1, 255]]))  # 6 of class 0, 2 of class 1
    tree.add("b", (1, 4), np.array([[0, 0, 0, 2]]))  # 3 and 1
    tree.add("c", (1, 3), np.array([[0, 255, 255]]))  # 1
    counted = stats(VOCSegmentation(tree.root))
    assert counted.pixels.tolist() == [10, 2, 1] + [0] * 18
    assert counted.pictures.tolist() == [3, 1, 1] + [0] * 18
    assert counted.void == 4
    np.testing.assert_allclose(counted.frequencies[:4], [10 / 13, 2 / 13, 1 / 13, 0])
    np.testing.assert_allclose(counted.weights[:4], [3 / 13, 11 / 13, 12 / 13, 1])
    # shares of the labelled pixels of the pictures that have the class: 10/13, 2/8, 1/4; their median is 1/4
    np.testing.assert_allclose(counted.median_frequency_weights[:4], [0.25 * 13 / 10, 1, 1, 1])


def test_stats_stop_at_a_bad_mask(voc_tree):
    tree = voc_tree(train=["a", "b"])
    tree.add("b", label=21)
    with pytest.raises(ValueError, match=r"b\.png: label 21"):
        stats(VOCSegmentation(tree.root))


def test_stats_do_not_depend_on_threads(voc_root):
    dataset = VOCSegmentation(voc_root, "val")
    dataset.samples = dataset.samples[:40]
    dataset.ids = dataset.ids[:40]
    one, many = stats(dataset, num_threads=1), stats(dataset, num_threads=5)
    assert one.pixels.tolist() == many.pixels.tolist()
    total = sum(dataset.read_label(index).size for index in range(len(dataset)))
    assert one.pixels.sum() + one.void == total


def test_a_protocol_without_name_or_missing_will_do():
    class Bare:
        ids = ("only",)
        num_classes = 2
        classes = ("a", "b")
        ignore_index = 255

        def __len__(self):
            return 1

        def __getitem__(self, index):
            return np.zeros((2, 2, 3), np.uint8), np.array([[0, 1], [1, 1]], np.uint8)

        def read_label(self, index):
            return self[index][1]

    assert check(Bare()).name == "Bare"
    assert stats(Bare()).pixels.tolist() == [1, 3]
