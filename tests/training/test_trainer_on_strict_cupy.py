"""The trainer on the strict stand-in for CuPy: NumPy's numbers, and no wait for the device but where a row is logged."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from minifcn.backend import to_device, to_host
from minifcn.kernels import cuda
from minifcn.layers import Parameter
from minifcn.training import Diverged, clip_grad_norm, trainer


@pytest.fixture
def counts(monkeypatch):
    """The stand-in in CuPy's place; how often something crossed between host and device."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "gpu")
    import strict_cupy

    monkeypatch.setitem(sys.modules, "cupy", strict_cupy.cupy)
    cuda.set_precision("float32")  # TF32 would round each factor to 11 bits
    monkeypatch.setattr(trainer, "draw_log", lambda folder: None)
    monkeypatch.setattr(trainer, "environment", lambda device: {"device": device})
    yield strict_cupy.counts
    cuda.set_precision("tf32")


def made(tiny, folder, device: str, iterations: int = 6, **options):
    net = tiny.tiny_net().to(device)
    return tiny.tiny_trainer(folder, iterations, net=net, clip_norm=0.2, class_weights=(1.0, 2.0, 0.5), **options)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_runs_and_resumes_as_on_the_cpu(optimizer, tiny, tmp_path, counts):
    on_cpu = made(tiny, tmp_path / "cpu", "cpu", 12, optimizer=optimizer)
    on_cpu.folder.create()
    on_cpu.run()
    waits = []
    for iterations in (6, 12):
        on_gpu = made(tiny, tmp_path / "gpu", "cuda", iterations, optimizer=optimizer)
        if iterations == 12:
            on_gpu.resume()
        else:
            on_gpu.folder.create()
        step = on_gpu.step

        def counted(batches, step=step):
            counts.clear()
            result = step(batches)
            waits.append(counts["to_host"])
            return result

        on_gpu.step = counted
        on_gpu.run()
    assert [wait > 0 for wait in waits] == [iteration % 3 == 0 for iteration in range(1, 13)]
    losses = [[row["loss"] for row in run.folder.read_log() if row["event"] == "train"] for run in (on_cpu, on_gpu)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    for key, array in on_gpu.net.to("cpu").state_dict().items():
        np.testing.assert_allclose(array, on_cpu.net.state_dict()[key], rtol=1e-3, atol=1e-5, err_msg=key)


@pytest.mark.parametrize(("max_norm", "norm"), [(2.5, 2.5), (1e6, 5.0)])
def test_clipping_without_a_wait(max_norm, norm, counts):
    parameter = Parameter(to_device(np.zeros(2, np.float32), "cuda"))
    parameter.grad = to_device(np.array([3, 4], np.float32), "cuda")
    counts.clear()
    before = clip_grad_norm([parameter], max_norm)
    assert counts["to_host"] == 0
    assert float(to_host(before)) == pytest.approx(5)
    assert np.linalg.norm(to_host(parameter.grad)) == pytest.approx(norm, rel=1e-6)


def test_divergence_is_found_where_a_row_is_logged(tiny, tmp_path, counts):
    run = made(tiny, tmp_path / "run", "cuda", lr=1e30, checkpoint_every=None)
    run.folder.create()
    with pytest.raises(Diverged, match=r"at iteration 3 .*holds iteration 0"):
        run.run()
