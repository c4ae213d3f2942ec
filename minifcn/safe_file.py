"""Files that are there whole or not at all.

A file is written under another name in the same folder, brought to the disk, and only then given its name: the
operating system replaces the old file by the new one in one step, so a process killed at any moment leaves either the
old file or the new one. What a killed process leaves behind is called `NAME.partial`, and the next write reuses it.

Also here: a file that one process holds, and file names, one to one.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import os
import shutil
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO


@contextlib.contextmanager
def replacing(path: Path, also: Path | None = None) -> Iterator[BinaryIO]:
    """A context that gives a binary file to write; on leaving it, the file becomes `path`.

    With `also` that path becomes the same file just before (a second name for one content, so it costs no space and no
    time; a copy on file systems without hard links). On an exception nothing changes. OSError (a full disk, no
    permission) is raised with a sentence that names the file.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        with open(partial, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if also is not None:
            _second_name(partial, also)
        os.replace(partial, path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise OSError(f"{path} cannot be written: {error.strerror or error}") from error
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


def write_text(path: Path, text: str) -> None:
    """Writes a text file, whole or not at all, names of files in no encoding included (as Python has them)."""
    with replacing(path) as file:
        file.write(text.encode("utf-8", "surrogateescape"))


def put_folder(made: Path, target: Path) -> None:
    """Gives a finished folder its name in one step. Where another process has just put one there, that one stays, as it is."""
    with contextlib.suppress(OSError):
        target.rmdir()  # an empty one, which not every system replaces
    try:
        os.replace(made, target)
    except OSError:
        if not target.is_dir() or not any(target.iterdir()):
            raise


def hold(path: Path) -> BinaryIO | None:
    """The file `path`, open and held for this process until it is closed or the process ends, however that comes.

    None where another process holds it. A disk that knows no locks (some network drives) holds nobody off.
    """
    file = open(path, "a+b")  # noqa: SIM115 (it stays open)
    try:
        if not _lock(file):
            file.close()
            return None
    except OSError:  # no locks here
        pass
    return file


def _lock(file: BinaryIO) -> bool:
    """Locks an open file; False where somebody else has. Raises OSError where there are no locks."""
    try:
        import fcntl
    except ImportError:  # Windows
        return _lock_on_windows(file)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # EWOULDBLOCK; EACCES on some network drives
        return False
    return True


def _lock_on_windows(file: BinaryIO) -> bool:
    try:
        msvcrt: Any = importlib.import_module("msvcrt")
    except ImportError as error:
        raise OSError("this system has no locks") from error
    file.seek(0)
    try:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # the first byte, which need not be there
    except PermissionError:
        return False
    return True


def names_for(files: Sequence[Path]) -> list[str]:
    """A name without suffix for what is made of each of these files, no two the same, also where case does not count.

    It is the file's own, where no other has it; else with as much of the folders before it, or of the suffix behind it, as
    tells it from the others, or with a number. A name that was made up never meets one that is some file's own.
    """
    groups: dict[str, list[int]] = {}
    for place, file in enumerate(files):
        groups.setdefault(_key(file.stem), []).append(place)
    names: dict[int, str] = {}
    taken: set[str] = set(groups)
    for key, group in groups.items():
        if len(group) == 1:
            names[group[0]] = files[group[0]].stem
            continue
        for made in _possible_names([files[place] for place in group]):
            keys = {_key(name) for name in made}
            if len(keys) == len(group) and not keys & (taken - {key}) and all(len(os.fsencode(name)) < 240 for name in made):
                break
        taken |= keys
        names.update(zip(group, made, strict=True))
    return [names[place] for place in range(len(files))]


def _possible_names(group: Sequence[Path]) -> Iterator[list[str]]:
    """Names for files of one stem, the shortest first, without end."""
    paths = [Path(os.path.abspath(file)).with_suffix("").parts[1:] for file in group]
    for ends in ([()] * len(group), [(file.suffix[1:],) for file in group]):
        for depth in range(1, max(map(len, paths)) + 1):
            yield ["_".join((*path[-depth:], *end)) for path, end in zip(paths, ends, strict=True)]
    for first in itertools.count(1):
        yield [f"{file.stem[:60]}_{first + place}" for place, file in enumerate(group)]


def _key(name: str) -> str:
    """What file systems that are careless about case and accents take for the same name."""
    return unicodedata.normalize("NFC", name).casefold()


def _second_name(source: Path, path: Path) -> None:
    """Makes `path` the same file as `source`, in one step as seen from outside."""
    partial = path.with_name(path.name + ".partial")
    partial.unlink(missing_ok=True)
    try:
        os.link(source, partial)
    except OSError:  # no hard links here (FAT, some network drives)
        shutil.copyfile(source, partial)
        with open(partial, "rb+") as file:
            os.fsync(file.fileno())
    os.replace(partial, path)


def _sync_folder(folder: Path) -> None:
    """Brings the folder's list of names to the disk; Windows has no way to, and no need."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
