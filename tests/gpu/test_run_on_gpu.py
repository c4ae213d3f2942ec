"""The one command for a machine with a GPU, as far as it goes on one without."""

from __future__ import annotations

import json
import signal
import sys
import time

import pytest

from gpu import run_on_gpu
from gpu.device import gpu_record, host_times, kernel_times, tile_times, watched_process
from gpu.device.gpu_record import Record
from gpu.run_on_gpu import Job
from minifcn.bench import Result, Timing, layers, tables, timing
from minifcn.bench.record import as_dict
from minifcn.cli.bench import bench
from minifcn.kernels.cuda import conv
from minifcn.machine.doctor import probe_gpu
from support import cuda_emulator

without_gpu = pytest.mark.skipif(probe_gpu().smoke is not None, reason="there is a GPU: run_on_gpu.py itself says more")
FACTS = {
    "device": "NVIDIA Test",
    "date": "2026-01-02",
    "versions": {"python": "3", "torch": "2.11.0", "cupy-cuda13x": "14.2.0"},
}


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.fixture
def record(tmp_path) -> Record:
    return Record(tmp_path / "out" / "test.json", FACTS)


@pytest.fixture
def job(record, tmp_path) -> Job:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return Job(record, "tests", scratch, commit="abc")


def written(record: Record) -> dict:
    """The file as somebody finds it who comes later."""
    return gpu_record.read(record.path)


# ------------------------------------------------------------------------------------------------------------ one command


@without_gpu
def test_it_ends_with_the_doctors_words_where_there_is_no_gpu(tmp_path):
    with pytest.raises(SystemExit, match="no GPU to run on"):
        run_on_gpu.main(["tests", "--out", str(tmp_path)])
    assert not list(tmp_path.iterdir())


@without_gpu
def test_the_benchmark_is_called_with_options_that_it_has(job):
    run_on_gpu.bench(job, "step", 1)
    assert [note["status"] for note in job.run_record["commands"]] == [2, 2]
    for note in job.run_record["commands"]:
        text = " ".join(note["output"])
        assert "No such option" not in text
        assert "device 'cuda' needs" in text, text
    job.finish()
    assert job.run_record["status"] == "failed"


@pytest.mark.skipif(cuda_emulator.COMPILER is None, reason="g++ is not installed")
def test_the_small_cases_run(cupy, capsys, monkeypatch):
    """What compute-sanitizer is given, here on the stand-in; each array there is an allocation of its own."""
    allocators = []
    monkeypatch.setattr(cupy.cuda, "set_allocator", allocators.append, raising=False)
    assert run_on_gpu.main(["--cases"]) == 0
    out = capsys.readouterr().out
    assert allocators == [None]
    assert out.startswith("3x2 window, ragged, 1 products-")  # named before it runs
    assert "every case is right" in out


def test_the_command_line():
    options = run_on_gpu.parse(["step", "train", "--minutes", "9", "--", "--iterations", "7", "--lr", "1"])
    assert (options.parts, options.minutes, options.extra) == (["step", "train"], 9.0, ["--iterations", "7", "--lr", "1"])
    assert options.device == "cuda"
    assert run_on_gpu.parse([]).parts == []
    for wrong in (["speed"], ["train", "--data", "voc"], ["--minutes", "many"]):
        with pytest.raises(SystemExit):
            run_on_gpu.parse(wrong)


@without_gpu
@pytest.mark.parametrize("part", ["tests", "suite"])
def test_pytest_is_called_with_options_that_it_has(job, monkeypatch, part):
    """The real command lines, of which pytest here only collects."""
    right = job.run
    monkeypatch.setattr(job, "run", lambda name, command, *rest: right(name, [*command, "--collect-only", "-qq"], *rest))
    run_on_gpu.PARTS[part](job, run_on_gpu.parse([]))
    (note,) = job.run_record["commands"]
    assert note["status"] == 0, note["output"]
    files = {line.split(":")[0] for line in note["output"]}
    assert ("tests/gpu/device/test_on_gpu.py" in files) == (part == "tests")
    assert ("tests/training/test_upload.py" in files) == (part == "suite")


