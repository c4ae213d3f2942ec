"""How pictures become scores at the end: whole, in tiles that give the same scores, or averaged over several views.

A score depends on a window of the picture, the receptive field. A tile with a halo of half of it on all sides sees all that
its scores need; where it begins at a multiple of the network's coarsest stride, poolings and crops fall where they do in the
whole picture, and so the scores are the same, not only alike.

Averaging over a mirrored copy and over scales (test-time augmentation) is of probabilities: scores of two views have no
common unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from minifcn import functional as F
from minifcn.anatomy.coordinates import coordinates
from minifcn.anatomy.room import check_room
from minifcn.backend import Array, device_of, get_xp, to_device, to_host
from minifcn.layers import Layer, channels_of_picture
from minifcn.training.diagnosis import NotFinite, first_non_finite_layer
from minifcn.weights.files import is_finite


@dataclass(frozen=True)
class Views:
    """Which copies of a picture are looked at, and how: each at the sides times a scale, with `flip` also mirrored left to
    right, and each in tiles of about `tile` pixels a side where that is given, but at least as far as a score sees.

    Raises ValueError for a scale or a tile that is not possible.
    """

    flip: bool = False
    scales: tuple[float, ...] = (1.0,)
    tile: int | None = None

    def __post_init__(self) -> None:
        if not self.scales or not all(math.isfinite(scale) and 0 < scale <= 16 for scale in self.scales):
            raise ValueError(
                f"scales are {', '.join(map('{:g}'.format, self.scales)) or 'none'}; give numbers above 0, up to 16"
            )
        if len(set(self.scales)) < len(self.scales):
            raise ValueError(f"scales are {', '.join(map('{:g}'.format, self.scales))}: give each once")
        if self.tile is not None and self.tile < 1:
            raise ValueError(f"tile is {self.tile}; give the side of a tile in pixels, at least 1")

    def __call__(self, net: Layer, images: np.ndarray) -> Array:
        """images (N, 3, H, W), prepared -> scores (N, C, H, W) on the network's device; of several views log-probabilities."""
        on_device = _on_device(net, images)
        if not self.averages:
            return self._in_tiles(net, on_device)
        total: Array = 0.0
        count = 0
        for scale in self.scales:
            H, W = (max(1, round(side * scale)) for side in images.shape[2:])
            scaled = _resized(on_device, (H, W))
            for mirrored in (False, True)[: 1 + self.flip]:
                p = F.softmax(self._in_tiles(net, _mirror(scaled, mirrored)))  # (N, C, h, w)
                total = total + _resized(_mirror(p, mirrored), images.shape[2:])
                count += 1
        xp = get_xp(total)
        return xp.log(xp.maximum(total / count, np.finfo(total.dtype).tiny))

    def labels(self, net: Layer, images: np.ndarray) -> np.ndarray:
        """images (N, 3, H, W), prepared -> labels (N, H, W) uint8 on the host; of tiles one's scores at a time are kept."""
        return most_likely(self(net, images)) if self.averages else self._in_tiles(net, _on_device(net, images), most_likely)

    @property
    def averages(self) -> bool:
        return self.flip or self.scales != (1.0,)

    def _in_tiles(self, net: Layer, images: Array, of: Callable[[Array], Array] = lambda scores: scores) -> Array:
        """images (N, 3, H, W) -> what `of` makes of their scores, (..., H, W); in one tile where none is given."""
        if self.tile is None:
            return of(whole(net, images))
        stride, halo = reach(net)
        side = max(halo, math.ceil(self.tile / stride) * stride)  # smaller ones save no memory worth their time
        rows = []
        for y0, y1 in _parts(images.shape[2], side):
            row = []
            for x0, x1 in _parts(images.shape[3], side):
                top, left = max(0, y0 - halo), max(0, x0 - halo)
                window = images[:, :, top : y1 + halo, left : x1 + halo]
                scores = whole(net, get_xp(images).ascontiguousarray(window))
                row.append(of(scores[:, :, y0 - top : y1 - top, x0 - left : x1 - left]))
            rows.append(get_xp(*row).concatenate(row, axis=-1))
        return get_xp(*rows).concatenate(rows, axis=-2)


def most_likely(scores: Array) -> np.ndarray:
    """scores (N, C, H, W) -> the class with the highest score, (N, H, W) uint8, on the host."""
    return to_host(scores.argmax(axis=1).astype(np.uint8))


def whole(net: Layer, images: Array) -> Array:
    """images (N, 3, H, W) -> scores (N, C, H, W), without auxiliary ones. Raises NotFinite where they are no numbers."""
    check_room(net, images.shape, training=False)
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is looked for, and explained
        outputs = net(images)
        scores = outputs[0] if isinstance(outputs, tuple) else outputs
        if not is_finite(scores):
            layer = first_non_finite_layer(net, images)
            raise NotFinite(f"the output of layer {layer} is not finite, so the scores mean nothing")
    return scores


def reach(net: Layer) -> tuple[int, int]:
    """(the coarsest stride of the network, how far from its own pixel a score looks, rounded up to a multiple of that).

    Raises ValueError for a network in which a score looks at the whole picture, or no one knows where.
    """
    places = coordinates(net, (1, channels_of_picture(net), 512, 512)).places
    maps = [one for place in places for one in (place.rows, place.columns)]
    if any(one is None for one in maps):
        blind = next(place for place in places if place.rows is None or place.columns is None)
        raise ValueError(
            f"{net.config.get('name', 'this network')} cannot work in tiles: its layer {blind.name} looks at the whole "
            "picture, or at places that depend on its size; make a smaller copy of the picture"
        )
    known = [one for one in maps if one is not None]
    strides = [one.stride for one in known if one.stride.denominator == 1]
    stride = max(strides, default=Fraction(1))
    field = max(one.field for one in (known[-2], known[-1]))
    # an upsampled pixel looks from between two coarse ones, at both: one more stride
    return int(stride), math.ceil((field / 2 + stride) / stride) * int(stride)


def _on_device(net: Layer, images: np.ndarray) -> Array:
    weights = next(net.parameters()).data
    return to_device(images, device_of(weights)).astype(weights.dtype, copy=False)


def _parts(length: int, side: int) -> list[tuple[int, int]]:
    return [(start, min(start + side, length)) for start in range(0, length, side)]


def _mirror(array: Array, mirrored: bool) -> Array:
    return get_xp(array).ascontiguousarray(array[..., ::-1]) if mirrored else array


def _resized(array: Array, size: tuple[int, int]) -> Array:
    return array if array.shape[2:] == size else F.interpolate(array, size)[0]


WHOLE = Views()
