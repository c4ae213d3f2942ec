"""A lesson's page in the browser: what is in it, what a reader with a mouse, a phone or a printer gets."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from pygments.lexers import PythonLexer
from pygments.styles import get_style_by_name

from minifcn import visualize as vis
from minifcn.course import reader
from minifcn.course.catalogue import lesson, written
from minifcn.course.page import render
from minifcn.visualize import style

POINTING = """\
# %% [markdown]
# # 03 A lesson
# ## First part
# **Predict.** How much is it?
#
# <details><summary>Answer</summary>
#
# It is two.
#
# </details>
#
# ## Second part

# %%
import numpy as np

from minifcn import visualize as vis

a_line_that_is_far_too_long_for_any_page = "a word and " * 40 + "an end"
x = np.array([[1.0, 2, 0, -1], [3, 4, 0.5, 2], [0, -2, 1, 1]])
weight = np.array([[1.0, -2, 3], [0, 5, -1]])
print("x" * 150)

# %% drawing
vis.show(vis.interactive("window", x, weight, 1, 1, start=(1, 2)), "window", "Point at a number of y.")
vis.show(vis.interactive("stamp", x, weight, 2, 1, start=(0, 1)), "stamp", "Point at a number of x.")
truth = np.pad(np.ones((2, 3)), ((1, 2), (1, 3)))  # (5, 7)
prediction = np.roll(truth, (1, 1), (0, 1))
vis.show(vis.interactive("overlap", truth, prediction), "overlap", "Drag the prediction.")
assert x.size == 12
"""
X = np.array([[1.0, 2, 0, -1], [3, 4, 0.5, 2], [0, -2, 1, 1]])
WEIGHT = np.array([[1.0, -2, 3], [0, 5, -1]])
CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")  # and no longer: Playwright is started once at a time
def browser() -> Iterator:
    """Debian's Chromium without a window, steered by Playwright, which downloads nothing; skips where one is not there."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium to open pages with: apt-get install -y --no-install-recommends chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install -e '.[browser]'")
    with playwright.sync_playwright() as steering:
        root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []  # Chromium's own refuses root
        opened = steering.chromium.launch(executable_path=CHROMIUM, args=root)
        yield opened
        opened.close()


@pytest.fixture
def page(lesson_in, tmp_path, monkeypatch) -> Path:
    """The page of a small lesson as the reader has it."""
    one = lesson_in(POINTING)
    render(one).save(tmp_path, one)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return reader.as_html(one)


def opened(browser, page: Path, width: int = 1280, **options):
    """The page in a window of this width, from which nothing can reach a network."""
    tab = browser.new_context(viewport={"width": width, "height": 800}, offline=True, **options).new_page()
    tab.on("pageerror", lambda error: pytest.fail(f"the page's script failed: {error}"))
    tab.goto(page.as_uri())
    return tab


def test_it_is_whole_without_a_network(page):
    text = page.read_text(encoding="utf-8")
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text
    assert "https://" not in text
    assert "http://" not in text
    assert re.findall(r'href="#([^"]+)"', text) == re.findall(r'<h2 id="([^"]+)"', text) == ["first-part", "second-part"]
    assert '<span class="kn">import</span>' in text  # Python has its colours
    assert text.count("It is two.") == 2  # folded, and once more for paper


def test_colours_of_code_can_be_read():
    for name, ground, ink in ((reader._LIGHT, "#f5f5f2", "#1a1a1a"), (reader._DARK, "#22252b", "#e6e4df")):
        css = (reader._WEB / "page.css").read_text(encoding="utf-8")
        assert f"--code: {ground}" in css
        assert f"--ink: {ink}" in css
        source = "\n".join(one.script.read_text(encoding="utf-8") for one in written())
        kinds = {kind for kind, text in PythonLexer().get_tokens(source) if text.strip()}
        colours = [get_style_by_name(name).style_for_token(kind)["color"] for kind in kinds]
        assert min(style.contrast(f"#{colour}" if colour else ink, ground) for colour in colours) >= 4.5


def test_links_lead_to_pages_made_the_same_way():
    """Of the real lessons: every link of every page leads to a file that is there, and none to a raw Markdown page."""
    folder = reader.as_html(lesson(2)).parent
    assert {path.stem for path in folder.glob("*.html")} == {*reader.BESIDE, *(one.name for one in written())}
    for path in folder.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        targets = [unquote(target) for target in re.findall(r'(?:href|src)="([^"#]+)(?:#[^"]*)?"', text)]
        assert len(targets) > 3
        for target in targets:
            assert not target.endswith(".md"), (path.name, target)
            assert (folder / target.removeprefix("file://")).is_file(), (path.name, target)


