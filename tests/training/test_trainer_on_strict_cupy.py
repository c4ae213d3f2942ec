"""The trainer on the strict stand-in for CuPy: NumPy's numbers, and no wait for the device but where a row is logged."""

from __future__ import annotations

import signal
import sys
import threading

import numpy as np
import pytest

from minifcn.backend import to_device, to_host
from minifcn.kernels import cuda
from minifcn.kernels.cuda import conv
from minifcn.layers import Parameter
from minifcn.training import Diverged, clip_grad_norm, trainer
from support import strict_cupy, tiny


@pytest.fixture
def counts(monkeypatch):
    """The stand-in in CuPy's place; how often something crossed between host and device."""
    monkeypatch.setitem(sys.modules, "cupy", strict_cupy.cupy)
    cuda.set_precision("float32")  # TF32 would round each factor to 11 bits
    monkeypatch.setattr(trainer, "draw_log", lambda folder: None)
    monkeypatch.setattr(trainer, "environment", lambda device: {"device": device})
    yield strict_cupy.counts
    cuda.set_precision("tf32")


def made(folder, device: str, iterations: int = 6, dtype: str = "float32", **options):
    net = tiny.tiny_net().to(dtype).to(device)
    return tiny.tiny_trainer(folder, iterations, net=net, clip_norm=0.2, class_weights=(1.0, 2.0, 0.5), **options)


def damaged():
    """A data set whose sixth picture cannot be read."""

    class Damaged(tiny.TinySet):
        def __getitem__(self, index):
            if index == 5:
                raise OSError("truncated")
            return super().__getitem__(index)

    return Damaged()


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_runs_and_resumes_as_on_the_cpu(optimizer, tmp_path, counts):
    on_cpu = made(tmp_path / "cpu", "cpu", 12, optimizer=optimizer)
    on_cpu.folder.create()
    on_cpu.run()
    waits, counted = [], ("to_host", "to_device", "arrived", "from_pageable")
    for iterations in (6, 12):
        on_gpu = made(tmp_path / "gpu", "cuda", iterations, optimizer=optimizer)
        if iterations == 12:
            on_gpu.resume()
        else:
            on_gpu.folder.create()
        step = on_gpu._timed_step

        def watched(steps, step=step):
            counts.clear()
            before = conv._table.cache_info().misses
            step(steps)
            tables = 2 * (conv._table.cache_info().misses - before)  # of pictures of a size that was not there before
            waits.append((tables, *(counts[what] for what in counted)))

        on_gpu._timed_step = watched
        on_gpu.run()
    for iteration, (tables, copies_back, uploads, arrived, from_pageable) in enumerate(waits, 1):
        assert (copies_back > 0) == (iteration % 3 == 0), iteration
        assert (arrived, from_pageable) == (1, 0), iteration  # one copy for all of a step's input
        assert uploads - tables == (2 if iteration in (1, 7) else 1), iteration  # the first of a run sends the second's, too
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


def test_divergence_is_found_where_a_row_is_logged(tmp_path, counts):
    run = made(tmp_path / "run", "cuda", lr=1e30, checkpoint_every=None)
    run.folder.create()
    with pytest.raises(Diverged, match=r"at iteration 3 .*holds iteration 0"):
        run.run()


def test_accumulated_batches_in_float64(tmp_path, counts):
    """Several batches a step, of which some are larger than all before, converted on the way."""
    runs = []
    for device in ("cpu", "cuda"):
        runs.append(made(tmp_path / device, device, 8, "float64", accumulate=3, log_every=1, validate=False))
        runs[-1].folder.create()
        runs[-1].run()
    on_cpu, on_gpu = ([row["loss"] for row in run.folder.read_log()] for run in runs)
    assert on_gpu == pytest.approx(on_cpu, rel=1e-10)


def test_a_damaged_picture_stops_the_run_where_it_does_on_the_cpu(tmp_path, counts):
    """With the same sentence, all steps before it done, and no thread of the loader left."""

    ends = []
    for device in ("cpu", "cuda"):
        run = made(tmp_path / device, device, dataset=damaged(), validate=False)
        run.folder.create()
        with pytest.raises(OSError, match="picture tiny_0_5: truncated") as error:
            run.run()
        ends.append((run.state.iteration, str(error.value)))
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("minifcn-loader")]
    assert ends[0] == ends[1]
    assert ends[0][0] > 0


def test_a_run_that_ends_before_a_damaged_picture_does_not_notice_it(tmp_path, counts):
    """Though it was read ahead."""

    run = made(tmp_path / "until", "cuda", dataset=damaged(), validate=False)
    run.folder.create()
    with pytest.raises(OSError, match="truncated"):
        run.run()
    whole = made(tmp_path / "whole", "cuda", run.state.iteration, dataset=damaged(), validate=False)
    whole.folder.create()
    assert whole.run().iteration == run.state.iteration


def test_ctrl_c_after_a_step_and_resumed_is_the_run_in_one_go(tmp_path, counts):
    """What was read ahead when it stopped is read again."""

    class Press(tiny.Progress):
        def step(self, iteration):
            if iteration == 4:
                signal.raise_signal(signal.SIGINT)

    straight = made(tmp_path / "straight", "cuda", validate=False)
    stopped = made(tmp_path / "stopped", "cuda", validate=False, progress=Press())
    for run in (straight, stopped):
        run.folder.create()
        result = run.run()
    assert (result.interrupted, result.iteration) == (True, 4)
    resumed = made(tmp_path / "stopped", "cuda", validate=False)
    resumed.resume()
    assert resumed.run().iteration == 6
    for key, array in straight.net.state_dict().items():
        np.testing.assert_array_equal(to_host(resumed.net.state_dict()[key]), to_host(array), err_msg=key)
