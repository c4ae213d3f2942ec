"""A small set of shapes and a short run on it, made once, and the command line run in this process."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from minifcn import cli, data

NARROW = ("--width", "0.03125", "--padding", "1", "--batch-size", "2", "--dropout", "0")


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def minifcn(capsys):
    """``minifcn("train", "--lr", 1)`` -> exit status, stdout, stderr."""

    def run(*arguments: object) -> Outcome:
        try:
            cli.main(list(map(str, arguments)))
            status = 0
        except SystemExit as leaving:
            status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        captured = capsys.readouterr()
        return Outcome(status, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def shapes(tmp_path_factory) -> Path:
    """A dozen pictures to train on, four to validate on."""
    root = tmp_path_factory.mktemp("data") / "shapes"
    data.build("shapes", root, "train", train=12, val=4, height=(40, 48), width=(48, 56))
    return root


@pytest.fixture(scope="session")
def finished(shapes, tmp_path_factory) -> Path:
    """The folder of a run of 12 steps. Tests may read it, not change it."""
    folder = tmp_path_factory.mktemp("runs") / "finished"
    arguments = ["train", "--root", shapes, "--recipe", "scratch", *NARROW, "--epochs", 2, "--log-every", 2, "--out", folder]
    with pytest.raises(SystemExit) as leaving:
        cli.main(list(map(str, arguments)))
    assert not leaving.value.code
    return folder


@pytest.fixture(scope="module")
def browser():
    """Chromium, steered by Playwright; the test is skipped where one of the two is missing."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install -e '.[browser]'")
    with playwright.sync_playwright() as steering:
        opened = steering.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()
