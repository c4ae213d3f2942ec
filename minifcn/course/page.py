"""A lesson's page: its text, its code, what the code printed and the pictures it drew, as one Markdown file."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from minifcn.course import runner
from minifcn.course.catalogue import Lesson, written
from minifcn.course.runner import Result, Shown
from minifcn.visualize.showing import Interactive, write

PICTURES = "img"
FOLDED = "how this picture is drawn"


@dataclass(frozen=True)
class Page:
    """A rendered lesson: the Markdown text, and its pictures' bytes by file name."""

    text: str
    pictures: dict[str, bytes]

    def save(self, folder: Path, one: Lesson) -> list[Path]:
        """Writes page and pictures into `folder`, removes pictures that this lesson no longer has; returns what is written."""
        images = folder / PICTURES
        images.mkdir(parents=True, exist_ok=True)
        for old in images.glob(f"{one.number:02}_*"):
            if old.name not in self.pictures:
                old.unlink()
        for name, content in self.pictures.items():
            (images / name).write_bytes(content)
        path = folder / f"{one.name}.md"
        path.write_text(self.text, encoding="utf-8")
        return [path, *(images / name for name in self.pictures)]


def render(one: Lesson) -> Page:
    """Executes the lesson and makes its page. Raises LessonFailed when a cell raises."""
    pictures: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as temporary:
        parts = [_head(one)]
        for result in runner.run(one.script):
            parts.extend(_blocks(result, one, Path(temporary), pictures))
        parts.append(_foot(one))
    return Page("\n\n".join(parts) + "\n", pictures)


def _blocks(result: Result, one: Lesson, temporary: Path, pictures: dict[str, bytes]) -> list[str]:
    """The Markdown of one cell."""
    if result.cell.kind == "markdown":
        return [result.cell.text]
    code, blocks = f"```python\n{result.cell.text}\n```", []
    for piece in result.output:
        if isinstance(piece, Shown):
            path = write(piece.picture, temporary, f"{one.number:02}_{piece.name}")
            if path.name in pictures:
                raise ValueError(f"{one.script.name} shows two pictures under the name {piece.name!r}; give each its own")
            pictures[path.name] = path.read_bytes()
            number = len(pictures)
            blocks.append(f"![Picture {number}: {piece.caption}]({PICTURES}/{path.name})")
            if isinstance(piece.picture, Interactive):
                blocks.append(piece.picture.to_comment())
            blocks.append(f"**Picture {number}.** {piece.caption}")
        elif piece.strip():
            blocks.append("```text\n" + "\n".join(line.rstrip() for line in piece.strip("\n").split("\n")) + "\n```")
    if result.cell.kind == "drawing":
        return [*blocks, f"<details><summary>{FOLDED}</summary>", code, "</details>"]
    return [code, *blocks]


def _head(one: Lesson) -> str:
    return (
        f"<!-- Made from {one.name}.py by `minifcn lesson render {one.number}`: change the script, not this page. -->\n\n"
        f"[All lessons](README.md) · [this lesson as a script]({one.name}.py) · about {one.minutes} minutes"
    )


def _foot(one: Lesson) -> str:
    """Links to the lessons before and after, those that are there."""
    before, after = before_and_after(one)
    links = [f"← [{before.title}]({before.name}.md)"] if before else []
    links += ["[All lessons](README.md)", *([f"[{after.title}]({after.name}.md) →"] if after else [])]
    return "---\n\n" + " · ".join(links)


def before_and_after(one: Lesson) -> tuple[Lesson | None, Lesson | None]:
    """The lessons before and after this one, of those that are there."""
    before = [other for other in written() if other.number < one.number]
    after = [other for other in written() if other.number > one.number]
    return (before[-1] if before else None), (after[0] if after else None)


def without_head_and_foot(text: str) -> str:
    """A page's text without what it says about itself and where it links to: the first two and the last two of its blocks."""
    return "\n\n".join(text.split("\n\n")[2:-2]) + "\n"
