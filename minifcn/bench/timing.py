"""The stopwatch: two functions in turn, so that whatever else the machine does meets both alike."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

# After its last task a PyTorch (OpenMP) thread keeps its core busy for about 20 ms, waiting for the next one. Whoever is
# timed in that time has a core less.
SETTLE = 0.04  # seconds
TRIALS = 3  # calls of each of several ways of doing one thing, before the fastest is timed
LEAST = 0.02  # seconds that one sample takes at least; what is faster is called several times
LEAST_ON_GPU = 0.1  # long enough for the calls to queue up, as they do in training: then the slower of host and GPU counts


@dataclass(frozen=True)
class Timing:
    """Seconds of each of several runs, in pairs; `pytorch` is empty where ours ran alone, `onnxruntime` but in inference."""

    ours: tuple[float, ...]
    pytorch: tuple[float, ...] = ()
    onnxruntime: tuple[float, ...] = ()

    @property
    def our_seconds(self) -> float:
        return median(self.ours)

    @property
    def pytorch_seconds(self) -> float | None:
        return median(self.pytorch) if self.pytorch else None

    @property
    def ratios(self) -> tuple[float, ...]:
        """Ours / PyTorch of each pair: below 1, ours is faster."""
        return tuple(a / b for a, b in zip(self.ours, self.pytorch, strict=True)) if self.pytorch else ()

    @property
    def ratio(self) -> float | None:
        """The median of the pairs' ratios (not the ratio of the medians: a pair shares one state of the machine)."""
        return median(self.ratios) if self.pytorch else None

    @property
    def spread(self) -> tuple[float, float] | None:
        """The least and the largest ratio."""
        return (min(self.ratios), max(self.ratios)) if self.pytorch else None

    @property
    def onnxruntime_seconds(self) -> float | None:
        return median(self.onnxruntime) if self.onnxruntime else None

    @property
    def onnxruntime_ratio(self) -> float | None:
        """Ours / ONNX Runtime, as `ratio` is of PyTorch."""
        ratios = [a / b for a, b in zip(self.ours, self.onnxruntime, strict=True)] if self.onnxruntime else []
        return median(ratios) if ratios else None


def compare(
    ours: Callable[[], Any],
    theirs: Callable[[], Any] | None = None,
    pairs: int = 5,
    *,
    onnxruntime: Callable[[], Any] | None = None,
    warmups: int = 2,
    least: float | None = None,
    wait: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
    pause: Callable[[float], None] = time.sleep,
) -> Timing:
    """Times `pairs` pairs: ours, theirs; theirs, ours; ours, theirs ... after `warmups` calls of each. ONNX Runtime, where it
    takes part, comes behind them, and in front of them when they come the other way round.

    `wait` returns when all that was started is done: on a GPU, calls return before their work is. A sample is the mean of
    as many calls as take `least` seconds (None: LEAST), the same number for all.
    """
    sides = {"ours": ours, "pytorch": theirs, "onnxruntime": onnxruntime}
    functions = {side: function for side, function in sides.items() if function is not None}
    least = LEAST if least is None else least

    def sample(function: Callable[[], Any], calls: int) -> float:
        wait()
        start = clock()
        for _ in range(calls):
            function()
        wait()
        return (clock() - start) / calls

    for _ in range(warmups):
        fastest = min(sample(function, 1) for function in functions.values())
    calls = math.ceil(least / fastest) if fastest < least else 1
    samples: dict[str, list[float]] = {side: [] for side in functions}
    for pair in range(pairs):
        for side in functions if pair % 2 == 0 else reversed(functions):
            pause(SETTLE)
            samples[side].append(sample(functions[side], calls))
    return Timing(**{side: tuple(seconds) for side, seconds in samples.items()})


def trial(function: Callable[[], Any], wait: Callable[[], None] = lambda: None) -> float:
    """Seconds of the fastest of a few calls: enough to tell which of PyTorch's layouts to time."""
    return min(compare(function, pairs=TRIALS, warmups=1, wait=wait).ours)


def host_times(
    function: Callable[[], Any],
    times: int = 5,
    *,
    wait: Callable[[], None] = lambda: None,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[float, ...]:
    """Seconds until each of `times` calls returned, begun when the GPU had nothing to do: what the host takes to launch it.

    Where that is as long as the whole, the GPU waits for the host, and faster kernels would not help.
    """
    seconds = []
    for _ in range(times):
        wait()
        start = clock()
        function()
        seconds.append(clock() - start)
    wait()
    return tuple(seconds)


def geometric_mean(ratios: Iterable[float | None]) -> float | None:
    """The mean that treats twice as fast and twice as slow alike; None without any ratio."""
    known = [ratio for ratio in ratios if ratio is not None]
    return math.exp(sum(map(math.log, known)) / len(known)) if known else None
