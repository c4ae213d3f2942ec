"""The run folder: made, refused, cut, read."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from minifcn.training import RunFolder


def row(iteration: int, event: str = "train", **values) -> dict:
    return {"event": event, "iteration": iteration, "loss": 1 / iteration, **values}


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    return RunFolder(tmp_path / "runs" / "one").create()


def test_a_folder_with_a_run_is_not_written_over(folder):
    folder.create()  # nothing has happened in it yet
    folder.append(row(1))
    with pytest.raises(ValueError, match=r"one already holds a run; resume it, or choose another"):
        folder.create()


def test_a_place_that_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"the run folder .*file/run cannot be made: Not a directory"):
        RunFolder(tmp_path / "file" / "run").create()


def test_a_read_only_place(tmp_path, monkeypatch):
    def read_only(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", read_only)
    with pytest.raises(OSError, match=r"the run folder .*run cannot be made: Read-only file system"):
        RunFolder(tmp_path / "run").create()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path):
    (tmp_path / "run").mkdir(mode=0o555)
    with pytest.raises(OSError, match="Permission denied"):
        RunFolder(tmp_path / "run").create()


def test_no_run_to_open(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"one holds no last\.safetensors"):
        folder.open()
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        RunFolder(tmp_path / "nowhere").open()


def test_log_is_cut_at_an_iteration_and_goes_on(folder):
    for iteration in range(1, 8):
        folder.append(row(iteration, mean_iu=0.5 if iteration == 4 else None))
    folder.cut_log(4)
    folder.append(row(5))
    assert [entry["iteration"] for entry in folder.read_log()] == [1, 2, 3, 4, 5]
    lines = folder.log_csv.read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["iteration", "1", "2", "3", "4", "5"]
    assert folder.read_log()[3]["mean_iu"] == 0.5


def test_a_line_that_was_cut_off_is_dropped(folder):
    for iteration in (1, 2, 3):
        folder.append(row(iteration))
    text = folder.log_jsonl.read_text()
    folder.log_jsonl.write_text(text[:-9])
    assert [entry["iteration"] for entry in folder.read_log()] == [1, 2]
    folder.cut_log(10)
    assert folder.log_jsonl.read_text() == "".join(text.splitlines(keepends=True)[:2])
    assert len(folder.log_csv.read_text().splitlines()) == 3


def test_cutting_everything_leaves_logs_that_start_anew(folder):
    folder.append(row(3))
    folder.cut_log(0)
    assert folder.read_log() == []
    folder.append(row(1))
    assert folder.log_csv.read_text().startswith("iteration,")


def test_floats_are_exact_in_json_and_nan_is_null(folder):
    folder.append(row(1, value=0.1 + 0.2, lost=float("nan"), far=float("inf")))
    (entry,) = folder.read_log()
    assert (entry["value"], entry["lost"], entry["far"]) == (0.1 + 0.2, None, None)


def test_metrics_are_the_best_and_the_last_validation(folder):
    folder.write_metrics()
    assert not folder.metrics.exists()
    for iteration, mean_iu in ((1, None), (2, 0.4), (3, 0.6), (4, 0.6), (5, 0.5)):
        folder.append(row(iteration, "validation", mean_iu=mean_iu))
        folder.append(row(iteration))
    folder.write_metrics()
    metrics = json.loads(folder.metrics.read_text())
    assert (metrics["best"]["iteration"], metrics["last"]["iteration"]) == (3, 5)


def test_config_that_is_damaged_or_missing(folder, tmp_path):
    folder.config.write_text("this is = = no TOML")
    with pytest.raises(ValueError, match=r"config\.toml cannot be read"):
        folder.read_config()
    with pytest.raises(FileNotFoundError, match=r"is .*nowhere a run folder"):
        RunFolder(tmp_path / "nowhere").read_config()


def test_two_processes_cannot_train_in_one_folder(tmp_path):
    """The second is refused while the first lives, and let in once the first was killed, which nothing had to clean up."""
    folder = RunFolder(tmp_path / "run").create()
    code = (
        "import sys; from minifcn.training import RunFolder\n"
        "folder = RunFolder(sys.argv[1]); folder.lock(); print('held', flush=True); sys.stdin.read()"
    )
    arguments = [sys.executable, "-c", code, str(folder.path)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ValueError, match="another process is training in"):
            folder.lock()
        other.kill()
        other.wait()
        folder.lock()
        folder.lock()  # held already
        folder.unlock()


@pytest.fixture
def on_windows(monkeypatch):
    """A system without fcntl, whose msvcrt keeps a list of who holds what."""
    held: dict[int, int] = {}  # of a file (its inode): the descriptor that holds it

    def locking(descriptor: int, mode: int, count: int) -> None:
        assert (mode, count, os.lseek(descriptor, 0, os.SEEK_CUR)) == (2, 1, 0)
        if held.setdefault(os.fstat(descriptor).st_ino, descriptor) != descriptor:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(LK_NBLCK=2, locking=locking))
    return held


def test_windows_has_its_own_way_to_hold_a_folder(tmp_path, on_windows):
    first, second = RunFolder(tmp_path / "run").create(), RunFolder(tmp_path / "run")
    first.lock()
    with pytest.raises(ValueError, match="another process is training in"):
        second.lock()
    first.unlock()
    on_windows.clear()
    second.lock()
    second.unlock()


@pytest.mark.parametrize("why", ["no module", "no locks on this drive"])
def test_where_nothing_can_be_held_one_trains_all_the_same(tmp_path, monkeypatch, why):
    if why == "no module":
        for name in ("fcntl", "msvcrt"):
            monkeypatch.setitem(sys.modules, name, None)
    else:
        fcntl = pytest.importorskip("fcntl")

        def refuse(*_):
            raise OSError(errno.ENOLCK, "No locks available")

        monkeypatch.setattr(fcntl, "flock", refuse)
    folder = RunFolder(tmp_path / "run").create()
    folder.lock()
    folder.unlock()
