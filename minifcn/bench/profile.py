"""Where a training step goes: the seconds of each kind of layer inside the running step, ours and PyTorch's.

Ours are read by a clock around each layer's forward and backward, PyTorch's by hooks on the same modules and on the node
of autograd's graph that each of them leaves behind.
"""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from minifcn.bench.contest import Result
from minifcn.bench.network import Networks, OurStep
from minifcn.bench.timing import SETTLE, Timing
from minifcn.layers import Layer

Spent = dict[str, float]  # "ReLU, forward" -> seconds

KINDS = {
    "conv": "3x3 conv", "relu": "ReLU", "pool": "max pool", "fc6": "fc6", "fc7": "fc7", "drop": "dropout",
    "score": "1x1 score", "upscore": "deconv",
}  # fmt: skip
PASSES = ("forward", "backward")
REST, WHOLE = "loss, update, the rest", "whole step"


def profile(networks: Networks, size: tuple[int, int], batch_size: int, pairs: int) -> list[Result]:
    """Each kind of layer forward and backward, the rest, and the whole step, in seconds, from `pairs` pairs of steps."""
    ours, theirs = networks.steps(size, batch_size)

    def clock() -> float:
        networks.device.wait()
        return time.perf_counter()

    samples: dict[Any, list[Spent]] = {ours: [], theirs: []}
    steps = [step for step in samples if step is not None]
    for pair in range(-1, pairs):  # the first pair warms up
        for step in steps if pair % 2 == 0 else reversed(steps):
            time.sleep(SETTLE)
            spent = _timed(step, clock)
            samples[step] += [spent] if pair >= 0 else []
    group = f"where a training step goes: FCN-8s, {size[0]}x{size[1]}, batch {batch_size}"
    parts = [f"{kind}, {what}" for what in PASSES for kind in KINDS.values()]
    return [
        Result(group, part, Timing(*(tuple(spent[part] for spent in samples[step]) for step in (ours, theirs))))
        for part in (*parts, REST, WHOLE)
    ]


def _timed(step: Any, clock: Callable[[], float]) -> Spent:
    """One step under the clock."""
    spent: Spent = defaultdict(float)

    def add(part: str, seconds: float) -> None:
        spent[part] += seconds

    if isinstance(step, OurStep):
        watch = watch_layers(step.net, clock, add)
    else:
        from minifcn.bench.torch_twin import watch_modules

        watch = watch_modules(step.net, kind_of, clock, add)
    with watch:
        start = clock()
        step()
        whole = clock() - start
    return spent | {REST: whole - sum(spent.values()), WHOLE: whole}


@contextlib.contextmanager
def watch_layers(net: Layer, clock: Callable[[], float], add: Callable[[str, float], None]) -> Iterator[None]:
    """While it lasts, `add(part, seconds)` is called for each forward and backward of each layer of `net`."""

    def watched(function: Callable[[Any], Any], part: str) -> Callable[[Any], Any]:
        def timed(x: Any) -> Any:
            start = clock()
            y = function(x)
            add(part, clock() - start)
            return y

        return timed

    layers = [(kind, layer) for name, layer in net.children() if (kind := kind_of(name))]
    for kind, layer in layers:
        for what in PASSES:
            setattr(layer, what, watched(getattr(layer, what), f"{kind}, {what}"))
    try:
        yield
    finally:
        for _, layer in layers:
            del layer.forward, layer.backward  # the class's own come to light again


def kind_of(name: str) -> str | None:
    """The kind of the layer of this name; None for crops and joins, which are no modules of PyTorch's network."""
    prefixes = [prefix for prefix in KINDS if name.startswith(prefix)]
    return KINDS[prefixes[0]] if prefixes else None
