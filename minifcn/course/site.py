"""The course as a site: static pages in a folder, with their pictures and scripts beside them, for a web server or the disk."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from minifcn.course import glossary, reader
from minifcn.course.catalogue import lessons_folder, written
from minifcn.course.page import render
from minifcn.safe_file import replacing

INDEX, FILES = "index.html", "files"
_MARK = ".minifcn-course"  # in a folder that a site was written into


def write(out: Path, tell: Callable[[str], None] = lambda _: None) -> Path:
    """Writes all lessons, the glossary and the misconceptions into `out`; returns the first page.

    Pages that are not there are made, by running their lessons; `tell` hears which. Raises ValueError, and writes nothing,
    where `out` holds something else.
    """
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not (out / _MARK).is_file()):
        raise ValueError(f"{out} holds something else; choose a new folder, or one that this command has made")
    with tempfile.TemporaryDirectory() as temporary:
        source = _with_all_pages(Path(temporary), tell)
        pages = reader.all_pages(source, Path(temporary) / "pages")
        out.mkdir(parents=True, exist_ok=True)
        (out / _MARK).write_text("", encoding="utf-8")
        for page in pages:
            name = INDEX if page.stem == reader.INDEX else page.name
            text = page.read_text(encoding="utf-8").replace(f'href="{reader.INDEX}.html', f'href="{INDEX}')
            with replacing(out / name) as file:
                file.write(re.sub(r'(?<=["(])file://[^"#]+', lambda match: _beside(match[0], out), text).encode("utf-8"))
    return out / INDEX


def _with_all_pages(temporary: Path, tell: Callable[[str], None]) -> Path:
    """A folder with the pages of all lessons: that of the lessons, or where some are missing, one in which they are made."""
    if all(reader.has_its_page(one, lessons_folder()) for one in written()):
        return lessons_folder()
    made = temporary / "lessons"
    made.mkdir()
    for one in written():
        tell(f"{one.script}: making its page")
        render(one).save(made, one)
    for name, text in {**glossary.pages(), reader.INDEX: _contents()}.items():
        (made / f"{name}.md").write_text(text, encoding="utf-8")
    return made


def _contents() -> str:
    """A list of the lessons, where there is no page of them."""
    lines = [f"| {one.number:02} | [{one.title}]({one.name}.md) | {one.minutes} | {one.about} |" for one in written()]
    return "\n".join(["# All lessons", "", "| | lesson | minutes | about |", "|---|---|---|---|", *lines, ""])


def _beside(address: str, out: Path) -> str:
    """The address of a copy beside the page: of a picture, a script or another file that the page leads to."""
    path = Path(url2pathname(unquote(urlsplit(address).path)))
    if not path.is_file():
        return address
    folder = "img" if path.parent.name == "img" else FILES
    (out / folder).mkdir(exist_ok=True)
    shutil.copyfile(path, out / folder / path.name)
    return f"{folder}/{path.name}"
