"""The line of minifcn, and that of PyTorch, that does what a step did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minifcn import layers as L
from minifcn.explore.steps import Step

_TORCH = (  # torch.nn's have the same names and arguments
    L.Conv2d, L.ConvTranspose2d, L.MaxPool2d, L.MaxUnpool2d, L.AvgPool2d, L.AdaptiveAvgPool2d, L.LPPool2d, L.ReLU,
    L.BatchNorm2d, L.Dropout, L.Linear, L.Flatten, L.LocalResponseNorm, L.Identity, L.Upsample,
)  # fmt: skip


def lines_of(step: Step) -> tuple[str, str]:
    """(minifcn's, PyTorch's): the second is empty where PyTorch has no such layer."""
    if step.layer is None:
        return "y = net(x)", "y = net(x)"
    mine = f"y = {step.layer!r}({_arguments(step)})"
    if type(step.layer) in _TORCH:
        return mine, f"y = torch.nn.{step.layer!r}({_arguments(step)})"
    return mine, next((line(step) for kind, line in _OTHERS.items() if type(step.layer) is kind), "")


def _arguments(step: Step) -> str:
    count = len(step.xs)
    floating = ["x"] if count == 1 else [f"x{number + 1}" for number in range(count)]
    return ", ".join([*floating, *(str(tuple(value)) for value in step.inputs if isinstance(value, (tuple, list)))])


def _crop(step: Step) -> str:
    layer: Any = step.layer
    top = layer.offset
    OH, OW = step.y.shape[2:]
    return f"y = x[:, :, {top}:{top + OH}, {top}:{top + OW}]"


def _pad(step: Step) -> str:
    layer: Any = step.layer
    bottom, right = (
        after - before - layer.margin for after, before in zip(step.y.shape[2:], step.xs[0].shape[2:], strict=True)
    )
    return f"y = torch.nn.functional.pad(x, ({layer.margin}, {right}, {layer.margin}, {bottom}))"


def _concat(step: Step) -> str:
    return f"y = torch.cat([{_arguments(step)}], dim=1)"


def _scale(step: Step) -> str:
    layer: Any = step.layer
    return f"y = {layer.factor} * x"


_OTHERS: dict[type[L.Layer], Callable[[Step], str]] = {
    L.Add: lambda step: "y = x1 + x2", L.Concat: _concat, L.Crop: _crop, L.PadTo: _pad, L.Scale: _scale,
}  # fmt: skip
