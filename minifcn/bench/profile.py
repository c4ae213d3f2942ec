"""Where a training step goes: the seconds of each kind of layer inside the running step, ours and PyTorch's.

Ours are read by a watcher with a clock, PyTorch's by hooks on its modules and on the node of autograd's graph that each of
them leaves behind.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from minifcn.bench.contest import Result
from minifcn.bench.network import Networks, OurStep
from minifcn.bench.timing import SETTLE, Timing
from minifcn.layers import Layer
from minifcn.layers.watch import Watcher, watching

Spent = dict[tuple[str, str], float]  # ("ReLU", "forward") -> seconds

KINDS = {
    "ConvTranspose2d": "deconv", "MaxPool2d": "max pool", "Dropout": "dropout", "BatchNorm2d": "batch norm",
    "Concat": "concat", "Add": "add", "Crop": "crop", "PadTo": "pad", "CrossEntropyLoss": "loss",
}  # fmt: skip
PASSES = ("forward", "backward")
WHOLE = "whole step"


def profile(networks: Networks, size: tuple[int, int], batch_size: int, pairs: int) -> list[Result]:
    """Each kind of layer forward and backward, the rest, and the whole step, in seconds, from `pairs` pairs of steps.

    The rest is what happens outside of such layers, and names the kinds that are layers on one side only: PyTorch's twins
    crop by an index, and its loss leaves two nodes.
    """
    layout = networks.choose_layout(lambda: networks.steps(size, batch_size))
    steps = [step for step in networks.steps(size, batch_size) if step is not None]

    def clock() -> float:
        networks.device.wait()
        return time.perf_counter()

    samples: list[list[tuple[Spent, float]]] = [[] for _ in steps]
    for pair in range(-1, pairs):  # the first pair warms up
        for side in range(len(steps)) if pair % 2 == 0 else reversed(range(len(steps))):
            time.sleep(SETTLE)
            sample = timed(steps[side], clock)
            samples[side] += [sample] if pair >= 0 else []
    group = f"where a training step goes: {networks.architecture.title}, {size[0]}x{size[1]}, batch {batch_size}{layout}"
    return [Result(group, part, Timing(*map(tuple, sides))) for part, sides in shares(samples).items()]


def shares(samples: list[list[tuple[Spent, float]]]) -> dict[str, list[list[float]]]:
    """What stands in each row: its name -> for each side the seconds of each step."""
    every = [spent for side in samples for spent, _ in side]
    kinds = dict.fromkeys(kind for spent in every for kind, _ in spent)  # in the order of our forward
    parts = [(kind, which) for which in PASSES for kind in kinds if all((kind, which) in spent for spent in every)]
    one_sided = sorted(kinds.keys() - {kind for kind, _ in parts})
    rows = {", ".join(part): [[spent[part] for spent, _ in side] for side in samples] for part in parts}
    rest = [[whole - sum(spent[part] for part in parts) for spent, whole in side] for side in samples]
    return rows | {
        f"rest: {', '.join([*one_sided, 'update'])}": rest,
        WHOLE: [[whole for _, whole in side] for side in samples],
    }


def timed(step: Any, clock: Callable[[], float]) -> tuple[Spent, float]:
    """One step under the clock: what each kind of layer took, and the whole."""
    spent: Spent = defaultdict(float)

    def add(kind: str, which: str, seconds: float) -> None:
        spent[kind, which] += seconds

    if isinstance(step, OurStep):
        watch = watching(LayerClock(clock, add))
    else:
        from minifcn.bench.torch_step import watch_modules

        watch = watch_modules(step.net, kind_of, clock, add)
    with watch:
        start = clock()
        step()
        whole = clock() - start
    return spent, whole


class LayerClock(Watcher):
    """Calls `add(kind, "forward" or "backward", seconds)` for each layer that has none inside."""

    def __init__(self, clock: Callable[[], float], add: Callable[[str, str, float], None]) -> None:
        self.clock, self.add = clock, add

    def begin(self, layer: Layer) -> None:
        self.begun = self.clock()

    def forward(self, layer: Layer, inputs: tuple[Any, ...], outputs: Any) -> None:
        self.add(kind_of(layer), "forward", self.clock() - self.begun)

    def backward(self, layer: Layer, dys: tuple[Any, ...], dxs: Any) -> None:
        self.add(kind_of(layer), "backward", self.clock() - self.begun)


def kind_of(layer: Any) -> str:
    """What a layer of ours or a module of PyTorch's is, by its type, which has the same name on both sides."""
    name = type(layer).__name__
    if name == "Conv2d":
        KH, KW = layer.weight.shape[2:]
        return f"{KH}x{KW} conv"
    return KINDS.get(name, name)
