"""Palette, masks read by index, value and colour, and what is said about masks that are wrong."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image

from minifcn.data.palette import (
    VOC_CLASSES,
    VOC_PALETTE,
    check_labels,
    colorize,
    decode_mask,
    make_palette,
    save_mask,
)

# The development kit's own list of the 21 classes' colours.
DEVKIT = """
background 0 0 0 aeroplane 128 0 0 bicycle 0 128 0 bird 128 128 0 boat 0 0 128 bottle 128 0 128 bus 0 128 128
car 128 128 128 cat 64 0 0 chair 192 0 0 cow 64 128 0 diningtable 192 128 0 dog 64 0 128 horse 192 0 128
motorbike 64 128 128 person 192 128 128 pottedplant 0 64 0 sheep 128 64 0 sofa 0 192 0 train 128 192 0
tvmonitor 0 64 128
"""


@pytest.fixture
def labels(rng) -> np.ndarray:
    """Every label of VOC and void, in no order, (13, 21)."""
    return np.append(rng.permutation(np.repeat(np.arange(21), 13))[:-3], [255] * 3).astype(np.uint8).reshape(13, 21)


def test_voc_palette_is_the_development_kits():
    names, colours = zip(*re.findall(r"(\w+) (\d+ \d+ \d+)", DEVKIT), strict=True)
    assert names == VOC_CLASSES
    assert [" ".join(map(str, colour)) for colour in VOC_PALETTE[:21].tolist()] == list(colours)
    assert VOC_PALETTE[255].tolist() == [224, 224, 192]


def test_voc_palette_has_256_different_colours():
    assert len(np.unique(VOC_PALETTE, axis=0)) == 256


@pytest.mark.parametrize("mode", ["L", "I;16", "RGB", "RGBA"])
def test_masks_of_every_mode_give_the_labels(labels, mode):
    if mode == "I;16":
        picture = Image.fromarray(labels.astype(np.uint16))
    elif mode == "L":
        picture = Image.fromarray(labels)
    else:
        picture = Image.fromarray(colorize(labels)).convert(mode)
    assert picture.mode == mode
    decoded = decode_mask(picture, 21)
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, labels)


def test_a_one_bit_mask_has_labels_0_and_1():
    bits = np.array([[True, False, True]])
    np.testing.assert_array_equal(decode_mask(Image.fromarray(bits), 2), [[1, 0, 1]])


def test_palette_masks_are_read_by_index_whatever_their_colours(labels, tmp_path, rng):
    save_mask(tmp_path / "mask.png", labels, rng.permutation(VOC_PALETTE))
    np.testing.assert_array_equal(decode_mask(tmp_path / "mask.png", 21), labels)


def test_save_mask_writes_labels_and_colours(labels, tmp_path):
    save_mask(tmp_path / "mask.png", labels)
    with Image.open(tmp_path / "mask.png") as picture:
        assert picture.mode == "P"
        np.testing.assert_array_equal(np.asarray(picture), labels)
        np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), VOC_PALETTE[labels])


def test_save_mask_refuses_what_is_no_mask(tmp_path):
    with pytest.raises(ValueError, match=r"shape \(2, 3, 3\)"):
        save_mask(tmp_path / "mask.png", np.zeros((2, 3, 3), np.uint8))
    with pytest.raises(ValueError, match=r"label 300 at row 1, column 0 \(1 such pixels\)"):
        save_mask(tmp_path / "mask.png", np.array([[0, 1], [300, 2]]))
    assert not (tmp_path / "mask.png").exists()


def test_label_200_is_refused_with_file_label_place_and_range(labels, tmp_path):
    labels[4, 7] = labels[9, 1] = 200
    save_mask(tmp_path / "cow.png", labels)
    with pytest.raises(ValueError, match=r"cow\.png: label 200 at row 4, column 7 \(2 such pixels\).* 0 to 20 and void 255"):
        decode_mask(tmp_path / "cow.png", 21)


def test_label_equal_to_the_number_of_classes_is_refused_and_void_is_not():
    check_labels(np.array([[20, 255, 0]]), 21)
    with pytest.raises(ValueError, match="label 21 "):
        check_labels(np.array([[20, 21]]), 21)
    with pytest.raises(ValueError, match="label -1 "):
        check_labels(np.array([[0, -1]]), 21)


def test_a_colour_outside_the_palette_is_named_with_place_and_number(labels, tmp_path):
    colours = colorize(labels)
    colours[2, 5] = colours[3, 0] = (1, 2, 3)
    colours[11, 20] = (255, 255, 255)
    Image.fromarray(colours).save(tmp_path / "dog.png")
    with pytest.raises(ValueError, match=r"dog\.png: colour \(1, 2, 3\) at row 2, column 5 .* 3 pixels in 2 colours"):
        decode_mask(tmp_path / "dog.png", 21)


def test_a_palette_colour_of_no_class_is_refused():
    picture = Image.fromarray(VOC_PALETTE[np.array([[0, 21]])])
    with pytest.raises(ValueError, match=r"colour \(128, 64, 128\) at row 0, column 1"):
        decode_mask(picture, 21)
    np.testing.assert_array_equal(decode_mask(picture), [[0, 21]])


def test_rgb_masks_follow_their_own_palette(rng):
    palette = make_palette([(10, 20, 30), (30, 20, 10), (0, 0, 255)], void=(0, 0, 0))
    labels = rng.choice([0, 1, 2, 255], (9, 7)).astype(np.uint8)
    np.testing.assert_array_equal(decode_mask(Image.fromarray(palette[labels]), 3, palette), labels)


def test_modes_without_labels_are_refused():
    with pytest.raises(ValueError, match="mode CMYK holds no labels; save masks as PNG"):
        decode_mask(Image.new("CMYK", (3, 2)), 21)


def test_a_mask_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.png: there is no such file"):
        decode_mask(tmp_path / "nothing.png")


COLOURS = make_palette([(0, 0, 0), (10, 200, 30), (30, 20, 10)], void=(255, 255, 255))


@pytest.mark.parametrize("suffix", [".png", ".gif"])
def test_labels_and_colours_that_contradict_each_other_are_refused(tmp_path, suffix):
    """A colour mask that a program made small: its numbers are in the order of its own table of colours."""
    labels = np.array([[2, 1, 255, 0]], np.uint8)
    renumbered = Image.fromarray(np.array([[0, 1, 2, 3]], np.uint8))
    renumbered.putpalette(COLOURS[[2, 1, 255, 0]].tobytes())
    renumbered.save(tmp_path / f"a{suffix}")
    with pytest.raises(ValueError, match=r"label 0 has the colour \(30, 20, 10\) there, which is another class's"):
        decode_mask(tmp_path / f"a{suffix}", 3, COLOURS)
    renumbered.convert("RGB").save(tmp_path / "b.png")
    np.testing.assert_array_equal(decode_mask(tmp_path / "b.png", 3, COLOURS), labels)
    save_mask(tmp_path / "c.png", labels, COLOURS)
    np.testing.assert_array_equal(decode_mask(tmp_path / "c.png", 3, COLOURS), labels)
    save_mask(tmp_path / "d.png", labels, 255 - VOC_PALETTE)  # colours that say nothing about the classes
    np.testing.assert_array_equal(decode_mask(tmp_path / "d.png", 3, COLOURS), labels)
