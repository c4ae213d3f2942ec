"""Whether a network and its pictures fit into memory: known from their sizes, before anything is allocated."""

from __future__ import annotations

from collections.abc import Sequence

from minifcn.anatomy.ledger import ledger
from minifcn.backend import device_of
from minifcn.layers import Layer
from minifcn.machine.facts import check_fits

_SMALL = 2**20  # pixels that fit everywhere


def check_room(net: Layer, input_shape: Sequence[int], training: bool, least: int = _SMALL) -> None:
    """Raises ValueError where pictures of ``input_shape`` (N, C, H, W) take more main memory in ``net`` than there is."""
    N, _, H, W = input_shape
    if least >= N * H * W or device_of(next(net.parameters()).data) != "cpu":
        return
    try:
        costs = ledger(net, input_shape)
    except (TypeError, ValueError):  # its forward looks at numbers, or refuses the size, which it will say itself
        return
    needed = costs.training_peak if training else costs.inference_peak
    advice = "use a smaller batch, a crop," if training else "use tiles (--tile), a smaller copy,"
    pictures = f"a picture of {H}x{W}" if N == 1 else f"a batch of {N} pictures of {H}x{W}"
    check_fits(needed, f"{pictures} in this network", f"{advice} or a narrower network")
