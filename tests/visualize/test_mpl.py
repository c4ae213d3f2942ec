"""Matplotlib is imported and used without a look at the environment, and without a trace in the user's own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

import minifcn.visualize
from minifcn import visualize as vis

MODULES = ("style", "board", "im2col", "confusion", "curves", "showing", "letters", "mpl", "overlays", "pixels")


def run(code: str, **environment: str) -> list[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("MPLBACKEND", "DISPLAY")} | environment
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout.split()


@pytest.mark.parametrize("backend", ["nonsense", "module://matplotlib_inline.backend_inline", "module://gone", "TkAgg", ""])
def test_no_backend_of_the_environment_stops_a_drawing(backend, tmp_path):
    code = f"""
import importlib, os, numpy as np
for name in {MODULES}:
    importlib.import_module("minifcn.visualize." + name)
from minifcn.visualize import draw_confusion
draw_confusion(np.eye(2), ("a", "b"), {str(tmp_path / "x.png")!r})
print(os.environ["MPLBACKEND"] or "none")
"""
    assert run(code, MPLBACKEND=backend) == [backend or "none"]
    assert (tmp_path / "x.png").is_file()


@pytest.mark.parametrize("module", MODULES)
def test_any_part_may_be_imported_first(module):
    run(f"import minifcn.visualize.{module}", MPLBACKEND="nonsense")


def test_the_users_plots_get_the_backend_that_the_environment_asks_for():
    code = "import minifcn.visualize.style, matplotlib.pyplot as plt; print(plt.get_backend())"
    assert run(code, MPLBACKEND="svg") == ["svg"]
    assert run(code) == ["agg"]  # matplotlib's own choice where there is no display


def test_a_matplotlib_that_was_there_before_is_left_alone():
    code = """
import os, sys, matplotlib
matplotlib.use("pdf"); matplotlib.rcParams["font.size"] = 33
os.environ["MPLBACKEND"] = "svg"
import minifcn.visualize.style as style
with style.look("x"): pass
print(matplotlib.get_backend(), matplotlib.rcParams["font.size"], os.environ["MPLBACKEND"])
print("matplotlib.pyplot" in sys.modules)
"""
    assert run(code) == ["pdf", "33.0", "svg", "False"]


def test_one_file_imports_matplotlib():
    folder = Path(minifcn.visualize.__file__).parent
    texts = {path.name: path.read_text() for path in folder.glob("*.py")}
    importing = [name for name, text in texts.items() if re.search(r"^\s*(from|import) matplotlib", text, re.M)]
    assert importing == ["mpl.py"]


def test_drawings_in_many_threads_leave_nothing_changed(tmp_path):
    before, errors = dict(mpl.rcParams), []

    def draw(k: int) -> None:
        try:
            vis.draw_confusion(np.eye(3), ("a", "b", "c"), tmp_path / f"{k}.png")
            list(vis.animate_sliding(np.eye(3), np.eye(2)).frames)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=draw, args=(k,)) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert dict(mpl.rcParams) == before
    assert len({(tmp_path / f"{k}.png").read_bytes() for k in range(6)}) == 1


def test_an_animation_left_half_way_leaves_nothing_changed():
    before = dict(mpl.rcParams)
    frames = vis.Board(2, 2).animate(3, lambda i: None)
    next(frames)
    assert dict(mpl.rcParams) == before


def test_numpys_own_errors_are_none_of_a_drawings(tmp_path):
    with np.errstate(all="raise"):
        vis.draw_confusion(np.array([[5, 0], [0, 0]]), ("a", "b"), tmp_path / "x.png")
        rows = [{"iteration": i, "loss": 1.0, "lr": rate} for i, rate in enumerate((1e-3, 1e-320, 1e-9))]  # on a log scale
        vis.draw_curves({"run": rows}, tmp_path / "y.png")
