"""One process that does all of a run's work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from minifcn.backend import Array, get_xp
from minifcn.layers import BatchNorm2d, Layer, Parameter
from minifcn.training.gradients import over_flat_blocks
from minifcn.training.replicas.tree import TreeSum

Value = TypeVar("Value")
Gradients = list[Array | None]  # in the order of a network's parameters


class Alone:
    """The seam between the training loop and those who share its work; here nobody does.

    A step has `accumulate` micro-batches, of which the worker `rank` of `count` computes a row that lies side by side. So what
    a step is does not depend on `count`: whatever is exchanged comes back in the order of the micro-batches, and
    gradients are added in the order of `tree`.
    """

    rank, count = 0, 1

    @property
    def is_root(self) -> bool:
        """Whether this is the worker that owns the run folder."""
        return self.rank == 0

    def share(self, number: int, rank: int | None = None) -> range:
        """Which of so many micro-batches this worker computes, or the one with another rank."""
        rank = self.rank if rank is None else rank
        return range(rank * number // self.count, (rank + 1) * number // self.count)

    def gather(self, mine: Sequence[Value]) -> list[Value]:
        """The lists of all workers, one behind the other."""
        return list(mine)

    def any(self, flag: bool) -> bool:
        """Whether it is so for any worker."""
        return any(self.gather([flag]))

    def wait(self) -> None:
        """Returns when every worker is here."""

    def start_step(self, net: Layer) -> None:
        """Before the first forward of a step."""

    def finish_step(self, net: Layer) -> None:
        """After the last backward of a step."""

    def add(self, gradients: TreeSum[Gradients], number: int) -> Gradients:
        """The sum over a step's `number` of micro-batches, of which each worker added its own; `gradients` is used up."""
        return gradients.total()


@contextmanager
def root_first(replicas: Alone) -> Iterator[None]:
    """What the root does inside is done before the others begin: a data set that is drawn on first use is drawn once."""
    if not replicas.is_root:
        replicas.wait()
    yield
    if replicas.is_root:
        replicas.wait()


def share_batches(net: Layer, accumulate: int, sync_bn: bool, replicas: Alone) -> None:
    """Makes the batch norm layers share what they count, with `sync_bn`.

    Raises ValueError where a step's `accumulate` batches cannot be shared out evenly, or, with `sync_bn`, one by one.
    """
    count = replicas.count
    check_workers(count, accumulate, sync_bn)
    for _, layer in net.named_layers():
        if isinstance(layer, BatchNorm2d):
            layer.gather = replicas.gather if sync_bn and count > 1 else None


def check_workers(count: int, accumulate: int, sync_bn: bool) -> None:
    """Raises ValueError unless so many workers can share a step of `accumulate` batches."""
    if count < 1 or accumulate % count:
        possible = ", ".join(str(number) for number in range(1, accumulate + 1) if accumulate % number == 0)
        raise ValueError(
            f"{count} workers cannot share a step of {accumulate} batches evenly: take {possible}, or another --accumulate"
        )
    if sync_bn and count != accumulate:
        raise ValueError(
            f"--sync-bn joins the statistics of batches that are computed at the same time: {accumulate} batches a step "
            f"(--accumulate) need {accumulate} workers, not {count}"
        )


def take_gradients(parameters: Sequence[Parameter]) -> Gradients:
    """The gradients that a backward left in the parameters, which then have none."""
    gradients = [parameter.grad for parameter in parameters]
    for parameter in parameters:
        parameter.grad = None
    return gradients


def give_gradients(parameters: Sequence[Parameter], gradients: Gradients) -> None:
    """The other way."""
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient


def gradient_sum() -> TreeSum[Gradients]:
    """An empty sum of gradients."""
    return TreeSum(lambda left, right: [_added(*pair) for pair in zip(left, right, strict=True)])


def _added(left: Array | None, right: Array | None) -> Array | None:
    """left + right, in the memory of the left one; what has no gradient adds nothing."""
    if left is None or right is None:
        return right if left is None else left
    over_flat_blocks(lambda a, b: get_xp(a).add(a, b, out=a), left, right)
    return left
