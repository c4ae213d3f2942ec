"""Whether a network can be trained on the batches of a loader.

In training a batch norm needs two values a channel, and behind DeepLab's image pooling, or where a map is down to one pixel, a
batch of one picture has one. Nothing is computed to find that out: stand-ins of two pictures run through the network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minifcn.anatomy.trace import trace
from minifcn.layers import BatchNorm2d, Layer, channels_of_picture

_LOOKED_AT = 32  # pictures, of which the smallest is tried


def fit_batches(net: Layer, loader: Any, report: Callable[[str], None] = print) -> None:
    """Has the loader join a last batch of one picture to the batch before it where ``net`` cannot be trained on one.

    Raises ValueError, naming the cures, where each batch is such a one.
    """
    every, last = loader.batch_size == 1 or len(loader.dataset) == 1, loader.lonely_last()
    key = one_value_a_channel(net, loader.smallest(_LOOKED_AT)) if every or last else None
    if key is None:
        return
    if every:
        raise ValueError(
            f"a batch of one picture gives {key} one value a channel, whose variance is always 0: give a larger --batch-size, "
            f"or leave its statistics as they are, --freeze {key}"
        )
    loader.join_last = True
    report(f"the last batch of an epoch, one picture, would give {key} one value a channel: it joins the batch before it")


def one_value_a_channel(net: Layer, size: tuple[int, int]) -> str | None:
    """The first batch norm to which one picture of ``size`` (H, W) brings one value a channel in the net's present mode."""
    steps = trace(net, (2, channels_of_picture(net), *size))
    found = (step for step in steps if isinstance(step.layer, BatchNorm2d) and step.layer.training)
    return next((step.name for step in found if max(step.x.shape[2:]) == 1), None)
