"""What a process does that ``minifcn train --workers`` has started: it speaks with its supervisor through the job's folder.

    pid.RANK     written by each worker first of all: whom to wait for, whom to stop
    sentence     the error of the worker that fails first
    through      worker 0 has done what it was to do
    out, err     pipes: what worker 0 prints; what mpirun itself and the others print goes into a file, for the case of need

Every command passes here first, so nothing heavy is imported.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from minifcn.machine.mpi import rank

JOB = "MINIFCN_JOB"  # the variable that names the job's folder


def enter() -> None:
    """What a worker does first: it leaves its process number, and prints nothing, or through the supervisor's pipes."""
    job, number = os.environ.get(JOB), rank()
    if number is None:
        return
    if job is not None:
        Path(job, f"pid.{number}").write_text(str(os.getpid()))
    if number > 0:
        sys.stdout.flush()
        _redirect(1, os.devnull)
    elif job is not None:
        _redirect(1, f"{job}/out")
        _redirect(2, f"{job}/err")


def leave(sentence: str) -> bool:
    """Hands an error's sentence to the supervisor, where there is one; whether it is said by now."""
    job = os.environ.get(JOB)
    if job is None or rank() is None:
        return False
    with contextlib.suppress(FileExistsError):  # another worker was faster
        written = Path(job, f"sentence.{os.getpid()}")
        written.write_text(sentence)
        os.link(written, Path(job, "sentence"))  # whole, and by one only
    _redirect(2, os.devnull)  # the MPI's own words about the end
    return True


def through() -> None:
    """Tells the supervisor, where there is one, that all is done: how an MPI ends after that is its own affair."""
    if JOB in os.environ and rank() == 0:
        Path(os.environ[JOB], "through").touch()


def _redirect(descriptor: int, path: str) -> None:
    opened = os.open(path, os.O_WRONLY)
    os.dup2(opened, descriptor)
    os.close(opened)
