"""Pictures read from files, with one sentence for each way a file can be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")


def open_image(path: str | Path) -> Image.Image:
    """A picture, decoded to its last byte.

    Raises FileNotFoundError, or ValueError where the file is cut short, damaged or no picture at all.
    """
    try:
        with Image.open(path) as image:
            image.load()
            return image
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: there is no such file") from None
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk's trouble (permission, a folder ...)
            raise
        reason = str(error).replace(repr(str(path)), "it").strip() or type(error).__name__
        raise ValueError(
            f"{path}: the picture cannot be decoded ({reason}); the file is cut short, damaged or no picture: fetch it "
            f"again or take it off the list"
        ) from error


def read_image(path: str | Path) -> np.ndarray:
    """A picture as (H, W, 3) uint8 RGB: grey is repeated, transparency dropped, a camera's rotation applied."""
    image = open_image(path)
    if image.mode.startswith(("I", "F")):
        raise ValueError(f"{path}: more than 8 bits a colour (mode {image.mode}); convert the picture to 8 bits first")
    return np.array(ImageOps.exif_transpose(image).convert("RGB"))
