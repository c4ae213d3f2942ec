"""Feature maps: what the layers of a network make of a picture, a row for each layer, its liveliest channels side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from minifcn import data
from minifcn.backend import device_of, to_device, to_host
from minifcn.layers import Layer, Watcher, evaluating, watching
from minifcn.visualize.board import Board, amount_colours, signed_colours
from minifcn.visualize.mpl import Figure
from minifcn.visualize.sliding import TITLE

_GAP = 0.3  # cells between maps, and below each row


def feature_maps(
    net: Layer, image: Any, *layers: str, channels: int = 6, height: float = 3, cell: float = 0.4,
    preprocessing: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Figure:  # fmt: skip
    """The picture (H, W, 3) uint8, and below it, for each of ``layers`` by its key, the channels that vary the most.

    A key with layers below it, such as "enc1", stands for the last of them to be done. Without any, the last map of each
    size is shown. Where a layer has only amounts, as behind a ReLU, 0 is white and more is darker; else blue is below 0, orange
    above; either is strongest at the row's own largest value. ``preprocessing`` is what the network was trained with.

        show(feature_maps(net, image, "enc1", "enc3", "dec1"), "unet", "Edges first, then parts, then places.")
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(
            f"the picture is {image.dtype} of shape {image.shape}; it must be uint8 (H, W, 3), as read from a file"
        )
    if channels < 1:
        raise ValueError(f"channels={channels} must be at least 1")
    maps = maps_of(net, (preprocessing or data.Preprocessing())(image)[None], layers)
    across = height * image.shape[1] / image.shape[0] + _GAP
    most = max(min(channels, len(each)) for each in maps.values())
    step = TITLE + height + _GAP
    board = Board(step * (len(maps) + 1), most * across, cell)
    dots = round(height * board.dots)
    board.picture(_fitted(image, dots), TITLE, 0, height, "picture")
    for row, (key, each) in enumerate(maps.items(), start=1):
        top = row * step + TITLE
        chosen = np.argsort(-each.std(axis=(1, 2)), kind="stable")[:channels]
        board.write(f"{key}: {len(each)} maps of {each.shape[1]}×{each.shape[2]}", top - 0.45, 0, align="left", weight="bold")
        scale = float(np.abs(each[chosen]).max()) or 1.0
        for column, channel in enumerate(chosen.tolist()):
            colours = (signed_colours if each.min() < 0 else amount_colours)(each[channel], scale)
            board.picture(_fitted(np.round(255 * colours).astype(np.uint8), dots), top, column * across, height)
    return board.figure


def maps_of(net: Layer, x: np.ndarray, layers: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """{key: (C, H, W)}: what came out of these layers for x (1, C, H, W), the network being in evaluation; in their order.

    Raises ValueError for a key that no layer with feature maps has.
    """
    seen = _Seen({id(layer): key for key, layer in net.named_layers()})
    weights = next(net.parameters()).data
    with evaluating(net), watching(seen):
        net(to_device(x, device_of(weights)).astype(weights.dtype, copy=False))
    if not layers:
        sizes = {maps.shape[1:]: key for key, maps in seen.maps.items() if min(maps.shape[1:]) > 1}
        return {key: maps for key, maps in seen.maps.items() if key in sizes.values()}
    found = {}
    for wanted in layers:
        below = [key for key in seen.maps if f"{key}.".startswith(f"{wanted}.")]
        if not below:
            raise ValueError(f"no layer {wanted!r} makes feature maps; possible are {', '.join(seen.maps)}, and stages of them")
        found[wanted] = seen.maps[below[-1]]
    return found


class _Seen(Watcher):
    """Keeps what comes out of each layer, the last time; copied, for a ReLU may write over it."""

    def __init__(self, keys: dict[int, str]) -> None:
        self.keys = keys
        self.maps: dict[str, np.ndarray] = {}

    def forward(self, layer: Layer, inputs: tuple[Any, ...], outputs: Any) -> None:
        y = outputs[0] if isinstance(outputs, tuple) else outputs
        if y.ndim == 4:
            key = self.keys[id(layer)]
            self.maps.pop(key, None)  # done twice, it stands where it was done last
            self.maps[key] = np.array(to_host(y)[0])


def _fitted(pixels: np.ndarray, dots: int) -> np.ndarray:
    """Pixels (H, W, 3) uint8 on so many rows of dots: pixels stay squares where there are enough, else they are averaged."""
    H, W = pixels.shape[:2]
    how = Image.Resampling.NEAREST if dots >= H else Image.Resampling.BOX
    return np.asarray(Image.fromarray(pixels).resize((max(1, round(W * dots / H)), dots), how))
