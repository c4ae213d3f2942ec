"""What the tests of the GPU share: the folder's own helpers can be imported, and the stand-in put in CuPy's place."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # strict_cupy, cuda_emulator ...: helpers, not a package


@pytest.fixture
def cupy(monkeypatch):
    """The strict stand-in, in CuPy's place for one test; convolutions in float32, to be compared with NumPy's."""
    import strict_cupy

    from minifcn.kernels.cuda import conv

    monkeypatch.setattr(conv, "_precision", "float32")
    monkeypatch.setitem(sys.modules, "cupy", strict_cupy.cupy)
    strict_cupy.counts.clear()
    return strict_cupy.cupy


@pytest.fixture
def counts(cupy):
    """How often data crossed between host and device since the test began, or since `counts.clear()`."""
    import strict_cupy

    return strict_cupy.counts
