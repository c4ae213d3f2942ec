"""The MPI that is installed, and what the processes that it starts find; light, for it is asked first of all."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_RANKS = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK")  # Open MPI, MPICH and srun each set one of them
INSTALL = "pip install 'minifcn[parallel]'"


def rank() -> int | None:
    """This process's number among those that mpirun or srun started; None where it was started by itself."""
    given = next((os.environ[name] for name in _RANKS if name in os.environ), None)
    return int(given) if given is not None and given.isdecimal() else None


def find_mpirun() -> list[str]:
    """The command that starts processes, with the options that it needs here. Raises ValueError where there is none."""
    import shutil
    import subprocess

    beside = Path(sys.executable).parent / "mpirun"
    found = str(beside) if beside.is_file() else shutil.which("mpirun")
    try:
        import mpi4py  # noqa: F401
    except ImportError:
        found = None
    if found is None:
        raise ValueError(f"--workers needs an MPI and mpi4py: {INSTALL}")
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
    if "Open MPI" in said or "OpenRTE" in said:  # which else counts cores, binds to them, and refuses the superuser
        return [found, "--allow-run-as-root", "--oversubscribe", "--bind-to", "none"]
    return [found]
