"""``--device cuda`` without a GPU: every row on the strict stand-in for CuPy, its kernels emulated on the CPU.

This shows that the rows run where a GPU is, with its precision set and with no array on the wrong side; it shows no time.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from minifcn.bench import Contest, Device, layers, network, run
from minifcn.kernels import cuda


@pytest.fixture
def gpu(quick, monkeypatch):
    """A device that is the stand-in."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "gpu")
    import strict_cupy

    pool = SimpleNamespace(free_all_blocks=lambda: None)
    monkeypatch.setattr(strict_cupy.cupy, "get_default_memory_pool", lambda: pool, raising=False)
    monkeypatch.setitem(sys.modules, "cupy", strict_cupy.cupy)
    monkeypatch.setattr("minifcn.bench.device.installed", lambda: False)
    monkeypatch.setenv("CUPY_TF32", "0")
    with Device.of("cuda", "float32", threads=1).held() as device:
        yield device


@pytest.mark.slow
def test_every_layer_runs(gpu):
    results = list(run(layers.contests(gpu, (16, 16), 1, 1 / 64), gpu, 1))
    assert len(results) > 40


def test_inference_runs(gpu):
    import strict_cupy

    networks = network.Networks(gpu, 1 / 64)
    (contest,) = networks.inference_contests((4, 4), (1,))
    assert isinstance(contest.ours(), strict_cupy.ndarray)


def test_precision_is_set_and_put_back(gpu):
    before = cuda.get_precision()
    assert before == "float32"
    with Device.of("cuda", "tf32", threads=1).held():
        assert cuda.get_precision() == "tf32"
    assert cuda.get_precision() == before


def test_the_device_is_waited_for_around_every_sample(gpu):
    import strict_cupy

    strict_cupy.counts.clear()
    list(run([Contest("g", "n", lambda: None, None, warmups=1)], gpu, 3))
    assert strict_cupy.counts["to_host"] == 2 * (1 + 3)
