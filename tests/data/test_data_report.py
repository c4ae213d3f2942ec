"""`data check` and `data stats`: everything that is wrong is listed, everything that is right is counted."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from minifcn.data.dataset import check_taught
from minifcn.data.folder import FolderSegmentation
from minifcn.data.palette import save_mask
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


def test_a_missing_mask_is_told_from_a_missing_picture(voc_tree):
    tree = voc_tree(train=["a"])
    tree.add("bare", mask=False)
    tree.list("train", ["a", "lost", "bare"])
    report = check(VOCSegmentation(tree.root, missing="skip"))
    assert (report.missing, report.maskless) == (["lost", "bare"], ["bare"])


def test_what_is_listed_twice_is_no_copy(voc_tree):
    tree = voc_tree(train=["a", "b"], val=["a"])
    tree.list("train", ["a", "b", "a"])
    train, val = check(VOCSegmentation(tree.root)), check(VOCSegmentation(tree.root, "val"))
    assert (train.repeated, train.twice) == (["a"], [])
    assert overlaps([val, train]) == [("VOC2012 val", "VOC2012 train", ["a"])]
    shutil.copy(tree.root / "JPEGImages" / "a.jpg", tree.root / "JPEGImages" / "b.jpg")
    train = check(VOCSegmentation(tree.root))
    assert (train.repeated, train.twice) == (["a"], [["a", "b"]])


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


# --------------------------------------------------------------------------------------- sets that teach nothing

UNTAUGHT = {
    "object as 255": ([[0, 255, 0]], "only the labels 0, 255, and 255 is void; if 255 marks your object, write it as 1"),
    "background alone": ([[0, 0, 0]], "only the label 0; with fewer than two classes there is nothing to learn"),
    "object alone": ([[1, 1, 1]], "only the label 1; with"),
    "object and void": ([[1, 255, 1]], "only the labels 1, 255, and 255 is void"),
    "void alone": ([[255, 255, 255]], "only the label 255, and 255 is void"),
}


@pytest.fixture
def untaught(request, tmp_path, voc_tree):
    """The set of one kind of mask: in VOC's layout, or a folder with or without classes.txt."""

    def make(layout: str, rows: list[list[int]]):
        labels = np.array(rows, np.uint8)
        if layout == "voc":
            tree = voc_tree(train=["a", "b"])
            for id in "ab":
                tree.add(id, labels.shape, labels)
            return lambda: VOCSegmentation(tree.root)
        for folder in ("images", "masks"):
            (tmp_path / folder).mkdir()
        for k, id in enumerate("ab"):
            Image.fromarray(np.full((*labels.shape, 3), k, np.uint8)).save(tmp_path / "images" / f"{id}.png")
            Image.fromarray(labels).save(tmp_path / "masks" / f"{id}.png")
        if layout == "named":
            (tmp_path / "classes.txt").write_text("background\ncat\n")
        return lambda: FolderSegmentation(tmp_path, "all")

    return make


@pytest.mark.parametrize("layout", ["voc", "named", "counted"])
@pytest.mark.parametrize("kind", UNTAUGHT)
def test_fewer_than_two_classes_are_refused_whatever_names_them(untaught, layout, kind):
    rows, sentence = UNTAUGHT[kind]
    build = untaught(layout, rows)
    if layout == "counted":
        with pytest.raises(ValueError, match=f"the 2 masks of .* hold {sentence}"):
            build()
        return
    report = check(build())
    assert not report.ok
    assert len(report.problems) == 1
    assert f"hold {sentence}" in report.problems[0]
    for refuse in (stats, check_taught):
        with pytest.raises(ValueError, match=f"the 2 masks of .* hold {sentence}"):
            refuse(build())


@pytest.mark.parametrize("layout", ["voc", "named", "counted"])
def test_two_classes_anywhere_in_a_set_are_enough(untaught, layout):
    dataset = untaught(layout, [[0, 1, 255]])()
    save_mask(dataset.samples[0].label, np.array([[0, 0, 255]]))
    assert check(dataset).ok
    assert stats(dataset).pixels[:2].tolist() == [3, 1]
    check_taught(dataset, dataset)


def test_the_second_class_is_looked_for_no_further_than_needed(untaught, monkeypatch):
    dataset = untaught("named", [[0, 1, 255]])()
    reads = []
    monkeypatch.setattr(FolderSegmentation, "read_label", lambda self, index: reads.append(index) or np.array([[0, 1]]))
    check_taught(dataset)
    assert reads == [0]
