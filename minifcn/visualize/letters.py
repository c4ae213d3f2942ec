"""Text from outside in a picture: class names, names of runs and files, in any script and with any character.

It is drawn as it is: a dollar sign begins no formula, and a character that DejaVu Sans does not have is taken from a font that
is installed. Where none has it, a question mark stands for it, and a class's name has its label's number before it, so that
classes can still be told apart.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from PIL import ImageFont

OWN = "DejaVu Sans"  # comes with matplotlib, so every machine sets the same letters
_LONGEST = 60  # characters of a name; a longer one would leave no room for what is drawn
_log = logging.getLogger(__name__)


def drawable(text: str) -> str:
    """The text with a question mark for each character that no font here has."""
    text = unicodedata.normalize("NFC", text)
    lacking = _helpers(_foreign(text))[1]
    if lacking:
        _tell(lacking)
    return "".join("?" if character in lacking else character for character in text)


def plain(text: str) -> str:
    """A name from outside as one line of a bearable length."""
    text = " ".join(text.split())
    return drawable(text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…")


def class_names(classes: Sequence[str]) -> list[str]:
    """The classes' names, each with its label's number where the name cannot be drawn as it is."""
    return [f"{label} {plain(name)}" if _helpers(_foreign(name))[1] else plain(name) for label, name in enumerate(classes)]


def quoted(text: str) -> str:
    """The text for matplotlib, which would set what stands between two dollar signs as a formula."""
    return text.replace("$", r"\$")


def families(text: str) -> list[str]:
    """The families of fonts that have the text's characters, DejaVu Sans first; matplotlib goes through them in turns."""
    return [OWN, *(name for name, _ in _helpers(_foreign(text))[0])]


def pillow_font(text: str, size: int) -> tuple[str, ImageFont.FreeTypeFont | ImageFont.ImageFont]:
    """For Pillow, which draws a text in one font: the font that has most of it, and the text that it can draw."""
    if text.isascii():
        return text, ImageFont.load_default(size)
    files = [_own_file(), *(file for _, file in _helpers(_foreign(text))[0])]
    best = max(files, key=lambda file: sum(ord(character) in _characters(file) for character in text))
    fitting = "".join(character if ord(character) in _characters(best) else "?" for character in text)
    return fitting, ImageFont.truetype(best, size)


def _foreign(text: str) -> frozenset[str]:
    """The characters that DejaVu Sans does not have."""
    if text.isascii() and text.isprintable():
        return frozenset()  # without asking matplotlib, which takes its time to import
    return frozenset(character for character in text if character != "\n" and ord(character) not in _characters(_own_file()))


@lru_cache(maxsize=256)
def _helpers(wanted: frozenset[str]) -> tuple[tuple[tuple[str, str], ...], frozenset[str]]:
    """((family, file), ...) of installed fonts that together have these characters, and the characters that none has."""
    if not wanted:
        return (), wanted
    from minifcn.visualize.mpl import font_manager, mpl

    own = mpl.get_data_path()  # fonts for formulas, and one that draws any character as a box
    fonts = [font for font in font_manager.fontManager.ttflist if not font.fname.startswith(own) and font.style == "normal"]
    fonts.sort(key=lambda font: (font.weight not in (400, "normal", "regular"), font.name, font.fname))
    chosen: list[tuple[str, str]] = []
    while wanted and fonts:
        font = max(fonts, key=lambda font: sum(ord(character) in _characters(font.fname) for character in wanted))
        rest = frozenset(character for character in wanted if ord(character) not in _characters(font.fname))
        if rest == wanted:
            break
        chosen.append((font.name, font.fname))
        wanted = rest
    return tuple(chosen), wanted


def _own_file() -> str:
    from minifcn.visualize.mpl import font_manager

    return font_manager.findfont(OWN)


@lru_cache(maxsize=4096)
def _characters(file: str) -> frozenset[int]:
    """The code points of a font; none of one that cannot be read, or that only has bitmaps."""
    from minifcn.visualize.mpl import font_manager

    try:
        font = font_manager.get_font(file)
        return frozenset(font.get_charmap()) if font.scalable else frozenset()
    except (OSError, RuntimeError, ValueError):
        return frozenset()


@lru_cache(maxsize=256)  # each is told once
def _tell(lacking: frozenset[str]) -> None:
    shown = " ".join(sorted(lacking)[:10]) + (" ..." if len(lacking) > 10 else "")
    _log.warning(
        "no installed font has %s: in pictures a question mark stands for each; install a font of that script, such as Noto's",
        shown.encode("utf-8", "backslashreplace").decode(),
    )
