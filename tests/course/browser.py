"""A browser for tests of pages: Debian's Chromium, steered by Playwright, which downloads nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """Chromium without a window; a test is skipped, with the reason, where it or Playwright is not installed."""
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here to open pages with (on Debian: apt-get install chromium)")
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright, which steers the browser, is not installed")
    with playwright.sync_playwright() as steering:
        root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []  # Chromium's own refuses root
        opened = steering.chromium.launch(executable_path=CHROMIUM, args=root)
        yield opened
        opened.close()
