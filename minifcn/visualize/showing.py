"""`show(picture, name, caption)`: where a lesson's pictures go.

One line does the right thing everywhere: in a notebook or in VS Code's cells the picture appears below the cell; while a page
is rendered it goes into the page; in a plain run it is written to a temporary folder and its path is printed.
"""

from __future__ import annotations

import base64
import io
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from minifcn.visualize import style
from minifcn.visualize.mpl import Figure


class Animation:
    """Frames of one size, shown one after the other, each for `seconds`, the last for longer, and over again."""

    def __init__(self, frames: Sequence[Image.Image], seconds: float = 0.5) -> None:
        if not frames:
            raise ValueError("an animation needs at least one frame; none was given")
        self.frames = list(frames)
        self.seconds = seconds

    def save(self, path: str | Path) -> Path:
        """Writes an animated GIF that loops; the same frames give the same bytes."""
        Path(path).write_bytes(self.to_bytes())
        return Path(path)

    def to_bytes(self) -> bytes:
        """The animated GIF."""
        palette = _palette([self.frames[0], self.frames[-1]])
        frames = [_indexed(frame, palette) for frame in self.frames]
        milliseconds = [round(1000 * self.seconds)] * (len(frames) - 1) + [round(1000 * self.seconds) + 1500]
        buffer = io.BytesIO()
        frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=milliseconds, loop=0, optimize=False)
        return buffer.getvalue()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """What Jupyter shows."""
        return {"image/gif": base64.b64encode(self.to_bytes()).decode("ascii")}


def _palette(frames: Sequence[Image.Image]) -> np.ndarray:
    """The 128 most frequent colours, (128, 3) or fewer: grounds are among them, and most edges of letters."""
    counts: Counter[Any] = Counter()
    for frame in frames:
        counts.update({colour: count for count, colour in frame.getcolors(frame.width * frame.height) or ()})
    return np.array(sorted(counts, key=lambda colour: (-counts[colour], colour))[:128], np.int32)


def _indexed(frame: Image.Image, palette: np.ndarray) -> Image.Image:
    """The frame in the palette's nearest colours. (Pillow's own way is approximate: it turns white into grey.)"""
    codes = np.asarray(frame, np.int32) @ [1 << 16, 1 << 8, 1]  # (H, W)
    known, place = np.unique(codes, return_inverse=True)
    colours = known[:, None] >> [16, 8, 0] & 255  # (colours, 3)
    nearest = ((colours[:, None] - palette) ** 2).sum(axis=2).argmin(axis=1)
    indexed = Image.fromarray(nearest.astype(np.uint8)[place].reshape(codes.shape))
    indexed.putpalette(palette.astype(np.uint8).tobytes())
    return indexed


@dataclass(frozen=True)
class Interactive:
    """A still picture, and what a page needs to make it answer: its kind and its arrays."""

    still: Figure
    kind: str
    data: dict[str, Any]

    def to_comment(self) -> str:
        """As a comment in HTML and Markdown, which shows nothing by itself."""
        return f"<!-- interactive {self.kind} {json.dumps(self.data)} -->"


Picture = Figure | Animation | Image.Image | Interactive
Sink = Callable[[Picture, str, str], None]

_sink: ContextVar[Sink | None] = ContextVar("minifcn_show", default=None)


def show(picture: Picture, name: str, caption: str) -> None:
    """Shows a picture: a matplotlib Figure, an :class:`Animation`, an :class:`Interactive` or a Pillow picture.

    `name` becomes the name of its file; the caption says what to see in it.
    """
    sink = _sink.get() or (_in_notebook if _has_notebook() else _in_a_file)
    sink(picture, name, caption)


@contextmanager
def showing_to(sink: Sink) -> Iterator[None]:
    """Inside the block every `show` calls `sink(picture, name, caption)` instead."""
    token = _sink.set(sink)
    try:
        yield
    finally:
        _sink.reset(token)


def write(picture: Picture, folder: Path, name: str) -> Path:
    """Writes the picture to `folder` as NAME.png, or NAME.gif where it moves; of an interactive one the still."""
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(picture, Interactive):
        picture = picture.still
    if isinstance(picture, Animation):
        return picture.save(folder / f"{name}.gif")
    if isinstance(picture, Figure):
        return style.save(picture, folder / f"{name}.png")
    if isinstance(picture, Image.Image):
        picture.save(folder / f"{name}.png", optimize=True)
        return folder / f"{name}.png"
    raise TypeError(
        f"{name}: a {type(picture).__name__} is no picture; show takes a matplotlib Figure, an Animation or a Pillow Image"
    )


def _in_a_file(picture: Picture, name: str, caption: str) -> None:
    path = write(picture, Path(tempfile.gettempdir()) / "minifcn-lessons" / Path(sys.argv[0]).stem, name)
    print(f"[picture: {path}]\n{caption}\n")


def _in_notebook(picture: Picture, name: str, caption: str) -> None:
    from IPython.display import display

    if isinstance(picture, Interactive):
        picture = picture.still
    display(style.to_image(picture) if isinstance(picture, Figure) else picture)
    print(caption)


def _has_notebook() -> bool:
    """Whether cells with pictures below them are around."""
    if "IPython" not in sys.modules:
        return False
    shell = sys.modules["IPython"].get_ipython()
    return shell is not None and hasattr(shell, "kernel")
