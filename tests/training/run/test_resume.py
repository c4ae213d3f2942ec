"""A killed run goes on bit for bit; no moment to be killed in is a bad one."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from minifcn import kernels
from minifcn.training import read_checkpoint, read_metadata, trainer
from minifcn.training.run import progress
from minifcn.training.run.checkpoint import Checkpoint, write_checkpoint
from minifcn.training.run.folder import RunFolder
from support import tiny
from support.digits import rows

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kill -9 and fork are POSIX's")

SCRIPT = Path(tiny.__file__)
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "MINIFCN_THREADS": "1"}


@pytest.fixture(autouse=True)
def no_curves(monkeypatch):
    """Curves are drawn at the end of each run, which takes longer than all of these runs."""
    monkeypatch.setattr(trainer, "draw_log", lambda folder: None)


def assert_same_run(one: Path, other: Path) -> None:
    """Weights, running statistics, momentum, step counts, losses and logs are identical; times are not looked at."""
    for name in ("last.safetensors", "best.safetensors"):
        a, b = read_checkpoint(one / name), read_checkpoint(other / name)
        del a.metadata["seconds"], b.metadata["seconds"]
        assert a.metadata == b.metadata
        assert a.optimizer.keys() == b.optimizer.keys()
        for x, y in ((a.model, b.model), (a.optimizer, b.optimizer)):
            for key in x:
                np.testing.assert_array_equal(x[key], y[key], err_msg=key)
    assert rows(one) == rows(other)
    columns = [[line.split(",")[:5] for line in (folder / "log.csv").read_text().splitlines()] for folder in (one, other)]
    assert columns[0] == columns[1]


def run_script(folder: Path, *arguments: str) -> int:
    return subprocess.run([sys.executable, SCRIPT, folder, *arguments], env=ENVIRONMENT, timeout=60, check=False).returncode


@pytest.mark.parametrize(
    ("kill", "optimizer", "accumulate"),
    [("saved:10", "sgd", 1), ("step:13", "adam", 1), ("validating:2", "sgd", 3), ("logged:18", "sgd", 1)],
)
def test_straight_equals_killed_and_resumed(kill, optimizer, accumulate, tmp_path):
    """20 steps = 10 + kill -9 + 10, also when it dies between checkpoints, in a validation, or just after a log row."""
    straight = tiny.tiny_trainer(tmp_path / "straight", 20, optimizer, accumulate=accumulate)
    straight.folder.create()
    straight.run()
    options = ("--optimizer", optimizer, "--accumulate", str(accumulate))
    assert run_script(tmp_path / "killed", *options, "--kill", kill) == -signal.SIGKILL
    resumed = tiny.tiny_trainer(tmp_path / "killed", 20, optimizer, accumulate=accumulate)
    resumed.resume()
    assert 0 < resumed.state.iteration < 20 or kill == "validating:2"
    assert resumed.run().iteration == 20
    assert_same_run(tmp_path / "straight", tmp_path / "killed")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("method", ["step", "validating"])
def test_ctrl_c_saves_and_goes_on_bit_for_bit(method, number, tmp_path, capfd):
    straight = tiny.tiny_trainer(tmp_path / "straight")
    straight.folder.create()
    straight.run()

    class Stop(tiny.Progress):
        count = 0

    def strike(self, *_):
        self.count += 1
        if self.count == 7:
            os.kill(os.getpid(), number)

    setattr(Stop, method, strike)
    before = signal.getsignal(number)
    stopped = tiny.tiny_trainer(tmp_path / "stopped", progress=Stop())
    stopped.folder.create()
    result = stopped.run()
    assert signal.getsignal(number) is before
    assert result.interrupted
    assert result.iteration == (7 if method == "step" else 12)  # the third validation's first picture
    assert f"minifcn train --resume {tmp_path / 'stopped'}" in result.message
    assert "once more stops at once" in capfd.readouterr().err
    resumed = tiny.tiny_trainer(tmp_path / "stopped")
    resumed.resume()
    assert not resumed.run().interrupted
    assert_same_run(tmp_path / "straight", tmp_path / "stopped")


def test_a_second_ctrl_c_stops_at_once(tmp_path):
    class StopTwice(tiny.Progress):
        def step(self, iteration):
            if iteration == 7:
                os.kill(os.getpid(), signal.SIGINT)
                os.kill(os.getpid(), signal.SIGINT)

    run = tiny.tiny_trainer(tmp_path / "run", progress=StopTwice())
    run.folder.create()
    with pytest.raises(KeyboardInterrupt):
        run.run()
    assert read_metadata(run.folder.last)["iteration"] == 5


def test_a_run_in_another_thread_is_the_same_and_leaves_signals_alone(tmp_path):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    during: list[list] = []

    class Look(tiny.Progress):
        def step(self, iteration):
            during.append([signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)])

    straight = tiny.tiny_trainer(tmp_path / "straight")
    straight.folder.create()
    straight.run()
    results: list = []
    run = tiny.tiny_trainer(tmp_path / "thread", progress=Look())
    run.folder.create()
    thread = threading.Thread(target=lambda: results.append(run.run()))
    thread.start()
    thread.join(120)
    assert [result.interrupted for result in results] == [False]
    assert all(handlers == before for handlers in during)
    assert len(during) == 20
    assert_same_run(tmp_path / "straight", tmp_path / "thread")


def test_a_handler_that_python_cannot_put_back_is_left_in_place(monkeypatch):
    """`getsignal` gives None for one that was set in C, by a program that Python is embedded in."""
    set_to: list[int] = []
    monkeypatch.setattr(progress.signal, "getsignal", lambda number: None if number == signal.SIGTERM else signal.SIG_DFL)
    monkeypatch.setattr(progress.signal, "signal", lambda number, handler: set_to.append(number) or signal.SIG_DFL)
    with progress.interruptible() as interrupted:
        assert not interrupted()
    assert set_to == [signal.SIGINT, signal.SIGINT]


def test_a_job_that_ignores_ctrl_c_goes_on(tmp_path):
    class Stop(tiny.Progress):
        def step(self, iteration):
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        run = tiny.tiny_trainer(tmp_path / "run", 4, progress=Stop())
        run.folder.create()
        assert not run.run().interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_number_of_threads_changes_no_bit(tmp_path):
    before = kernels.get_num_threads()
    try:
        for threads in (1, 3):
            kernels.set_num_threads(threads)
            run = tiny.tiny_trainer(tmp_path / str(threads))
            run.loader.num_threads = threads
            run.folder.create()
            run.run()
    finally:
        kernels.set_num_threads(before)
    assert_same_run(tmp_path / "1", tmp_path / "3")


def test_killed_fifty_times_while_writing_checkpoints(tmp_path):
    """Each process goes on where the one before was killed: the checkpoint is there, whole, and not behind what was said.

    On a busy machine few of the kills fall into a write, and there are as many as it takes to see five that did.
    """
    folder = RunFolder(tmp_path / "run")
    rng = np.random.default_rng(0)
    partial, last_said, kills = 0, 0, 0
    server = subprocess.Popen(
        [sys.executable, SCRIPT, "--writer"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT, text=True
    )
    with server:
        while kills < 50 or partial < 5:
            kills += 1
            assert kills < 500, "no write was ever interrupted: the test does not test what it says"
            server.stdin.write(f"{folder.path}\n")
            server.stdin.flush()
            wanted = last_said + int(rng.integers(1, 4))
            while last_said < wanted:
                words = server.stdout.readline().split()
                assert words[0] == "saved", words
                assert int(words[2]) > last_said
                last_said = int(words[2])
            select.select([], [], [], rng.uniform(0, 0.01))  # somewhere within the next write or two
            os.kill(int(words[1]), signal.SIGKILL)
            while (line := server.stdout.readline()) != "dead\n":
                last_said = int(line.split()[2])
            partial += any(folder.path.glob("*.partial"))
            for path, at_least in ((folder.last, last_said), (folder.best, last_said // 3 * 3)):
                if path.exists() or at_least:
                    checkpoint = read_checkpoint(path)
                    assert checkpoint.metadata["iteration"] >= at_least
                    np.testing.assert_array_equal(checkpoint.model["conv1.bias"], checkpoint.metadata["iteration"])
        server.stdin.close()
    folder.cut_log(read_metadata(folder.last)["iteration"])
    assert [row["iteration"] for row in folder.read_log()] == list(range(1, read_metadata(folder.last)["iteration"] + 1))


def test_another_run_is_not_resumed(tmp_path):
    run = tiny.tiny_trainer(tmp_path / "run", 4)
    run.folder.create()
    run.run()
    before = {path: path.read_bytes() for path in (run.folder.last, run.folder.log_jsonl)}

    def refused(words: str, **options) -> None:
        other = tiny.tiny_trainer(tmp_path / "run", 8, **options)
        weights = {key: array.copy() for key, array in other.net.state_dict().items()}
        with pytest.raises(ValueError, match=words):
            other.resume()
        assert all(np.array_equal(array, weights[key]) for key, array in other.net.state_dict().items())

    refused("accumulate is 2 and was 1", accumulate=2)
    refused("seed is 4 and was 0", seed=4)
    refused("batches_per_epoch is 5 and was 4", dataset=tiny.TinySet(9))
    refused("model is .*0.1.* and was .*0.3", net=tiny.tiny_net(dropout=0.1))
    refused("SGD, not of Adam", optimizer="adam")
    wide = tiny.tiny_net()
    wide.score = tiny.layers.Conv2d(8, 3, 3)
    refused(r"score\.weight has shape \(3, 8, 1, 1\) instead of \(3, 8, 3, 3\)", net=wide)
    assert before == {path: path.read_bytes() for path in before}
    with pytest.raises(FileNotFoundError, match="does not exist; there is no run to resume"):
        tiny.tiny_trainer(tmp_path / "elsewhere").resume()


def test_a_run_can_be_made_longer(tmp_path):
    straight = tiny.tiny_trainer(tmp_path / "straight", 15)
    straight.folder.create()
    straight.run()
    for iterations in (6, 15):
        run = tiny.tiny_trainer(tmp_path / "longer", iterations)
        if iterations == 15:
            run.resume()
        else:
            run.folder.create()
        run.run()
    for key, array in straight.net.state_dict().items():
        np.testing.assert_array_equal(array, run.net.state_dict()[key])


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_run_from_before_gradients_were_added_as_a_tree(accumulate, tmp_path):
    """It goes on where a step had one batch; where it had several, which were added one after the other, it is refused."""
    first = tiny.tiny_trainer(tmp_path, 3, accumulate=accumulate, checkpoint_every=3)
    first.folder.create()
    first.run()
    old = read_checkpoint(first.folder.last)
    kept = {key: value for key, value in old.metadata.items() if key not in ("addition", "sync_bn")}
    write_checkpoint(first.folder.last, Checkpoint(old.model, old.optimizer, kept))
    again = tiny.tiny_trainer(tmp_path, 6, accumulate=accumulate)
    if accumulate == 1:
        again.resume()
        assert again.run().iteration == 6
    else:
        with pytest.raises(
            ValueError, match=r"added the gradients of a step's batches in another order: finish the run with that"
        ):
            again.resume()