@without_gpu
@pytest.mark.parametrize("part", ["tiles", "ceilings", "kernels", "host"])
def test_each_script_is_called_with_options_that_it_has(job, part):
    run_on_gpu.PARTS[part](job, run_on_gpu.parse([]))
    for note in job.run_record["commands"]:
        assert "device 'cuda' needs" in " ".join(note["output"]), note["output"]


def test_a_profilers_events_are_summed_by_kernel():
    event = {"cat": "kernel", "name": "conv", "ts": 10.0, "dur": 2000.0}
    events = [
        event, {**event, "ts": 2010.0, "dur": 1000.0}, {"cat": "cpu_op", "name": "conv", "ts": 0.0, "dur": 9e9},
        {"cat": "gpu_memset", "name": "Memset", "ts": 5010.0, "dur": 500.0}, {"name": "no category"},
    ]  # fmt: skip
    found = kernel_times.summary(events, steps=2)
    assert found["rows"] == [("conv", 1.0, 1.5), ("Memset", 0.5, 0.25)]
    assert (found["ms"], found["busy_ms"], found["kernels"]) == (2.75, 1.75, 1.5)
    assert "1.750 ms of it in 2 kernels" in kernel_times.said("ours", found)
    with pytest.raises(RuntimeError, match="no kernel"):
        kernel_times.summary(events[2:3], steps=2)


def test_the_hosts_time_is_told_by_function():
    """Of a step that waits in a function of its own, most of the time is that function's."""

    def slow():
        return sum(range(20_000))

    waited = []
    found = host_times.measure(lambda: [slow() for _ in range(3)], lambda: waited.append(1))
    name, calls, ms = max(found["rows"], key=lambda row: row[2])
    assert calls == 3
    assert name in ("<built-in method builtins.sum>", next(row[0] for row in found["rows"] if row[0].endswith(" slow")))
    assert ms > 0
    assert len(waited) >= 3
    assert 0 < found["launched_ms"] < 10 * found["ms"]
    assert f"3.0 x {name}" in host_times.said(found)


def test_tile_times_finds_the_plan_that_is_fastest(cupy, monkeypatch):
    """By a clock that reads how many multiply-adds a plan takes: only the plan in force can have told it."""
    monkeypatch.setitem(tile_times.LAYERS, "small", ((1, 32, 9, 11), (65, 32, 3, 3), 1))
    monkeypatch.setattr(conv, "_precision", "tf32")

    def clock(xp, function):
        function()
        tile, splits = conv.plan()
        return tile.BM * tile.BN / 100 + abs(splits - 2)

    found = list(tile_times.rows(cupy, "small", clock))
    assert [row.passed for row in found] == ["forward", "dx", "dweight"]
    for row in found:
        assert row.best.startswith("32x128 /")
        assert row.chosen in row.all_ms
        assert any("w" in name for name in row.all_ms) == (row.passed != "dweight")
        assert row.chosen_ms >= row.best_ms == min(row.all_ms.values())
    assert "TFLOP/s" in str(found[0])


def test_compute_sanitizer_gets_every_tool(job, tmp_path, monkeypatch):
    """A stand-in for it that knows one option, says what it was given, and finds something with one of its tools."""
    program = tmp_path / "compute-sanitizer"
    program.write_text(
        '#!/bin/sh\n[ "$1" = --help ] && echo "  --kernel-regex-exclude" && exit\necho "$@"\n[ "$2" != racecheck ]\n'
    )
    program.chmod(0o755)
    monkeypatch.setattr(run_on_gpu.shutil, "which", lambda name: str(program))
    run_on_gpu.sanitizers(job, run_on_gpu.parse([]))
    commands = job.run_record["commands"]
    assert [note["name"] for note in commands] == ["memcheck", "racecheck", "synccheck", "initcheck"]
    assert [note["status"] for note in commands] == [0, 1, 0, 0]
    for note in commands:
        assert f"--tool {note['name']} --error-exitcode 3 " in note["output"][0]
        leaves_cupys_out = "--kernel-regex-exclude" in note["output"][0]
        assert leaves_cupys_out == (note["name"] != "initcheck")
        assert note["output"][0].endswith("run_on_gpu.py --cases")


