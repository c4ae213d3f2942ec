"""Cropping, and adding two maps where they lie on the same pixels."""

from __future__ import annotations

from minifcn.backend import Array, get_xp
from minifcn.layers import Layer


class Crop(Layer):
    """Cuts ``size`` = (OH, OW) out of x (N, C, H, W), ``offset`` pixels from the top and from the left."""

    def __init__(self, offset: int) -> None:
        super().__init__()
        if offset < 0:
            raise ValueError(f"Crop: offset={offset} lies outside of the picture")
        self.offset = offset

    def __call__(self, x: Array, size: tuple[int, int]) -> Array:
        return self.forward(x, size)

    def forward(self, x: Array, size: tuple[int, int]) -> Array:
        self._push(x.shape)
        return x[_window(self.offset, size)]

    def backward(self, dy: Array) -> Array:
        """What was cut away had no part in the output: its gradient is zero."""
        dx = get_xp(dy).zeros(self._pop(), dy.dtype)
        dx[_window(self.offset, dy.shape[2:])] = dy
        return dx

    def options(self) -> str:
        return f"offset={self.offset}"


class Join(Layer):
    """up + side where they overlap: side's pixel i + offset lies on up's pixel i.

    The paper's nets pad so much that side is the larger one, and ``offset`` (5 for pool4, 9 for pool3) is where to cut it.
    With little padding it is the other way round, and a negative offset cuts ``up``.
    """

    def __init__(self, offset: int) -> None:
        super().__init__()
        self.offset = offset
        self.crop_up, self.crop_side = Crop(max(-offset, 0)), Crop(max(offset, 0))

    def __call__(self, up: Array, side: Array) -> Array:
        return self.forward(up, side)

    def forward(self, up: Array, side: Array) -> Array:
        pairs = zip(up.shape[2:], side.shape[2:], strict=True)
        size = tuple(min(u - self.crop_up.offset, s - self.crop_side.offset) for u, s in pairs)
        return self.crop_up(up, size) + self.crop_side(side, size)

    def backward(self, dy: Array) -> tuple[Array, Array]:
        """dy -> dup, dside: a sum hands its gradient to both."""
        return self.crop_up.backward(dy), self.crop_side.backward(dy)

    def options(self) -> str:
        return f"offset={self.offset}"


def _window(offset: int, size: tuple[int, int]) -> tuple[slice, ...]:
    return (slice(None), slice(None), slice(offset, offset + size[0]), slice(offset, offset + size[1]))
