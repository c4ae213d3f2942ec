"""Labels over pictures, legends, sheets of samples."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn.data.palette import VOC_CLASSES, VOC_PALETTE
from minifcn.visualize import blend, legend, overlay, sample_sheet

VOID = 255


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (20, 30, 3), np.uint8)


def test_blend_mixes_inside_and_shows_the_picture_outside(image):
    labels = np.zeros((20, 30), np.uint8)
    labels[5:15, 8:20] = 12
    labels[0, :] = VOID
    mixed = blend(image, labels, VOC_PALETTE, alpha=0.25)
    expected = np.round(0.75 * image[10, 12] + 0.25 * VOC_PALETTE[12].astype(float))
    np.testing.assert_array_equal(mixed[10, 12], expected)
    np.testing.assert_array_equal(mixed[18, 3], image[18, 3])  # background
    np.testing.assert_array_equal(mixed[0, 3], 255)  # a border, between void and background
    np.testing.assert_array_equal(mixed[10, 19], 255)  # a border, and around it a dark line
    np.testing.assert_array_equal(mixed[10, 20], 60)


def test_class_0_is_coloured_where_it_is_no_background(image):
    labels = np.zeros((20, 30), np.uint8)
    np.testing.assert_array_equal(blend(image, labels, VOC_PALETTE), image)
    road = blend(image, labels, 200 - VOC_PALETTE, bare=(VOID,))
    assert not np.array_equal(road, image)
    classes = ("drivable", *VOC_CLASSES[1:])
    assert not np.array_equal(np.asarray(overlay(image, labels, 200 - VOC_PALETTE, classes))[10:30, 10:40], image)
    assert np.array_equal(np.asarray(overlay(image, labels, 200 - VOC_PALETTE, VOC_CLASSES))[10:30, 10:40], image)


def test_blend_leaves_its_input_alone(image):
    labels = np.full((20, 30), 3, np.uint8)
    copies = image.copy(), labels.copy()
    blend(image, labels, VOC_PALETTE)
    np.testing.assert_array_equal(image, copies[0])
    np.testing.assert_array_equal(labels, copies[1])


def test_sizes_must_agree(image):
    with pytest.raises(ValueError, match=r"\(20, 30, 3\) and the labels \(20, 31\)"):
        blend(image, np.zeros((20, 31), np.uint8), VOC_PALETTE)


def colours_in(picture) -> set[tuple[int, ...]]:
    return {tuple(colour) for colour in np.asarray(picture).reshape(-1, 3).tolist()}


def test_legend_has_a_square_for_each_class_and_void():
    drawn = legend([0, 7, 15, VOID], VOC_PALETTE, VOC_CLASSES, 400)
    assert {tuple(VOC_PALETTE[label].tolist()) for label in (0, 7, 15, VOID)} <= colours_in(drawn)
    assert tuple(VOC_PALETTE[12].tolist()) not in colours_in(drawn)


def test_legend_breaks_into_lines():
    wide, narrow = (legend(range(21), VOC_PALETTE, VOC_CLASSES, width) for width in (2000, 200))
    assert wide.height < narrow.height
    assert {tuple(colour) for colour in VOC_PALETTE[:21].tolist()} <= colours_in(narrow)


def test_overlay_names_only_what_is_coloured(image):
    labels = np.zeros((20, 30), np.uint8)
    labels[5:15, 8:20] = 12
    drawn = overlay(image, labels, VOC_PALETTE, VOC_CLASSES)
    assert tuple(VOC_PALETTE[12].tolist()) in colours_in(drawn)
    assert drawn.width >= 160  # room for names under a small picture


def test_sheet_puts_picture_truth_and_prediction_side_by_side():
    image = np.full((40, 60, 3), 77, np.uint8)
    label, prediction = np.full((40, 60), 12, np.uint8), np.full((40, 60), 15, np.uint8)
    label[:, :20] = VOID
    sheet = np.asarray(sample_sheet([(image, label, prediction)], VOC_PALETTE, VOC_CLASSES, ["a"], width=120))
    row = sheet[80]
    np.testing.assert_array_equal(row[10 + 60], 77)
    np.testing.assert_array_equal(row[10 + 130 + 10], VOC_PALETTE[VOID])
    np.testing.assert_array_equal(row[10 + 130 + 100], VOC_PALETTE[12])
    np.testing.assert_array_equal(row[10 + 260 + 60], VOC_PALETTE[15])


def test_sheet_of_unequal_pictures(rng):
    samples = []
    for size in ((50, 400), (400, 50), (3, 3)):
        labels = rng.choice([0, 3, 9, VOID], size).astype(np.uint8)
        samples.append((rng.integers(0, 256, (*size, 3), np.uint8), labels, labels))
    sheet = sample_sheet(samples, VOC_PALETTE, VOC_CLASSES)
    assert sheet.width == 3 * 300 + 4 * 10
    with pytest.raises(ValueError, match="at least one"):
        sample_sheet([], VOC_PALETTE, VOC_CLASSES)
