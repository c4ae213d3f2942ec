"""Convolution and transposed convolution as layers: a weight, a bias, and what to do with them."""

from __future__ import annotations

import numpy as np

from minifcn import functional as F
from minifcn.backend import Array
from minifcn.functional.arguments import check_integers
from minifcn.functional.conv_transpose import transposed_options
from minifcn.kernels.geometry import Pair, pair, placement
from minifcn.layers import initializers
from minifcn.layers.activation import ReLU
from minifcn.layers.coordinates import Map, along
from minifcn.layers.module import Layer, Parameter
from minifcn.layers.norm import BatchNorm2d


class Conv2d(Layer):
    """x (N, in_channels, H, W) -> y (N, out_channels, OH, OW). Weight (O, C/G, KH, KW), He-initialised; bias zero.

    ``rng`` draws the first weights. With ``needs_dx = False`` (the first layer of a network: nobody reads the gradient of a
    picture) backward returns None and saves the work.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Pair, stride: Pair = 1, padding: Pair = 0,
        dilation: Pair = 1, groups: int = 1, bias: bool = True, rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        KH, KW = pair(kernel_size, "kernel_size", 1)
        placement(stride, padding, dilation)
        _check_channels("Conv2d", in_channels, out_channels, groups)
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel_size
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        self.weight = Parameter(initializers.he_normal((out_channels, in_channels // groups, KH, KW), rng))
        self.bias = Parameter(np.zeros(out_channels, np.float32)) if bias else None

    def forward(self, x: Array) -> Array:
        bias = self.bias.data if self.bias else None
        y, cache = F.conv2d(x, self.weight.data, bias, self.stride, self.padding, self.dilation, self.groups)
        self._push(cache)
        return y

    def forward_relu(self, x: Array, relu: ReLU) -> Array:
        """``relu(self(x))`` in one pass over memory, ``relu`` an in-place ReLU; each layer keeps what its backward needs."""
        bias = self.bias.data if self.bias else None
        y, caches = F.conv2d_relu(x, self.weight.data, bias, self.stride, self.padding, self.dilation, self.groups)
        for layer, cache in zip((self, relu), caches, strict=True):
            layer._push(cache)
        return y

    def forward_normalised(self, x: Array, norm: BatchNorm2d, relu: ReLU | None) -> Array:
        """``relu(norm(self(x)))`` in one pass over memory, ``norm`` in evaluation; nothing is kept for a backward."""
        bias = self.bias.data if self.bias else None
        scale, shift = F.scale_and_shift(bias, *norm.constants(), norm.eps)
        options = (self.stride, self.padding, self.dilation, self.groups)
        return F.conv2d_scaled(x, self.weight.data, scale, shift, relu is not None, *options)

    def backward_relu(self, dy: Array, relu: ReLU) -> Array | None:
        """``self.backward(relu.backward(dy))``, on a GPU in one pass over memory less."""
        y, cache = relu._pop(), self._pop()
        return self._keep(*F.conv2d_relu_backward(dy, (cache, y), _needs(self), relu.inplace))

    def backward(self, dy: Array) -> Array | None:
        return self._keep(*F.conv2d_backward(dy, self._pop(), _needs(self)))

    def _keep(self, dx: Array | None, dweight: Array | None, dbias: Array | None) -> Array | None:
        """The parameters' gradients go where they belong, dx goes on."""
        self.weight.accumulate(dweight)
        if self.bias:
            self.bias.accumulate(dbias)
        return dx

    def coordinates(self, axis: int) -> Map:
        return Map.conv(*(along(size, axis) for size in (self.kernel_size, self.stride, self.padding, self.dilation)))


class ConvTranspose2d(Layer):
    """x (N, in_channels, H, W) -> y (N, out_channels, OH, OW). Weight (C, O/G, KH, KW), He-initialised; bias zero."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Pair, stride: Pair = 1, padding: Pair = 0,
        output_padding: Pair = 0, groups: int = 1, bias: bool = True, dilation: Pair = 1,
        rng: np.random.Generator | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        KH, KW = pair(kernel_size, "kernel_size", 1)
        (SH, SW), *_ = transposed_options(stride, padding, output_padding, dilation)
        _check_channels("ConvTranspose2d", in_channels, out_channels, groups)
        self.in_channels, self.out_channels, self.kernel_size = in_channels, out_channels, kernel_size
        self.stride, self.padding, self.output_padding = stride, padding, output_padding
        self.dilation, self.groups = dilation, groups
        fan_in = max(1, in_channels // groups * KH * KW // (SH * SW))  # products in one output: a window meets 1/S² of its taps
        self.weight = Parameter(initializers.he_normal((in_channels, out_channels // groups, KH, KW), rng, fan_in))
        self.bias = Parameter(np.zeros(out_channels, np.float32)) if bias else None

    def forward(self, x: Array) -> Array:
        y, cache = F.conv_transpose2d(
            x, self.weight.data, self.bias.data if self.bias else None,
            self.stride, self.padding, self.output_padding, self.groups, self.dilation,
        )  # fmt: skip
        self._push(cache)
        return y

    def backward(self, dy: Array) -> Array | None:
        dx, dweight, dbias = F.conv_transpose2d_backward(dy, self._pop(), _needs(self))
        self.weight.accumulate(dweight)
        if self.bias:
            self.bias.accumulate(dbias)
        return dx

    def coordinates(self, axis: int) -> Map:
        return Map.deconv(*(along(size, axis) for size in (self.kernel_size, self.stride, self.padding, self.dilation)))


def _needs(layer: Conv2d | ConvTranspose2d) -> tuple[bool, bool, bool]:
    """Which of dx, dweight, dbias somebody will read."""
    return layer.needs_dx, layer.weight.requires_grad, layer.bias is not None and layer.bias.requires_grad


def channels_of_picture(net: Layer) -> int:
    """How many channels ``net`` takes: those of its first convolution, in the order of assignment; 3 where it has none."""
    return next((layer.in_channels for _, layer in net.named_layers() if isinstance(layer, Conv2d)), 3)


def _check_channels(name: str, in_channels: int, out_channels: int, groups: int) -> None:
    check_integers(name, in_channels=in_channels, out_channels=out_channels, groups=groups)
    if min(in_channels, out_channels, groups) < 1 or in_channels % groups or out_channels % groups:
        raise ValueError(
            f"{name}: groups={groups} must divide in_channels={in_channels} and out_channels={out_channels}, all at least 1"
        )
