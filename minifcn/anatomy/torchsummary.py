"""The encoder-decoder as its source document prints it, in a table of torchsummary.

    minifcn summary encoder-decoder --style seed-000

torchsummary numbers modules in the order in which they are done: layers, and behind its last layer each block that has a class
of its own, in a row that says once more what came out (and that the totals count once more). What is a function in PyTorch, and
no module (padding, cropping, adding), has no row. The number 32, at which the encoder as a whole is done, has no row in the
document, and counts for nothing there; so here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, count
from math import prod
from typing import Any

from minifcn import models
from minifcn.anatomy.trace import trace
from minifcn.layers import Add, Crop, Layer, PadTo, Sequential, channels_of_picture, initializers

STYLES = {"seed-000": ("encoder-decoder", (224, 224))}  # the network of a document, and the size of its picture
_NO_MODULES = (Add, Crop, PadTo)
_GAP_BEHIND = "pool5"
_MB = 2**20
_RULE, _DOUBLE = "-" * 64, "=" * 64


@dataclass(frozen=True)
class Row:
    """A module: its class and number, what comes out of it for one picture, and the parameters that are its own."""

    name: str
    shape: tuple[int, ...]
    parameters: int


def styled(style: str, model: str, size: tuple[int, int] | None = None, **options: Any) -> str:
    """The network ``model``, built with ``options``, in the style of a document and, unless given, for its ``size`` of picture.

    Raises ValueError for an unknown style, or for another network than the document's.
    """
    if style not in STYLES:
        raise ValueError(f"unknown style {style!r}; possible are {', '.join(STYLES)}")
    documented, own_size = STYLES[style]
    if model != documented:
        raise ValueError(f"{style} is a table of {documented}, not of {model}")
    with initializers.blank():
        net = models.build(model, **options)
    return torchsummary(net, (1, channels_of_picture(net), *(size or own_size)))


def rows(net: Layer, input_shape: Sequence[int]) -> Iterator[Row]:
    """The rows of the table, for pictures of ``input_shape`` (N, C, H, W)."""
    steps = [step for step in trace(net, input_shape) if not isinstance(step.layer, _NO_MODULES)]
    blocks = {key: layer for key, layer in net.named_layers() if key and not layer.is_leaf() and type(layer) is not Sequential}
    numbers = count(1)
    for step, following in zip(steps, [*(step.name for step in steps[1:]), ""], strict=True):
        shape = step.y.shape[1:]
        yield Row(f"{type(step.layer).__name__}-{next(numbers)}", shape, step.parameters)
        for key in reversed(list(accumulate(step.name.split("."), "{}.{}".format))):  # up1.relu, then up1
            if key in blocks and not following.startswith(f"{key}."):
                yield Row(f"{type(blocks[key]).__name__}-{next(numbers)}", shape, 0)
        if step.name == _GAP_BEHIND:
            next(numbers)


def torchsummary(net: Layer, input_shape: Sequence[int]) -> str:
    """The table and its totals. Arrays are counted at 4 bytes a number, those of a pass twice, for their gradients."""
    table = list(rows(net, input_shape))
    total = sum(parameter.size for parameter in net.parameters())
    trainable = sum(parameter.size for parameter in net.parameters() if parameter.requires_grad)
    lines = [f"{row.name:>20}  {[-1, *row.shape]!s:>25} {row.parameters:>15,}" for row in table]
    return "\n".join([
        _RULE, f"{'Layer (type)':>20}  {'Output Shape':>25} {'Param #':>15}", _DOUBLE, *lines, _DOUBLE,
        f"Total params: {total:,}", f"Trainable params: {trainable:,}", f"Non-trainable params: {total - trainable:,}", _RULE,
        f"Input size (MB): {4 * prod(input_shape[1:]) / _MB:.2f}",
        f"Forward/backward pass size (MB): {2 * 4 * sum(prod(row.shape) for row in table) / _MB:.2f}", _RULE,
    ])  # fmt: skip
