"""Pictures read as uint8 RGB, and one sentence for each file that cannot be."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from minifcn.data.images import read_image


@pytest.fixture
def picture(rng) -> np.ndarray:
    return rng.integers(0, 256, (7, 13, 3), np.uint8)


def test_png_is_read_exactly_and_may_be_written_to(picture, tmp_path):
    Image.fromarray(picture).save(tmp_path / "a.png")
    read = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(read, picture)
    read[:] = 0


def test_grey_and_transparent_pictures_become_rgb(picture, tmp_path):
    Image.fromarray(picture[..., 0]).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png"), picture[..., :1].repeat(3, 2))
    Image.fromarray(picture).convert("RGBA").save(tmp_path / "alpha.png")
    np.testing.assert_array_equal(read_image(tmp_path / "alpha.png"), picture)


def test_a_cameras_rotation_is_applied(picture, tmp_path):
    image = Image.fromarray(picture)
    exif = image.getexif()
    exif[0x0112] = 6  # "the top of the scene is at the right"
    image.save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "turned.png"), np.rot90(picture, -1))


def test_sixteen_bit_pictures_are_refused(tmp_path):
    Image.fromarray(np.full((3, 4), 40000, np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(ValueError, match=r"deep\.png: more than 8 bits .*convert the picture to 8 bits"):
        read_image(tmp_path / "deep.png")


def test_a_truncated_jpeg_is_named(tmp_path, truncated_jpeg):
    truncated_jpeg(tmp_path / "half.jpg")
    with pytest.raises(ValueError, match=r"half\.jpg: the picture cannot be decoded \(.*truncated.*fetch it again"):
        read_image(tmp_path / "half.jpg")


@pytest.mark.parametrize("content", [b"", b"<html>404</html>"])
def test_a_file_that_is_no_picture_is_named_once(content, tmp_path):
    (tmp_path / "page.jpg").write_bytes(content)
    with pytest.raises(ValueError) as raised:
        read_image(tmp_path / "page.jpg")
    assert str(raised.value).count("page.jpg") == 1


def test_a_picture_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.jpg: there is no such file"):
        read_image(tmp_path / "gone.jpg")
