"""Follows a pass and notes each elementary layer, with the numbers that went in and came out, and who made them."""

from __future__ import annotations

from typing import Any

import numpy as np

from minifcn.explore.steps import Step, is_floating
from minifcn.layers import Layer, Watcher

PICTURE = "input"  # the key of what the network was given


class Recorder(Watcher):
    """``steps``, the first of which is the picture ``x``, the very array that the network is about to be given.

    Outputs are copied, for what comes behind may write over them. The arrays themselves are kept until the pass is over: who
    made an input is known by its identity, and Python gives a dead array's identity to the next one.
    """

    def __init__(self, net: Layer, x: np.ndarray) -> None:
        self.keys = {id(layer): key or type(layer).__name__ for key, layer in net.named_layers()}
        self.steps = [Step(PICTURE, None, (), (), np.array(x))]
        self.makers = {id(x): 0}
        self.alive: list[Any] = [x]

    def forward(self, layer: Layer, inputs: tuple[Any, ...], outputs: Any) -> None:
        sources = tuple(self.maker_of(value) for value in inputs if is_floating(value))
        given = tuple(self._given(value) for value in inputs)
        y = outputs[0] if isinstance(outputs, tuple) else outputs
        if not is_floating(y) or y.size == 0:
            return
        self.makers[id(y)] = len(self.steps)
        self.alive += [outputs, inputs]
        self.steps.append(Step(self._key(layer), layer, given, sources, np.array(y)))

    def maker_of(self, array: Any) -> int | None:
        """The number of the step that gave this very array; None where a line of the network's own did."""
        return self.makers.get(id(array))

    def _given(self, value: Any) -> Any:
        """What the layer was given, as it was when it was made."""
        if not is_floating(value):
            return value
        maker = self.maker_of(value)
        return np.array(value) if maker is None else self.steps[maker].y

    def _key(self, layer: Layer) -> str:
        name = self.keys.get(id(layer), type(layer).__name__)
        taken = {step.key for step in self.steps}
        return next(key for key in (name, *(f"{name}#{use}" for use in range(2, len(taken) + 3))) if key not in taken)
