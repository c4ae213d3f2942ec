"""minifcn train --workers, with whatever MPI is installed: the same digits for any number of workers, and what goes wrong.

MINIFCN_KILLS=20 pytest tests/cli/test_workers_command.py -k killed     kills at so many random moments instead of three
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import minifcn
from minifcn import cli
from minifcn.bench.scale import Network
from minifcn.machine.mpi import find_mpirun
from support.digits import digits

# Dropout, clipping, class weights, void of a crop that leaves the pictures, an epoch of 34 batches whose last one is short.
RUN = (  # noqa: SIM905
    "train --data shapes --train-split val --val-split train --validate-on 6 --model fcn8s --width 0.03 --padding 1 "
    "--augment scale:0.5-1,crop:64x64 --batch-size 3 --accumulate 4 --iterations 20 --clip-norm 0.5 --class-weights frequency "
    "--samples 1 --log-every 5 --checkpoint-every 2 --lr 0.01"
).split()


def has_mpi():
    try:
        return find_mpirun()
    except ValueError:
        return None


with_mpi = pytest.mark.skipif(not has_mpi(), reason="there is no MPI, see the extra `parallel`")


def start(arguments, data, patch=None, before=()):
    """`minifcn` with these arguments, as a process; `patch` is code that each of its processes begins with; `before` it
    stands what starts it."""
    environment = {**os.environ, "COLUMNS": "200"}
    if patch is not None:
        folder = data / f"patch-{hashlib.sha256(patch.encode()).hexdigest()[:8]}"
        folder.mkdir(exist_ok=True)
        (folder / "sitecustomize.py").write_text(patch)
        environment["PYTHONPATH"] = os.pathsep.join([str(folder), str(Path(minifcn.__file__).parents[1])])
    command = [*before, sys.executable, *(["-m", "mpi4py"] if before else []), "-m", "minifcn", *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process, within=120):
    """(status, stdout, stderr)"""
    try:
        out, err = process.communicate(timeout=within)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, out, err


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def undisturbed(data):
    """What the run leaves behind in one process."""
    status, _, err = finish(start([*RUN, "--out", data / "alone"], data))
    assert status == 0, err
    return digits(data / "alone")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--workers 0", "0 workers cannot share a step of 4 batches evenly: take 1, 2, 4"),
        ("--workers 3", "3 workers cannot share a step of 4 batches evenly: take 1, 2, 4"),
        ("--workers 8", "8 workers cannot share"),
        ("--workers -2", "-2 workers cannot share"),
        ("--workers 2 --sync-bn", "4 batches a step (--accumulate) need 4 workers, not 2"),
        ("--workers 2 --restarts -1", "--restarts -1: write 0 or more"),
        ("--restarts 2", "--restarts belongs to --workers"),
    ],
)
def test_what_cannot_be_shared_is_refused_before_a_process_starts(options, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(subprocess, "Popen", None)
    with pytest.raises(SystemExit) as leaving:
        cli.main([*RUN, "--out", str(tmp_path / "run"), *options.split()])
    assert leaving.value.code == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_without_an_mpi_it_says_how_to_get_one(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    with pytest.raises(SystemExit):
        cli.main([*RUN, "--out", str(tmp_path / "run"), "--workers", "2"])
    assert "pip install 'minifcn[parallel]'" in capsys.readouterr().err


@with_mpi
@pytest.mark.parametrize("count", [1, 2, 4])
def test_any_number_of_workers_gives_the_same_digits(count, data, tmp_path, undisturbed):
    status, out, err = finish(start([*RUN, "--workers", count, "--out", tmp_path / "run"], data))
    assert status == 0, err
    assert err == ""
    assert out.count("done: 20 iterations") == 1
    assert count == 1 or out.count(f"; {count} workers") == 1
    assert digits(tmp_path / "run") == undisturbed


@with_mpi
def test_started_by_ones_own_mpirun_it_joins(data, tmp_path, undisturbed):
    mine = [*find_mpirun(), "-n", "2"] if has_mpi() else []
    status, out, err = finish(start([*RUN, "--out", tmp_path / "run"], data, before=mine))
    assert status == 0, err
    assert out.count("done: 20 iterations") == out.count("; 2 workers") == 1
    assert digits(tmp_path / "run") == undisturbed
    began = time.monotonic()
    status, out, err = finish(start([*RUN, "--workers", 4, "--out", tmp_path / "other"], data, before=mine))
    assert status != 0
    assert "--workers 4, and the MPI started 2: drop --workers" in err
    status, out, err = finish(start([*RUN, "--out", tmp_path / "broken"], data, _RAISES, before=mine))
    assert status != 0
    assert err.count("minifcn: worker 1 has a picture that cannot be read") == 1
    assert "done:" not in out
    assert time.monotonic() - began < 40  # nobody waits for ever


@with_mpi
@pytest.mark.parametrize("seed", range(int(os.environ.get("MINIFCN_KILLS", "3"))))
def test_killed_at_a_random_moment_it_goes_on_to_the_same_digits(seed, data, tmp_path, undisturbed):
    """A worker, any of them, is killed after so many rows of the log and a moment more; once it is left to `--restarts`."""
    rng = np.random.default_rng(seed)
    restarts = int(seed % 2)
    process = start([*RUN, "--workers", 2, "--restarts", restarts, "--out", tmp_path / "run"], data)
    moment = (int(rng.integers(0, 4)), float(rng.uniform(0, 0.4)))
    job = wait_for(lambda: job_of(process.pid), process)
    pid = wait_for(lambda: number_in(job / f"pid.{rng.integers(2)}"), process)
    log = tmp_path / "run" / "log.jsonl"
    wait_for(lambda: moment[0] == 0 or (log.exists() and log.read_text().count("\n") >= moment[0]), process)
    time.sleep(moment[1])  # no waiting for anything: the moment shall be any
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    if restarts:
        status, _, err = finish(process)
        assert status == 0, err
        assert "a worker was killed (signal 9)" in err
        assert "starting again" in err
    else:
        status, _, err = finish(process)
        assert time.monotonic() - killed < 10
        assert (status, len(err.splitlines())) == (2, 1)
        assert "a worker was killed (signal 9)" in err
        saved = (tmp_path / "run" / "last.safetensors").exists()
        assert saved == (f"minifcn train --resume {tmp_path / 'run'}" in err)
        again = ["train", "--resume", tmp_path / "run"] if saved else [*RUN, "--out", tmp_path / "run"]
        status, _, err = finish(start(again, data))  # with one worker
        assert status == 0, err
    assert digits(tmp_path / "run") == undisturbed
    assert not job.exists()


_RANK = "import os, sys\nrank = os.environ.get('PMI_RANK', os.environ.get('OMPI_COMM_WORLD_RANK'))\n"
_RAISES = (
    _RANK
    + """
