"""Pooling and unpooling as layers."""

from __future__ import annotations

from minifcn import functional as F
from minifcn.backend import Array
from minifcn.kernels.geometry import Pair, pair
from minifcn.kernels.pool_geometry import window_options
from minifcn.layers.coordinates import Map, along
from minifcn.layers.module import Layer, is_grad_off


class MaxPool2d(Layer):
    """The largest value of each window. With ``return_indices`` forward returns (y, indices), for :class:`MaxUnpool2d`."""

    def __init__(
        self, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0, dilation: Pair = 1,
        return_indices: bool = False, ceil_mode: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        window_options("MaxPool2d", kernel_size, stride, padding, dilation)
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation, self.return_indices, self.ceil_mode = padding, dilation, return_indices, ceil_mode

    def forward(self, x: Array) -> Array | tuple[Array, Array]:
        options = (self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)
        if is_grad_off() and not self.return_indices:
            return F.max_pool2d_values(x, *options)
        y, cache = F.max_pool2d(x, *options)
        self._push(cache)
        return (y, F.max_pool2d_indices(cache)) if self.return_indices else y

    def backward(self, dy: Array) -> Array:
        return F.max_pool2d_backward(dy, self._pop())

    def coordinates(self, axis: int) -> Map:
        return Map.conv(*(along(size, axis) for size in (self.kernel_size, self.stride, self.padding, self.dilation)))


class MaxUnpool2d(Layer):
    """Puts values back where a max-pooling took them from, zeros elsewhere: ``layer(x, indices, output_size)``.

    ``output_size`` (OH, OW) is the size of the pooling's input. It may be left out where the layer knows the pooling's
    ``kernel_size``, ``stride`` and ``padding``, and no row or column was lost to rounding.
    """

    def __init__(self, kernel_size: Pair | None = None, stride: Pair | None = None, padding: Pair = 0) -> None:
        super().__init__()
        if kernel_size is not None:
            window_options("MaxUnpool2d", kernel_size, stride, padding)
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding

    def forward(self, x: Array, indices: Array, output_size: tuple[int, int] | None = None) -> Array:
        if output_size is None:
            output_size = self._size_before(x.shape[2:])
        y, cache = F.max_unpool2d(x, indices, output_size)
        self._push(cache)
        return y

    def backward(self, dy: Array) -> Array:
        return F.max_unpool2d_backward(dy, self._pop())

    def _size_before(self, size: tuple[int, int]) -> tuple[int, int]:
        """(OH, OW) of the smallest picture that the pooling makes ``size`` of."""
        if self.kernel_size is None or self.stride is None:
            raise ValueError("MaxUnpool2d: give output_size, the size of the pooling's input, or make it with a kernel_size")
        options = [(along(self.kernel_size, a), along(self.stride, a), along(self.padding, a)) for a in (0, 1)]
        OH, OW = ((n - 1) * S - 2 * P + K for n, (K, S, P) in zip(size, options, strict=True))
        return OH, OW

    def coordinates(self, axis: int) -> Map | None:
        """The pooling's map, read backwards."""
        if self.kernel_size is None or self.stride is None:
            return None
        return Map.deconv(*(along(size, axis) for size in (self.kernel_size, self.stride, self.padding)))


class AvgPool2d(Layer):
    """The mean of each window."""

    def __init__(
        self, kernel_size: Pair, stride: Pair | None = None, padding: Pair = 0,
        ceil_mode: bool = False, count_include_pad: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        window_options("AvgPool2d", kernel_size, stride, padding)
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.ceil_mode, self.count_include_pad = padding, ceil_mode, count_include_pad

    def forward(self, x: Array) -> Array:
        y, cache = F.avg_pool2d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)
        self._push(cache)
        return y

    def backward(self, dy: Array) -> Array:
        return F.avg_pool2d_backward(dy, self._pop())

    def coordinates(self, axis: int) -> Map:
        return Map.conv(*(along(size, axis) for size in (self.kernel_size, self.stride, self.padding)))


class LPPool2d(Layer):
    """The root of the sum of each window's powers: ``norm_type`` 1 adds up; the larger it is, the closer y to the maximum."""

    def __init__(self, norm_type: float, kernel_size: Pair, stride: Pair | None = None, ceil_mode: bool = False) -> None:
        super().__init__()
        window_options("LPPool2d", kernel_size, stride)
        self.norm_type, self.kernel_size, self.ceil_mode = norm_type, kernel_size, ceil_mode
        self.stride = kernel_size if stride is None else stride

    def forward(self, x: Array) -> Array:
        y, cache = F.lp_pool2d(x, self.norm_type, self.kernel_size, self.stride, self.ceil_mode)
        self._push(cache)
        return y

    def backward(self, dy: Array) -> Array:
        return F.lp_pool2d_backward(dy, self._pop())

    def coordinates(self, axis: int) -> Map:
        return Map.conv(*(along(size, axis) for size in (self.kernel_size, self.stride)))


class AdaptiveAvgPool2d(Layer):
    """The picture cut into ``output_size`` near-equal windows, each averaged."""

    def __init__(self, output_size: Pair) -> None:
        super().__init__()
        pair(output_size, "output_size", 1)
        self.output_size = output_size

    def forward(self, x: Array) -> Array:
        y, cache = F.adaptive_avg_pool2d(x, self.output_size)
        self._push(cache)
        return y

    def backward(self, dy: Array) -> Array:
        return F.adaptive_avg_pool2d_backward(dy, self._pop())
