"""PyTorch's side of the layers' contests: the calls of a PyTorch user, gradients through autograd.

Only :mod:`minifcn.bench` and its tests import this file, and only where PyTorch is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as T
from torch import Tensor

from minifcn.kernels import Geometry


class Passes:
    """Forward and gradients of one function of ``torch.nn.functional`` on fixed inputs, the first of which is "x"."""

    def __init__(self, function: str, inputs: dict[str, Tensor], dy: Tensor, options: dict[str, Any]) -> None:
        self.function, self.options = getattr(T, function), options
        self.inputs = inputs
        self.leaves = {name: tensor.detach().requires_grad_() for name, tensor in inputs.items()}
        self.y, self.dy = self._call(self.leaves), dy

    def forward(self, **options: Any) -> Tensor:
        """y, without building a graph."""
        with torch.no_grad():
            return self._call(self.inputs, **options)

    def gradient(self, names: tuple[str, ...]) -> Tensor:
        """The gradients of the inputs named, of which the first is returned."""
        return torch.autograd.grad(self.y, [self.leaves[name] for name in names], self.dy, retain_graph=True)[0]

    def _call(self, inputs: dict[str, Tensor], **options: Any) -> Tensor:
        x, *_ = inputs.values()  # its name is "input" there
        others = {name: tensor for name, tensor in inputs.items() if tensor is not x}
        return self.function(x, **others, **self.options, **options)


def passes_in(
    function: str, inputs: dict[str, Tensor], dy: Tensor, options: dict[str, Any], channels_last: bool
) -> list[Passes]:
    """PyTorch's passes in NCHW and, if asked and where there is a difference, in channels-last."""
    made = [Passes(function, inputs, dy, options)]
    if channels_last:
        laid_out = {
            name: tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor
            for name, tensor in inputs.items()
        }
        made.append(Passes(function, laid_out, dy.contiguous(memory_format=torch.channels_last), options))
    return made


def convolution(function: str, inputs: list[Tensor | None], geometry: Geometry) -> Callable[[], Tensor]:
    """A rung's "forward" of (x, weight, bias), or "input_gradient" of (dy, weight) as a transposed convolution."""
    g = geometry
    options: dict[str, Any] = {"stride": (g.SH, g.SW), "padding": (g.PH, g.PW), "groups": g.G, "dilation": (g.DH, g.DW)}
    calls: dict[str, Callable[..., Tensor]] = {"forward": T.conv2d, "input_gradient": T.conv_transpose2d}
    call = calls[function]

    def run() -> Tensor:
        with torch.no_grad():
            return call(*inputs, **options)

    return run


def cross_entropy(scores: Tensor, labels: Tensor) -> tuple[Callable[[], Tensor], Callable[[], Tensor]]:
    """The loss alone, and with the gradient of the scores, which is returned."""
    leaves, labels = scores.detach().requires_grad_(), labels.long()

    def loss() -> Tensor:
        with torch.no_grad():
            return T.cross_entropy(scores, labels, ignore_index=255)

    return loss, lambda: torch.autograd.grad(T.cross_entropy(leaves, labels, ignore_index=255), leaves)[0]


def eager(
    kind: str, arguments: tuple[Any, ...], options: dict[str, Any], state: dict[str, Tensor], x: Tensor, dy: Tensor
) -> Callable[[], Tensor]:
    """Forward and backward of a module of torch.nn, as its users call it; returns dx."""
    module = getattr(torch.nn, kind)(*arguments, **options).to(x.device)
    module.load_state_dict(state)
    x = x.detach().requires_grad_()

    def both() -> Any:
        module.zero_grad()
        x.grad = None
        module(x).backward(dy)
        return x.grad

    return both


def sgd(data: Tensor, grad: Tensor, options: dict[str, Any]) -> Callable[[], Tensor]:
    """One update, always by the same gradient; returns the parameter."""
    parameter = torch.nn.Parameter(data)
    parameter.grad = grad
    optimizer = torch.optim.SGD([parameter], **options)

    def update() -> Tensor:
        optimizer.step()
        return parameter

    return update