def test_the_lessons_turn_into_each_other():
    page = reader.as_html(lesson(written()[1].number))
    before, _, after = written()[:3]
    for nav in re.findall(r'<nav class="turn">.*?</nav>', page.read_text(encoding="utf-8")):
        assert re.findall(r'href="([^"]+)"', nav) == [f"{before.name}.html", "README.html", f"{after.name}.html"]


@pytest.mark.parametrize("width", [1280, 390])
def test_no_line_is_cut_off(browser, page, width):
    tab = opened(browser, page, width)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    for kind, wraps in (("python", True), ("text", False)):
        size = "p => [p.scrollWidth - p.clientWidth, getComputedStyle(p).overflowX]"
        for over, overflow in tab.eval_on_selector_all(f"pre.{kind}", f"blocks => blocks.map({size})"):
            assert overflow == "auto"  # what does not fit can be moved
            assert not (wraps and over > 1)


def test_printed_code_wraps_and_answers_are_at_the_end(browser, page):
    tab = opened(browser, page, 700)
    tab.emulate_media(media="print")
    assert not any(tab.eval_on_selector_all("pre", "blocks => blocks.map(p => p.scrollWidth > p.clientWidth + 1)"))
    assert tab.locator(".answers").is_visible()
    assert tab.locator(".answers").inner_text().endswith("It is two.")
    assert not tab.locator("main > details").last.is_visible()  # how a picture is drawn
    assert tab.locator("[data-kind]").count() == 3
    assert not tab.locator("[data-kind]").first.is_visible()
    assert tab.locator(".picture").first.is_visible()  # paper shows the still instead


def test_an_answer_is_folded_until_it_is_asked_for(browser, page):
    tab = opened(browser, page)
    answer = tab.locator("details", has_text="It is two.").locator("p")
    assert not answer.is_visible()
    tab.get_by_text("Answer", exact=True).click()
    assert answer.is_visible()


