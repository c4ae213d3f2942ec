"""Which layer went wrong first, when a loss or a gradient is no longer a number."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from minifcn.backend import Array
from minifcn.weights.files import is_finite, non_finite


class Diverged(ValueError):
    """Training produced NaN or infinity; the message says where first, and what to do."""


def first_cause(net: Any, batches: Sequence[Array]) -> str:
    """Where the first value that is not finite comes from, as a clause; `batches` are the step's images, in their order.

    Looks in the order in which things happen: parameters, forward layer by layer, gradients on the way back.
    """
    broken = non_finite(net.state_dict())
    if broken:
        return f"the parameter or buffer {broken[0]} is not finite (the step before was too large)"
    for images in batches:
        layer = first_non_finite_layer(net, images)
        if layer is not None:
            return f"the output of layer {layer} is not finite"
    gradients = {key: parameter.grad for key, parameter in net.named_parameters() if parameter.grad is not None}
    broken = non_finite(gradients)
    if broken:
        return f"the gradient of {broken[-1]} is not finite (the first one on the way back)"
    return "every layer's output is finite, so it is the loss, or a norm too large for its dtype"


def first_non_finite_layer(net: Any, images: Array) -> str | None:
    """The key of the first layer, in the order of the forward, whose output holds NaN or infinity."""
    seen: list[str] = []
    with _watched(net, seen), contextlib.suppress(_FoundError):
        net(images)
    net.forget()
    return seen[0] if seen else None


class _FoundError(Exception):
    """Ends a forward as soon as the answer is known."""


@contextlib.contextmanager
def _watched(net: Any, seen: list[str]) -> Iterator[None]:
    """Puts a look at the output behind the forward of every layer that has no layers of its own."""
    leaves: Mapping[str, Any] = {key: layer for key, layer in net.named_layers() if not any(layer.children())}

    def watch(key: str, forward: Any) -> Any:
        def watched(*arguments: Any, **options: Any) -> Any:
            y = forward(*arguments, **options)
            first = y[0] if isinstance(y, tuple) else y
            if not is_finite(first):
                seen.append(key)
                raise _FoundError
            return y

        return watched

    for key, layer in leaves.items():
        layer.forward = watch(key, layer.forward)
    try:
        yield
    finally:
        for layer in leaves.values():
            del layer.forward  # uncovers the class's own
