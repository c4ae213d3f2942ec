"""Which files are pictures, how a line of a list is read, and which picture it names: one rule for all data sets and commands.

Hidden files and folders (`._a.png`, `.ipynb_checkpoints`) are none of a data set's, links are followed, and suffixes count in
any case. Names are compared in Unicode's composed form, since some systems take a letter apart from its accent. A line of a
list may name a picture by its id or by its file, with the path, the slashes and the suffix of another machine, and its mask
beside it.
"""

from __future__ import annotations

import codecs
import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from minifcn.words import name_some

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp")
MASK_SUFFIXES = (".png", ".bmp", ".gif", ".tif", ".tiff")  # of formats that keep every label as it is


class Found(NamedTuple):
    """The pictures that were looked for, and what lies among them and is none (hidden files are not even that)."""

    pictures: list[Path]
    left_out: list[Path]


def find_pictures(folder: Path, suffixes: Sequence[str] = IMAGE_SUFFIXES, deep: bool = True) -> Found:
    """The pictures in a folder, sorted; with `deep` also those in the folders below it, else such a folder is left out."""
    found = Found([], [])
    if folder.is_dir():
        _walk(folder, suffixes, deep, (os.path.realpath(folder),), found)
    return Found(sorted(found.pictures), sorted(found.left_out))


def _walk(folder: Path, suffixes: Sequence[str], deep: bool, above: tuple[str, ...], found: Found) -> None:
    for entry in os.scandir(folder):
        path = folder / entry.name
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            real = os.path.realpath(path)
            if not deep:
                found.left_out.append(path)
            elif real not in above:  # else a link leads back to where it lies
                _walk(path, suffixes, deep, (*above, real), found)
        elif path.suffix.lower() in suffixes and (entry.is_file() or entry.is_symlink()):  # a link to nothing will be named
            found.pictures.append(path)
        else:
            found.left_out.append(path)


def named_pictures(paths: Iterable[Path]) -> Found:
    """The pictures that somebody named, each once: a file whatever its name, of a folder the pictures that lie in it.

    Raises FileNotFoundError for what is not there, ValueError where no picture is left.
    """
    paths, found = list(paths), Found([], [])
    if absent := [str(path) for path in paths if not path.exists()]:
        raise FileNotFoundError(f"no such picture: {name_some(absent)}")
    for path in paths:
        inside = find_pictures(path, deep=False) if path.is_dir() else Found([path], [])
        found.pictures.extend(inside.pictures)
        found.left_out.extend(inside.left_out)
    pictures = list({os.path.abspath(path): path for path in found.pictures}.values())
    if not pictures:
        raise ValueError(
            f"no pictures in {name_some([str(path) for path in paths])}: possible are {', '.join(IMAGE_SUFFIXES)}, "
            f"and a folder's own pictures only, not those of the folders in it"
        )
    return Found(pictures, found.left_out)


def left_out_sentence(left_out: Sequence[Path]) -> str:
    """What lies among the pictures and is none, counted; "" where nothing does."""
    names = name_some([path.name for path in left_out], 5)
    return (left_out and f"left out, since they are no pictures by their names: {len(left_out)} ({names})") or ""


def read_list(path: Path, pictures: Names | None = None) -> list[str]:
    """The lines of a list, without blanks around them, empty lines and comments: lines that start with # and name no picture.

    Lists are written by many programs: a byte order mark (Notepad, PowerShell, the latter in UTF-16), any line ends, and
    names in no encoding at all, which come as Python has such names of files. Raises FileNotFoundError, or ValueError where
    the file is no text or no line is left.
    """
    content = path.read_bytes()
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16") if wide else content.decode("utf-8-sig", "surrogateescape")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a text file ({error.reason}); expected one name a line") from error
    if "\0" in text:
        raise ValueError(f"{path}: not a text file (it holds zeros); expected one name a line")
    lines = [line.strip() for line in re.split("\r\n|\n|\r", text)]
    kept = [line for line in lines if line and not (line.startswith("#") and not (pictures and read_line(line, pictures)[0]))]
    if not kept:
        raise ValueError(f"{path}: the list is empty; expected one name a line")
    return kept


class Names:
    """The files of a folder under every name that a list may give them."""

    def __init__(self, folder: Path, files: Iterable[Path]) -> None:
        self.folder = folder
        self.by_file = {composed(path.relative_to(folder).as_posix()): path for path in files}
        self.by_id: dict[str, Path] = {}
        for name in sorted(self.by_file, key=_rank):
            self.by_id.setdefault(without_suffix(name), self.by_file[name])

    def find(self, word: str) -> Path | None:
        """The file that a word of a list names: itself, with another suffix, or by a path that leads through the folder."""
        for name in self._readings(composed(word)):
            path = self.by_file.get(name) or self.by_id.get(name) or self.by_id.get(without_suffix(name))
            if path is not None:
                return path
        return None

    def _readings(self, word: str) -> list[str]:
        """What the word may mean below the folder: as it is, and what follows the folder's name in it."""
        slashed = word.replace("\\", "/").removeprefix("./").lstrip("/")
        parts = slashed.split("/")
        return [word, slashed, *("/".join(parts[i + 1 :]) for i, part in enumerate(parts) if part == self.folder.name)]

    def id_of(self, path: Path) -> str:
        """The path below the folder without suffix."""
        return without_suffix(composed(path.relative_to(self.folder).as_posix()))


def read_line(line: str, pictures: Names, masks: Names | None = None) -> tuple[Path | None, Path | None]:
    """The picture that a line names, and the mask where it names one too; with `masks` None the rest is not looked at."""
    words = _bare(line)
    if (picture := pictures.find(words)) is not None:
        return picture, None
    for gap in re.finditer(r"\s*[\s,;]\s*", line):  # names may have blanks in them, so every gap may be the one between two
        first, second = (_bare(part) for part in (line[: gap.start()], line[gap.end() :]))
        picture = pictures.find(first)
        mask = masks.find(second) if masks is not None else None
        if picture is not None and (masks is None or mask is not None):
            return picture, mask
    return None, None


def _bare(word: str) -> str:
    """A word without the quotes around it."""
    return word[1:-1] if len(word) > 2 and word[0] == word[-1] and word[0] in "\"'" else word


def composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def without_suffix(name: str) -> str:
    """a/b.JPG -> a/b; what is no picture's suffix is part of the name."""
    stem, dot, suffix = name.rpartition(".")
    return stem if f"{dot}{suffix}".lower() in IMAGE_SUFFIXES and stem else name


def _rank(name: str) -> tuple[int, str]:
    """A folder with two pictures of one name gives the one whose suffix comes first."""
    return IMAGE_SUFFIXES.index("." + name.rpartition(".")[2].lower()), name
