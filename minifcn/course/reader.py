"""A lesson's page for the browser: the same Markdown as one HTML file, with the pictures where they are."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from markdown_it import MarkdownIt

from minifcn.course.catalogue import Lesson, lessons_folder

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
    """Writes the lesson's page as HTML into a temporary folder and returns its path.

    Raises FileNotFoundError where the page has not been rendered.
    """
    folder = lessons_folder()
    source = folder / f"{one.name}.md"
    if not source.is_file():
        raise FileNotFoundError(f"{source} is not there; make it with `minifcn lesson render {one.number}`")
    page = Path(tempfile.gettempdir()) / "minifcn-lessons" / f"{one.name}.html"
    page.parent.mkdir(exist_ok=True)
    body = MarkdownIt("commonmark").enable("table").render(source.read_text(encoding="utf-8"))
    body = re.sub(r'(src|href)="(?!https?:|#)([^"]+)"', lambda m: f'{m[1]}="{(folder / m[2]).as_uri()}"', body)
    head = f'<meta charset="utf-8"><title>{one.title}</title><style>{_STYLE}</style>'
    page.write_text(f'<!doctype html><html lang="en">{head}{body}</html>\n', encoding="utf-8")
    return page
