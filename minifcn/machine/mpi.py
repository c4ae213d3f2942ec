"""What the processes that an MPI starts find in their environment; light enough to be asked before anything is imported."""

from __future__ import annotations

import os

_RANKS = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK")  # Open MPI, MPICH and srun each set one of them
INSTALL = "pip install 'minifcn[parallel]'"


def rank() -> int | None:
    """This process's number among those that mpirun or srun started; None where it was started by itself."""
    given = next((os.environ[name] for name in _RANKS if name in os.environ), None)
    return int(given) if given is not None and given.isdecimal() else None
