"""One thing, done by us and by PyTorch: first the results are held against each other, then the clock runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minifcn.backend import to_host
from minifcn.bench import timing as stopwatch
from minifcn.bench.device import Device
from minifcn.bench.timing import Timing, compare, host_times

# In the first calls kernels are compiled, cuDNN searches for its fastest algorithm, memory pools and clocks rise.
WARMUPS_ON_GPU = 5
# The largest difference that rounding explains, relative to the largest magnitude. A fast wrong answer is not timed.
TOLERANCE = {"float32": 1e-3, "tf32": 2e-2}


@dataclass(frozen=True)
class Contest:
    """Two functions of no arguments that return the same numbers; `theirs` is None where PyTorch takes no part.

    Attributes:
        group: what it is compared with, the title of a table: "VGG16's convolutions, forward".
        name: which one of the group.
        macs: multiply-adds of one call, 0 where they are not what it costs.
        moved: bytes that one call has to read and write at least, each array once; 0 where nobody counted.
        random: the two draw from different generators, so their results cannot be compared.
        warmups: calls before the clock runs; on a GPU never fewer than WARMUPS_ON_GPU.
        host: the time that the host takes to launch it is measured, too.
        onnxruntime: a third function of the same numbers, ONNX Runtime's, where it takes part.
    """

    group: str
    name: str
    ours: Callable[[], Any]
    theirs: Callable[[], Any] | None
    macs: int = 0
    moved: int = 0
    random: bool = False
    warmups: int = 2
    host: bool = False
    onnxruntime: Callable[[], Any] | None = None


@dataclass(frozen=True)
class Result:
    """What came out. `difference` is the largest one between the results, relative to the largest magnitude; `host`
    the time until a call returned, its work launched but not done."""

    group: str
    name: str
    timing: Timing
    macs: int = 0
    moved: int = 0
    difference: float | None = None
    host: Timing | None = None


def run(contests: Iterable[Contest], device: Device, pairs: int) -> Iterator[Result]:
    """Times one contest after the other.

    Raises RuntimeError, naming the contests, when two results differed by more than rounding: at the end, so that one
    wrong layer does not cost the figures of the others.
    """
    wrong = []
    for contest in contests:
        try:
            off = difference(contest, TOLERANCE[device.precision])
        except Disagreement as error:
            wrong.append(str(error))
        else:
            yield measured(contest, device, pairs, off)
        del contest  # its arrays go before the next one's are made
        device.release()
    if wrong:
        raise RuntimeError("; ".join(wrong))


def measured(contest: Contest, device: Device, pairs: int, off: float | None) -> Result:
    """One contest under the clock."""
    gpu = device.name == "cuda"
    least, warmups = (stopwatch.LEAST_ON_GPU, max(contest.warmups, WARMUPS_ON_GPU)) if gpu else (None, contest.warmups)
    timing = compare(
        contest.ours, contest.theirs, pairs, onnxruntime=contest.onnxruntime, warmups=warmups, least=least, wait=device.wait
    )
    host = None
    if contest.host:
        sides = [side for side in (contest.ours, contest.theirs) if side is not None]
        host = Timing(*(host_times(side, pairs, wait=device.wait) for side in sides))
    return Result(contest.group, contest.name, timing, contest.macs, contest.moved, off, host)


class Disagreement(RuntimeError):
    """Ours and another's results differ by more than rounding."""


def difference(contest: Contest, tolerance: float) -> float | None:
    """How far apart ours is from the results of those who take part; None where there is nothing to compare."""
    peers = {"PyTorch": contest.theirs, "ONNX Runtime": contest.onnxruntime}
    if contest.random or not any(peers.values()):
        return None
    mine = to_host(contest.ours())
    return max(_difference(contest, name, mine, theirs(), tolerance) for name, theirs in peers.items() if theirs is not None)


def _difference(contest: Contest, name: str, mine: np.ndarray, yours: Any, tolerance: float) -> float:
    """That from one result, a tensor or an array. Raises Disagreement where it is too large."""
    off = relative_difference(mine, yours if isinstance(yours, np.ndarray) else to_numpy(yours))
    if not off <= tolerance:  # NaN too
        raise Disagreement(
            f"{contest.group}, {contest.name}: ours and {name}'s results differ by {off:.1e} of the largest magnitude, and "
            f"rounding explains {tolerance:.0e}; a wrong result is not timed"
        )
    return off


def relative_difference(mine: np.ndarray, yours: np.ndarray) -> float:
    """The largest difference over the largest magnitude of `yours`; infinite when the shapes differ."""
    if mine.shape != yours.shape:
        return float("inf")
    return float(np.abs(mine - yours).max() / (np.abs(yours).max() or 1))


def to_numpy(tensor: Any) -> np.ndarray:
    """A PyTorch tensor of any device as a NumPy array."""
    return tensor.detach().cpu().numpy()
