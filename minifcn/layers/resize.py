"""Resizing as a layer."""

from __future__ import annotations

from minifcn import functional as F
from minifcn.backend import Array
from minifcn.layers.coordinates import Map, along
from minifcn.layers.module import Layer


class Upsample(Layer):
    """Resizes to ``size`` or by ``scale_factor``, "nearest" or "bilinear".

    Made with neither, it is told the size when it is called, ``upsample(scores, x.shape[2:])``: the picture's, whatever it is.
    """

    def __init__(
        self, size: int | tuple[int, int] | None = None, scale_factor: float | tuple[float, float] | None = None,
        mode: str = "nearest", align_corners: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.size, self.scale_factor, self.mode, self.align_corners = size, scale_factor, mode, align_corners

    def forward(self, x: Array, size: tuple[int, int] | None = None) -> Array:
        if size is not None and (self.size, self.scale_factor) != (None, None):
            raise ValueError(f"Upsample: called with size={tuple(size)}, but made with {self.options()}; give one of the two")
        y, cache = F.interpolate(x, self.size or size, self.scale_factor, self.mode, self.align_corners)
        self._push(cache)
        return y

    def backward(self, dy: Array) -> Array:
        return F.interpolate_backward(dy, self._pop())

    def coordinates(self, axis: int) -> Map | None:
        """None where no one map holds for pictures of all sizes."""
        if self.scale_factor is None or self.align_corners:
            return None
        return Map.resize(along(self.scale_factor, axis))
