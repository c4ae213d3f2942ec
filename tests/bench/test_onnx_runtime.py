"""ONNX Runtime as a third peer of inference: held to ours, on the same threads, shown beside PyTorch."""

from __future__ import annotations

import pytest

from minifcn.bench import Device, Result, Timing, onnx_runtime, run, tables
from minifcn.bench.network import Architecture, Networks
from minifcn.cli.bench import bench

NARROW = Architecture("fcn8s", {"width": 1 / 64, "padding": 1})

onnxruntime = pytest.importorskip("onnxruntime")


@pytest.mark.parametrize("model", ["fcn8s", "unet", "segnet-basic"])  # the last one has no twin: there it is the only peer
def test_it_scores_what_ours_scores(model, device):
    networks = Networks(device, Architecture(model, {"width": 1 / 32}))
    results = list(run(networks.inference_contests((32, 48), (1, 2)), device, 2))
    assert [result.name for result in results] == ["32x48, batch 1", "32x48, batch 2"]
    for result in results:
        assert result.difference < 1e-4
        assert len(result.timing.onnxruntime) == 2
        assert len(result.timing.pytorch) == (0 if model == "segnet-basic" else 2)
        assert result.timing.onnxruntime_ratio > 0


def test_wrong_scores_are_not_timed(device, monkeypatch):
    right = onnx_runtime.inference
    monkeypatch.setattr(onnx_runtime, "inference", lambda *given: lambda: 1.01 * right(*given)())
    with pytest.raises(RuntimeError, match=r"ours and ONNX Runtime's results differ by 9\.9e-03"):
        list(run(Networks(device, NARROW).inference_contests((32, 48), (1,)), device, 1))


def test_it_has_as_many_threads():
    session = onnx_runtime.session(NARROW.ours(), (32, 32), Device.of("cpu", threads=2))
    options = session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (2, 1)


def test_steps_are_for_two(device):
    (contest,) = Networks(device, NARROW).step_contests((32, 48), (1,))
    assert contest.onnxruntime is None


@pytest.mark.parametrize("absent", ["onnx", "onnxruntime"])
def test_without_it_nothing_is_said_of_it(absent, device, monkeypatch, tmp_path, capsys):
    find = onnx_runtime.importlib.util.find_spec
    monkeypatch.setattr(onnx_runtime.importlib.util, "find_spec", lambda name: None if name == absent else find(name))
    bench("inference", size="32x32", width=1 / 64, pairs=1, threads=1, batch_size="1", out=tmp_path)
    assert "ONNX" not in capsys.readouterr().out


def test_it_is_printed_beside_pytorch(device, tmp_path, capsys):
    bench("inference", size="32x32", width=1 / 64, pairs=1, threads=1, batch_size="1", out=tmp_path)
    out = capsys.readouterr().out
    assert f"ONNX Runtime {onnxruntime.__version__} (in inference)" in out
    assert "; ONNX Runtime " in out
    timing = Timing((0.002,), (0.004,), (0.001,))
    (shown,) = tables.timing_tables([Result("g", "n", timing)])
    assert shown.columns[-2:] == ("ONNX Runtime ms", "ratio to it")
    assert shown.rows == [("n", "2", "4", "0.50", "0.50 .. 0.50", "1", "2.00")]