def test_a_machine_without_compute_sanitizer_is_no_success(job, monkeypatch):
    monkeypatch.setattr(run_on_gpu.shutil, "which", lambda name: None)
    assert not run_on_gpu.run_part(Job(job.record, "sanitizers", job.scratch), run_on_gpu.parse([]))
    assert written(job.record)["parts"]["sanitizers"][0]["trouble"] == ["compute-sanitizer is not installed"]


def test_cupys_kernels_are_left_out_by_the_name_that_the_sanitizer_has():
    assert run_on_gpu._without_cupys("... --kernel-name-exclude arg") == ["--kernel-name-exclude", "kernel_substring=cupy"]
    assert run_on_gpu._without_cupys("... --kernel-regex-exclude arg") == ["--kernel-regex-exclude", "kernel_substring=cupy"]
    assert run_on_gpu._without_cupys("") == []


# ---------------------------------------------------------------------------------------------------- a command under watch


def watch(tmp_path, code, limit=60.0, grace=5.0):
    pieces = []
    outcome = watched_process.watch(python(code), limit, pieces.append, cwd=tmp_path, path=tmp_path, grace=grace)
    return outcome, "".join(pieces)


def test_output_and_errors_are_seen_and_the_status_is_given_back(tmp_path):
    code = "import sys, os; print('out ü'); print('err', file=sys.stderr); print(os.environ['PYTHONPATH']); sys.exit(3)"
    outcome, text = watch(tmp_path, code)
    assert outcome == (3, True)
    assert "out ü\n" in text
    assert "err\n" in text
    assert str(tmp_path) in text


def test_output_is_seen_while_the_command_runs(tmp_path):
    """The command goes on only when its first words have been seen: kept back, they would never come."""
    go = tmp_path / "go"
    code = f"import os, time\nprint('first')\nwhile not os.path.exists({str(go)!r}): time.sleep(0.01)\nprint('second')"
    seen = []

    def on_text(text):
        seen.append(text)
        go.touch()

    assert watched_process.watch(python(code), 30, on_text, cwd=tmp_path, path=tmp_path) == (0, True)
    assert "".join(seen).split() == ["first", "second"]
    assert len(seen) > 1


def test_over_time_it_is_asked_first_and_may_say_what_it_has(tmp_path):
    code = "import time\ntry: time.sleep(60)\nexcept KeyboardInterrupt: print('what I have')"
    (status, in_time), text = watch(tmp_path, code, limit=1.5)
    assert (status, in_time, text) == (0, False, "what I have\n")


def test_one_that_does_not_listen_is_killed_with_its_children(tmp_path):
    child = "import time; time.sleep(60)"
    code = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGINT, signal.SIG_IGN);"
        f"print(subprocess.Popen([sys.executable, '-c', {child!r}]).pid, flush=True); time.sleep(60)"
    )
    start = time.monotonic()
    (status, in_time), text = watch(tmp_path, code, limit=1.5, grace=0.5)
    assert (status, in_time) == (-signal.SIGKILL, False)
    assert time.monotonic() - start < 20
    assert is_gone(int(text))


def test_nothing_goes_on_when_the_watcher_ends(tmp_path):
    seen = []

    def on_text(text):
        seen.append(text)
        raise KeyboardInterrupt

    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    with pytest.raises(KeyboardInterrupt):
        watched_process.watch(python(code), 60, on_text, cwd=tmp_path, path=tmp_path)
    assert is_gone(int(seen[0]))


def is_gone(pid: int) -> bool:
    """Whether a process has ended, or does within a moment (a zombie that nobody has buried has)."""
    for _ in range(100):
        try:
            with open(f"/proc/{pid}/stat") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


# ------------------------------------------------------------------------------------------------------------- the record


