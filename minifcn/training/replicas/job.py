"""How a process that an MPI has started joins the others."""

from __future__ import annotations

import os
from typing import Any

from minifcn.kernels.threads import cores, set_num_threads
from minifcn.machine.mpi import INSTALL, rank
from minifcn.training.replicas.alone import Alone
from minifcn.training.replicas.workers import Workers


def join(device: str = "cpu") -> Alone:
    """The replicas that this process belongs to, of which it is the only one where no MPI started it.

    The cores of a machine are shared out among its workers. Raises ValueError where mpi4py is missing.
    """
    if rank() is None:
        return Alone()
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise ValueError(f"an MPI started this process and mpi4py cannot be imported ({error}): {INSTALL}") from error
    comm = MPI.COMM_WORLD
    if comm.Get_size() == 1:
        return Alone()
    here = comm.Split_type(MPI.COMM_TYPE_SHARED)
    if "MINIFCN_THREADS" not in os.environ:
        set_num_threads(max(1, cores() // _sharing(here)))
    if device == "cuda":
        from minifcn.training.replicas.nccl import NcclWorkers

        return NcclWorkers(comm, here.Get_rank())
    return Workers(comm)


def _sharing(here: Any) -> int:
    """How many of the workers of this machine, whose communicator is `here`, use the same cores as this one."""
    mine = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else {0}
    return sum(bool(mine & theirs) for theirs in here.allgather(mine))