if rank == '1':
    from minifcn.training.trainer import Trainer
    step = Trainer.step
    def broken(self, batches):
        if self.state.iteration == 3:
            raise ValueError("worker 1 has a picture that cannot be read")
        return step(self, batches)
    Trainer.step = broken
"""
)
_NEVER_STARTS = (
    _RANK
    + """
if rank == '1':
    import signal
    while True:
        signal.pause()
"""
)
_DISK_FULL = (
    _RANK
    + """
if rank == '0':
    import errno
    from minifcn.training import trainer
    save_run = trainer.save_run
    def full(folder, net, optimizer, state, about, best=False):
        if state.iteration >= 4:
            raise OSError(f"the checkpoint cannot be written: {os.strerror(errno.ENOSPC)}")
        save_run(folder, net, optimizer, state, about, best)
    trainer.save_run = full
"""
)


@with_mpi
@pytest.mark.parametrize(
    ("patch", "sentence"),
    [
        (_RAISES, "minifcn: worker 1 has a picture that cannot be read\n"),
        (_NEVER_STARTS, "minifcn: worker 1 of 2 did not start within 8 s of the others\n"),
        (
            _DISK_FULL,
            "minifcn: the checkpoint cannot be written: No space left on device; the checkpoint of iteration 2 is whole\n",
        ),
    ],
    ids=["an exception", "a worker that never starts", "a full disk"],
)
def test_what_goes_wrong_is_said_once(patch, sentence, data, tmp_path):
    process = start([*RUN, "--workers", 2, "--restarts", 3, "--out", tmp_path / "run"], data, patch)
    began = wait_for(lambda: job_of(process.pid) and time.monotonic(), process)
    status, _, err = finish(process)
    assert (status, err) == (2, sentence)
    assert time.monotonic() - began < 30  # of which the start takes some


@with_mpi
def test_ctrl_c_saves_once_and_the_run_goes_on(data, tmp_path, undisturbed):
    process = start([*RUN, "--workers", 2, "--out", tmp_path / "run"], data)
    log = tmp_path / "run" / "log.jsonl"
    wait_for(lambda: log.exists() and log.read_text(), process)
    process.send_signal(signal.SIGINT)
    status, out, err = finish(process)
    assert status == 130, err
    assert out.count("all is saved in") == 1
    assert err.count("stopping after this step") == 1
    status, _, err = finish(start(["train", "--resume", tmp_path / "run", "--workers", 4], data))
    assert status == 0, err
    assert digits(tmp_path / "run") == undisturbed


@with_mpi
def test_bench_scale_measures_and_estimates(tmp_path, capsys):
    arguments = ["--width", "0.03", "--option", "padding=1", "--batch-size", "2", "--pairs", "1", "--out", str(tmp_path)]
    with pytest.raises(SystemExit) as leaving:
        cli.main(["bench", "scale", *arguments])
    assert leaving.value.code == 0
    said = capsys.readouterr().out
    assert "an estimate, not measured" in said
    found = json.loads((tmp_path / "scale.json").read_text())["workers"]
    assert [row["workers"] for row in found][:2] == [1, 2]
    one, two = found[:2]
    assert (one["sent_bytes"], one["latency"]) == (0, None)
    assert two["sent_bytes"] >= two["gradient_bytes"]  # half of it to the other, and half of the sum
    assert two["sent_bytes"] < 1.01 * two["gradient_bytes"] + 100
    assert two["exchange_seconds"] > 0


def test_the_estimate_of_an_exchange():
    """40 MB in three buckets between 8 workers: each sends 7 eighths twice, and 7 letters a bucket twice."""
    exchange = Network("", latency=1e-3, bandwidth=1e9).exchange(8, 40_000_000, 1 << 24)
    assert exchange == pytest.approx(2 * 7 / 8 * 0.04 + 2 * 7 * 3 * 1e-3)


def wait_for(condition, process, patience=60.0):
    """What the condition gives once it is true; a process that ends before that fails the test."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if found := condition():
            return found
        if process.poll() is not None:
            raise AssertionError(f"it ended: {process.communicate()}")
        time.sleep(0.01)
    process.kill()
    raise AssertionError("nothing happened for a minute")


def job_of(supervisor):
    """The folder of the job that a supervisor has started, from the environment of its child."""
    for child in Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split():
        try:
            variables = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        found = [v for v in variables if v.startswith(b"MINIFCN_JOB=")]
        if found:
            return Path(found[0].partition(b"=")[2].decode())
    return None


def number_in(file):
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None