def test_a_command_is_noted_with_what_it_left(job, tmp_path, capsys):
    (tmp_path / "figures.json").write_text('{"ms": 7}')
    assert job.run("one", python("print('hello')"), 1, lambda: run_on_gpu._jsons(tmp_path))
    (run,) = written(job.record)["parts"]["tests"]
    assert run["found"] == {"figures": {"ms": 7}}
    assert (run["commit"], run["status"]) == ("abc", "running")
    (note,) = run["commands"]
    assert (note["name"], note["status"], note["output"]) == ("one", 0, ["hello"])
    assert note["seconds"] >= 0
    assert "hello\n" in capsys.readouterr().out


def test_what_is_there_is_written_while_the_command_still_runs(job, tmp_path, monkeypatch):
    """Somebody who kills the whole finds what had been measured: the command itself reads the record while it runs."""
    monkeypatch.setattr(run_on_gpu, "SAVE_EVERY", 0.0)
    code = (
        f"import json, pathlib, time\nrecord = pathlib.Path({str(job.record.path)!r})\nprint('measured')\n"
        "for _ in range(500):\n"
        "    run = json.loads(record.read_text())['parts']['tests'][0]\n"
        "    if run['found'] == {'so far': 1} and run['commands'][0]['output'] == ['measured']: print('found it'); break\n"
        "    time.sleep(0.01)"
    )
    job.run("one", python(code), 1, lambda: {"so far": 1})
    assert job.run_record["commands"][0]["output"] == ["measured", "found it"]


def test_what_a_failed_command_left_half_done_stops_nothing(job, tmp_path):
    (tmp_path / "half.json").write_text('{"ms":')
    assert not job.run("one", python("raise SystemExit(4)"), 1, lambda: run_on_gpu._jsons(tmp_path))
    assert job.run("two", python(""), 1)
    job.finish()
    (run,) = written(job.record)["parts"]["tests"]
    assert [note["status"] for note in run["commands"]] == [4, 0]
    assert "JSONDecodeError" in run["commands"][0]["nothing_found"]
    assert run["status"] == "failed"


def test_a_command_over_time_is_noted_and_the_next_one_runs(job):
    assert not job.run("slow", python("import time; time.sleep(60)"), 0.02)
    assert job.run("next", python(""), 1)
    job.finish()
    (run,) = written(job.record)["parts"]["tests"]
    assert run["commands"][0]["status"] == "stopped after 1 s"
    assert run["status"] == "out of time"


def test_no_command_begins_when_all_time_is_gone_but_what_is_spared(record, tmp_path):
    job = Job(record, "train", tmp_path, end=time.monotonic() + 30, commit="abc")
    assert not job.run("long", python("print('ran')"), 5, spare=1.0)
    assert job.run("short", python("print('ran')"), 5)
    first, second = job.run_record["commands"]
    assert first["status"].startswith("left out")
    assert second["output"] == ["ran"]


def test_only_the_end_of_a_long_output_is_kept(job):
    job.run("talkative", python("for i in range(20_000): print('line', i)"), 1)
    lines = job.run_record["commands"][0]["output"]
    assert lines[-1] == "line 19999"
    assert len(lines) < 2_000


# -------------------------------------------------------------------------------------------------------------- the parts


@pytest.fixture
def parts(monkeypatch):
    """Three parts in the place of the real ones: one that is fine, one that crashes, one whose command fails."""

    def fine(job, options):
        job.run("fine", python(""), 1, lambda: {"figure": 1})

    def crashes(job, options):
        job.run("before", python(""), 1, lambda: {"figure": 2})
        raise ZeroDivisionError("a mistake in the part itself")

    def fails(job, options):
        job.run("fails", python("raise SystemExit(1)"), 1)

    found = {"crashes": crashes, "fails": fails, "fine": fine}
    monkeypatch.setattr(run_on_gpu, "PARTS", found)
    monkeypatch.setattr(run_on_gpu, "machine", lambda: dict(FACTS))
    return found


def run_main(tmp_path, *arguments) -> tuple[int, dict]:
    status = run_on_gpu.main([*arguments, "--out", str(tmp_path), "--commit", "abc"])
    (path,) = tmp_path.iterdir()
    assert path.name == "NVIDIA-Test-2026-01-02.json"
    return status, gpu_record.read(path)


