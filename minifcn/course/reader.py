"""A lesson's page for the browser: the same Markdown as one HTML file, with the pictures where they are, or made anew.

The pages of all lessons that are there are written side by side, so that links lead from one to the next. A page needs no
network: its style sheet (web/page.css), its colours and what makes it move (web/interactive.js) are inside it.
"""

from __future__ import annotations

import html
import re
import tempfile
from collections.abc import Collection
from pathlib import Path

from markdown_it import MarkdownIt
from PIL import Image
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from minifcn.course.catalogue import Lesson, lessons_folder, written
from minifcn.course.glossary import GLOSSARY, MISCONCEPTIONS, anchor
from minifcn.course.page import before_and_after, render, without_head_and_foot
from minifcn.visualize import style

_WEB = Path(__file__).with_name("web")
# Their colours for Python have a contrast of at least 4.5 to the ground that web/page.css gives them.
_LIGHT, _DARK = "xcode", "github-dark"
INDEX = "README"
BESIDE = {INDEX: "All lessons", GLOSSARY: "Glossary", MISCONCEPTIONS: "Misconceptions"}  # pages that are no lessons
_ANSWER = re.compile(r'<details class="answer"><summary>Answer</summary>(.*?)</details>', re.DOTALL)


def as_html(one: Lesson) -> Path:
    """Writes the lesson's page as HTML into a temporary folder of its own, beside those of the others, and returns its path.

    A page that is not there with all its pictures is made first, by running the lesson: an installed package has the scripts
    alone, and there the other lessons are named by the command that opens them. Raises LessonFailed where that fails.
    """
    made = Path(tempfile.mkdtemp(prefix=f"minifcn-lesson-{one.number:02}-"))
    folder = lessons_folder()
    there = [other for other in written() if has_its_page(other, folder)]
    names = {one.name, *(other.name for other in there)}
    beside = [name for name in BESIDE if (folder / f"{name}.md").is_file()]
    names |= set(beside)
    for name in beside:
        _write_beside(made, name, folder, names)
    for other in there:
        if other != one:
            _write_lesson(made, other, folder, names)
    if one not in there:
        render(one).save(made, one)
    return _write_lesson(made, one, folder if one in there else made, names)


def all_pages(folder: Path, made: Path) -> list[Path]:
    """Writes the pages in `folder`, of all lessons and beside them, as HTML into `made`. All lessons have their page there."""
    made.mkdir(parents=True, exist_ok=True)
    names = {*(one.name for one in written()), *BESIDE}
    pages = [_write_beside(made, name, folder, names) for name in BESIDE]
    return pages + [_write_lesson(made, one, folder, names) for one in written()]


def has_its_page(one: Lesson, folder: Path) -> bool:
    """Whether the folder has the lesson's page, with all its pictures."""
    page = folder / f"{one.name}.md"
    return page.is_file() and all(
        (folder / picture).is_file() for picture in re.findall(r"!\[.*?\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    )


def _write_lesson(made: Path, one: Lesson, folder: Path, names: Collection[str]) -> Path:
    body = _body(folder, folder / f"{one.name}.md", names)
    script = f'<a href="{one.script.as_uri()}">this lesson as a script</a>'
    turn = _turn(one, folder, names)
    header = f'<header><nav class="turn">{turn}</nav></header>'
    about = f'<p class="about">about {one.minutes} minutes · {script}</p>'
    body = body.replace("</h1>", f"</h1>\n{about}\n{_contents(body)}", 1) + _printed_answers(body)
    return _write(made, one.name, one.title, f'{body}<footer><nav class="turn">{turn}</nav></footer>', header)


def _write_beside(made: Path, name: str, folder: Path, names: Collection[str]) -> Path:
    """A page that is no lesson, with links to the others of its kind."""
    links = [_link(folder, names, f"{other}.md", title) for other, title in BESIDE.items() if other in names and other != name]
    header = f'<header><nav class="turn">{" ".join(f"<span>{link}</span>" for link in links)}</nav></header>'
    return _write(made, name, BESIDE[name], _body(folder, folder / f"{name}.md", names), header)


def _write(made: Path, name: str, title: str, body: str, header: str = "") -> Path:
    page = made / f"{name}.html"
    moving = f"<script>{(_WEB / 'interactive.js').read_text(encoding='utf-8')}</script>" if "data-kind=" in body else ""
    page.write_text(
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)} · minifcn</title><style>{_style()}</style></head>\n"
        f"<body>{header}<main>\n{body}</main>{moving}</body>\n</html>\n",
        encoding="utf-8",
    )
    return page


