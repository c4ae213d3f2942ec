"""What a browser's Python lacks, the mathematics does without: threads, and all packages but NumPy and threadpoolctl.

`minifcn.functional`, `layers`, `training.optimizers` and `checks.gradcheck` run in a process in which no thread can be started
and Pillow, matplotlib, safetensors, Typer, Rich and the others cannot be imported.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FORBIDDEN = (
    "PIL", "matplotlib", "safetensors", "typer", "rich", "jinja2", "markdown_it", "pygments", "cupy", "torch",
    "onnx", "onnxruntime", "scipy",
)  # fmt: skip

BROWSER = f"""
import importlib.abc, sys, threading

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if any(name == gone or name.startswith(gone + ".") for gone in {FORBIDDEN!r}):
            raise ModuleNotFoundError(f"No module named {{name!r}}, which a browser does not have", name=name)

sys.meta_path.insert(0, Absent())

def refuse(*_):
    raise RuntimeError("can't start new thread")

threading.Thread.start = refuse
import _thread
_thread.start_new_thread = threading._start_new_thread = refuse
"""

TRAINS = """
import numpy as np
from minifcn import functional as F
from minifcn.checks.gradcheck import gradcheck
from minifcn.layers import BatchNorm2d, Conv2d, ConvTranspose2d, CrossEntropyLoss, MaxPool2d, ReLU, Sequential
from minifcn.training.optimizers import SGD, Adam

rng = np.random.default_rng(0)
x, labels = rng.normal(size=(2, 3, 40, 56)).astype(np.float32), rng.integers(0, 3, (2, 40, 56)).astype(np.uint8)
for optimizer in (SGD, Adam):
    net = Sequential(
        conv=Conv2d(3, 16, 3, padding=1, rng=rng), norm=BatchNorm2d(16), relu=ReLU(), pool=MaxPool2d(2),
        score=Conv2d(16, 3, 1, rng=rng), up=ConvTranspose2d(3, 3, 4, 2, 1, rng=rng),
    )
    criterion, learn = CrossEntropyLoss(), optimizer(net.parameters(), lr=0.01)
    losses = []
    for _ in range(4):
        losses.append(float(criterion(net(x), labels)))
        learn.zero_grad()
        net.backward(criterion.backward())
        learn.step()
    assert losses[-1] < losses[0], losses
report = gradcheck(F.conv2d, rng.normal(size=(2, 3, 7, 6)), rng.normal(size=(4, 3, 3, 2)), rng.normal(size=4), stride=2)
assert report, str(report)
print("trained and checked")
"""


def run(code: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-c", BROWSER + code], capture_output=True, text=True, env=environment, check=False)


def test_the_mathematics_trains_and_is_checked_there():
    result = run(TRAINS)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "trained and checked\n"


@pytest.mark.parametrize(
    "code", ["import PIL", "import rich.table", "import threading; threading.Thread(target=print).start()"]
)
def test_what_is_forbidden_there_is_refused(code):
    result = run(code)
    assert result.returncode != 0
    assert "which a browser does not have" in result.stderr or "can't start new thread" in result.stderr
