"""The embedded set: the same picture from the same seed, VOC's layout, void borders, and options that are kept."""

from __future__ import annotations

import shutil
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from minifcn.data import report, shapes
from minifcn.data.dataset import check_disjoint
from minifcn.data.palette import VOC_PALETTE, VOID
from minifcn.data.shapes import SHAPES_CLASSES, SHAPES_PALETTE, ShapesOptions, ShapesSegmentation, draw, write
from minifcn.data.voc import VOCSegmentation
from minifcn.visualize import style

SMALL = {"train": 5, "val": 3}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("shapes") / "set"
    write(root, ShapesOptions(**SMALL))
    return root


@pytest.fixture(scope="module")
def drawn():
    """Sixty pictures with their labels."""
    options = ShapesOptions()
    return [draw(options, index) for index in range(60)]


def test_drawing_is_reproducible_and_depends_on_seed_and_index(drawn):
    again = draw(ShapesOptions(train=1, val=1), 3)
    np.testing.assert_array_equal(again[0], drawn[3][0])
    np.testing.assert_array_equal(again[1], drawn[3][1])
    other = draw(ShapesOptions(seed=1), 3)
    assert other[0].shape != drawn[3][0].shape or not np.array_equal(other[0], drawn[3][0])


def test_sizes_are_within_the_options_and_vary(drawn):
    sizes = {label.shape for _, label in drawn}
    assert all(image.shape == (*label.shape, 3) for image, label in drawn)
    assert all(56 <= H <= 72 and 72 <= W <= 96 for H, W in sizes)
    assert len(sizes) > 30


def test_every_class_occurs_and_background_is_most(drawn):
    pixels = sum(np.bincount(label.ravel(), minlength=256) for _, label in drawn)
    labelled = pixels[: len(SHAPES_CLASSES)]
    assert labelled[0] > 0.5 * labelled.sum()
    assert (labelled[1:] > 0.04 * labelled.sum()).all()
    assert pixels[len(SHAPES_CLASSES) : 255].sum() == 0
    assert 0 < pixels[255] < 0.2 * labelled.sum()


@pytest.mark.parametrize("void", [0, 1, 2])
def test_void_lies_between_any_two_classes(void):
    for index in range(8):
        _, label = draw(ShapesOptions(void=void), index)
        touching = 0
        for one, other in ((label[1:], label[:-1]), (label[:, 1:], label[:, :-1])):
            touching += ((one != other) & (one != 255) & (other != 255)).sum()
        assert (touching == 0) == (void > 0)
        assert (label == 255).any() == (void > 0)


def test_void_lies_on_both_sides_of_an_outline():
    """What keeps its label has only neighbours of that label in the drawing without void."""
    for index in range(8):
        sharp, label = (np.pad(draw(ShapesOptions(void=void), index)[1], 1, mode="edge") for void in (0, 1))
        for y, x in np.ndindex(3, 3):
            neighbour = np.roll(sharp, (y - 1, x - 1), (0, 1))
            assert (neighbour == label)[1:-1, 1:-1][label[1:-1, 1:-1] != 255].all()


def test_objects_stand_out_from_the_ground(drawn):
    """Saturated objects on pale grounds: the data set can be learned, and colour alone does not name the class."""

    def saturation(image):
        return np.asarray(Image.fromarray(image).convert("HSV"))[..., 1].astype(float)

    inside = np.concatenate([saturation(image)[(label > 0) & (label < 255)] for image, label in drawn])
    outside = np.concatenate([saturation(image)[label == 0] for image, label in drawn])
    assert inside.mean() > 1.5 * outside.mean()


def test_full_hue_overlap_gives_classes_the_same_colours_and_none_gives_each_its_own():
    def share(hue_overlap: float) -> float:
        """Share of pixels that the hue alone, in 16 bins, classifies rightly."""
        table = np.zeros((16, 4))
        for index in range(150):
            image, label = draw(ShapesOptions(hue_overlap=hue_overlap, objects=(1, 1), noise=0), index)
            hue = np.asarray(Image.fromarray(image).convert("HSV"))[..., 0] // 16
            inside = (label > 0) & (label < 255)
            np.add.at(table, (hue[inside], label[inside] - 1), 1)
        return table.max(1).sum() / table.sum()

    assert share(0.0) > 0.9
    assert share(1.0) < 0.6


def test_the_set_is_a_voc_set(root):
    train, val = (ShapesSegmentation(root, split) for split in ("train", "val"))
    assert (len(train), len(val), train.classes) == (5, 3, SHAPES_CLASSES)
    check_disjoint(train, val)
    assert ShapesSegmentation(root, "trainval").ids == train.ids + val.ids
    assert report.check(train).ok
    as_voc = VOCSegmentation(root, "val")
    assert as_voc.num_classes == 21
    np.testing.assert_array_equal(as_voc.read_label(1), val.read_label(1))


def test_files_hold_what_was_drawn(root):
    dataset = ShapesSegmentation(root, "val")
    image, label = draw(ShapesOptions(**SMALL), 6)
    np.testing.assert_array_equal(dataset.read_label(1), label)
    assert np.abs(dataset.read_image(1).astype(int) - image).mean() < 4  # JPEG
    with Image.open(root / "SegmentationClass" / "shapes_0007.png") as picture:
        assert picture.mode == "P"


def test_an_existing_set_is_reused_and_other_options_are_refused(root):
    before = (root / "shapes.json").stat().st_mtime_ns
    assert len(ShapesSegmentation(root, **SMALL)) == 5
    assert (root / "shapes.json").stat().st_mtime_ns == before
    with pytest.raises(ValueError, match="holds shapes drawn with other options"):
        ShapesSegmentation(root, **SMALL, noise=3.0)


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(ValueError, match="is not empty and holds no shapes"):
        ShapesSegmentation(tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_interrupted_drawing_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(options, index):
        if index == 2:
            raise KeyboardInterrupt
        return draw(options, index)

    monkeypatch.setattr("minifcn.data.shapes.draw", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "set", ShapesOptions(**SMALL))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("moment", ["before it looks", "while it draws"])
def test_another_process_may_draw_the_same_set_at_the_same_time(moment, root, tmp_path, monkeypatch):
    theirs = tmp_path / "set"
    place, name = ("write", write) if moment == "before it looks" else ("_write_all", shapes._write_all)

    def slower(where, options):
        shutil.copytree(root, theirs)
        name(where, options)

    monkeypatch.setattr(shapes, place, slower)
    mine = ShapesSegmentation(theirs, **SMALL)
    assert len(mine) == SMALL["train"]
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"size": (40, 30)}, r"size=\(40, 30\) is not possible"),
        ({"train": 0}, "train and val are at least 1"),
        ({"hue_overlap": 1.5}, "hue_overlap=1.5 is not possible; choose 0 to 1"),
    ],
)
def test_impossible_options_are_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        ShapesOptions(**options)


def test_every_class_stands_out_from_the_background_and_from_its_neighbours_also_in_grey():
    colours = [SHAPES_PALETTE[label] / 255 for label in (0, VOID, 1, 2, 3, 4)]
    assert all(style.contrast(colours[0], colour) >= 3 for colour in colours[1:])
    assert all(style.luminance(lighter) > 1.3 * style.luminance(colour) for colour, lighter in pairwise(colours))
    assert style.contrast(VOC_PALETTE[0] / 255, VOC_PALETTE[4] / 255) < 3  # why VOC's own palette will not do
