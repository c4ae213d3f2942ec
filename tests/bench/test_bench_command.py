"""``minifcn bench``: its tables, its JSON, its plots, and what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from minifcn import functional as F
from minifcn.bench import Contest, Result, Timing, ladder, layers, record, tables
from minifcn.bench.machine import described, disturbed, machine
from minifcn.bench.measurements import measurements_of
from minifcn.bench.memory import Peak
from minifcn.cli.bench import bench, parse_batch_sizes
from minifcn.cli.options import network_options
from minifcn.machine.facts import busy_cores

TINY = {"size": "16x32", "width": 1 / 64, "pairs": 1, "threads": 1, "batch_size": "1"}


def read(path):
    content = json.loads(path.read_text())
    assert content["format"] == "minifcn bench 1"
    assert set(content["settings"]) == {
        "device", "precision", "threads", "size", "batch_sizes", "pairs", "width", "model", "options", "channels_last",
    }  # fmt: skip
    for key in (
        "date",
        "processor",
        "cores",
        "memory",
        "busy_cores",
        "numpy",
        "blas",
        "torch",
        "onnxruntime",
        "minifcn",
        "python",
        "platform",
    ):
        assert key in content["machine"], key
    return content


def check_result(result, pairs, pytorch=True):
    assert set(result) == {
        "group", "name", "ours_seconds", "pytorch_seconds", "ratio", "ratio_least", "ratio_most", "multiply_adds",
        "bytes_moved", "difference", "onnxruntime_seconds", "onnxruntime_ratio",
    }  # fmt: skip
    assert len(result["ours_seconds"]) == pairs
    assert len(result["pytorch_seconds"]) == (pairs if pytorch else 0)
    if pytorch:
        assert result["ratio_least"] <= result["ratio"] <= result["ratio_most"]
    else:
        assert result["ratio"] is result["ratio_least"] is result["ratio_most"] is None


def test_layers_write_json_and_a_plot(device, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(layers, "VGG16", layers.VGG16[:1])
    bench("layers", **TINY, out=tmp_path / "new")
    content = read(tmp_path / "new/layers.json")
    assert not (tmp_path / "new/layers-unfinished.json").exists()
    assert content["settings"]["size"] == [16, 32]
    assert content["machine"]["torch"]
    for result in content["results"]:
        check_result(result, 1)
    assert Image.open(tmp_path / "new/layers.png").width > 800
    out = capsys.readouterr().out
    assert "1 thread on both sides" in out
    assert "geometric mean" in out
    assert "limit ms" in out
    (limits,) = content["limits"]
    assert f"this machine's limits: {2 * limits['macs'] / 1e9:.0f} GFLOP/s" in out
    assert "other programs" not in out


def test_step_says_that_both_agree(device, tmp_path, capsys):
    bench("step", **TINY | {"pairs": 2, "batch_size": "1,2"}, out=tmp_path)
    out = capsys.readouterr().out
    assert out.count("the networks agree; batch") == 2
    content = read(tmp_path / "step.json")
    names = [re.sub(r" \(PyTorch: (NCHW|channels-last)\)$", "", result["name"]) for result in content["results"]]
    assert names == ["16x32, batch 1", "16x32, batch 2"]
    assert content["settings"]["channels_last"] is True
    for result in content["results"]:
        check_result(result, 2)
    for agreement in content["agreements"]:
        assert set(agreement) == {"batch_size", "our_loss", "pytorch_loss", "gradient", "worst"}


def test_networks_that_disagree_leave_no_figures(device, tmp_path, monkeypatch):
    right = F.max_pool2d_backward
    monkeypatch.setattr(F, "max_pool2d_backward", lambda dy, cache: 1.1 * right(dy, cache))
    with pytest.raises(RuntimeError, match="do not agree, so they are not timed"):
        bench("step", **TINY, out=tmp_path)
    assert not list(tmp_path.iterdir())


def test_one_wrong_layer_costs_no_other_its_figures(device, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(layers, "VGG16", layers.VGG16[:1])
    right = F.max_pool2d_backward
    monkeypatch.setattr(F, "max_pool2d_backward", lambda dy, cache: 1.1 * right(dy, cache))
    with pytest.raises(RuntimeError, match="max pool 2x2, dx: ours and PyTorch's results differ"):
        bench("layers", **TINY, channels_last=False, out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["layers-unfinished.json"]
    names = [result["name"] for result in read(tmp_path / "layers-unfinished.json")["results"]]
    assert "max pool 2x2, forward" in names
    assert "max pool 2x2, dx" not in names
    assert names[-1].startswith("SGD")  # what comes after it
    assert "max pool 2x2, forward: ours" in capsys.readouterr().out  # said as it came


def test_what_was_measured_before_ctrl_c_is_kept(device, tmp_path, monkeypatch):
    def stop():
        raise KeyboardInterrupt

    catalogue = [Contest("g", "first", lambda: 1, None, random=True), Contest("g", "second", stop, None, random=True)]
    monkeypatch.setattr("minifcn.bench.measurements.cases.contests", lambda *_: catalogue)
    with pytest.raises(KeyboardInterrupt):
        bench("layers", **TINY, out=tmp_path)
    assert [result["name"] for result in read(tmp_path / "layers-unfinished.json")["results"]] == ["first"]


def test_all_is_everything_that_the_device_has():
    everything = ["layers", "step", "inference", "profile", "memory", "ladder"]
    assert measurements_of("all", "cpu") == everything
    assert measurements_of("all", "cuda") == everything[:-1]
    assert measurements_of("step", "cuda") == ["step"]


def test_inference_and_profile(device, tmp_path, capsys):
    for subject in ("inference", "profile"):
        bench(subject, **TINY, out=tmp_path)
        assert read(tmp_path / f"{subject}.json")["subject"] == subject
        assert (tmp_path / f"{subject}.png").is_file()
    out = capsys.readouterr().out
    assert "3x3 conv, backward" in out
    assert "whole step" in out


@pytest.mark.parametrize("option", [[], ["batch_norm=true"]])
def test_a_unet_is_measured_as_well(option, device, tmp_path, capsys):
    small = TINY | {"size": "32x48", "batch_size": "2", "model": "unet", "option": option}
    for subject in ("step", "inference", "profile", "memory"):
        bench(subject, **small, out=tmp_path)
        content = read(tmp_path / f"{subject}.json")
        assert (content["settings"]["model"], content["settings"]["channels_last"]) == ("unet", True)
        rows = content["peaks" if subject == "memory" else "results"]
        assert len(rows) >= (2 if subject == "memory" else 1)
    assert [peak["side"] for peak in rows] == ["ours", "pytorch"]
    out = capsys.readouterr().out
    title = "U-Net (batch_norm=True)" if option else "U-Net"
    assert f"{title}, training step: 32x48, batch 2 (PyTorch: " in out
    assert f"three training steps of {title}\n" in out
    assert "the networks agree; batch 2" in out
    assert ("batch norm, backward" in out) == bool(option)
    assert "concat, forward" in out


def test_a_network_without_a_twin_is_timed_alone(device, tmp_path, capsys):
    for subject in ("step", "inference", "profile"):
        bench(subject, **TINY, model="fcn16s", out=tmp_path)
        for result in read(tmp_path / f"{subject}.json")["results"]:
            check_result(result, 1, pytorch=False)
    alone = "fcn16s has no twin of PyTorch's in minifcn.bench.twins, so ours is timed alone"
    assert capsys.readouterr().out.count(alone) == 3


def test_ladder_writes_proofs_and_a_plot(device, tmp_path, capsys, monkeypatch):
    first = tuple((group, function, cases[:1]) for group, function, cases in ladder.LADDERS)
    monkeypatch.setattr(ladder, "LADDERS", first)
    bench("ladder", **TINY, out=tmp_path)
    content = read(tmp_path / "ladder.json")
    assert {"loops", "winograd", "phases"} <= {proof["rung"] for proof in content["proofs"]}
    for result in content["results"]:
        check_result(result, 1)
        assert result["multiply_adds"] > 0
    assert (tmp_path / "ladder.png").is_file()
    assert "float32 rungs against `loops` in float64" in capsys.readouterr().out


def test_memory_is_written(device, tmp_path, capsys, monkeypatch):
    found = [Peak("ours", 1, 50 << 20, 250 << 20), Peak("pytorch", 1, 100 << 20, 500 << 20)]
    monkeypatch.setattr("minifcn.bench.measurements.peaks", lambda *given: found)
    bench("memory", **TINY, out=tmp_path)
    assert read(tmp_path / "memory.json")["peaks"][1] == {
        "side": "pytorch", "batch_size": 1, "baseline": 100 << 20, "peak": 500 << 20, "gpu": None,
    }  # fmt: skip
    out = capsys.readouterr().out
    assert " 0.50 " in out
    assert not (tmp_path / "memory.png").exists()


def test_without_pytorch_it_says_so_and_draws_no_ratios(alone, tmp_path, capsys):
    bench("layers", **TINY, out=tmp_path)
    assert "PyTorch is not installed (pip install 'minifcn[test]'), so ours is timed alone" in capsys.readouterr().out
    content = read(tmp_path / "layers.json")
    assert content["machine"]["torch"] is None
    for result in content["results"]:
        check_result(result, 1, pytorch=False)
    assert not (tmp_path / "layers.png").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"subject": "speed"},
            "unknown subject 'speed'; possible are layers, step, inference, profile, memory, ladder, scale and all",
        ),
        ({"pairs": 0}, "--pairs 0 must be at least 1"),
        ({"width": 0.0}, "width=0.0 must be positive"),
        ({"width": float("nan")}, "width=nan must be positive"),
        ({"threads": 0}, "threads=0 must be at least 1"),
        ({"size": "big"}, "write height x width"),
        ({"size": "8x8"}, "pictures of 8x8 are too small"),
        ({"batch_size": "1,x"}, "--batch-size '1,x': write a number of pictures, or several with commas, such as 1,2"),
        ({"batch_size": "0"}, "--batch-size '0'"),
        ({"device": "tpu"}, "unknown device 'tpu'; possible are cpu and cuda"),
        ({"precision": "tf32"}, "precision 'tf32' is not possible on 'cpu'; possible are float32"),
        ({"subject": "step", "model": "vgg16"}, "vgg16 scores whole pictures and segments none: take one of fcn32s"),
        ({"subject": "scale", "model": "alexnet"}, "alexnet scores whole pictures and segments none"),
        ({"model": "xnet"}, "unknown model 'xnet'; possible are fcn32s"),
        ({"option": ["depth=3"]}, "fcn8s takes no depth; it takes width, dropout"),
        ({"option": ["dropout"]}, "--option 'dropout': write name=value"),
        ({"option": ["padding=wide"]}, "the option padding of fcn8s is 'wide'; write a value such as 100"),
        ({"precision": "half", "device": "cuda"}, "precision 'half' is not possible on 'cuda'; possible are tf32, float32"),
    ],
)
def test_refusals_are_one_sentence(options, sentence, tmp_path, quick):
    with pytest.raises(ValueError) as refused:
        bench(**{"subject": "layers", **TINY, "out": tmp_path, **options})
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_without_a_gpu_cuda_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("CUPY_TF32", "0")
    monkeypatch.setattr("minifcn.backend.import_cupy", lambda: (_ for _ in ()).throw(RuntimeError("device 'cuda' needs a GPU")))
    with pytest.raises(RuntimeError, match="device 'cuda' needs a GPU"):
        bench("step", **TINY, device="cuda", out=tmp_path)


def test_batch_sizes():
    assert parse_batch_sizes(None) == ()
    assert parse_batch_sizes("4") == (4,)
    assert parse_batch_sizes("1, 2") == (1, 2)


def test_options_have_the_types_of_their_defaults():
    assert network_options("fcn8s", ["width=1", "padding=7", "learn_upsampling=True"]) == {
        "width": 1.0, "padding": 7, "learn_upsampling": True,
    }  # fmt: skip
    assert network_options("unet", []) == {}


def test_a_busy_machine_is_said(device, monkeypatch):
    monkeypatch.setattr("minifcn.machine.facts.busy_cores", lambda: 1.53)
    assert disturbed(machine(device)).startswith("other programs keep 1.5 of this machine's cores busy")
    for idle in (0.1, None):
        monkeypatch.setattr("minifcn.machine.facts.busy_cores", lambda idle=idle: idle)
        assert disturbed(machine(device)) is None


def test_busy_cores_are_read_while_this_process_sleeps(monkeypatch):
    """Between the two looks, 80 ticks of the cores were idle or waiting for a disk, and 20 busy."""
    lines = iter(["cpu  100 0 50 1000 5 1 2 3 0 0", "cpu  110 1 55 1070 15 2 3 5 9 9"])
    monkeypatch.setattr(Path, "read_text", lambda self: next(lines) + "\ncpu0 1 2 3")
    monkeypatch.setattr("minifcn.machine.facts.os.cpu_count", lambda: 8)
    assert busy_cores(lambda seconds: None) == pytest.approx(8 * 20 / 100)
    monkeypatch.undo()

    def missing(self):
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    assert busy_cores(lambda seconds: None) is None


def test_the_machine_in_one_sentence(device):
    said = described(machine(device), device)
    for part in ("1 thread on both sides", "float32", "NumPy 2", "PyTorch 2", "minifcn 0", "core"):
        assert part in said


RESULTS = [
    Result("conv, forward", "a", Timing((0.002, 0.002, 0.002), (0.004, 0.008, 0.001)), 1000),
    Result("other", "b", Timing((1.5,), (1.0,))),
    Result("conv, forward", "c", Timing((0.2,), (0.1,)), 1_500_000),
]


def test_tables_gather_groups_and_round():
    first, second = tables.timing_tables(RESULTS)
    assert (first.title, second.title) == ("conv, forward", "other")
    assert first.rows[0] == ("a", "2", "4", "0.50", "0.25 .. 2.00")
    assert first.rows[1] == ("c", "200", "100", "2.00", "2.00 .. 2.00")
    assert second.rows == [("b", "1,500", "1,000", "1.50", "1.50 .. 1.50")]


def test_the_summary_is_a_geometric_mean():
    table = tables.summary(RESULTS, "conv")
    assert table.rows == [("forward", "1.00", "2.00"), ("all", "1.00", "2.00")]


def test_the_ladders_table_has_a_column_a_case_and_pytorchs_best():
    results = [
        Result("g", "slow", Timing((0.5,), (0.03,)), 1000),
        Result("g", "fast", Timing((0.01,), (0.02,)), 1000),
        Result("g", "fast", Timing((0.04,), (0.05,)), 2_500_000),
    ]
    (table,) = tables.ladder_tables(results)
    assert table.columns == ("rung", "1 k", "2.5 M")
    assert table.rows == [("slow", "500", "-"), ("fast", "10.0", "40.0"), ("PyTorch", "20.0", "50.0")]


def test_the_memory_table_shows_the_whole_and_what_came_after_the_imports():
    found = [Peak("ours", 2, 50 << 20, 250 << 20, 7 << 20), Peak("pytorch", 2, 100 << 20, 500 << 20, 14 << 20)]
    table = tables.memory_table(found, "a network")
    assert table.rows == [
        ("batch 2", "250", "500", "0.50"), ("over imports, batch 2", "200", "400", "0.50"), ("GPU, batch 2", "7", "14", "0.50"),
    ]  # fmt: skip
    assert tables.memory_table(found[:1], "a network").rows[0] == ("batch 2", "250", "-", "-")


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "step.json"
    record.write(path, "step", {}, {}, results=RESULTS)
    before = path.read_text()
    with pytest.raises(TypeError):
        record.write(path, "step", {"a set": {1}}, {}, results=RESULTS)
    assert path.read_text() == before
    assert [one.name for one in tmp_path.iterdir()] == ["step.json"]
