"""The glossary, the misconceptions and the site: complete, linked, readable without scripts or network."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from minifcn.course import catalogue, glossary, site
from minifcn.course.catalogue import LESSONS, lessons_folder
from minifcn.course.page import Page
from minifcn.course.script import read


def test_the_two_pages_are_those_of_the_lessons():
    for name, text in glossary.pages().items():
        kept = (lessons_folder() / f"{name}.md").read_text(encoding="utf-8")
        assert kept == text, f"{name}.md no longer matches: minifcn lesson render"


def test_every_lesson_refutes_something_in_a_section_that_asserts():
    found = glossary.misconceptions()
    assert [entry.lesson.number for entry in found] == sorted(entry.lesson.number for entry in found)
    assert {entry.lesson.number for entry in found} == {one.number for one in LESSONS}
    for entry in found:
        cells = read(entry.lesson.script)
        start = next(k for k, cell in enumerate(cells) if f"## {entry.section}" in cell.text.splitlines())
        end = next(k for k, cell in enumerate(cells) if f'"{entry.words}"' in " ".join(cell.text.split()) and k > start)
        assert any(cell.is_code and "assert " in cell.text for cell in cells[start:end])


def test_a_term_is_once_in_the_glossary_and_its_sentence_has_it():
    entries = glossary.glossary()
    terms = [entry.words for entry in entries]
    assert len(terms) == len(set(terms)) >= 80
    assert terms == sorted(terms, key=str.lower)
    assert {"stride", "padding", "void", "im2col", "adjoint", "atrous", "race", "mean IU"} <= set(terms)
    for entry in entries:
        assert f"**{entry.words}**" in entry.sentence
        assert len(entry.sentence) > len(entry.words) + 10
        assert re.match(r"[A-Z]|\*\*[a-z]", entry.sentence), entry.sentence
        assert entry.sentence.endswith((".", "?", "!", '."', ".)")), entry.sentence
        assert entry.sentence.count("(") == entry.sentence.count(")"), entry.sentence
    first = {entry.words: entry.lesson.number for entry in entries}
    assert (first["void"], first["stride"], first["deconvolution"], first["race"]) == (1, 2, 10, 17)


def test_what_is_only_announced_gives_way_to_what_explains(monkeypatch, tmp_path):
    def lesson(number, text):
        one = catalogue.Lesson(number, f"{number:02}_made", f"Made {number}", 1, "")
        (tmp_path / f"{one.name}.py").write_text("# %% [markdown]\n" + "".join(f"# {line}\n" for line in text.splitlines()))
        return one

    one = lesson(
        1,
        "# 01 · Made 1\n\nAt the end you know\n\n- what a **tap** is,\n- more.\n\n"
        "## Taps\n\nA kernel has places. These are **taps**.\n\n(A note.) Nine taps are summed to a **sum**:\n\n"
        "    y = a  +  b\n\nNow two lists of a **kind**: the first. Points:\n\n- A **point** ends so;\n- more.",
    )
    two = lesson(
        2,
        "# 02 · Made 2\n\n## Again\n\nA **tap** is one number of a kernel.\n\n"
        "**Break it.** The symptom: **nothing at all**.\n\n"
        'Not a **Term** and not *this*.\n\n**So much for:** "All taps are\nequal."',
    )
    monkeypatch.setattr(catalogue, "lessons_folder", lambda: tmp_path)
    monkeypatch.setattr(glossary, "written", lambda: [one, two])
    found = {entry.words: (entry.sentence, entry.section) for entry in glossary.glossary()}
    assert found == {
        "tap": ("A **tap** is one number of a kernel.", "Again"),
        "taps": ("A kernel has places. These are **taps**.", "Taps"),
        "sum": ("Nine taps are summed to a **sum**: `y = a + b`.", "Taps"),
        "kind": ("Now two lists of a **kind**: the first.", "Taps"),
        "point": ("A **point** ends so.", "Taps"),
    }
    assert [(entry.words, entry.section) for entry in glossary.misconceptions()] == [("All taps are equal.", "Again")]


# -------------------------------------------------------------------------------------------------------------- the site


class Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.targets, self.places, self.outside = [], set(), []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if "id" in given:
            self.places.add(given["id"])
        if tag == "a" and "href" in given:
            self.targets.append(given["href"])
        if tag in ("img", "script", "link") and (address := given.get("src") or given.get("href")):
            self.targets.append(address)
            self.outside += [address] if "//" in address else []


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("site") / "course"
    assert site.write(out) == out / "index.html"
    pages = {}
    for path in out.glob("*.html"):
        pages[path.name] = Links()
        pages[path.name].feed(path.read_text(encoding="utf-8"))
    return out, pages


def test_all_pages_are_there_and_every_link_leads_somewhere(made):
    out, pages = made
    assert set(pages) == {"index.html", "GLOSSARY.html", "MISCONCEPTIONS.html", *(f"{one.name}.html" for one in LESSONS)}
    for name, page in pages.items():
        for target in page.targets:
            if target.startswith("http"):
                continue
            file, _, place = target.partition("#")
            assert (out / unquote(file or name)).is_file(), (name, target)
            assert not place or unquote(place) in pages[file or name].places, (name, target)


def test_it_needs_no_network_and_nothing_of_this_machine(made):
    out, pages = made
    for name, page in pages.items():
        assert page.outside == []
        text = (out / name).read_text(encoding="utf-8")
        assert "file://" not in text
        assert str(lessons_folder()) not in text


def test_every_lesson_can_be_reached_from_the_first_page_and_read_without_scripts(made):
    out, pages = made
    assert {f"{one.name}.html" for one in LESSONS} | {"GLOSSARY.html", "MISCONCEPTIONS.html"} <= {
        target.partition("#")[0] for target in pages["index.html"].targets
    }
    interactive = 0
    for one in LESSONS:
        text = (out / f"{one.name}.html").read_text(encoding="utf-8")
        interactive += "data-kind=" in text
        readable = re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
        assert "What you now own" in readable
        assert readable.count("<img ") >= 5
    assert interactive > 0


def test_written_again_it_is_the_same_and_something_else_is_left_alone(made, tmp_path):
    out, _ = made
    before = {path.name: path.read_bytes() for path in out.glob("*.html")}
    site.write(out)
    assert {path.name: path.read_bytes() for path in out.glob("*.html")} == before
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds something else; choose a new folder"):
        site.write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]
    with pytest.raises(ValueError, match="holds something else"):
        site.write(tmp_path / "letter.txt")


def test_where_pages_are_missing_they_are_made(monkeypatch, tmp_path):
    some = LESSONS[:2]
    monkeypatch.setattr(site, "written", lambda: some)
    monkeypatch.setattr(site.reader, "written", lambda: some)
    monkeypatch.setattr(site.reader, "has_its_page", lambda one, folder: False)
    monkeypatch.setattr(site.glossary, "written", lambda: some)
    monkeypatch.setattr(
        site, "render", lambda one: Page(f"head\n\nlinks\n\n# {one.number:02} · {one.title}\n\nfoot\n\nlinks\n", {})
    )
    told = []
    site.write(tmp_path / "site", told.append)
    assert [line.endswith("making its page") for line in told] == [True, True]
    index = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert all(f'href="{one.name}.html"' in index for one in some)
