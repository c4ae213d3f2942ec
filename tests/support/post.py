"""A stand-in for MPI: threads of one process as workers, and a post that delivers late and in any order."""

from __future__ import annotations

import copy
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

PATIENCE = 60.0  # seconds without a letter after which somebody waits for what nobody sends


class Post:
    """Letters between `count` workers. A courier takes those that lie there and delivers one at a time, any of them next."""

    def __init__(self, count: int, seed: int) -> None:
        self.count, self.rng = count, np.random.default_rng(seed)
        self.changed = threading.Condition()
        self.under_way: list[tuple[Any, Any]] = []
        self.delivered: dict[Any, Any] = {}
        self.failed: BaseException | None = None

    def send(self, address: Any, content: Any) -> None:
        with self.changed:
            self.under_way.append((address, content))
            self.changed.notify_all()

    def receive(self, address: Any) -> Any:
        """What was sent there; while the letter is not here, whoever waits delivers others."""
        with self.changed:
            while address not in self.delivered:
                if self.failed is not None:
                    raise RuntimeError("another worker failed")
                if self.under_way:
                    at, content = self.under_way.pop(int(self.rng.integers(len(self.under_way))))
                    self.delivered[at] = content
                    self.changed.notify_all()
                elif not self.changed.wait(PATIENCE):
                    raise TimeoutError(f"nobody sends {address}")
            return self.delivered.pop(address)

    def fail(self, error: BaseException) -> None:
        with self.changed:
            self.failed = self.failed or error
            self.changed.notify_all()


class Communicator:
    """What the replicas use of mpi4py's: allgather, Alltoallv, Allgather, Barrier. Letters are told apart by who, to whom, and
    the how many-th they are between the two."""

    def __init__(self, post: Post, rank: int) -> None:
        self.post, self.rank = post, rank
        self.sent: dict[int, int] = defaultdict(int)
        self.received: dict[int, int] = defaultdict(int)

    def Get_rank(self) -> int:
        return self.rank

    def Get_size(self) -> int:
        return self.post.count

    def allgather(self, value: Any) -> list[Any]:
        return self._exchange([copy.deepcopy(value) for _ in range(self.post.count)])

    def Barrier(self) -> None:
        self._exchange([None] * self.post.count)

    def Allgather(self, mine: np.ndarray, everyones: np.ndarray) -> None:
        assert everyones.shape == (self.post.count, *mine.shape)
        for row, part in zip(everyones, self._exchange([mine.copy()] * self.post.count), strict=True):
            row[...] = part

    def Alltoallv(self, sent: Sequence[Any], received: Sequence[Any]) -> None:
        parts = np.split(sent[0].reshape(-1).copy(), np.cumsum(sent[1])[:-1])
        flat = received[0].reshape(-1)
        assert sum(received[1]) == flat.size
        assert sum(sent[1]) == sent[0].size
        starts = np.cumsum([0, *received[1]])
        for start, stop, part in zip(starts[:-1], starts[1:], self._exchange(parts), strict=True):
            flat[start:stop] = part

    def _exchange(self, letters: Sequence[Any]) -> list[Any]:
        for other, letter in enumerate(letters):
            self.post.send((self.rank, other, self.sent[other]), letter)
            self.sent[other] += 1
        contents = []
        for other in range(self.post.count):
            contents.append(self.post.receive((other, self.rank, self.received[other])))
            self.received[other] += 1
        return contents


def together(count: int, work: Callable[[Communicator], Any], seed: int = 0) -> list[Any]:
    """What `work` gives to each of `count` workers, who are threads. Raises the first exception of any."""
    post, results = Post(count, seed), [None] * count

    def one(rank: int) -> None:
        try:
            results[rank] = work(Communicator(post, rank))
        except BaseException as error:
            post.fail(error)

    threads = [threading.Thread(target=one, args=(rank,), daemon=True) for rank in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if post.failed is not None:
        raise post.failed
    assert not post.delivered, "letters that nobody read"
    assert not post.under_way, "letters that nobody read"
    return results
