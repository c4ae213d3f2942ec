"""Workers with a GPU each: gradients travel between the GPUs, over NCCL, and all else over MPI.

Not ncclAllReduce, whose order of addition belongs to the machine's wiring: slices are sent, added as `tree` says, gathered.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from minifcn.backend import Array, import_cupy, import_nccl
from minifcn.training.replicas.workers import BUCKET, Workers


class NcclWorkers(Workers):
    """`local_rank` is this worker's number on its machine, and that of its GPU: NCCL wants one for each.

    Raises ValueError where the machine has fewer GPUs, RuntimeError where CuPy has no NCCL.
    """

    def __init__(self, comm: Any, local_rank: int, bucket: int = BUCKET) -> None:
        super().__init__(comm, bucket)
        self.cupy, self.nccl = import_cupy(), import_nccl()
        gpus = self.cupy.cuda.runtime.getDeviceCount()
        if any(self.gather([local_rank >= gpus])):
            raise ValueError(f"each worker needs a GPU, and this machine has {gpus}: take --workers {gpus}, or --device cpu")
        self.cupy.cuda.Device(local_rank).use()
        unique = self.gather([self.nccl.get_unique_id() if self.is_root else None])[0]
        self.gpus = self.nccl.NcclCommunicator(self.count, unique, self.rank)

    def _exchange(self, sent: Array, received: Array, rows: Sequence[int]) -> None:
        kind, stream = self._kind(sent), self.cupy.cuda.get_current_stream().ptr
        starts = accumulate(rows, initial=0)
        self.nccl.groupStart()
        for other, (start, count) in enumerate(zip(starts, rows, strict=False)):
            part = received[start : start + count]
            self.gpus.send(sent[other].data.ptr, sent[other].size, kind, other, stream)
            self.gpus.recv(part.data.ptr, part.size, kind, other, stream)
        self.nccl.groupEnd()

    def _collect(self, mine: Array, everyones: Array) -> None:
        stream = self.cupy.cuda.get_current_stream().ptr
        self.gpus.allGather(mine.data.ptr, everyones.data.ptr, mine.size, self._kind(mine), stream)

    def _kind(self, array: Array) -> int:
        """NCCL's name of a dtype."""
        names = {"float16": "NCCL_FLOAT16", "float32": "NCCL_FLOAT32", "float64": "NCCL_FLOAT64"}
        return getattr(self.nccl, names[str(array.dtype)])
