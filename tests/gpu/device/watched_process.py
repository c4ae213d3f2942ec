"""A command whose output is seen as it comes, and that is ended, with all that it started, when its time is over."""

from __future__ import annotations

import codecs
import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

GRACE = 30.0  # seconds between asking a command to stop (Ctrl-C: it says what it has, a training saves) and killing it


def watch(
    command: Sequence[Any], limit: float, seen: Callable[[str], None], cwd: Path, path: Path, grace: float | None = None
) -> tuple[int, bool]:
    """Runs a command in a process group of its own; `seen` gets its output and its errors, piece by piece.

    Args:
        limit: seconds after which it is asked to stop; `grace` (GRACE) seconds later its group is killed.
        path: where its Python finds modules, before all else.

    Returns its status (negative: the signal that ended it), and whether it ended within the limit.
    """
    search = os.pathsep.join(filter(None, (str(path), os.environ.get("PYTHONPATH", ""))))
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": search}
    process = subprocess.Popen(
        list(map(str, command)), cwd=cwd, env=environment, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    end = time.monotonic() + limit
    try:
        in_time = _read(process, end, GRACE if grace is None else grace, seen)
        return process.wait(timeout=GRACE), in_time
    finally:  # on an exception, too: nothing of it goes on
        _signal(process, signal.SIGKILL)
        process.wait()
        process.stdout.close()


def _read(process: subprocess.Popen, end: float, grace: float, seen: Callable[[str], None]) -> bool:
    """Passes the output on until there is no more; whether that was before the end."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    asked = False
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if time.monotonic() >= end:
                _signal(process, signal.SIGKILL if asked else signal.SIGINT)
                asked, end = True, time.monotonic() + grace
            if not selector.select(timeout=max(0.0, min(1.0, end - time.monotonic()))):
                continue
            piece = os.read(process.stdout.fileno(), 1 << 16)
            seen(decoder.decode(piece, final=not piece))
            if not piece:
                return not asked


def _signal(process: subprocess.Popen, which: signal.Signals) -> None:
    """To all of its group, where there is still one."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, which)
