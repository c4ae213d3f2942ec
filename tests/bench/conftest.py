"""What the tests of the stopwatch share: a setting of one thread, and no waiting between samples."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from minifcn.bench import Device, profile, timing


@pytest.fixture
def quick(monkeypatch) -> None:
    """One call a sample, no pause before it, and no look at what else the machine does."""
    monkeypatch.setattr(timing, "SETTLE", 0.0)
    monkeypatch.setattr(timing, "LEAST", 0.0)
    monkeypatch.setattr(timing, "LEAST_ON_GPU", 0.0)
    monkeypatch.setattr(profile, "SETTLE", 0.0)
    monkeypatch.setattr("minifcn.machine.facts.busy_cores", lambda: 0.0)


@pytest.fixture
def device(quick) -> Iterator[Device]:
    """The CPU, one thread on both sides, PyTorch taking part."""
    pytest.importorskip("torch")
    with Device.of("cpu", threads=1).held() as device:
        yield device


@pytest.fixture
def alone(quick, monkeypatch) -> Iterator[Device]:
    """The CPU as it is where PyTorch is not installed."""
    monkeypatch.setattr("minifcn.bench.device.installed", lambda: False)
    with Device.of("cpu", threads=1).held() as device:
        yield device
