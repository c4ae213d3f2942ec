"""Parameters, and the layers that own them.

There is no autograd here. A layer's ``forward`` puts what its ``backward`` will need on a stack; ``backward`` takes it off.
So a layer that is used several times in one pass is right by construction (the last use comes back first), and memory is
freed while backward walks.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from minifcn.backend import DEVICES, Array, device_of, to_device

_state = threading.local()


@contextlib.contextmanager
def no_grad() -> Iterator[None]:
    """Under ``with minifcn.no_grad():`` layers keep nothing for a backward pass: evaluation in little memory."""
    before, _state.no_grad = is_grad_off(), True
    try:
        yield
    finally:
        _state.no_grad = before


def is_grad_off() -> bool:
    """Whether this thread is inside :func:`no_grad`."""
    return getattr(_state, "no_grad", False)


class Parameter:
    """An array to be learnt: ``data``, its gradient ``grad`` (None until a backward), and ``requires_grad`` (False: frozen)."""

    def __init__(self, data: Array, requires_grad: bool = True) -> None:
        self.data = data
        self.grad: Array | None = None
        self.requires_grad = requires_grad

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    @property
    def size(self) -> int:
        return self.data.size

    def accumulate(self, gradient: Array | None) -> None:
        """Adds ``gradient`` to ``grad``. A parameter used twice collects the sum of both."""
        if gradient is None or not self.requires_grad:
            return
        if self.grad is None:
            self.grad = gradient  # every backward makes a fresh array, so it can be kept and added to
        else:
            self.grad += gradient

    def __repr__(self) -> str:
        frozen = "" if self.requires_grad else ", frozen"
        return f"Parameter({'×'.join(map(str, self.shape))}, {self.data.dtype}{frozen})"


class Layer:
    """A piece of a network. Subclasses define ``forward(x)`` and ``backward(dy)``; parameters, buffers (arrays named in
    ``buffers``) and sub-layers are simply attributes, in the order of their assignment."""

    buffers: tuple[str, ...] = ()  # attributes that are saved and moved, but not learnt (running statistics)

    def __init__(self) -> None:
        self.training = True
        self._stack: list[Any] = []

    # ------------------------------------------------------------------------------------------ forward and backward

    def __call__(self, x: Array) -> Array:
        return self.forward(x)

    def forward(self, x: Array) -> Array:
        """x -> y, keeping what backward needs."""
        raise TypeError(f"{type(self).__name__} defines no forward(x)")

    def backward(self, dy: Array) -> Array | None:
        """dy -> dx for the latest forward that was not yet taken back; adds to the parameters' ``grad``."""
        raise TypeError(f"{type(self).__name__} defines no backward(dy)")

    def _push(self, cache: Any) -> None:
        if not is_grad_off():
            self._stack.append(cache)

    def _pop(self) -> Any:
        if not self._stack:
            raise RuntimeError(
                f"{type(self).__name__}.backward() has no forward to take back: call forward once for each backward, "
                "outside of no_grad()"
            )
        return self._stack.pop()

    def forget(self) -> None:
        """Drops what forwards have kept, for a forward that no backward will follow (an interrupted step)."""
        for _, layer in self.named_layers():
            layer._stack.clear()

    # -------------------------------------------------------------------------------------------------- walking the tree

    def children(self) -> Iterator[tuple[str, Layer]]:
        """(name, layer) of the layers directly below."""
        for name, value in vars(self).items():
            if isinstance(value, Layer):
                yield name, value

    def named_layers(self, prefix: str = "") -> Iterator[tuple[str, Layer]]:
        """(key, layer) of this layer (key ``prefix``) and of all below, in the order of their assignment."""
        yield prefix, self
        for name, child in self.children():
            yield from child.named_layers(f"{prefix}.{name}" if prefix else name)

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """(key, parameter) of this layer and all below, keys as in a PyTorch state dict: ``conv1_1.weight``."""
        for key, layer in self.named_layers():
            for name, value in vars(layer).items():
                if isinstance(value, Parameter):
                    yield f"{key}.{name}" if key else name, value

    def parameters(self) -> Iterator[Parameter]:
        """All parameters, frozen ones included."""
        return (parameter for _, parameter in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Array]]:
        """(key, array) of what is saved with the parameters but not learnt."""
        for key, layer in self.named_layers():
            for name in layer.buffers:
                if getattr(layer, name) is not None:
                    yield f"{key}.{name}" if key else name, getattr(layer, name)

    # ------------------------------------------------------------------------------------------------------------- state

    def state_dict(self) -> dict[str, Array]:
        """All parameters' and buffers' arrays (themselves, not copies) under their keys."""
        return {key: parameter.data for key, parameter in self.named_parameters()} | dict(self.named_buffers())

    def load_state_dict(self, state: Mapping[str, Array], strict: bool = True) -> None:
        """Copies arrays into parameters and buffers of the same key, keeping this layer's dtype and device.

        All is checked before anything is changed. Raises ValueError naming missing and unexpected keys (``strict``) and
        keys whose shape differs.
        """
        mine = self.state_dict()
        missing = [key for key in mine if key not in state]
        unexpected = [key for key in state if key not in mine]
        both = [key for key in mine if key in state]
        wrong = [f"{key} {state[key].shape} for {mine[key].shape}" for key in both if state[key].shape != mine[key].shape]
        problems = [("shapes differ", wrong)]
        if strict:
            problems += [("missing", missing), ("unexpected", unexpected)]
        if any(keys for _, keys in problems):
            details = "; ".join(f"{what}: {_some(keys)}" for what, keys in problems if keys)
            raise ValueError(f"the state does not fit this {type(self).__name__}: {details}")
        for key in both:
            mine[key][...] = to_device(state[key], device_of(mine[key]))

    # ------------------------------------------------------------------------------------------------------------- modes

    def train(self, mode: bool = True) -> Layer:
        """Training mode here and below: dropout drops, batch norm uses the batch's statistics. Returns self."""
        for _, layer in self.named_layers():
            layer.training = mode
        return self

    def eval(self) -> Layer:
        """Evaluation mode here and below (it can still be backpropagated). Returns self."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forgets all gradients (sets them to None, which costs nothing)."""
        for parameter in self.parameters():
            parameter.grad = None

    def requires_grad_(self, requires_grad: bool = True) -> Layer:
        """Thaws or, with False, freezes every parameter here and below. Returns self."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def reseed(self, seed: int | tuple[int, ...]) -> None:
        """Gives every dropout below a generator of its own that depends on ``seed`` and on its place, nothing else."""
        seed = seed if isinstance(seed, tuple) else (seed,)
        for place, (_, layer) in enumerate(self.named_layers()):
            if hasattr(layer, "rng"):
                layer.rng = np.random.default_rng((*seed, place))

    def to(self, target: str | np.dtype | type) -> Layer:
        """Moves everything to a device ("cpu", "cuda") or converts it to a floating dtype ("float64"). Returns self."""
        if target in DEVICES:
            return self._convert(lambda array: to_device(array, target))
        try:
            dtype = np.dtype(target)
        except TypeError:
            dtype = np.dtype(object)
        if dtype.kind != "f":
            raise ValueError(f"to({target!r}): give a device, 'cpu' or 'cuda', or a floating dtype such as 'float32'")
        return self._convert(lambda array: array.astype(dtype, copy=False))

    def _convert(self, convert) -> Layer:
        for _, layer in self.named_layers():
            for name, value in vars(layer).items():
                if isinstance(value, Parameter):
                    value.data = convert(value.data)
                    value.grad = None if value.grad is None else convert(value.grad)
                elif name in layer.buffers and value is not None:
                    setattr(layer, name, convert(value))
        return self

    # ---------------------------------------------------------------------------------------------------------- printing

    def options(self) -> str:
        """What to say between the parentheses of repr()."""
        return ""

    def __repr__(self) -> str:
        lines = [f"  ({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.children()]
        inner = "\n" + "\n".join(lines) + "\n" if lines else self.options()
        return f"{type(self).__name__}({inner})"


def _some(keys: list[str], limit: int = 5) -> str:
    more = f" and {len(keys) - limit} more" if len(keys) > limit else ""
    return ", ".join(keys[:limit]) + more