def _style() -> str:
    light, dark = (HtmlFormatter(style=style).get_style_defs("pre") for style in (_LIGHT, _DARK))
    coloured = f"@media screen, print {{ {light} }}\n@media screen and (prefers-color-scheme: dark) {{ {dark} }}"
    return coloured + "\n" + (_WEB / "page.css").read_text(encoding="utf-8")  # which comes last: its grounds hold


# ---------------------------------------------------------------------------------------------------------------- the body


def _body(folder: Path, source: Path, names: Collection[str]) -> str:
    """The Markdown file `source` as HTML, its links leading to the pages of these `names`, which lie side by side."""
    text = source.read_text(encoding="utf-8")
    text = text if source.stem in BESIDE else without_head_and_foot(text)
    body = MarkdownIt("commonmark", {"highlight": _code}).enable("table").render(text)
    body = re.sub(r'<a href="(?!https?:|#)([^"]+)">(.*?)</a>', lambda m: _link(folder, names, m[1], m[2]), body)
    body = re.sub(r'<img src="(?!https?:)([^"]+)"( width="\d+")?', lambda m: _picture(folder / m[1], m[2] or ""), body)
    body = re.sub(r"<h2>(.*?)</h2>", lambda m: f'<h2 id="{_anchor(m[1])}">{m[1]}</h2>', body)
    body = re.sub(r"<p>(<img [^>]*>)</p>", r'<p class="picture">\1</p>', body)
    body = body.replace("<details><summary>Answer<", '<details class="answer"><summary>Answer<')
    body = body.replace("<p><strong>Picture ", '<p class="caption"><strong>Picture ')
    return re.sub(
        r"<!-- interactive (\w+) (\{.*?\}) -->", r'<div data-kind="\1"><script type="application/json">\2</script></div>', body
    )


def _code(text: str, language: str, _attributes: object) -> str:
    """A block of code: Python in colours, what was printed as it is."""
    inside = highlight(text, PythonLexer(), HtmlFormatter(nowrap=True)) if language == "python" else html.escape(text)
    return f'<pre class="{language or "text"}"><code>{inside}</code></pre>'


def _picture(path: Path, width: str) -> str:
    """The beginning of a picture's tag. Stills have 150 dots an inch: as wide as that makes them, and sharp on good screens.

    On a phone a wide one is made smaller, but not so small that its letters cannot be read: then it can be moved.
    """
    if not width:
        with Image.open(path) as picture:
            scale = 96 / style.DPI if path.suffix == ".png" else 1
            W, H = (round(scale * length) for length in picture.size)
        return f'<img src="{path.as_uri()}" width="{W}" height="{H}" style="min-width: {round(0.55 * W)}px"'
    return f'<img src="{path.as_uri()}"{width}'


def _link(folder: Path, names: Collection[str], target: str, words: str) -> str:
    """A link to a page beside this one, or to a file; where there is none, the command that shows the same."""
    name, _, place = target.partition(".md")
    if name in names:
        return f'<a href="{name}.html{place}">{words}</a>'
    for path in (folder / target, lessons_folder() / target):
        if path.is_file():
            return f'<a href="{path.as_uri()}">{words}</a>'
    number = re.match(r"\d\d(?=_)", target)
    return f"{words} (<code>minifcn lesson {f'open {int(number[0])}' if number else 'list'}</code>)"


def _turn(one: Lesson, folder: Path, names: Collection[str]) -> str:
    """The links to the lesson before, to all lessons, and to the lesson after."""
    before, after = before_and_after(one)
    links = [("← " + before.title, before.name)] if before else []
    links += [("All lessons", INDEX), *([(after.title + " →", after.name)] if after else [])]
    return " ".join(f"<span>{_link(folder, names, f'{name}.md', html.escape(words))}</span>" for words, name in links)


def _contents(body: str) -> str:
    headings = re.findall(r'<h2 id="([^"]+)">(.*?)</h2>', body)
    lines = "".join(f'<li><a href="#{anchor}">{words}</a></li>' for anchor, words in headings)
    return f'<nav class="contents" aria-label="Contents"><ol>{lines}</ol></nav>' if headings else ""


def _anchor(words: str) -> str:
    return anchor(re.sub(r"<.*?>", "", html.unescape(words)))


def _printed_answers(body: str) -> str:
    """The folded answers once more, for paper, which cannot be unfolded: in order, behind everything else."""
    answers = "".join(f"<li>{answer}</li>" for answer in _ANSWER.findall(body))
    return f'<section class="answers"><h2>Answers, in order</h2><ol>{answers}</ol></section>' if answers else ""
