"""The certificate of a capstone: which functions trained the network, its losses beside the library's, and what it sees."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, PngImagePlugin

from minifcn import visualize as vis
from minifcn.course.capstone import VALIDATION, Capstone, Run
from minifcn.course.small_fcn import SMALLEST
from minifcn.data.shapes import SHAPES_CLASSES, SHAPES_PALETTE, draw
from minifcn.safe_file import replacing
from minifcn.visualize import style
from minifcn.visualize.mpl import Figure

_SIGN = "minifcn capstone"  # in the file, so that ours is known again
_PICTURES = (0, 3, 5)  # of the validation pictures


def look_at(path: Path) -> None:
    """Raises ValueError where `path` is no name for a picture, or holds something that is no certificate."""
    if path.suffix != ".png":
        raise ValueError(f"{path} is no name for the certificate; it is a picture: let the name end with .png")
    if path.exists() and not _is_ours(path):
        raise ValueError(f"{path} is there already and is no certificate; it is left alone: choose another name")


def save(found: Capstone, path: Path) -> None:
    """Writes the certificate. Raises ValueError as `look_at` does, or where there was nothing to train with."""
    look_at(path)
    marked = PngImagePlugin.PngInfo()
    marked.add_text("Title", _SIGN)
    picture = certificate(found)
    with replacing(path) as file:
        picture.save(file, format="PNG", pnginfo=marked)


def certificate(found: Capstone) -> Image.Image:
    """The picture. Raises ValueError for a capstone without a run."""
    if found.mine is None:
        raise ValueError("none of the functions is right yet, so there is no run to certify")
    parts = [style.to_image(_head(found, found.mine)), style.to_image(_losses(found, found.mine)), _masks(found.mine)]
    sheet = Image.new("RGB", (max(part.width for part in parts), sum(part.height for part in parts)), style.PAPER)
    top = 0
    for part in parts:
        sheet.paste(part, (0, top))
        top += part.height
    return sheet


def _head(found: Capstone, mine: Run) -> Figure:
    names = [part.name for part in found.parts if part.is_used]
    lines = [", ".join(names[i : i + 4]) for i in range(0, len(names), 4)]
    board = vis.Board(2.6 + 0.6 * len(lines), 24)
    board.write(f"Trained by you: {found.used} of {len(found.parts)} functions", 0.4, 0, size=0.8, align="left", weight="bold")
    board.write(",\n".join(lines), 1.6 + 0.27 * (len(lines) - 1), 0, size=0.4, align="left")
    said = f"mean IU {mine.mean_iu:.3f}; with the library alone {found.library.mean_iu:.3f}; the floor is {found.floor:.3f}"
    board.write(said, 2.0 + 0.6 * len(lines), 0, size=0.4, align="left")
    return board.figure


def _losses(found: Capstone, mine: Run) -> Figure:
    return vis.draw_lines({"loss": {"yours": mine.losses, "the library's": found.library.losses}}, size=(5, 16))


def _masks(mine: Run) -> Image.Image:
    samples = [(*draw(SMALLEST, VALIDATION[0] + index), mine.masks[index]) for index in _PICTURES]
    return vis.sample_sheet(samples, SHAPES_PALETTE, SHAPES_CLASSES, width=480)


def _is_ours(path: Path) -> bool:
    try:
        with Image.open(path) as picture:
            return picture.info.get("Title") == _SIGN
    except OSError:  # no picture, or a folder
        return False
