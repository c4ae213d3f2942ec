"""Which layer went wrong first, when a loss or a gradient is no longer a number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minifcn.backend import Array
from minifcn.layers import Layer, Watcher, watching
from minifcn.weights.files import is_finite, non_finite


class Diverged(ValueError):
    """Training produced NaN or infinity; the message says where first, and what to do."""


class NotFinite(ValueError):
    """A network's scores hold NaN or infinity: no class can be read from them."""


def first_cause(net: Layer, layers: Sequence[str | None]) -> str:
    """Where the first value that is not finite comes from, as a clause; `layers` are what `first_non_finite_layer` found for
    each of the step's batches, in their order.

    Looks in the order in which things happen: parameters, forward layer by layer, gradients on the way back.
    """
    broken = non_finite(net.state_dict())
    if broken:
        return f"the parameter or buffer {broken[0]} is not finite (the step before was too large)"
    for layer in layers:
        if layer is not None:
            return f"the output of layer {layer} is not finite"
    gradients = {key: parameter.grad for key, parameter in net.named_parameters() if parameter.grad is not None}
    broken = non_finite(gradients)
    if broken:
        return f"the gradient of {broken[-1]} is not finite (the first one on the way back)"
    return "every layer's output is finite, so it is the loss, or a norm too large for its dtype"


def first_non_finite_layer(net: Layer, images: Array) -> str | None:
    """The key of the first layer, in the order of the forward, whose output holds NaN or infinity."""
    names = {id(layer): key for key, layer in net.named_layers()}
    try:
        with watching(_Finiteness()):
            net(images)
    except _FoundError as finding:
        return names.get(id(finding.layer), type(finding.layer).__name__)
    finally:
        net.forget()
    return None


class _FoundError(Exception):
    """Ends a forward as soon as the answer is known."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer


class _Finiteness(Watcher):
    """Looks at each layer's output."""

    def forward(self, layer: Layer, inputs: tuple[Any, ...], outputs: Any) -> None:
        for output in outputs if isinstance(outputs, tuple) else (outputs,):
            if output.dtype.kind == "f" and not is_finite(output):
                raise _FoundError(layer)
