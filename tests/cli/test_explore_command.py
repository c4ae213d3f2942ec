"""``minifcn explore`` as a user meets it: an address at once, a file, a sentence where something is wrong, an end at Ctrl-C."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def other(finished, tmp_path_factory) -> Path:
    """A picture of another size."""
    path = tmp_path_factory.mktemp("pictures") / "other.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 52, 3), np.uint8)).save(path)
    return path


@pytest.fixture
def started(finished, tmp_path):
    """Starts the command from another folder, its output in a pipe; gives the process and the address."""
    processes = []

    def start(*arguments: object):
        command = [sys.executable, "-m", "minifcn", "explore", str(finished), *map(str, arguments)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
        processes.append(process)
        return process, process.stdout.readline().strip()

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def overview(address: str) -> dict:
    with urllib.request.urlopen(address) as answer:
        return json.load(answer)


def test_the_address_is_said_at_once_and_ctrl_c_ends_it(started):
    process, address = started()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{16}/", address)
    found = overview(f"{address}api/overview")
    assert found["network"] == "fcn8s"
    assert found["iu"] is not None, "a picture of shapes comes with its truth"
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    _, errors = process.communicate(timeout=20)
    assert time.monotonic() - began < 2  # an idle machine takes a tenth of a second
    assert (process.returncode, errors) == (0, "")


def test_a_picture_of_ones_own_beside_another_network(started, finished, other):
    _, address = started(other, "--beside", finished / "last.safetensors")
    assert address.endswith("/two.html")
    home = address.removesuffix("two.html")
    for run in (0, 1):
        found = overview(f"{home}api/overview?run={run}")
        assert found["picture"]["shape"] == [40, 52, 3]
        assert found["iu"] is None
    assert found["name"].endswith("last.safetensors")


def test_a_file(minifcn, finished, other, tmp_path):
    path = tmp_path / "opened.html"
    status, out, err = minifcn("explore", finished, other, "--export", path)
    assert (status, err) == (0, "")
    assert re.fullmatch(rf"{re.escape(str(path))}: \d\.\d MB, opens in any browser\n", out)
    assert path.read_text().startswith("<!doctype html>")


def test_without_a_run_the_demos_is_taken_or_trained(minifcn, finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trained = []

    def demo(out, seed, device):
        trained.append((out, seed, device))
        out.mkdir(parents=True)
        (out / "run").symlink_to(finished)

    monkeypatch.setattr("minifcn.cli.demo.demo", demo)
    for _ in range(2):
        status, out, _ = minifcn("explore", "--export", "page.html")
        assert status == 0
    assert trained == [(Path("runs/demo"), 0, "cpu")]
    assert "trained first" not in out


def test_a_demo_that_was_cut_off_is_finished_first(minifcn, finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "runs" / "demo" / "run"
    shutil.copytree(finished, run)
    config = run / "config.toml"
    config.write_text(re.sub(r"(?m)^epochs = .*$", "epochs = 3.0", config.read_text()))
    status, out, err = minifcn("explore", "--export", "page.html")
    assert (status, err) == (0, "")
    assert "was cut off" in out
    assert "iterations 12 to 18" in out
    assert "was cut off" not in minifcn("explore", "--export", "page.html").out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "nowhere"), (["RUN", "nothing.png"], "nothing.png: there is no such file"),
        (["RUN", "broken.png"], "the picture cannot be decoded"), (["RUN", "huge.png"], "2000x1500 has 3.0 million pixels"),
        (["RUN", "OTHER", "--export", "missing/x.html"], "cannot be written"),
        (["RUN", "OTHER", "--export", "x.html", "--beside", "RUN"], "--export writes one network"),
        (["RUN", "OTHER", "--export", "b.txt"], "--export b.txt: a page is written"),
        (["RUN", "OTHER", "--beside", "broken.png"], "broken.png"), (["RUN", "OTHER", "--port", "70000"], "port 70000 is none"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence(minifcn, finished, other, tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    Path("broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    Image.fromarray(np.zeros((2000, 1500, 3), np.uint8)).save("huge.png")
    named = {"RUN": finished, "OTHER": other}
    status, out, err = minifcn("explore", *(named.get(argument, argument) for argument in arguments))
    assert (status, out) == (2, "")
    assert sentence in err
    assert "Traceback" not in err


def test_a_port_that_is_taken(started, minifcn, finished):
    _, address = started()
    port = re.search(r":(\d+)/", address)[1]
    status, _, err = minifcn("explore", finished, "--port", port)
    assert status == 2
    assert err == f"minifcn: port {port} cannot be used (Address already in use): choose another with --port, or none\n"
