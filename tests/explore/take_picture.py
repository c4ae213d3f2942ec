"""Takes the README's picture of the explorer, as a browser shows it.

python tests/explore/take_picture.py runs/demo/run lessons/img/readme/explore.png
"""

from __future__ import annotations

import argparse
import io
import shutil
import threading
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from minifcn.cli.explore import example_of, subject_of_run
from minifcn.explore.server import Explorer
from minifcn.explore.session import Session
from minifcn.safe_file import replacing

SIZE = {"width": 1440, "height": 960}


def take(run: Path, layer: str, row: int, column: int) -> Image.Image:
    subject = subject_of_run(run)
    server = Explorer([Session(subject, *example_of(subject, None))])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as driver, server:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto(server.address)
        page.wait_for_selector("body[data-drawn]")
        page.click(f'.card[data-key="{layer}"] b')
        page.wait_for_selector(f"body[data-drawn*='{layer}']")
        map_ = page.locator("#map .stage")
        _, _, H, W = next(step for step in server.sessions[0].overview()["steps"] if step["key"] == layer)["shape"]
        box = map_.bounding_box()
        map_.click(position={"x": box["width"] * (column + 0.5) / W, "y": box["height"] * (row + 0.5) / H})
        page.wait_for_selector(f"body[data-drawn$='|{row}|{column}']")
        with page.expect_response(lambda answer: "influence" in answer.url):
            page.keyboard.press("ArrowLeft")
        page.mouse.move(0, 0)
        page.wait_for_timeout(300)
        picture = Image.open(io.BytesIO(page.screenshot()))
        server.shutdown()
    return picture.convert("RGB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--layer", default="conv3_1")
    parser.add_argument("--row", type=int, default=7)
    parser.add_argument("--column", type=int, default=10)
    given = parser.parse_args()
    picture = take(given.run, given.layer, given.row, given.column)
    with replacing(given.picture) as file:
        picture.save(file, format="PNG", optimize=True)


if __name__ == "__main__":
    main()
