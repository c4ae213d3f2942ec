"""Where a pixel of a feature map looks in the picture: the algebra from which the crops of an FCN follow.

Pixel i of a feature map is the answer for the place ``stride·i + offset`` of the picture, along one axis. A convolution with
kernel K, stride S, padding P and dilation D reads a window around S·i + D(K − 1)/2 − P; a transposed convolution is the same
map backwards. Maps compose, and two feature maps of one stride can be added only where they look at the same place: the number
of pixels between them is the *crop*.

    >>> pool = Map.conv(kernel=2, stride=2)
    >>> print(pool.then(pool))
    stride 4, offset 3/2, receptive field 4

Source: Long, Shelhamer and Darrell, "Fully convolutional networks for semantic segmentation", 2015, section 3.1, and the
authors' coord_map.py, which writes the map the other way round: y = (x + P − (K − 1)/2) / S.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any, TypeVar

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Map:
    """Pixel i looks at ``stride·i + offset`` and reads at most ``field`` pixels: a deconvolution's phases differ.

    Behind several deconvolutions in a row a pixel may read up to a pixel of each one's input more: which phases meet is not
    in a map.
    """

    stride: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)
    field: Fraction = Fraction(1)

    @classmethod
    def conv(cls, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Map:
        """A convolution or a pooling."""
        reach = dilation * (kernel - 1)  # pixels from the window's first tap to its last
        return cls(Fraction(stride), Fraction(reach, 2) - padding, Fraction(reach + 1))

    @classmethod
    def deconv(cls, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Map:
        """A transposed convolution: the convolution's map solved for the other side."""
        conv = cls.conv(kernel, stride, padding, dilation)
        return cls(1 / conv.stride, -conv.offset / conv.stride, Fraction(ceil(conv.field / stride)))

    @classmethod
    def resize(cls, factor: Fraction | float) -> Map:
        """Interpolation by ``factor``, pixels taken as little squares: output i has its centre at (i + ½)/factor − ½."""
        step = 1 / Fraction(factor)
        return cls(step, step / 2 - Fraction(1, 2), Fraction(2))

    @classmethod
    def crop(cls, pixels: int) -> Map:
        """Leaving out the first ``pixels`` pixels; a negative number is padding."""
        return cls(offset=Fraction(pixels))

    def then(self, following: Map) -> Map:
        """This map's feature map seen through another layer."""
        return Map(
            self.stride * following.stride,
            self.stride * following.offset + self.offset,
            self.field + self.stride * (following.field - 1),
        )

    def __str__(self) -> str:
        return f"stride {self.stride}, offset {self.offset}, receptive field {self.field}"


def chain(*maps: Map | None) -> Map:
    """The layers' maps one after the other; of no layers, the identity. Raises ValueError where a layer has none."""
    total = Map()
    for following in maps:
        if following is None:
            raise ValueError("a layer does not say where its output's pixels lie in its input: give it coordinates(axis)")
        total = total.then(following)
    return total


def behind(layers: Mapping[str, Any], start: Map | None = None) -> dict[str, Map]:
    """The map behind each of the layers, which stand in a row, seen from where the first one begins."""
    maps, place = {}, start or Map()
    for name, layer in layers.items():
        place = maps[name] = chain(place, layer.coordinates(axis=0))
    return maps


def crop(a: Map, b: Map) -> int:
    """How many pixels to leave out at the start of feature map ``a`` so that its pixel 0 looks where ``b``'s pixel 0 does.

    A negative number says that ``a`` begins later: leave so many pixels out of ``b``, or pad ``a``. Raises ValueError when the
    strides differ, or when the two lie a fraction of a pixel apart.
    """
    if a.stride != b.stride:
        raise ValueError(
            f"a feature map of stride {a.stride} cannot be aligned with one of stride {b.stride}; upsample one first"
        )
    pixels = (b.offset - a.offset) / a.stride
    if pixels.denominator != 1:
        raise ValueError(
            f"the feature maps ({a}) and ({b}) lie {pixels} pixels apart, which no crop can mend; change a padding"
        )
    return int(pixels)


def along(size: Number | tuple[Number, Number], axis: int) -> Number:
    """An option of a layer, one number or (vertical, horizontal), along one axis."""
    return size[axis] if isinstance(size, (tuple, list)) else size
