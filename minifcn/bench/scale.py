"""How much faster several workers train than one: the training of a network on the shapes, by 1, 2, 4, ... processes.

Each number of workers is a job of its own, with all cores between its workers; the work is the same in all, a step of as many
batches as the largest number of workers. As a script this module is such a worker (mpirun -n P python -m mpi4py -m THIS).
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

_WARM_UP = 3  # steps that are not counted
_MESSAGE = 1 << 22  # bytes that each of two workers sends to find out the bandwidth


@dataclass
class Scaling:
    """What a job of so many workers took.

    step_seconds       median of a step, loading and exchange included
    exchange_seconds   of it, in the exchange of gradients: its bytes, and waiting for the slowest
    sent_bytes         by each worker in a step;  gradient_bytes: of all gradients
    latency, bandwidth   of an exchange between workers: seconds for a few bytes, bytes a second for many; None for one worker
    """

    workers: int
    threads: int
    step_seconds: float
    exchange_seconds: float
    sent_bytes: float
    gradient_bytes: int
    latency: float | None
    bandwidth: float | None


@dataclass(frozen=True)
class Network:
    """What connects machines: seconds for a message of a few bytes, and bytes a second."""

    name: str
    latency: float
    bandwidth: float

    def exchange(self, workers: int, gradient_bytes: int, bucket: int) -> float:
        """Seconds to exchange gradients, by the usual model: every worker sends each number about twice, in buckets whose
        two messages to every other worker cost a latency each, and nothing is hidden behind the backward pass."""
        buckets = -(-gradient_bytes // bucket)
        return 2 * (workers - 1) * (buckets * self.latency + gradient_bytes / workers / self.bandwidth)


# Typical figures, for those who have not measured theirs.
NETWORKS = (Network("10 Gbit/s Ethernet", 30e-6, 1.1e9), Network("100 Gbit/s InfiniBand", 2e-6, 11e9))


def measure(
    model: str, options: dict[str, Any], batch_size: int, counts: Sequence[int], rounds: int, steps: int
) -> Iterator[Scaling]:
    """A result for each number of workers: of `rounds` jobs in turn, the one whose step is the median."""
    from minifcn.machine.mpi import find_mpirun

    mpirun = find_mpirun()
    found: dict[int, list[Scaling]] = {count: [] for count in counts}
    for _ in range(rounds):
        for count in counts:
            found[count].append(_job(mpirun, model, options, batch_size, max(counts), count, steps))
    for results in found.values():
        yield sorted(results, key=lambda result: result.step_seconds)[len(results) // 2]


def _job(
    mpirun: Sequence[str], model: str, options: dict[str, Any], batch_size: int, accumulate: int, count: int, steps: int
) -> Scaling:
    with tempfile.TemporaryDirectory(prefix="minifcn-scale-") as folder:
        asked = {"model": model, "options": options, "batch_size": batch_size, "accumulate": accumulate, "steps": steps}
        text = json.dumps({**asked, "folder": folder})
        command = [*mpirun, "-n", str(count), sys.executable, "-m", "mpi4py", "-m", "minifcn.bench.scale", text]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        result = Path(folder) / "result.json"
        if done.returncode or not result.exists():
            last = [line for line in done.stderr.splitlines() if line.strip()][-1:]
            raise RuntimeError(f"{count} workers could not be measured: {' '.join(last) or f'status {done.returncode}'}")
        return Scaling(**json.loads(result.read_text()))


def estimate(found: Sequence[Scaling], network: Network, workers: Sequence[int]) -> list[tuple[int, float, float]]:
    """(workers, seconds of an exchange, efficiency) where every worker is such a machine and does the work of one step here."""
    from minifcn.training.replicas.workers import BUCKET

    one = found[0]
    exchanges = [(count, network.exchange(count, one.gradient_bytes, BUCKET)) for count in workers]
    return [(count, seconds, one.step_seconds / (one.step_seconds + seconds)) for count, seconds in exchanges]


# ---------------------------------------------------------------------------------------------------------- a worker


def _work(model: str, options: dict[str, Any], batch_size: int, accumulate: int, steps: int, folder: str) -> None:
    from minifcn import data, models, training
    from minifcn.kernels import get_num_threads
    from minifcn.training.replicas import root_first
    from minifcn.training.replicas.job import join

    replicas = join()
    with root_first(replicas):
        shapes = data.build("shapes", data.home("shapes", None), "train")
        run = training.RunFolder(Path(folder) / "run")
        if replicas.is_root:
            run.create()
    net = models.build(model, shapes.num_classes, **options)
    loader = data.Loader(shapes, batch_size, shuffle=True)
    optimizer = training.SGD(net.parameters(), lr=1e-4, momentum=0.9)
    settings = training.Settings(iterations=_WARM_UP + steps, accumulate=accumulate, log_every=10**9)
    progress, times = training.Progress(), []
    progress.step = lambda iteration: times.append(time.perf_counter())  # type: ignore[method-assign]
    training.Trainer(net, optimizer, loader, settings, run, progress=progress, replicas=replicas).run()
    took = np.diff(times)[_WARM_UP - 1 :]
    latency, bandwidth = _speed(replicas) if replicas.count > 1 else (None, None)
    if replicas.is_root:
        result = Scaling(
            replicas.count, get_num_threads(), statistics.median(took.tolist()), getattr(replicas, "seconds", 0.0) / len(times),
            getattr(replicas, "sent_bytes", 0) / len(times), sum(p.data.nbytes for p in net.parameters() if p.requires_grad),
            latency, bandwidth,
        )  # fmt: skip
        (Path(folder) / "result.json").write_text(json.dumps(asdict(result)))
    replicas.wait()


def _speed(replicas: Any) -> tuple[float, float]:
    """(seconds of an exchange of a few bytes, bytes a second that each worker sends in one of many)."""
    count = replicas.count

    def seconds(size: int) -> float:
        sent, received = np.zeros((count, 1, size), np.uint8), np.zeros((count, size), np.uint8)
        took = []
        for _ in range(15):
            replicas.wait()
            start = time.perf_counter()
            replicas._exchange(sent, received, [1] * count)
            took.append(time.perf_counter() - start)
        return statistics.median(took)

    few = seconds(8)
    return few, (count - 1) * _MESSAGE / max(seconds(_MESSAGE) - few, 1e-9)


if __name__ == "__main__":
    _work(**json.loads(sys.argv[1]))