def test_it_is_dark_for_those_who_like_it_dark(browser, page):
    grounds = [
        opened(browser, page, color_scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    ]
    lightness = [style.luminance([int(part) / 255 for part in re.findall(r"\d+", ground)]) for ground in grounds]
    assert lightness[0] > 0.9
    assert lightness[1] < 0.05


def cell(tab, kind: str, name: str, row: int, column: int):
    return tab.locator(f'[data-kind="{kind}"] .of-{name} tr').nth(row).locator("td").nth(column)


def marked(tab, kind: str, name: str) -> list[list[int]]:
    """Which cells of a table are framed, [row, column]."""
    rows = tab.locator(f'[data-kind="{kind}"] .of-{name} tr').all()
    return [
        [i, j]
        for i, row in enumerate(rows)
        for j, td in enumerate(row.locator("td").all())
        if "with" in (td.get_attribute("class") or "").split()
    ]


def said(tab, kind: str) -> str:
    return tab.locator(f'[data-kind="{kind}"] output').inner_text()


def test_an_output_shows_its_window(browser, page):
    tab = opened(browser, page)
    assert said(tab, "window").startswith("y[1, 2] = ")  # where it starts
    cell(tab, "window", "y", 2, 1).hover()
    assert marked(tab, "window", "x") == [[i, j] for i in (2, 3) for j in (1, 2, 3)]  # x is drawn with its padding
    assert len(marked(tab, "window", "kernel")) == 6
    window = np.pad(X, 1)[2:4, 1:4]
    assert said(tab, "window") == f"y[2, 1] = {terms(window, WEIGHT)} = {number((window * WEIGHT).sum())}"


def test_an_input_shows_the_windows_that_hold_it(browser, page):
    tab = opened(browser, page)
    cell(tab, "window", "x", 1, 1).hover()
    assert marked(tab, "window", "y") == [[0, 0], [0, 1], [1, 0], [1, 1]]
    uses = "y[0, 0] times 5, y[0, 1] times 0, y[1, 0] times (−2), y[1, 1] times 1"
    assert said(tab, "window") == f"x = 1 goes into {uses}."


def test_an_input_of_a_deconvolution_shows_its_stamp_and_an_output_what_reaches_it(browser, page):
    tab = opened(browser, page)
    cell(tab, "stamp", "x", 1, 2).hover()
    assert marked(tab, "stamp", "y") == [[1, 3], [1, 4], [1, 5], [2, 3], [2, 4], [2, 5]]
    cell(tab, "stamp", "x", 0, 0).hover()
    assert marked(tab, "stamp", "y") == [[0, 0], [0, 1]]  # the rest is cut off
    assert said(tab, "stamp") == "x = 1 goes into y[0, 0] times 5, y[0, 1] times (−1)."
    cell(tab, "stamp", "y", 1, 1).hover()
    assert marked(tab, "stamp", "x") == [[1, 0], [1, 1]]
    assert said(tab, "stamp") == "y[1, 1] = 3 · 3 + 4 · 1 = 13"


def test_a_click_keeps_it_until_the_next(browser, page):
    tab = opened(browser, page)
    cell(tab, "stamp", "x", 2, 3).click()
    kept = said(tab, "stamp")
    cell(tab, "stamp", "x", 0, 0).hover()
    assert said(tab, "stamp") != kept
    tab.locator("h1").hover()
    assert said(tab, "stamp") == kept
    cell(tab, "stamp", "x", 2, 3).click()
    tab.locator("h1").hover()
    assert said(tab, "stamp") != kept  # back to where it starts


def test_arrow_keys_walk_and_enter_keeps(browser, page):
    tab = opened(browser, page)
    cell(tab, "window", "y", 0, 0).focus()
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("ArrowRight")
    assert said(tab, "window").startswith("y[1, 1] = ")
    tab.keyboard.press("Enter")
    assert tab.locator(".pinned").count() == 1


def test_a_finger_does_what_the_mouse_does(browser, page):
    tab = opened(browser, page, 390, has_touch=True)
    cell(tab, "window", "y", 3, 3).tap()
    assert said(tab, "window").startswith("y[3, 3] = ")


def letters(tab) -> str:
    """The board of the two sets, a line a row."""
    rows = tab.locator('[data-kind="overlap"] tr').all()
    return "\n".join("".join(td.inner_text() or "." for td in row.locator("td").all()) for row in rows)


def test_a_prediction_is_dragged_over_the_truth_and_says_its_iu(browser, page):
    tab = opened(browser, page)
    assert letters(tab) == ".......\n.TTT...\n.TBBP..\n..PPP..\n......."
    assert said(tab, "overlap") == "intersection 2, union 10, IU = 2 / 10 = 0.20"
    tab.locator('[data-kind="overlap"] tr').nth(3).locator("td").nth(3).hover()
    tab.mouse.down()
    tab.locator('[data-kind="overlap"] tr').nth(2).locator("td").nth(2).hover()
    tab.mouse.up()
    assert said(tab, "overlap") == "intersection 6, union 6, IU = 6 / 6 = 1.00"
    tab.locator('[data-kind="overlap"] tr').nth(0).locator("td").nth(6).hover()  # not held: nothing moves
    assert letters(tab) == ".......\n.BBB...\n.BBB...\n.......\n......."


def test_arrow_keys_move_the_prediction_up_to_the_edge(browser, page):
    tab = opened(browser, page)
    tab.locator(".overlap").focus()
    for _ in range(9):
        tab.keyboard.press("ArrowRight")
    assert letters(tab) == ".......\n.TTT...\n.TTTPPP\n....PPP\n......."
    assert said(tab, "overlap") == "intersection 0, union 12, IU = 0 / 12 = 0.00"


def test_the_markdown_page_shows_the_still_and_holds_the_numbers(lesson_in):
    page = render(lesson_in(POINTING))
    assert set(page.pictures) == {"03_window.png", "03_stamp.png", "03_overlap.png"}
    kind, data = re.findall(r"<!-- interactive (\w+) (.*) -->", page.text)[1]
    assert kind == "stamp"
    y = json.loads(data)["y"]
    assert np.shape(y) == (4, 7)
    assert y[1][1] == 13


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("windows", X, WEIGHT), "there is no interactive picture of kind 'windows'; choose one of window, stamp, overlap"),
        (("window", X, WEIGHT, 1, 0, (2, 0)), r"start=\(2, 0\) lies outside of the 2 by 2 numbers to point at"),
        (("overlap", X > 0, X > 9), "the prediction has no pixel, so there is nothing to move"),
        (("overlap", X > 0, WEIGHT > 0), "they must be of one picture"),
        (("stamp", X[0], WEIGHT), r"x has shape \(4,\)"),
    ],
)
def test_what_cannot_be_pointed_at_is_refused(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        vis.interactive(*arguments)


def number(value: float) -> str:
    return f"{value:g}".replace("-", "−")


def terms(window: np.ndarray, weight: np.ndarray) -> str:
    def bracketed(value: float) -> str:
        return f"({number(value)})" if value < 0 else number(value)

    return " + ".join(f"{bracketed(a)} · {bracketed(w)}" for a, w in zip(window.ravel(), weight.ravel(), strict=True))
