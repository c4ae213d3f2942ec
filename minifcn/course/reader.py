"""A lesson's page for the browser: the same Markdown as one HTML file, with the pictures where they are, or made anew."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from markdown_it import MarkdownIt

from minifcn.course.catalogue import Lesson, lessons_folder
from minifcn.course.page import render

_STYLE = """
body { max-width: 48rem; margin: 2rem auto; padding: 0 1rem; font: 1.05rem/1.6 Georgia, serif; color: #1a1a1a }
h1, h2, h3, table { font-family: system-ui, sans-serif; line-height: 1.25 } h2 { margin-top: 2.5rem }
code { font: 0.9em/1.45 "DejaVu Sans Mono", Menlo, Consolas, monospace }
pre { background: #f6f6f4; padding: 0.8rem 1rem; overflow-x: auto; border-left: 3px solid #0072b2 }
pre:has(> .language-text) { background: #fff; border-left-color: #bdbdbd }
img { max-width: 100% } table { border-collapse: collapse } td, th { padding: 0.2rem 0.8rem; border-bottom: 1px solid #ddd }
@media print { body { max-width: none } pre, img { break-inside: avoid } }
"""


def as_html(one: Lesson) -> Path:
    """Writes the lesson's page as HTML into a temporary folder of its own and returns its path.

    A page that is not there with all its pictures is made first, by running the lesson: an installed package has the scripts
    alone. Raises LessonFailed where that fails.
    """
    made = Path(tempfile.mkdtemp(prefix=f"minifcn-lesson-{one.number:02}-"))
    folder = lessons_folder()
    if not _has_its_page(one, folder):
        folder = made
        render(one).save(folder, one)
    text = (folder / f"{one.name}.md").read_text(encoding="utf-8")
    body = MarkdownIt("commonmark").enable("table").render(text)
    body = re.sub(r'<a href="(?!https?:|#)([^"]+)">(.*?)</a>', lambda m: _link(folder, m[1], m[2]), body)
    body = re.sub(r'src="(?!https?:)([^"]+)"', lambda m: f'src="{(folder / m[1]).as_uri()}"', body)
    page = made / f"{one.name}.html"
    head = f'<meta charset="utf-8"><title>{one.title}</title><style>{_STYLE}</style>'
    page.write_text(f'<!doctype html><html lang="en">{head}{body}</html>\n', encoding="utf-8")
    return page


def _has_its_page(one: Lesson, folder: Path) -> bool:
    page = folder / f"{one.name}.md"
    return page.is_file() and all(
        (folder / picture).is_file() for picture in re.findall(r"!\[.*?\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    )


def _link(folder: Path, target: str, words: str) -> str:
    """A link to a file beside the page or the script; where there is none, the command that shows the same."""
    for path in (folder / target, lessons_folder() / target):
        if path.is_file():
            return f'<a href="{path.as_uri()}">{words}</a>'
    number = re.match(r"\d\d(?=_)", target)
    return f"{words} (<code>minifcn lesson {f'open {int(number[0])}' if number else 'list'}</code>)"
