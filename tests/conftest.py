"""What all tests share: where real pictures lie, a generator, and Hypothesis held to one reproducible sequence."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("MPLBACKEND", "Agg")
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # a job in the background is born deaf to Ctrl-C, and so its children
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "minifcn", deadline=None, derandomize=True, max_examples=40, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("minifcn")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real pictures beside the checkout, which may not be redistributed."""
    path = ROOT.parent / "shared" / "data"
    if not path.is_dir():
        pytest.skip("no ../shared/data beside the checkout: real pictures are not redistributed")
    return path


@pytest.fixture(scope="session")
def voc_root(shared_data: Path) -> Path:
    """The VOCdevkit folder of a part of PASCAL VOC 2012."""
    return shared_data / "voc2012_subset" / "VOCdevkit"


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator of its own for each test: no test depends on another's draws."""
    return np.random.default_rng(20150608)
