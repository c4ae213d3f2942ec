"""Fully convolutional networks: FCN-32s, 16s, 8s, 8s at once, FCN-AlexNet and FCN-32s-fixed.

A classifier turned fully convolutional scores every 32nd pixel. A transposed convolution brings the scores back to the
picture's size; on the way, *skips* add scores read from earlier, finer layers: pool4 for FCN-16s, pool3 too for FCN-8s.

Source: Long, Shelhamer and Darrell, "Fully convolutional networks for semantic segmentation", CVPR 2015, sections 3 and 4,
and the authors' Caffe files, whose layer names, paddings and bilinear deconvolutions these are.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from minifcn.backend import Array
from minifcn.layers import Conv2d, ConvTranspose2d, Layer, Parameter, coordinates, initializers, no_grad
from minifcn.layers.containers import run
from minifcn.layers.merge import Crop, Join
from minifcn.models import backbones


@dataclass(frozen=True)
class Skip:
    """``upscore`` doubles the coarse scores; ``score`` scores ``pool`` (times ``scale``); the two are added."""

    upscore: str
    pool: str
    score: str
    scale: float = 1.0

    @property
    def join(self) -> str:
        return f"join_{self.pool}"


class FCN(Layer):
    """A trunk of layers in a row, a score layer on top, skips, and a last deconvolution back to the picture's size.

    x (N, in_channels, H, W) -> scores (N, num_classes, H, W), for any H and W.
    """

    def __init__(
        self, trunk: dict[str, Layer], num_classes: int, skips: tuple[Skip, ...], last: str, kernel: int, stride: int,
        learn_upsampling: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        self.trunk, self.skips, self.last = tuple(trunk), skips, last
        for name, layer in trunk.items():
            setattr(self, name, layer)
        channels = _channels_after(trunk)
        self.score_fr = _score_layer(channels[self.trunk[-1]], num_classes)
        for skip in skips:
            setattr(self, skip.upscore, _bilinear_layer(num_classes, 4, 2, learn_upsampling))
            setattr(self, skip.score, _score_layer(channels[skip.pool], num_classes))
        setattr(self, last, _bilinear_layer(num_classes, kernel, stride, learn_upsampling))
        self._add_crops()
        self.needs_dx = False

    @property
    def needs_dx(self) -> bool:
        """Whether backward computes the gradient of the picture. Off: training has no use for it, and it is the largest."""
        return getattr(self, self.trunk[0]).needs_dx

    @needs_dx.setter
    def needs_dx(self, value: bool) -> None:
        getattr(self, self.trunk[0]).needs_dx = value

    # ------------------------------------------------------------------------------------------ forward and backward

    def forward(self, x: Array) -> Array:
        size = x.shape[2:]
        pools = {skip.pool: None for skip in self.skips}
        first = self._first_to_learn()
        stops = {0, first, len(self.trunk), *(self.trunk.index(name) + 1 for name in pools)}
        for start, stop in pairwise(sorted(stops)):
            with no_grad() if start < first else nullcontext():  # frozen layers in front: no gradient will come to them
                x = run([getattr(self, name) for name in self.trunk[start:stop]], x)
            if self.trunk[stop - 1] in pools:
                pools[self.trunk[stop - 1]] = x
        score = self.score_fr(x)
        for skip in self.skips:
            up = getattr(self, skip.upscore)(score)
            side = getattr(self, skip.score)(_times(pools[skip.pool], skip.scale))
            score = getattr(self, skip.join)(up, side)
        self._push(first)
        return self.crop(getattr(self, self.last)(score), size)

    def backward(self, dy: Array) -> Array | None:
        first = self._pop()
        dscore = getattr(self, self.last).backward(self.crop.backward(dy))
        dpools = {}
        for skip in reversed(self.skips):
            dup, dside = getattr(self, skip.join).backward(dscore)
            dpools[skip.pool] = _times(getattr(self, skip.score).backward(dside), skip.scale)
            dscore = getattr(self, skip.upscore).backward(dup)
        dx = self.score_fr.backward(dscore)
        for name in reversed(self.trunk[first:]):
            if name in dpools:
                dx += dpools.pop(name)  # the pool's output went two ways, so its gradient comes back from both
            dx = getattr(self, name).backward(dx)
        return dx if first == 0 else None

    def _first_to_learn(self) -> int:
        """The place in the trunk of the first layer with something to learn (or 0, when the picture's gradient is wanted)."""
        if self.needs_dx:
            return 0
        learns = (any(p.requires_grad for p in getattr(self, name).parameters()) for name in self.trunk)
        return next((place for place, learning in enumerate(learns) if learning), len(self.trunk))

    # ------------------------------------------------------------------------------------------------- making one

    def _add_crops(self) -> None:
        """Derives every crop from the layers' coordinates (:mod:`minifcn.layers.coordinates`): 5, 9 and 31 for FCN-8s."""
        maps = {}
        here = coordinates.Map()
        for name in self.trunk:
            here = maps[name] = here.then(coordinates.of_layer(getattr(self, name)))
        for skip in self.skips:
            here = here.then(coordinates.of_layer(getattr(self, skip.upscore)))
            offset = coordinates.crop(maps[skip.pool], here)  # pool4's pixel i + offset lies on upscore2's pixel i
            setattr(self, skip.join, Join(offset))
            here = here.then(coordinates.Map.crop(max(-offset, 0)))
        here = here.then(coordinates.of_layer(getattr(self, self.last)))
        self.crop = Crop(coordinates.crop(here, coordinates.Map()))


def _channels_after(trunk: dict[str, Layer]) -> dict[str, int]:
    """The number of channels behind each layer of the trunk."""
    channels, C = {}, 0
    for name, layer in trunk.items():
        C = layer.weight.shape[0] if isinstance(layer, Conv2d) else C
        channels[name] = C
    return channels


def _score_layer(channels: int, num_classes: int) -> Conv2d:
    """1x1 convolution to class scores that starts at zero: the first loss is then ln(num_classes) a pixel."""
    layer = Conv2d(channels, num_classes, 1)
    layer.weight.data[...] = 0
    return layer


def _bilinear_layer(num_classes: int, kernel: int, stride: int, learn: bool) -> ConvTranspose2d:
    """A deconvolution that starts as bilinear interpolation of each class by itself, and stays so unless it may learn."""
    layer = ConvTranspose2d(num_classes, num_classes, kernel, stride, bias=False)
    layer.weight = Parameter(initializers.bilinear(num_classes, kernel), requires_grad=learn)
    return layer


def _times(x: Array, scale: float) -> Array:
    return x if scale == 1 else x * x.dtype.type(scale)


POOL4 = Skip("upscore2", "pool4", "score_pool4")
POOL3 = Skip("upscore_pool4", "pool3", "score_pool3")


def _build(
    num_classes: int, skips: tuple[Skip, ...], last: str, stride: int, *, backbone=backbones.vgg16, kernel: int | None = None,
    width: float = 1.0, dropout: float = 0.5, padding: int = 100, in_channels: int = 3, seed: int | None = 0,
    learn_upsampling: bool = False,
) -> FCN:  # fmt: skip
    if not width > 0:
        raise ValueError(f"width={width} must be positive: it is the factor on the paper's channel counts, 0.25 for a quarter")
    if padding < 1:
        raise ValueError(f"padding={padding} must be at least 1: 100 is the paper's, 1 suits small pictures")
    trunk = backbone(in_channels, width, dropout, padding, np.random.default_rng(seed))
    return FCN(trunk, num_classes, skips, last, kernel or 2 * stride, stride, learn_upsampling)


def fcn32s(num_classes: int = 21, **options) -> FCN:
    """FCN-32s on VGG16: one deconvolution, k64 s32."""
    return _build(num_classes, (), "upscore", 32, **options)


def fcn16s(num_classes: int = 21, **options) -> FCN:
    """FCN-16s on VGG16: one skip, from pool4."""
    return _build(num_classes, (POOL4,), "upscore16", 16, **options)


def fcn8s(num_classes: int = 21, **options) -> FCN:
    """FCN-8s on VGG16: skips from pool4 and pool3."""
    return _build(num_classes, (POOL4, POOL3), "upscore8", 8, **options)


def fcn8s_at_once(num_classes: int = 21, **options) -> FCN:
    """FCN-8s trained in one go: pool4 and pool3 scaled down before their score layers, as the authors' at-once net does."""
    return _build(num_classes, (replace(POOL4, scale=0.01), replace(POOL3, scale=0.0001)), "upscore8", 8, **options)


def fcn32s_fixed(num_classes: int = 21, **options) -> FCN:
    """FCN-32s-fixed: the backbone is frozen, only the score layer learns (Table 2 of the paper)."""
    net = fcn32s(num_classes, **options)
    for name in net.trunk:
        getattr(net, name).requires_grad_(False)
    return net


def fcn_alexnet(num_classes: int = 21, **options) -> FCN:
    """FCN-AlexNet: stride 32, one deconvolution k63 s32."""
    return _build(num_classes, (), "upscore", 32, backbone=backbones.alexnet, kernel=63, **options)
