"""What is read out of all lessons together: a glossary, and an index of misconceptions.

A term is what a lesson sets in **bold letters** within a sentence, for the first time; the sentence says what it means, with
the formula that follows it. In the list behind "At the end you know" it is only announced, and waits for its sentence. Where
a section has refuted something that many people believe, it ends with a paragraph

    **So much for:** "It trains, so the gradient is right."
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from minifcn.course.catalogue import Lesson, written
from minifcn.course.script import read

GLOSSARY, MISCONCEPTIONS = "GLOSSARY", "MISCONCEPTIONS"  # the names of the two pages

_TERM = re.compile(r"\*\*([a-z][^*]*[^*.:])\*\*")
_REFUTED = re.compile(r'^\*\*So much for:\*\* "(.+)"$', re.DOTALL)
_END = re.compile(r"(?:(?<=[.?!])|(?<=[.?!]\)))\s+(?=[A-Z(*`0-9$])")  # of a sentence
_POINTS_BACK = re.compile(r"(This|That|Such|These|Those|It|The clerks|\*\*)\b|\*\*")  # to the sentence before
_LONGEST = 3  # words of a term


@dataclass(frozen=True)
class Entry:
    """A term with the sentence that explains it, or a misconception; and the section of the lesson where it stands."""

    words: str
    sentence: str
    lesson: Lesson
    section: str


def glossary() -> list[Entry]:
    """Every term once, from the lesson that explains it first, in alphabetical order."""
    found: dict[str, Entry] = {}
    for one in written():
        paragraphs = list(_paragraphs(one))
        for (section, paragraph), (_, following) in itertools.pairwise([*paragraphs, ("", "")]):
            if paragraph.startswith(("**Break it.**", "**Predict.**", "**What you now own:**", "|", "    ")):
                continue
            if section == "" and paragraph[0].islower():
                continue  # of "At the end you know"
            sentences = [sentence.strip() for sentence in _END.split(paragraph)]
            for k, sentence in enumerate(sentences):
                for term in _TERM.findall(sentence):
                    if len(term.split()) <= _LONGEST and len(term) > 1:
                        points_back = k > 0 and _POINTS_BACK.match(sentence)
                        said = f"{sentences[k - 1]} {sentence}" if points_back else sentence
                        found.setdefault(term, Entry(term, _ended(said, following), one, section))
    return sorted(found.values(), key=lambda entry: entry.words.lower())


def misconceptions() -> list[Entry]:
    """What each lesson refutes, in the order of the lessons; the section is the one that does it."""
    found = []
    for one in written():
        for section, paragraph in _paragraphs(one):
            if refuted := _REFUTED.match(paragraph):
                found.append(Entry(refuted[1], "", one, section))
    return found


def pages() -> dict[str, str]:
    """The two pages as Markdown, by their names."""
    terms = [f"| **{entry.words}** | {_in_a_table(entry.sentence)} | {_link(entry)} |" for entry in glossary()]
    wrong = [f"| {_in_a_table(entry.words)} | {_link(entry)} |" for entry in misconceptions()]
    return {
        GLOSSARY: "\n".join(
            [
                "# Glossary", "",
                "Each term with the sentence that first explains it, and where that is. Made from the lessons by "
                "`minifcn lesson render`.", "",
                "| term | what it is | lesson |", "|---|---|---|", *terms, "",
            ]
        ),
        MISCONCEPTIONS: "\n".join(
            [
                "# Misconceptions", "",
                "What many people believe, and the section in which it is measured. Made from the lessons by "
                "`minifcn lesson render`.", "",
                "| one hears | and this is what one sees |", "|---|---|", *wrong, "",
            ]
        ),
    }  # fmt: skip


def anchor(heading: str) -> str:
    """Of a heading in a page: what comes behind the # of a link, as GitHub makes it."""
    words = re.sub(r"[`*$]", "", heading).lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def _paragraphs(one: Lesson) -> Iterator[tuple[str, str]]:
    """Each paragraph of a lesson, on one line, with the heading that it stands under; folded answers are left out."""
    section = ""
    for cell in read(one.script):
        if cell.kind != "markdown":
            continue
        for paragraph in re.sub(r"<details>.*?</details>", "", cell.text, flags=re.DOTALL).split("\n\n"):
            text = " ".join(paragraph.split()) if not paragraph.startswith("    ") else paragraph
            if heading := re.match(r"##+ (.+)", text):
                section = heading[1]
            elif text and not text.startswith("# "):
                for point in re.split(r"(?:^| )(?:-|\d\.) (?=\S)", text) if re.match(r"- |1\. ", text) else [text]:
                    if point:
                        yield section, point


def _ended(sentence: str, following: str) -> str:
    """A sentence with its full stop; where it announces a formula, with that, if it is one line."""
    if sentence.endswith(":") and following.startswith("    ") and "\n" not in following.strip():
        return f"{sentence} `{' '.join(following.split())}`."
    return f"{sentence[:-1]}." if sentence.endswith((":", ";", ",")) else sentence


def _in_a_table(text: str) -> str:
    return text.replace("|", r"\|")


def _link(entry: Entry) -> str:
    where = f"{entry.lesson.number:02} {entry.section or entry.lesson.title}"
    place = f"#{anchor(entry.section)}" if entry.section else ""
    return f"[{_in_a_table(where)}]({entry.lesson.name}.md{place})"