def test_one_part_that_crashes_stops_no_other(parts, tmp_path):
    status, content = run_main(tmp_path)
    assert status == 1
    assert {name: runs[0]["status"] for name, runs in content["parts"].items()} == {
        "crashes": "crashed", "fails": "failed", "fine": "done",
    }  # fmt: skip
    assert content["parts"]["crashes"][0]["found"] == {"figure": 2}
    assert "a mistake in the part itself" in content["parts"]["crashes"][0]["trouble"][-1]


def test_later_runs_are_added_and_take_nothing_away(parts, tmp_path):
    assert run_main(tmp_path, "fine")[0] == 0
    parts["fine"] = parts["fails"]
    status, content = run_main(tmp_path, "fine", "fails")
    assert status == 1
    assert [run["status"] for run in content["parts"]["fine"]] == ["done", "failed"]
    assert content["parts"]["fine"][0]["found"] == {"figure": 1}
    assert len(content["parts"]["fails"]) == 1
    for run in content["parts"]["fine"]:
        assert {"began", "commit", "seconds", "commands"} <= set(run)


def test_parts_for_which_no_time_is_left_are_named(parts, tmp_path, capsys):
    status, content = run_main(tmp_path, "fine", "fails", "--minutes", "0")
    assert (status, content["parts"]) == (0, {})
    assert [one["part"] for one in content["left_out"]] == ["fine", "fails"]
    assert "fine is left out: the 0 minutes were over" in capsys.readouterr().out


def test_a_part_that_is_stopped_from_outside_is_noted(parts, tmp_path):
    def stopped(job, options):
        job.run("before", python(""), 1, lambda: {"figure": 3})
        raise KeyboardInterrupt

    parts["fine"] = stopped
    with pytest.raises(KeyboardInterrupt):
        run_main(tmp_path, "fine")
    (path,) = tmp_path.iterdir()
    (run,) = gpu_record.read(path)["parts"]["fine"]
    assert (run["status"], run["found"]) == ("stopped", {"figure": 3})


def test_a_file_that_cannot_be_read_is_put_aside(tmp_path):
    path = tmp_path / "one.json"
    for content in ('{"parts":', "[]", '{"format": "something else"}'):
        path.write_text(content)
        assert Record(path, FACTS).content["parts"] == {}
        assert path.with_suffix(".unreadable").read_text() == content


@pytest.mark.slow
def test_training_evaluating_and_moving(record, tmp_path):
    """The part as it is, with a narrow network, a few steps, and the CPU in the GPU's place."""
    extra = ["--width", "0.03125", "--iterations", "6", "--validate-every", "3", "--log-every", "2", "--batch-size", "2"]
    options = run_on_gpu.parse(["train", "--", *extra])
    options.device = "cpu"
    job = Job(record, "train", tmp_path, commit="abc")
    assert run_on_gpu.run_part(job, options), job.run_record
    (run,) = written(record)["parts"]["train"]
    training, evaluation, moved = (run["found"][key] for key in ("training", "evaluation", "moved"))
    assert (training["data"], training["iterations"]) == ("shapes", 6)
    assert training["seconds"] > 0
    assert training["images_per_second"] > 0
    assert [row["iteration"] for row in training["validations"]] == [3, 6]
    best = max(row["mean_iu"] for row in training["validations"])
    assert evaluation["mean_iu"] == pytest.approx(best, abs=1e-6)
    assert [iteration for iteration, _ in moved] == list(range(5, 110, 5))
    assert "FCN-8s trained on shapes: 6 iterations in" in gpu_record.table(record.content)


# -------------------------------------------------------------------------------------------------------------- the table


@pytest.fixture
def benched(record, tmp_path, monkeypatch) -> Record:
    """A record with what `minifcn bench` really writes, here on a CPU, small."""
    pytest.importorskip("torch")
    monkeypatch.setattr(timing, "SETTLE", 0.0)
    monkeypatch.setattr(timing, "LEAST", 0.0)
    monkeypatch.setattr("minifcn.machine.facts.busy_cores", lambda: 0.0)
    monkeypatch.setattr(layers, "VGG16", layers.VGG16[:1])
    for subject in ("step", "inference", "layers"):
        run = record.begin(subject, began="2026-01-02T03:04:05", commit="abc")
        for precision in ("tf32", "float32"):
            folder = tmp_path / subject / precision
            bench(subject, size="16x32", width=1 / 64, pairs=1, threads=1, batch_size="1", channels_last=False, out=folder)
            run["found"][f"{subject}, {precision}"] = run_on_gpu._jsons(folder)
    record.save()
    return record


