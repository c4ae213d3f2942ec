"""The page in a real browser: Debian's Chromium, driven by Playwright, which downloads none.

    apt-get install -y --no-install-recommends chromium && pip install -e '.[browser]'
    npm pack axe-core && tar xf axe-core-*.tgz && export AXE_CORE=package/axe.min.js      # for the last test

Pictures of what was seen are kept in build/explore.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minifcn.checks.network import awake, sized
from minifcn.explore import Trace
from minifcn.explore.export import exported
from minifcn.explore.server import Explorer
from minifcn.explore.session import Session
from support import explored

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install -e '.[browser]'")
CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("there is no chromium: apt-get install -y --no-install-recommends chromium", allow_module_level=True)

LAYERS = ("conv1_1", "pool1", "conv2_2", "relu3_1", "conv4_3", "fc6", "upscore2", "join_pool3.add", "upscore8", "crop")


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def explorer(demo_net):
    server = Explorer([explored.demo_session(demo_net), explored.demo_session(demo_net)])
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def file(demo_net, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "page.html"
    path.write_text(exported(explored.demo_session(demo_net)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def pictures(root) -> Path:
    folder = root / "build" / "explore"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def open_page(browser, explorer):
    """Opens a page; at the end there may be no error in its console. Each session is as at the start."""
    before, complaints, contexts = list(explorer.sessions), [], []

    def open_(address: str, width: int = 1280, height: int = 1000, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        return page

    yield open_
    for context in contexts:
        context.close()
    explorer.sessions[:] = before
    assert complaints == []


def drawn(page) -> tuple[str, list[str]]:
    """Waits until the page is drawn: the direction, and the place [key, channel, row, column]."""
    while True:
        page.wait_for_selector("body[data-drawn]", timeout=20_000)
        if said := page.get_attribute("body", "data-drawn"):  # something else may have been chosen meanwhile
            direction, *place = said.split("|")
            return direction, place


def number(page, selector: str) -> float:
    return float(page.text_content(selector).replace("−", "-"))


def click_around(page, rng: np.random.Generator):
    """Thirty clicks on thumbnails, three in each of ten layers: the place, the printed sum, the printed number."""
    for click in range(30):
        key = LAYERS[click % len(LAYERS)]
        canvas = page.locator(f'.card[data-key="{key}"] canvas').nth(int(rng.integers(3)))
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        canvas.click(position={"x": box["width"] * rng.uniform(0.05, 0.95), "y": box["height"] * rng.uniform(0.05, 0.95)})
        _, place = drawn(page)
        assert place[0] == key
        yield (key, *map(int, place[1:])), number(page, "#sum"), number(page, "#number")


def test_thirty_clicks_on_the_served_page(open_page, explorer, pictures, rng):
    page = open_page(explorer.address)
    drawn(page)
    trace, times = Trace(explorer.sessions[0].first.net, explorer.sessions[0].first.x), []  # one that no other thread is using
    for place, total, value in click_around(page, rng):
        times.append(float(page.get_attribute("body", "data-ms")))
        assert total == value, place
        terms, _, true = trace.terms(*place)
        assert value == pytest.approx(true, rel=1e-4, abs=1e-4 * np.abs(terms["weight"] * terms["x"]).max(initial=0)), place
    print(f"\nmedian of {len(times)} clicks: {statistics.median(times):.0f} ms, worst {max(times):.0f} ms")
    assert statistics.median(times) < 1500  # on an idle machine of two cores it is below 150
    page.screenshot(path=pictures / "served_1280.png")


def test_thirty_clicks_in_a_file_without_a_network(open_page, file, explorer, pictures, rng):
    page = open_page(file.as_uri(), offline=True)
    drawn(page)
    trace = Trace(explorer.sessions[0].first.net, explorer.sessions[0].first.x)
    for place, total, value in click_around(page, rng):
        terms, bias, true = trace.terms(*place)
        largest = max(np.abs(terms["weight"] * terms["x"]).max(initial=0), abs(bias), abs(true))
        assert abs(total - value) <= 2e-3 * largest, place
        assert value == pytest.approx(true, rel=1e-4, abs=1e-5 * largest), place
    page.screenshot(path=pictures / "file_1280.png")


def test_the_file_draws_the_field_and_the_views_of_the_server(open_page, file, explorer):
    shown = []
    for address in (explorer.address, file.as_uri()):
        page = open_page(address)
        drawn(page)
        page.click('.card[data-key="upscore2"] b')
        drawn(page)
        views = []
        for view in ("stamps", "zeros", "phases"):
            page.click(f'#panel button:text-is("{view}")')
            views.append(page.text_content('#panel figcaption:has-text("products so far")'))
        sums = {round(float(text.partition(": ")[2].replace("−", "-")), 2) for text in views}
        assert len(sums) == 1, views
        shown.append((page.text_content("#pictures p.muted").partition(";")[0].partition(". ")[0], sums))
    assert shown[0][0] == shown[1][0]
    assert shown[0][1].pop() == pytest.approx(shown[1][1].pop(), abs=0.011)  # the file's numbers are rounded


def test_first_paint(open_page, explorer):
    page = open_page(explorer.address)
    drawn(page)
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    print(f"\nfirst paint after {paint:.0f} ms")
    assert paint < 2000


def test_the_keyboard(open_page, explorer):
    page = open_page(explorer.address)
    _, (key, channel, row, column) = drawn(page)
    for pressed, expected in (
        ("ArrowDown", [key, channel, str(int(row) + 1), column]),
        ("ArrowRight", [key, channel, str(int(row) + 1), str(int(column) + 1)]),
        ("ArrowUp", [key, channel, row, str(int(column) + 1)]), ("ArrowLeft", [key, channel, row, column]),
        ("]", [key, str(int(channel) + 1), row, column]), ("[", [key, channel, row, column]),
    ):  # fmt: skip
        page.keyboard.press(pressed)
        assert drawn(page)[1] == expected, pressed
    keys = explorer.sessions[0].trace.keys
    page.keyboard.press(".")
    assert drawn(page)[1][0] == keys[keys.index(key) + 1]
    page.keyboard.press(",")
    assert drawn(page)[1][0] == key


def test_backward(open_page, explorer, pictures):
    page = open_page(explorer.address)
    drawn(page)
    page.keyboard.press("b")
    page.wait_for_selector("#panel .number:has-text('d ')")
    session = explorer.sessions[0]
    trace = Trace(session.first.net, session.first.x, session.labels)  # one that no other thread is using
    for key in ("conv1_1", "pool2", "conv3_2", "score_fr", "crop", "input"):
        page.click(f'.card[data-key="{key}"] b')
        direction, place = drawn(page)
        assert direction == "backward"
        value = trace.gradient(key)[tuple(map(int, place[1:]))]
        assert number(page, "#number") == pytest.approx(value, rel=1e-4)
        assert number(page, "#sum") == pytest.approx(
            number(page, "#number"), rel=1e-3, abs=1e-6 * float(abs(trace.gradient(key)).max())
        )
    page.click('.card[data-key="conv3_2"] b')
    _, place = drawn(page)
    page.click("#panel .cells button >> nth=4")
    drawn(page)
    assert "for each place where the window stood" in page.text_content("#panel")
    page.screenshot(path=pictures / "backward_1280.png")
    page.select_option("#start", "here")
    drawn(page)
    assert number(page, "#number") == 1
    page.click('.card[data-key="conv1_2"] b')
    _, (key, *at) = drawn(page)
    start = ("conv3_2", *map(int, place[1:]))
    assert number(page, "#number") == pytest.approx(trace.gradient(key, start)[tuple(map(int, at))], rel=1e-4)


def test_one_class_at_one_pixel(open_page, explorer):
    """On the way back a click on the prediction says where the pass begins."""
    page = open_page(explorer.address)
    drawn(page)
    page.keyboard.press("b")
    _, place = drawn(page)
    session = explorer.sessions[0]
    H, W = session.image.shape[:2]
    stage = page.locator("#pictures .stage").nth(1)
    box = stage.bounding_box()
    stage.click(position={"x": box["width"] * (20 + 0.5) / W, "y": box["height"] * (30 + 0.5) / H})
    drawn(page)
    label = int(session.trace.scores[0, :, 30, 20].argmax())
    trace = Trace(session.first.net, session.first.x)
    value = trace.gradient(place[0], ("crop", label, 30, 20))[tuple(map(int, place[1:]))]
    assert number(page, "#number") == pytest.approx(value, rel=1e-3, abs=1e-9)
    assert f"crop[{label}, 30, 20]" in page.text_content("#panel")


OTHERS = {  # name: options; every kind of layer of the catalogue is in one of them
    "unet": {"batch_norm": True}, "segnet-basic": {}, "deeplabv3-resnet50": {}, "vgg11-lrn": {}, "fcn8s-atonce": {},
}  # fmt: skip


@pytest.mark.parametrize(("name", "options"), OTHERS.items())
def test_every_panel_of_other_networks(browser, name, options, rng, tmp_path):
    """Each step once forward and once backward, and forward in a file: no error, and sums that are the numbers."""
    image = rng.integers(0, 256, (*sized(name, (33, 40)), 3), np.uint8)
    session = Session(explored.subject_of(awake(name, **options).to("float32"), tuple("abcd")), image)
    (tmp_path / "page.html").write_text(exported(session), encoding="utf-8")
    server = Explorer([session])
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    kinds: dict[str, str] = {}
    for step in session.trace.steps:
        kinds.setdefault(step.kind, step.key)
    complaints: list[str] = []
    page = browser.new_page()
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    for address, directions in ((server.address, 2), ((tmp_path / "page.html").as_uri(), 1)):
        page.goto(address)
        drawn(page)
        for _ in range(directions):
            for kind, key in kinds.items():
                page.click(f'.card[data-key="{key}"] b')
                assert drawn(page)[1][0] == key
                if kind != "picture" and page.locator("#sum").count():
                    off = abs(number(page, "#sum") - number(page, "#number"))
                    assert off <= 3e-3 * max(1, abs(number(page, "#number"))), (kind, key)
                assert page.text_content("#say") == ""
            page.keyboard.press("b")
            drawn(page)
    page.close()
    server.shutdown()
    server.server_close()
    assert complaints == []


def test_what_if_moves_the_prediction_and_can_be_taken_back(open_page, explorer, pictures):
    page = open_page(explorer.address)
    drawn(page)
    page.click('.card[data-key="score_fr"] b')
    drawn(page)
    before = page.text_content("#measures")
    page.click('button:text-is("switch this channel off")')
    page.wait_for_selector("button:has-text('is off')")
    drawn(page)
    assert number(page, "#number") == 0
    assert "of the pixels changed" in page.text_content("#measures")
    page.screenshot(path=pictures / "what_if_1280.png")
    page.click('.card[data-key="join_pool4.add"] b')
    drawn(page)
    page.click('button:text-is("drop road 2")')
    page.wait_for_selector("button:has-text('is dropped')")
    for _ in range(2):
        with page.expect_response(lambda answer: "api/changes" in answer.url):
            page.click("button[aria-label^='take back'] >> nth=0")
        page.wait_for_timeout(100)
        drawn(page)
    page.wait_for_selector("button[aria-label^='take back']", state="detached")
    assert page.text_content("#measures") == before


def test_a_picture_is_painted_over_and_another_loaded(open_page, explorer, tmp_path):
    page = open_page(explorer.address)
    drawn(page)
    before = explorer.sessions[0]
    page.click("#pictures button:text-is('Paint')")
    box = page.locator("#pictures .stage").first.bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 90, steps=5)
    with page.expect_response(lambda answer: "api/picture" in answer.url):
        page.mouse.up()
    drawn(page)
    painted = explorer.sessions[0]
    changed = (painted.image != before.image).any(axis=2)
    assert 10 < changed.sum() < changed.size / 2
    Image.fromarray(np.full((50, 40, 3), 90, np.uint8)).save(tmp_path / "grey.png")
    with page.expect_response(lambda answer: "api/picture" in answer.url):
        page.set_input_files("#file", tmp_path / "grey.png")
    drawn(page)
    page.wait_for_selector("#pictures .shape:has-text('50, 40')")
    assert explorer.sessions[0].image.shape == (50, 40, 3)


def test_a_damaged_picture_is_said_and_the_page_lives(browser, explorer, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    page = browser.new_page()  # the browser itself notes the refusal in the console
    page.goto(explorer.address)
    drawn(page)
    page.set_input_files("#file", tmp_path / "broken.png")
    page.wait_for_selector("#say:has-text('cannot be decoded')")
    page.keyboard.press("ArrowDown")
    drawn(page)
    page.close()


def test_two_networks_with_linked_cursors(open_page, explorer, pictures, tmp_path):
    page = open_page(f"{explorer.address}two.html", width=1500)
    left, right = page.frames[1:]
    for one in (left, right):
        one.wait_for_selector("body[data-drawn]")
    left.click('.card[data-key="conv3_1"] canvas')
    left.wait_for_selector("body[data-drawn^='forward|conv3_1']")
    place = left.get_attribute("body", "data-drawn")
    right.wait_for_selector(f'body[data-drawn="{place}"]')
    page.screenshot(path=pictures / "two_1500.png")
    Image.fromarray(np.full((50, 40, 3), 90, np.uint8)).save(tmp_path / "grey.png")
    right.set_input_files("#file", tmp_path / "grey.png")
    for one in (left, right):
        one.wait_for_selector("#pictures .shape:has-text('50, 40')")
    assert [session.image.shape for session in explorer.sessions] == [(50, 40, 3)] * 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_screen_needs_no_sideways_scrolling(open_page, explorer, file, pictures, scheme):
    for name, address in (("served", explorer.address), ("file", file.as_uri())):
        page = open_page(address, width=360, height=800, color_scheme=scheme)
        drawn(page)
        for key in ("conv3_2", "fc6", "upscore8", "pool1", "join_pool4.add"):
            page.click(f'.card[data-key="{key}"] b')
            drawn(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, key
            if key in ("conv3_2", "fc6"):
                page.screenshot(path=pictures / f"{name}_{key}_360_{scheme}.png", full_page=True)


def test_the_page_asks_nobody_else(open_page, explorer):
    page = open_page("about:blank")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(explorer.address)
    drawn(page)
    page.keyboard.press("b")
    drawn(page)
    assert len(asked) > 10
    assert all(url.startswith((explorer.address, "data:")) for url in asked)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(browser, explorer, file, scheme):
    core = os.environ.get("AXE_CORE")
    if not core:
        pytest.skip("AXE_CORE names no axe.min.js: see the top of this file")
    for address in (explorer.address, file.as_uri()):
        context = browser.new_context(color_scheme=scheme, bypass_csp=True)
        page = context.new_page()
        page.goto(address)
        drawn(page)
        page.add_script_tag(path=core)
        for key in ("conv3_2", "upscore2", "pool1", "relu4_1", "join_pool4.add", "input"):
            page.click(f'.card[data-key="{key}"] b')
            drawn(page)
            for pressed in ("", "b") if address.startswith("http") else ("",):
                if pressed:
                    page.keyboard.press(pressed)
                    drawn(page)
                found = page.evaluate("async () => (await axe.run()).violations")
                serious = [
                    (
                        fault["id"],
                        fault["nodes"][0]["html"][:150],
                        re.sub(r"\s+", " ", fault["nodes"][0]["failureSummary"])[:300],
                    )
                    for fault in found
                    if fault["impact"] in ("serious", "critical")
                ]
                assert serious == [], (key, pressed)
            if address.startswith("http"):
                page.keyboard.press("b")
                drawn(page)
        context.close()
