"""What the tests of the GPU share: the stand-in put in CuPy's place."""

from __future__ import annotations

import sys

import pytest

from support import strict_cupy


@pytest.fixture
def cupy(monkeypatch):
    """The strict stand-in, in CuPy's place for one test; convolutions in float32, to be compared with NumPy's."""
    from minifcn.kernels.cuda import conv

    monkeypatch.setattr(conv, "_precision", "float32")
    monkeypatch.setitem(sys.modules, "cupy", strict_cupy.cupy)
    strict_cupy.counts.clear()
    return strict_cupy.cupy


@pytest.fixture
def counts(cupy):
    """How often data crossed between host and device since the test began, or since `counts.clear()`."""
    return strict_cupy.counts
