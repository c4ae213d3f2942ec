"""Pictures read as uint8 RGB, and one sentence for each file that cannot be."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image

from minifcn.data.images import read_image
from minifcn.data.palette import VOC_PALETTE, decode_mask, save_mask


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


# ----------------------------------------------------------------------------------- notes in a file, damaged or not

TURNED = {  # EXIF's orientation -> the picture as a viewer shows it
    1: lambda x: x, 2: lambda x: x[:, ::-1], 3: lambda x: x[::-1, ::-1], 4: lambda x: x[::-1],
    5: lambda x: x.transpose(1, 0, 2), 6: lambda x: np.rot90(x, -1), 7: lambda x: np.rot90(x, 2).transpose(1, 0, 2),
    8: lambda x: np.rot90(x), 0: lambda x: x, 9: lambda x: x, 77: lambda x: x,
}  # fmt: skip


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("suffix", [".png", ".webp", ".tiff"])
def test_every_orientation_is_applied_once(picture, tmp_path, orientation, suffix):
    image = Image.fromarray(picture)
    exif = image.getexif()
    exif[0x0112] = orientation
    image.save(tmp_path / f"a{suffix}", exif=exif, **({"lossless": True} if suffix == ".webp" else {}))
    np.testing.assert_array_equal(read_image(tmp_path / f"a{suffix}"), TURNED[orientation](picture))


def with_exif(*entries: bytes) -> bytes:
    """A grey JPEG of 30x40 with these entries of 12 bytes in its EXIF."""
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30)).save(buffer, "JPEG")
    jpeg = buffer.getvalue()
    ifd = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + b"".join(entries) + b"\0\0\0\0" + struct.pack("<ii", -1, 0)
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(ifd) + 8) + b"Exif\0\0" + ifd + jpeg[2:]


TURN = struct.pack("<HHIHH", 274, 3, 1, 6, 0)


@pytest.mark.parametrize(
    ("entries", "shape"),
    [
        ([TURN, struct.pack("<HHII", 282, 10, 1, 38)], (40, 30)),  # a resolution of -1/0 as signed numbers
        ([TURN, struct.pack("<HHII", 282, 5, 1, 99999)], (40, 30)),  # a value beyond the end
        ([TURN, struct.pack("<HHII", 282, 77, 1, 38)], (40, 30)),  # no such type
        ([TURN, struct.pack("<HHII", 34665, 4, 1, 8)], (40, 30)),  # EXIF that leads back into itself
        ([struct.pack("<HHII", 274, 2, 1, 6)], (30, 40)),  # an orientation in letters
        ([struct.pack("<HHII", 274, 5, 1, 38)], (30, 40)),  # and one of -1/0
        ([struct.pack("<HHII", 274, 3, 1 << 30, 6)], (30, 40)),
    ],
)
def test_broken_notes_cost_no_picture(tmp_path, entries, shape):
    (tmp_path / "a.jpg").write_bytes(with_exif(*entries))
    assert read_image(tmp_path / "a.jpg").shape[:2] == shape


def damages(content: bytes, count: int = 50):
    """The content cut at `count` places, and with bytes turned over at as many."""
    places = np.linspace(0, len(content) - 1, count).astype(int).tolist()
    for place in places:
        yield content[:place]
        yield content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


def sentence(read, path) -> str | None:
    """What reading the file says against it, None where there is a picture; nothing but ValueError may come."""
    try:
        read(path)
    except ValueError as error:
        return str(error)


def is_one_about(said: str, path) -> bool:
    return said.startswith(f"{path}: ") and "\n" not in said and said.count(path.name) == 1


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".gif", ".bmp", ".tiff", ".webp"])
def test_a_damaged_picture_is_a_picture_or_a_sentence(picture, tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(picture).save(path)
    whole, refused = path.read_bytes(), []
    for damaged in damages(whole):
        path.write_bytes(damaged)
        refused += [said for said in [sentence(read_image, path)] if said]
    assert len(refused) > 20
    assert [said for said in refused if not is_one_about(said, path)] == []


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("mode", ["P", "L", "RGB"])
@pytest.mark.parametrize("suffix", [".png", ".gif", ".tiff"])
def test_a_damaged_mask_is_a_mask_or_a_sentence(rng, tmp_path, mode, suffix):
    labels = rng.integers(0, 21, (9, 14)).astype(np.uint8)
    path = tmp_path / f"a{suffix}"
    save_mask(tmp_path / "p.png", labels)
    mask = {"P": Image.open(tmp_path / "p.png"), "L": Image.fromarray(labels), "RGB": Image.fromarray(VOC_PALETTE[labels])}[
        mode
    ]
    mask.save(path)
    refused = []
    for damaged in damages(path.read_bytes()):
        path.write_bytes(damaged)
        refused += [said for said in [sentence(lambda path: decode_mask(path, 21), path)] if said]
    assert len(refused) > 20
    assert [said for said in refused if not is_one_about(said, path)] == []


@pytest.mark.parametrize("error", [struct.error("argument out of range"), IndexError(), KeyError(5), OverflowError("x\ny")])
def test_whatever_a_decoder_raises_is_the_files_sentence(picture, tmp_path, monkeypatch, error):
    Image.fromarray(picture).save(tmp_path / "a.png")

    def load(self):
        raise error

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", load)
    with pytest.raises(ValueError, match=r"^.*a\.png: the picture cannot be decoded \([^\n]+\); the file is cut short"):
        read_image(tmp_path / "a.png")


def test_trouble_with_the_disk_is_not_blamed_on_the_picture(tmp_path):
    with pytest.raises(IsADirectoryError):
        read_image(tmp_path)
