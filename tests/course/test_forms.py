"""The forms that every lesson keeps, so that a reader knows what to expect: predictions, break-its, one page at the end."""

from __future__ import annotations

import colorsys
import re
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from minifcn.course.card import HEADING, card
from minifcn.course.catalogue import Lesson, lessons_folder, written
from minifcn.course.exercises import exercises
from minifcn.course.script import Cell, read

each_lesson = pytest.mark.parametrize("one", written(), ids=lambda one: one.name)
ANSWER = "<details><summary>Answer</summary>"
WIDEST = 92


def texts(one: Lesson) -> list[str]:
    return [cell.text for cell in read(one.script) if not cell.is_code]


def section(one: Lesson, heading: str) -> list[Cell]:
    """The cells of a section, the first one from its heading on, the last one up to the next heading."""
    found: list[Cell] = []
    for cell in read(one.script):
        for part in re.split(r"(?m)^(?=## )", cell.text) if not cell.is_code else [cell.text]:
            starts = not cell.is_code and part.startswith("## ")
            if (starts and part.splitlines()[0] == heading) or (found and not starts):
                found.append(Cell(cell.kind, part, cell.line))
            elif starts and found:
                return found
    return found


@each_lesson
def test_at_least_four_times_the_reader_predicts_before_being_told(one):
    events = re.findall(rf"(?m)^\*\*Predict\.\*\*|^{ANSWER}$", "\n".join(texts(one)))
    asked = [place for place, event in enumerate(events) if event != ANSWER]
    assert len(asked) >= 4
    assert all(events[place + 1] == ANSWER for place in asked)  # each has its own answer
    assert re.search(r"\*\*Predict\.\*\*[^#]*?\b[Ww]hich of (?:these|the) four", "\n".join(texts(one)))


@each_lesson
def test_what_is_folded_unfolds(one):
    """A blank line behind the summary and before the end, or Markdown shows the text as it is typed."""
    for text in texts(one):
        assert text.count("<details>") == text.count("</details>")
        assert len(re.findall(r"(?m)^<details><summary>.*</summary>$\n\n", text)) == text.count("<details>")
        assert len(re.findall(r"\n\n</details>(?:\n\n|$)", text)) == text.count("</details>")


@each_lesson
def test_formulas_are_written_in_plain_letters(one):
    """A page is read in a terminal, on GitHub and in the browser; only one of these would set LaTeX."""
    assert not any(re.search(r"\$|\\\w+\{", text) for text in texts(one))


@each_lesson
def test_at_least_twice_something_is_broken_and_seen_to_be_wrong(one):
    cells = read(one.script)
    broken = [after for cell, after in pairwise(cells) if not cell.is_code and re.search(r"(?m)^\*\*Break it\.\*\*", cell.text)]
    assert len(broken) >= 2
    for after in broken:
        assert after.is_code, after.text
        assert "assert " in after.text


@each_lesson
def test_no_line_of_code_is_too_wide_for_a_page(one):
    wide = [line for cell in read(one.script) if cell.is_code for line in cell.text.splitlines() if len(line) > WIDEST]
    assert wide == []


@each_lesson
def test_it_ends_as_every_lesson_ends(one):
    found = re.findall(r"(?m)^(## .*|\*\*What you now own:\*\*)", "\n".join(texts(one)))
    assert found[-4:] == ["## To think about", "## Exercises", HEADING, "**What you now own:**"]
    thinking = section(one, "## To think about")
    assert "".join(cell.text for cell in thinking).count(ANSWER) == sum("assert " in cell.text for cell in thinking) >= 1
    steps = "".join(cell.text for cell in section(one, "## Exercises"))
    for exercise in exercises(one):
        step = "Stretch" if exercise.step == "stretch" else exercise.step.capitalize()
        assert re.search(rf"(?m)^\*\*{step}\b[^`]*`{re.escape(exercise.signature)}`", steps.replace(",\n", ", ")), exercise.name


@each_lesson
def test_on_one_page_there_is_one_picture_a_few_formulas_and_three_sentences(one):
    cells = section(one, HEADING)
    assert [cell.kind for cell in cells] == ["markdown", "drawing", "markdown"]
    assert cells[1].text.count("vis.show(") == 1
    formulas, sentences = re.fullmatch(
        r"((?: {4}.*\n)+)\n(.*?)\n\n\*\*What you now own:\*\* .*", cells[2].text, re.DOTALL
    ).groups()
    assert 1 <= len(formulas.splitlines()) <= 5
    assert len(re.findall(r"[.?!](?=\s|$)", sentences)) == 3, sentences
    assert all(line.strip() in card(one) for line in formulas.splitlines())


@each_lesson
def test_classes_have_light_colours_and_frames_are_dark(one):
    source = one.script.read_text(encoding="utf-8")
    shown = [cell.text for cell in read(one.script) if cell.kind == "drawing" and "VOC_PALETTE" in cell.text]
    assert sum("vis.draw_palette(VOC_CLASSES, VOC_PALETTE)" in text for text in shown) == (one.number == 1)  # as a fact
    assert one.number == 1 or "VOC_PALETTE" not in source
    assert not re.search(r"\b(?:ORANGE|VERMILION)\b", source)


# Of hue (degrees), saturation and value: is a pixel of that colour?
COLOURS = {
    "dark red": lambda h, s, v: (h < 15 or h > 345) and s > 0.6 and 0.3 < v < 0.8,
    "red": lambda h, s, v: (h < 15 or h > 345) and s > 0.6,
    "orange": lambda h, s, v: 20 < h < 48 and s > 0.25,
    "green": lambda h, s, v: 70 < h < 175 and s > 0.2,
    "blue": lambda h, s, v: 190 < h < 250 and s > 0.12,
    "grey": lambda h, s, v: s < 0.12 and 0.25 < v < 0.97,
    "black": lambda h, s, v: v < 0.15,
}


@each_lesson
def test_a_caption_names_no_colour_that_its_picture_does_not_have(one):
    page = (lessons_folder() / f"{one.name}.md").read_text(encoding="utf-8")
    for caption, name in re.findall(r"!\[(Picture .*?)\]\(img/([^)]+)\)", page):
        with Image.open(lessons_folder() / "img" / name) as picture:
            picture.seek(getattr(picture, "n_frames", 1) - 1)
            counts = {colour: count for count, colour in picture.convert("RGB").getcolors(1 << 24)}
        pixels = np.array([colour for colour, count in counts.items() if count > 20])
        hues = [colorsys.rgb_to_hsv(*(pixels[k] / 255)) for k in range(len(pixels))]
        for word, is_it in COLOURS.items():
            if re.search(rf"\b{word}\b", caption.lower()):
                assert any(is_it(360 * h, s, v) for h, s, v in hues), (name, word)
