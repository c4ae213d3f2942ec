"""Several processes that share a run's work, over MPI.

Each has the whole network, and computes some of a step's micro-batches. Gradients travel in buckets: every worker gets one
slice of the bucket from all others, adds it in the order of the tree, and hands the sum to all. So each number crosses the
network about twice, as with a ring; and unlike `Allreduce`, whose order belongs to the library, it is added as `tree` says.

    worker 0   [ a0 | b0 ]   Alltoall   [ a0 a1 ]  tree   [ a ]  Allgather   [ a | b ]
    worker 1   [ a1 | b1 ]   ───────>   [ b0 b1 ]  ────>  [ b ]  ────────>   [ a | b ]

Source: Rabenseifner, "Optimization of collective reduction operations", 2004 (reduce-scatter, then allgather).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from typing import Any

from minifcn.backend import Array, get_xp, to_host
from minifcn.layers import BatchNorm2d, Layer
from minifcn.training.replicas.alone import Alone, Gradients, Value
from minifcn.training.replicas.tree import Node, TreeSum, subtrees

BUCKET = 1 << 24  # bytes of gradients that travel together


class Workers(Alone):
    """`comm` is an mpi4py communicator, or what behaves like one: allgather, Alltoallv, Allgather, Barrier.

    `seconds` and `sent_bytes` count what the exchange of gradients took so far.
    """

    def __init__(self, comm: Any, bucket: int = BUCKET) -> None:
        self.comm, self.bucket = comm, bucket
        self.rank, self.count = comm.Get_rank(), comm.Get_size()
        self.seconds, self.sent_bytes = 0.0, 0

    def gather(self, mine: Sequence[Value]) -> list[Value]:
        return list(chain.from_iterable(self.comm.allgather([on_host(value) for value in mine])))

    def wait(self) -> None:
        self.comm.Barrier()

    # -------------------------------------------------------------------------------------------- running statistics

    def start_step(self, net: Layer) -> None:
        """Batch norm layers note how their running statistics move, instead of moving them, unless theirs are everyone's."""
        for layer in _batch_norms(net):
            layer.moves = []

    def finish_step(self, net: Layer) -> None:
        """Every layer makes the moves of all workers, in the order of the micro-batches."""
        batch_norms = _batch_norms(net)
        if not batch_norms:
            return
        moves = [[tuple(map(on_host, move)) for move in layer.moves or ()] for layer in batch_norms]
        for everyones in zip(batch_norms, *self.gather([moves]), strict=True):
            layer, *of_workers = everyones
            layer.moves = None
            for move in chain.from_iterable(of_workers):
                layer.move(*move)

    # ------------------------------------------------------------------------------------------------------ gradients

    def add(self, gradients: TreeSum[Gradients], number: int) -> Gradients:
        start = time.perf_counter()
        mine = [value for _, value in gradients.nodes]
        nodes = [subtrees(self.share(number, rank)) for rank in range(self.count)]
        for dtype in dict.fromkeys(gradient.dtype for gradient in mine[0] if gradient is not None):
            rows = [_Row([d for d in value if d is not None and d.dtype == dtype]) for value in mine]
            each = max(1, self.bucket // dtype.itemsize)
            for first in range(0, rows[0].size, each):
                self._add_bucket(rows, first, min(first + each, rows[0].size), nodes)
        self.seconds += time.perf_counter() - start
        return mine[0]

    def _add_bucket(self, rows: Sequence[_Row], first: int, last: int, nodes: Sequence[Sequence[Node]]) -> None:
        """Replaces numbers `first` to `last` of the first row by the sum over all rows of all workers.

        rows are this worker's, one for each of its nodes; `nodes` are those of each worker.
        """
        xp, P = get_xp(rows[0].arrays[0]), self.count
        S = -(-(last - first) // P)  # numbers in a slice; what the last one has too many are 0
        mine = xp.zeros((len(rows), P * S), rows[0].arrays[0].dtype)
        for row, numbers in zip(rows, mine, strict=True):
            row.read(first, numbers[: last - first])
        sent = xp.ascontiguousarray(mine.reshape(len(rows), P, S).swapaxes(0, 1))  # (P, rows, S)
        received = xp.empty((sum(map(len, nodes)), S), sent.dtype)  # a slice of each node, from left to right
        self._exchange(sent, received, [len(those) for those in nodes])
        tree: TreeSum[Array] = TreeSum(lambda left, right: xp.add(left, right, out=left))
        for node, numbers in zip(chain.from_iterable(nodes), received, strict=True):
            tree.append(node, numbers)
        total = xp.empty((P, S), sent.dtype)
        self._collect(tree.total(), total)
        rows[0].write(first, total.reshape(-1)[: last - first])
        self.sent_bytes += (P - 1) * (sent.nbytes + total.nbytes) // P

    def _exchange(self, sent: Array, received: Array, rows: Sequence[int]) -> None:
        """sent (P, rows, S): a part for each worker -> received (all rows, S): `rows[r]` of them from worker r."""
        S = sent.shape[-1]
        self.comm.Alltoallv([sent, [sent[0].size] * self.count], [received, [count * S for count in rows]])

    def _collect(self, mine: Array, everyones: Array) -> None:
        """mine (S,) of each worker -> everyones (P, S)."""
        self.comm.Allgather(mine, everyones)


class _Row:
    """Arrays of one dtype as one long row of numbers."""

    def __init__(self, arrays: Sequence[Array]) -> None:
        self.arrays = arrays
        *self.starts, self.size = accumulate((array.size for array in arrays), initial=0)

    def read(self, first: int, numbers: Array) -> None:
        """Copies the numbers from `first` on."""
        for at, array, inside in self._pieces(first, first + len(numbers)):
            numbers[at] = array.reshape(-1)[inside]

    def write(self, first: int, numbers: Array) -> None:
        """Overwrites the numbers from `first` on."""
        for at, array, inside in self._pieces(first, first + len(numbers)):
            if array.flags.c_contiguous:
                array.reshape(-1)[inside] = numbers[at]
            else:
                array.flat[inside] = numbers[at]

    def _pieces(self, first: int, last: int) -> Iterator[tuple[slice, Array, slice]]:
        """(where in `first` to `last`, the array, where in it) for each array that has a part of them."""
        for start, array in zip(self.starts, self.arrays, strict=True):
            begin, end = max(first, start), min(last, start + array.size)
            if begin < end:
                yield slice(begin - first, end - first), array, slice(begin - start, end - start)


def _batch_norms(net: Layer) -> list[BatchNorm2d]:
    return [layer for _, layer in net.named_layers() if isinstance(layer, BatchNorm2d)]


def on_host(value: Any) -> Any:
    """A number or an array that another process can read."""
    return to_host(value) if hasattr(value, "shape") else value
