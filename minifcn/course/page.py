"""A lesson's page: its text, its code, what the code printed and the pictures it drew, as one Markdown file."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from minifcn.course import runner
from minifcn.course.catalogue import Lesson, lesson, written
from minifcn.course.runner import Result, Shown
from minifcn.visualize.showing import write

PICTURES = "img"


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
    code = f"```python\n{result.cell.text}\n```"
    if result.cell.kind == "drawing":
        code = f"<details><summary>how this picture is drawn</summary>\n\n{code}\n\n</details>"
    blocks = [code]
    for piece in result.output:
        if isinstance(piece, Shown):
            path = write(piece.picture, temporary, f"{one.number:02}_{piece.name}")
            if path.name in pictures:
                raise ValueError(f"{one.script.name} shows two pictures under the name {piece.name!r}; give each its own")
            pictures[path.name] = path.read_bytes()
            number = len(pictures)
            blocks.append(f"![Picture {number}: {piece.caption}]({PICTURES}/{path.name})")
            blocks.append(f"**Picture {number}.** {piece.caption}")
        elif piece.strip():
            blocks.append("```text\n" + "\n".join(line.rstrip() for line in piece.strip("\n").split("\n")) + "\n```")
    return blocks


def _head(one: Lesson) -> str:
    return (
        f"<!-- Made from {one.name}.py by `minifcn lesson render {one.number}`: change the script, not this page. -->\n\n"
        f"[All lessons](README.md) · [this lesson as a script]({one.name}.py) · about {one.minutes} minutes"
    )


def _foot(one: Lesson) -> str:
    """Links to the lessons before and after, those that are there."""
    there = [other.number for other in written()]
    before = max((n for n in there if n < one.number), default=None)
    after = min((n for n in there if n > one.number), default=None)
    links = [f"← [{lesson(n).title}]({lesson(n).name}.md)" for n in [before] if n]
    links.append("[All lessons](README.md)")
    links += [f"[{lesson(n).title}]({lesson(n).name}.md) →" for n in [after] if n]
    return "---\n\n" + " · ".join(links)