def cells(text: str, *starts: str) -> list[list[str]]:
    """The rows of the Markdown that begin with these cells."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return [row for row in rows if tuple(row[: len(starts)]) == starts]


def test_the_table_reads_what_bench_writes(benched, capsys):
    assert run_on_gpu.main(["--table", str(benched.path)]) == 0
    text = capsys.readouterr().out
    assert text.startswith("NVIDIA Test, 2026-01-02, CuPy 14.2.0, PyTorch 2.11.0; medians")
    found = benched.content["parts"]["step"][0]["found"]
    for precision in ("tf32", "float32"):
        (result,) = found[f"step, {precision}"]["step"]["results"]
        (row,) = cells(text, "training step, 16x32, batch 1", precision)
        ours, theirs = (tables.milliseconds(result[f"{side}_seconds"][0]) for side in ("ours", "pytorch"))
        assert row[2:] == [ours, theirs, tables.ratio(result["ratio"]), "-", "-"]  # a CPU has no host beside it
        assert cells(text, "inference, 16x32, batch 1", precision)
        results = benched.content["parts"]["layers"][0]["found"][f"layers, {precision}"]["layers"]["results"]
        (row,) = cells(text, "all of them", precision)
        worst = max(results, key=lambda one: one["ratio"])
        mean = tables.ratio(timing.geometric_mean(one["ratio"] for one in results))
        assert row[2:] == [str(len(results)), mean, f"{tables.ratio(worst['ratio'])} ({worst['name']})"]
        assert len(cells(text, "VGG16's convolutions, forward, batch 1", precision)) == 1
    assert {len(row) for row in cells(text)} == {7, 5}


def add(record: Record, subject: str, *ratios: float, file: str | None = None, precision: str = "tf32") -> None:
    """A run of a subject whose results have these ratios, with host times, as bench writes them."""
    results = [
        as_dict(Result("FCN-8s, training step", f"n{i}", Timing((r / 1e3,), (1e-3,)), host=Timing((5e-4,), (2e-4,))))
        for i, r in enumerate(ratios)
    ]
    run = record.begin(subject, began=f"2026-01-02T00:00:{len(record.content['parts'].get(subject, [])):02d}")
    run["found"][f"{subject}, {precision}"] = {file or subject: {"results": results}} if ratios else {}
    record.save()


def test_the_last_run_that_has_figures_counts(record):
    add(record, "step", 0.5)
    add(record, "step", 0.75, file="step-unfinished")
    add(record, "step")  # was stopped before its first
    (row,) = cells(gpu_record.table(record.content), "training step, n0", "tf32")
    assert row[2:] == ["0.75", "1", "0.75", "0.5", "0.2"]


def test_several_files_make_one_table(tmp_path):
    first, second = (Record(tmp_path / f"{name}.json", FACTS) for name in "ab")
    add(first, "step", 0.5)
    add(second, "step", 0.25, precision="float32")
    add(second, "layers", 2.0, 0.5)
    text = gpu_record.table(gpu_record.merged([gpu_record.read(one.path) for one in (first, second)]))
    assert cells(text, "training step, n0", "tf32")[0][4] == "0.50"
    assert cells(text, "training step, n0", "float32")[0][4] == "0.25"
    assert cells(text, "all of them", "tf32")[0][2:] == ["2", "1.00", "2.00 (n0)"]


def test_a_table_of_nothing_is_one_line(record):
    assert len(gpu_record.table(record.content).splitlines()) == 1


def test_what_is_no_record_is_refused(tmp_path):
    path = tmp_path / "step.json"
    path.write_text(json.dumps({"format": "minifcn bench 1"}))
    with pytest.raises(ValueError, match="no record of run_on_gpu"):
        run_on_gpu.main(["--table", str(path)])
