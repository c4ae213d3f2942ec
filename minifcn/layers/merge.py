"""Layers where roads meet: sums and concatenations, and the cropping, padding and scaling that make feature maps fit."""

from __future__ import annotations

from minifcn import functional as F
from minifcn.backend import Array
from minifcn.functional.arguments import check_axes
from minifcn.layers.coordinates import Map
from minifcn.layers.lengths import smaller
from minifcn.layers.module import Layer


class Identity(Layer):
    """x itself: what stands on a road where a variant of the network has a layer."""

    def forward(self, x: Array) -> Array:
        return x

    def backward(self, dy: Array) -> Array:
        return dy

    def coordinates(self, axis: int) -> Map:
        return Map()


class Scale(Layer):
    """x times a constant ``factor``."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Array) -> Array:
        return x * x.dtype.type(self.factor)

    def backward(self, dy: Array) -> Array:
        return dy * dy.dtype.type(self.factor)

    def coordinates(self, axis: int) -> Map:
        return Map()


class Add(Layer):
    """a + b, written over a if ``inplace``, for who knows that nobody needs a any more (:func:`containers.add_behind`).

    Each road gets the gradient, and its own array of it: what stands behind may write over it.
    """

    def forward(self, a: Array, b: Array, inplace: bool = False) -> Array:
        y, cache = F.add(a, b, inplace)
        self._push(cache)
        return y

    def backward(self, dy: Array) -> tuple[Array, Array]:
        return F.add_backward(dy, self._pop())

    def coordinates(self, axis: int) -> Map:
        return Map()


class Concat(Layer):
    """Feature maps one behind the other along the channels; backward cuts them apart again."""

    def forward(self, *parts: Array) -> Array:
        y, cache = F.concat(*parts)
        self._push(cache)
        return y

    def backward(self, dy: Array) -> tuple[Array, ...]:
        return F.concat_backward(dy, self._pop())

    def coordinates(self, axis: int) -> Map:
        return Map()


class Crop(Layer):
    """Cuts ``size`` = (OH, OW) out of x (N, C, H, W), ``offset`` pixels from the top and from the left."""

    def __init__(self, offset: int = 0) -> None:
        super().__init__()
        if offset < 0:
            raise ValueError(f"Crop: offset={offset} lies outside of the picture")
        self.offset = offset

    def forward(self, x: Array, size: tuple[int, int]) -> Array:
        y, cache = F.crop(x, self.offset, self.offset, *size)
        self._push(cache)
        return y

    def backward(self, dy: Array) -> Array:
        return F.crop_backward(dy, self._pop())

    def coordinates(self, axis: int) -> Map:
        return Map.crop(self.offset)


class Join(Layer):
    """up + side where they overlap: side's pixel i + offset lies on up's pixel i.

    The FCN paper's nets pad so much that side is the larger one, and ``offset`` (5 for pool4, 9 for pool3) is where to cut it.
    With little padding it is the other way round, and a negative offset cuts ``up``.
    """

    def __init__(self, offset: int) -> None:
        super().__init__()
        self.offset = offset
        self.crop_up, self.crop_side, self.add = Crop(max(-offset, 0)), Crop(max(offset, 0)), Add()

    def forward(self, up: Array, side: Array) -> Array:
        check_axes("Join", up)
        check_axes("Join", side)
        pairs = zip(up.shape[2:], side.shape[2:], strict=True)
        OH, OW = (smaller(u - self.crop_up.offset, s - self.crop_side.offset) for u, s in pairs)
        up = self.crop_up(up, (OH, OW))
        side = self.crop_side(side, (OH, OW))
        return self.add(up, side)

    def backward(self, dy: Array) -> tuple[Array, Array]:
        dup, dside = self.add.backward(dy)
        dside = self.crop_side.backward(dside)
        dup = self.crop_up.backward(dup)
        return dup, dside


class PadTo(Layer):
    """Adds zeros at the bottom and at the right until both sides are multiples of ``multiple``; a :class:`Crop` undoes it.

    Pixel i stays pixel i, so what a network scores needs no shift back: ``crop(scores, picture_size)``. For convolutions that
    do not pad, ``margin`` zeros are added on all four sides before, and ``remainder`` is what shall be left over.
    """

    def __init__(self, multiple: int, margin: int = 0, remainder: int = 0) -> None:
        super().__init__()
        if multiple < 1:
            raise ValueError(f"PadTo: multiple={multiple} must be at least 1")
        if margin < 0:
            raise ValueError(f"PadTo: margin={margin} must not be negative")
        self.multiple, self.margin, self.remainder = multiple, margin, remainder

    def forward(self, x: Array) -> Array:
        check_axes("PadTo", x)
        bottom, right = ((self.remainder - n - 2 * self.margin) % self.multiple + self.margin for n in x.shape[2:])
        y, cache = F.pad(x, (self.margin, right, self.margin, bottom)) if bottom or right else (x[:], None)
        self._push(cache)
        return y

    def backward(self, dy: Array) -> Array:
        cache = self._pop()
        return dy if cache is None else F.pad_backward(dy, cache)

    def coordinates(self, axis: int) -> Map:
        return Map.crop(-self.margin)
