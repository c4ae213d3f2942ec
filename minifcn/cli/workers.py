"""``minifcn train --workers P``: starts an MPI job of P processes, watches over it, and says once what went wrong.

Each worker is ``minifcn train`` again, started by mpirun; ``cli/worker.py`` says how it and this supervisor speak.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from minifcn.cli.worker import JOB
from minifcn.machine.mpi import find_mpirun

_START = 8.0  # seconds between the first worker's start and the last one's
_END = 4.0  # seconds between the first worker's end and the last one's


def launch(
    arguments: Sequence[str], folder: Path, can_resume: Callable[[], bool], count: int, restarts: int = 0
) -> int:  # fmt: skip
    """Runs ``minifcn`` with these arguments, which train into ``folder``, in ``count`` processes; the status to exit with.

    A job that is killed is started again up to ``restarts`` times, and goes on where the run can be resumed. One that ends with
    an error of its own is not: it would again.
    """
    mpirun = find_mpirun()
    for left in range(restarts, -1, -1):
        job = _Job(mpirun, arguments, count)
        with _signals(job):
            status = job.run()
        if job.sentence is not None:
            print(f"minifcn: {job.sentence}", file=sys.stderr)
            return 2
        if job.through or job.stopped:
            return 130 if job.stopped else 0
        kept = f"{folder} can be resumed" if can_resume() else "nothing was saved yet"
        after = f"; starting again, {left} more times at most" if left else ""
        if can_resume():
            arguments = ["train", "--resume", str(folder)]
            after = after or f": minifcn train --resume {folder}"
        print(f"minifcn: {job.trouble(status)}; {kept}{after}", file=sys.stderr)
    return 2


class _Job:
    """One start of mpirun, in a folder and a session of its own: Ctrl-C reaches the supervisor alone."""

    def __init__(self, mpirun: Sequence[str], arguments: Sequence[str], count: int) -> None:
        self.count = count
        self.command = [*mpirun, "-n", str(count), sys.executable, "-m", "mpi4py", "-m", "minifcn", *arguments]
        self.sentence: str | None = None
        self.words = ""  # of mpirun, and of the workers but the first
        self.stopped = self.through = False  # asked to stop; done with what it was to do
        self.killed: str | None = None  # why the supervisor ended it
        self.process: subprocess.Popen[bytes] | None = None
        self.folder = Path()

    def run(self) -> int:
        """Starts the job and waits for its end, whatever that is; then none of its processes is left."""
        with tempfile.TemporaryDirectory(prefix="minifcn-job-") as name, tempfile.TemporaryFile() as words:
            self.folder = Path(name)
            with _Pipe(self.folder / "out", 1), _Pipe(self.folder / "err", 2):
                environment = {**os.environ, JOB: name}
                self.process = subprocess.Popen(
                    self.command, env=environment, stdin=subprocess.DEVNULL, stdout=words, stderr=words, start_new_session=True
                )
                try:
                    self._watch(self.process)
                finally:
                    self.kill()
            words.seek(0)
            self.words = words.read().decode(errors="replace")
            with contextlib.suppress(FileNotFoundError):
                self.sentence = (self.folder / "sentence").read_text()
            self.through = (self.folder / "through").exists()
            self.sentence = self.sentence or self.killed
        return self.process.returncode

    def trouble(self, status: int) -> str:
        """Why a job ended of which no worker said anything."""
        found = re.search(r"signal:? (\d+)", self.words, re.IGNORECASE)
        if found is None:
            return f"the workers died without a word (mpirun: status {status})"
        return f"a worker was killed (signal {found[1]})"

    def pids(self) -> dict[int, int]:
        """{rank: process number} of the workers that have started."""
        found = {}
        for file in self.folder.glob("pid.*"):
            with contextlib.suppress(ValueError):  # it is being written
                found[int(file.suffix[1:])] = int(file.read_text())
        return found

    def stop(self) -> None:
        """Asks worker 0 to finish its step and to save; the second time all end at once."""
        again, self.stopped = self.stopped, True
        first = self.pids().get(0)
        if again or first is None:
            self.kill()
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(first, signal.SIGTERM)

    def kill(self) -> None:
        """Ends what is left of the job."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
        for pid in self.pids().values():
            with contextlib.suppress(ProcessLookupError):
                if _is_running(pid):
                    os.kill(pid, signal.SIGKILL)
        self.process.wait()
        while any(_is_running(pid) for pid in self.pids().values()):
            time.sleep(0.01)  # a killed process takes a moment to go, and may hold the run folder till then

    def _watch(self, process: subprocess.Popen[bytes]) -> None:
        """Returns when mpirun is through. Ends a job in which a worker does not start, or is gone while others wait for it."""
        first = gone = None
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
                return
            now, pids = time.monotonic(), self.pids()
            first = first or (now if pids else None)
            missing = sorted(set(range(self.count)) - set(pids))
            if first is not None and missing and now - first > _START:
                names = ", ".join(map(str, missing))
                self.killed = f"worker {names} of {self.count} did not start within {_START:.0f} s of the others"
                return
            ended = [number for number, pid in pids.items() if not _is_running(pid)]
            gone = (gone or now) if ended else None
            if gone is not None and now - gone > _END:
                return


def _is_running(pid: int) -> bool:
    """Whether there is such a process; one that is dead and not yet buried is not."""
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat")
        return not status.exists() or status.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


class _Pipe:
    """A named pipe whose content goes to one of our own descriptors, until nobody writes any more."""

    def __init__(self, path: Path, descriptor: int) -> None:
        os.mkfifo(path)
        self.source, self.descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK), descriptor
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self._forward, daemon=True)

    def __enter__(self) -> _Pipe:
        self.thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.ending.set()
        self.thread.join()
        os.close(self.source)

    def _forward(self) -> None:
        while True:
            last = self.ending.is_set()  # all that was written before it was set can be read
            ready, _, _ = select.select([self.source], [], [], 0.0 if last else 0.1)
            if ready:
                text = os.read(self.source, 1 << 16)
                with contextlib.suppress(OSError):  # nobody reads on, or the disk is full: the run goes on
                    while text:
                        text = text[os.write(self.descriptor, text) :]
            elif last:
                return


@contextlib.contextmanager
def _signals(job: _Job) -> Iterator[None]:
    """Ctrl-C, or a request to terminate, stops the job."""

    def handler(number: int, frame: FrameType | None) -> None:
        job.stop()

    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handling in before.items():
            signal.signal(number, handling)
