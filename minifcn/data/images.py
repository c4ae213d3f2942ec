"""Pictures read from files, with one sentence for each way a file can be wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from PIL import Image

_ORIENTATION = 0x0112  # EXIF's tag for how a camera was held
_T = Image.Transpose  # the tag's values from 2 on: 1 is upright
_UPRIGHT = (_T.FLIP_LEFT_RIGHT, _T.ROTATE_180, _T.FLIP_TOP_BOTTOM, _T.TRANSPOSE, _T.ROTATE_270, _T.TRANSVERSE, _T.ROTATE_90)


def open_image(path: str | Path) -> Image.Image:
    """A picture, decoded to its last byte.

    Raises FileNotFoundError, or ValueError where the file is cut short, damaged or no picture at all.
    """
    with decoding(path), Image.open(path) as image:
        image.load()
        return image


@contextmanager
def decoding(path: str | Path) -> Iterator[None]:
    """Whatever a decoder raises inside the block (no list of it is complete) becomes one sentence that names the file."""
    try:
        yield
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: there is no such file") from None
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None:  # the disk's trouble (permission, a folder ...)
            raise
        reason = " ".join(str(error).replace(repr(str(path)), "it").split()) or type(error).__name__
        raise ValueError(
            f"{path}: the picture cannot be decoded ({reason}); the file is cut short, damaged or no picture: fetch it "
            f"again or take it off the list"
        ) from error


def read_image(path: str | Path) -> np.ndarray:
    """A picture as (H, W, 3) uint8 RGB: grey is repeated, transparency dropped, a camera's rotation applied."""
    image = open_image(path)
    if image.mode.startswith(("I", "F")):
        raise ValueError(f"{path}: more than 8 bits a colour (mode {image.mode}); convert the picture to 8 bits first")
    held = 1
    with suppress(Exception):  # a file's notes that cannot be read are never worth a picture
        held = int(image.getexif().get(_ORIENTATION, 1))
    with decoding(path):
        if 2 <= held <= 8:
            image = image.transpose(_UPRIGHT[held - 2])
        return np.array(image.convert("RGB"))
