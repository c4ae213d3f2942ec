"""``--device cuda`` without a GPU: every row on the strict stand-in for CuPy, its kernels emulated on the CPU.

This shows that the rows run where a GPU is, with its precision set and with no array on the wrong side; it shows no time.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from minifcn.bench import Contest, Device, contest, layers, machine, network, record, run, tables, timing
from minifcn.kernels import cuda
from support import strict_cupy


@pytest.fixture
def gpu(quick, monkeypatch):
    """A device that is the stand-in."""
    pool = SimpleNamespace(free_all_blocks=lambda: None)
    monkeypatch.setattr(strict_cupy.cupy, "get_default_memory_pool", lambda: pool, raising=False)
    monkeypatch.setitem(sys.modules, "cupy", strict_cupy.cupy)
    monkeypatch.setattr("minifcn.bench.device.installed", lambda: False)
    monkeypatch.setenv("CUPY_TF32", "0")
    with Device.of("cuda", "float32", threads=1).held() as device:
        yield device


@pytest.mark.slow
def test_every_layer_runs(gpu, monkeypatch):
    monkeypatch.setattr(contest, "WARMUPS_ON_GPU", 1)
    results = list(run(layers.contests(gpu, (16, 16), 1, 1 / 64), gpu, 1))
    assert len(results) > 40


def test_inference_runs(gpu):
    networks = network.Networks(gpu, network.Architecture("fcn8s", {"width": 1 / 64}))
    (one,) = networks.inference_contests((4, 4), (1,))
    assert isinstance(one.ours(), strict_cupy.ndarray)


def test_precision_is_set_and_put_back(gpu):
    before = cuda.get_precision()
    assert before == "float32"
    with Device.of("cuda", "tf32", threads=1).held():
        assert cuda.get_precision() == "tf32"
    assert cuda.get_precision() == before


@pytest.mark.parametrize(
    ("precision", "capability", "words"),
    [("tf32", "90", "tf32 (our convolutions: TF32)"), ("float32", "90", "(our convolutions: float32 by three TF32 products)"),
     ("float32", "89", "(our convolutions: float32)")],
)  # fmt: skip
def test_figures_say_what_multiplied(gpu, monkeypatch, precision, capability, words):
    monkeypatch.setattr(strict_cupy.cupy.cuda.Device, "compute_capability", capability)
    monkeypatch.setattr(strict_cupy.cupy.cuda.runtime, "runtimeGetVersion", lambda: 13000, raising=False)
    monkeypatch.setattr(
        machine, "environment", lambda device: {"device_name": "a GPU", "cupy": "14", "numpy": "2", "minifcn": "0"}
    )
    with Device.of("cuda", precision, threads=1).held() as device:
        assert words in machine.described(machine.machine(device), device)


def test_the_device_is_waited_for_around_every_sample(gpu):
    strict_cupy.counts.clear()
    list(run([Contest("g", "n", lambda: None, None, warmups=1)], gpu, 3))
    assert strict_cupy.counts["to_host"] == 2 * (contest.WARMUPS_ON_GPU + 3)


def test_a_steps_host_time_ends_before_the_gpu_is_waited_for(gpu, monkeypatch):
    """Each call takes the host 1 s and then the GPU 10 s: 1 and 11 must come out, not the other way round."""
    now, queued = [0.0], [0.0]

    def step():
        now[0] += 1.0
        queued[0] = 10.0

    def wait(self):
        now[0], queued[0] = now[0] + queued[0], 0.0

    monkeypatch.setattr(Device, "wait", wait)
    clocked = {"clock": lambda: now[0]}
    monkeypatch.setattr(contest, "compare", lambda *given, **options: timing.compare(*given, **options, **clocked))
    monkeypatch.setattr(contest, "host_times", lambda *given, **options: timing.host_times(*given, **options, **clocked))
    (result,) = run([Contest("g", "n", step, step, random=True, host=True)], gpu, 3)
    assert result.timing == timing.Timing((11.0,) * 3, (11.0,) * 3)
    assert result.host == timing.Timing((1.0,) * 3, (1.0,) * 3)
    (table,) = tables.timing_tables([result])
    assert table.columns[-2:] == ("ours, host ms", "PyTorch, host ms")
    assert table.rows[0][-2:] == ("1,000", "1,000")
    assert record.as_dict(result)["ours_host_seconds"] == [1.0, 1.0, 1.0]


def test_a_network_measures_its_host_time(gpu):
    networks = network.Networks(gpu, network.Architecture("fcn8s", {"width": 1 / 64}))
    for contests in (networks.step_contests, networks.inference_contests):
        assert [one.host for one in contests((4, 4), (1,))] == [True]


def test_gpu_samples_are_longer(gpu, monkeypatch):
    """0.05 s a call: one is a sample on a CPU, two on a GPU."""
    given = {}
    monkeypatch.setattr(timing, "LEAST_ON_GPU", 0.1)
    monkeypatch.setattr(contest, "compare", lambda *_, **options: given.update(options) or timing.Timing((1.0,)))
    list(run([Contest("g", "n", lambda: None, None, warmups=1)], gpu, 1))
    assert (given["least"], given["warmups"]) == (0.1, contest.WARMUPS_ON_GPU)
    list(run([Contest("g", "n", lambda: None, None, warmups=99)], gpu, 1))
    assert given["warmups"] == 99
