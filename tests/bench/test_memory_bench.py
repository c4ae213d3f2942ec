"""The peak of a fresh process: what it holds, and nothing of who started it."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from minifcn.bench import Device, memory, three_steps
from minifcn.bench.memory import Peak
from minifcn.bench.network import Architecture

MB = 2**20
FCN8S, UNET = (Architecture(model, {"width": 1 / 64}) for model in ("fcn8s", "unet"))


def test_a_fresh_process_is_measured_not_the_one_that_starts_it(alone):
    """A child begins with its parent's `ru_maxrss`; 400 MB held here must not show there."""
    ballast = np.ones(400 * MB // 8)
    (peak,) = memory.peaks(alone, (16, 16), (1,), FCN8S)
    assert ballast[-1] == 1
    assert (peak.side, peak.batch_size, peak.gpu) == ("ours", 1, None)
    assert 10 * MB < peak.baseline < peak.peak < 200 * MB
    assert peak.over_baseline == peak.peak - peak.baseline


def test_both_sides_are_started_alike(device, monkeypatch):
    started = []
    monkeypatch.setattr(memory, "three_steps", lambda *given: started.append(given) or Peak(given[0], given[3], 1, 2))
    assert [peak.side for peak in memory.peaks(device, (20, 30), (1, 2), UNET)] == ["ours", "pytorch"] * 2
    assert started[0] == ("ours", device, (20, 30), 1, UNET)
    assert started[3] == ("pytorch", device, (20, 30), 2, UNET)
    assert [peak.side for peak in memory.peaks(device, (20, 30), (1,), Architecture("fcn16s"))] == ["ours"]


def test_the_process_gets_what_was_asked_for(alone, monkeypatch):
    commands = []

    def started(command, **_):
        commands.append(command[3:])
        return subprocess.CompletedProcess(command, 0, 'a warning\n{"baseline": 3, "peak": 7}\n', "")

    monkeypatch.setattr(memory.subprocess, "run", started)
    assert memory.three_steps("ours", alone, (20, 30), 2, UNET) == Peak("ours", 2, 3, 7)
    ((side, settings),) = commands
    assert side == "ours"
    assert json.loads(settings) == {
        "model": "unet", "options": {"width": 1 / 64}, "size": [20, 30], "batch_size": 2, "device": "cpu",
        "precision": "float32", "threads": 1,
    }  # fmt: skip


def test_there_are_three_steps():
    calls = []
    three_steps.run(lambda: calls.append("a step"))
    assert len(calls) == 3


def test_what_was_given_back_still_counts():
    code = """
import numpy as np
from minifcn.bench.three_steps import peak_memory
before = peak_memory()
np.ones(25_000_000)
print(peak_memory() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 190e6 < int(done.stdout) < 230e6


@pytest.mark.parametrize("model", ["fcn8s", "unet"])
@pytest.mark.parametrize("side", ["ours", "pytorch"])
def test_three_steps_are_done(side, model, device, capsys, monkeypatch):
    steps = []
    right = three_steps.run
    monkeypatch.setattr(three_steps, "run", lambda step: (steps.append(step), right(step)))
    settings = {"model": model, "options": {"width": 1 / 64}, "size": (16, 20), "batch_size": 2}
    three_steps.main(side, json.dumps(settings | {"device": "cpu", "precision": None, "threads": 1}))
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"baseline", "peak"}
    (step,) = steps
    assert tuple(step.images.shape) == (2, 3, 16, 20)
    state = step.optimizer.state if side == "ours" else step.optimizer.state_dict()["state"]
    assert len(state) > 20
    assert ("torch" in type(step.net).__mro__[1].__module__) == (side == "pytorch")


def test_a_process_that_fails_is_one_sentence():
    impossible = Device("cuda", "float32", 1, pytorch=False)
    with pytest.raises(RuntimeError, match=r"three steps of ours at batch 1 failed: .*device 'cuda' needs"):
        memory.three_steps("ours", impossible, (16, 16), 1, FCN8S)


@pytest.fixture
def without_proc(monkeypatch):
    def missing(self):
        raise FileNotFoundError(self)

    monkeypatch.setattr(three_steps.Path, "read_text", missing)


def test_elsewhere_it_is_what_the_system_calls_maxrss(without_proc):
    resource = pytest.importorskip("resource")
    unit = 1 if sys.platform == "darwin" else 1024
    assert three_steps.peak_memory() == resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def test_a_system_that_does_not_tell_is_named(without_proc, monkeypatch):
    monkeypatch.setitem(sys.modules, "resource", None)
    with pytest.raises(RuntimeError, match="does not tell a process its peak memory; Linux and macOS do"):
        three_steps.peak_memory()
