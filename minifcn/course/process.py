"""Runs `minifcn.course.answer`, and outlives what it runs: loops without end, exits, crashes, megabytes of print.

The reader's file runs in an empty folder that is deleted afterwards, so that a file which it writes by name harms nobody, and
with pictures drawn to nowhere. A function that hangs is stopped, and the functions after it get a process of their own.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import minifcn
from minifcn.course.catalogue import Lesson

Event = dict[str, Any]


@dataclass(frozen=True)
class Ran:
    """What a file did: its events, in order; the end of what it printed, and how many lines that was in all."""

    events: list[Event]
    printed: str
    lines: int


def run(one: Lesson, file: Path, names: list[str], timeout: float) -> Ran:
    """Runs the functions of these names; each process is stopped after `timeout` seconds.

    A function that did not come to its end has a last event "stopped" or "died" that says how; a file that did not even load
    leaves "file stopped", without the name of an exercise. Raises ValueError for a timeout that is no time.
    """
    if not timeout > 0:  # NaN is not, either
        raise ValueError(f"{timeout} is no time to wait; give a number of seconds above 0")
    events: list[Event] = []
    tail = _Tail()
    left = list(names)
    while left:
        told, how, words = _once(one, file, left, timeout, tail)
        events += told
        last = told[-1] if told else {"what": "loading"}
        if last["what"] == "loading":
            events.append({"what": "file stopped", "said": words})
        if last["what"] != "case":
            break
        events.append({"what": how, "exercise": last["exercise"], "case": last["case"], "said": words})
        left = left[left.index(last["exercise"]) + 1 :]
    return Ran(events, tail.text(), tail.lines)


def _once(one: Lesson, file: Path, names: list[str], timeout: float, tail: _Tail) -> tuple[list[Event], str, str]:
    """One process: its events, and how it ended, in a word and in a sentence, for the case that it did not tell."""
    with tempfile.TemporaryDirectory() as outer, _quiet_folder() as folder:
        log = Path(outer) / "events"
        command = [sys.executable, "-P", "-m", "minifcn.course.answer", str(one.number), str(file.resolve()), str(log), *names]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=folder,
            env=_surroundings(), start_new_session=True,
        )  # fmt: skip
        reader = threading.Thread(target=tail.follow, args=(process.stdout,), daemon=True)
        reader.start()
        try:
            how, words = "died", f"ended the whole process, with status {process.wait(timeout)}"
        except subprocess.TimeoutExpired:
            how, words = "stopped", f"was still running after {timeout:g} seconds (is there a loop that never ends?)"
        finally:
            _end(process)
        reader.join(timeout=5)
        lines = log.read_text(encoding="utf-8").split("\n")[:-1] if log.is_file() else []  # a last line may be cut off
    return [json.loads(line) for line in lines], how, words


def _end(process: subprocess.Popen) -> None:
    """Ends the process, and what it has started itself."""
    with contextlib.suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _surroundings() -> dict[str, str]:
    package = Path(minifcn.__file__).resolve().parent.parent
    others = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    path = os.pathsep.join([str(package), *map(os.path.abspath, others)])  # it runs in another folder
    return {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "agg", "PYTHONIOENCODING": "utf-8"}


@contextlib.contextmanager
def _quiet_folder():
    """An empty folder to run in; that something in it cannot be deleted is no trouble of the reader's."""
    with tempfile.TemporaryDirectory(prefix="minifcn-answer-", ignore_cleanup_errors=True) as folder:
        yield folder


class _Tail:
    """The last 64 kB of a stream, and how many lines it had."""

    def __init__(self) -> None:
        self.kept = b""
        self.lines = 0

    def follow(self, stream: IO[bytes]) -> None:
        """Reads to the end; nothing beyond the tail is kept."""
        with contextlib.suppress(ValueError), stream:
            while piece := stream.read1(2**16):  # type: ignore[attr-defined]
                self.lines += piece.count(b"\n")
                self.kept = (self.kept + piece)[-(2**16) :]

    def text(self) -> str:
        return self.kept.decode("utf-8", "replace")
