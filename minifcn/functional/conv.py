"""Convolution, as every deep-learning framework means it: cross-correlation, the kernel is not flipped.

    y[n, o, oh, ow] = bias[o] + sum over c, kh, kw of  x[n, c, oh·SH + kh·DH − PH, ow·SW + kw·DW − PW] · weight[o, c, kh, kw]

Every output is a sum of products of one x and one weight, so each gradient is the same sum read from another side:
``dx`` collects, for each input, all outputs that it went into (a transposed convolution of dy); ``dweight`` collects, for
each weight, all places where it was used (a correlation of x with dy). How these sums are computed fast is the business of
:mod:`minifcn.kernels`; the rung ``loops`` there is this formula as seven loops.

Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, sections 2 and 4.
"""

from __future__ import annotations

from minifcn import kernels
from minifcn.backend import Array
from minifcn.functional.activation import relu, relu_backward
from minifcn.functional.arguments import check_bias, check_floating, check_gradient
from minifcn.functional.reduce import channel_sum
from minifcn.kernels.geometry import Pair


def conv2d(
    x: Array, weight: Array, bias: Array | None = None,
    stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1, groups: int = 1,
) -> tuple[Array, tuple]:  # fmt: skip
    """x (N, C, H, W), weight (O, C/G, KH, KW), bias (O,) -> y (N, O, OH, OW) and the cache for :func:`conv2d_backward`.

    OH = floor((H + 2·PH − DH·(KH − 1) − 1) / SH) + 1, and OW likewise. Raises TypeError unless all are of
    one floating dtype, ValueError when the sizes do not fit.
    """
    geometry = _geometry(x, weight, bias, stride, padding, dilation, groups)
    y = kernels.forward(x, weight, bias, geometry)  # (N, O, OH, OW)
    return y, (x, weight, bias is not None, geometry)


def conv2d_backward(
    dy: Array, cache: tuple, needs: tuple[bool, bool, bool] = (True, True, True)
) -> tuple[Array | None, Array | None, Array | None]:
    """dy (N, O, OH, OW) -> dx (N, C, H, W), dweight (O, C/G, KH, KW), dbias (O,), each None where ``needs`` says so.

    dbias is also None for a convolution without bias. ``needs`` is PyTorch's ``output_mask``: a frozen layer, or the first
    one of a network, leaves out the sums that nobody will read.
    """
    x, weight, has_bias, geometry = cache
    check_gradient("conv2d_backward", dy, geometry.y_shape)
    dx, dweight = kernels.gradients(x, dy, weight, geometry, needs[:2])
    dbias = channel_sum(dy) if needs[2] and has_bias else None  # bias[o] went into every pixel of channel o
    return dx, dweight, dbias


def conv2d_relu(
    x: Array, weight: Array, bias: Array | None = None,
    stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1, groups: int = 1,
) -> tuple[Array, tuple[tuple, Array]]:  # fmt: skip
    """max(conv2d(x), 0), in one pass over memory where a kernel can, and the caches of both: :func:`conv2d`, then ``relu``.

    Back by :func:`conv2d_relu_backward`, or in two steps, ``relu_backward`` and :func:`conv2d_backward`.
    """
    geometry = _geometry(x, weight, bias, stride, padding, dilation, groups)
    if kernels.offers_relu(x, geometry):
        y = kernels.forward_relu(x, weight, bias, geometry)  # (N, O, OH, OW)
    else:
        y, _ = relu(kernels.forward(x, weight, bias, geometry), inplace=True)
    return y, ((x, weight, bias is not None, geometry), y)


def conv2d_relu_backward(
    dy: Array, caches: tuple[tuple, Array], needs: tuple[bool, bool, bool] = (True, True, True), inplace: bool = False
) -> tuple[Array | None, Array | None, Array | None]:
    """What :func:`conv2d_backward` returns, for :func:`conv2d_relu`; ``inplace`` may write what ReLU lets through over dy."""
    cache, y = caches
    x, weight, has_bias, geometry = cache
    if kernels.offers_relu_gradients(dy, geometry):
        check_gradient("conv2d_relu_backward", dy, geometry.y_shape)
        dx, dweight, dbias = kernels.relu_gradients(x, dy, y, weight, geometry, needs[:2])
        return dx, dweight, dbias if needs[2] and has_bias else None
    return conv2d_backward(relu_backward(dy, y, inplace), cache, needs)


def conv2d_scaled(
    x: Array, weight: Array, scale: Array, shift: Array, relu: bool,
    stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1, groups: int = 1,
) -> Array:  # fmt: skip
    """scale·(weight * x) + shift, or the larger of that and 0, with one scale and one shift (O,) a channel; keeps no cache.

    A batch norm in evaluation is such a scale and shift: :func:`scale_and_shift`. The scale goes into the weights.
    """
    convolve = conv2d_relu if relu else conv2d
    with kernels.scaled(weight, scale) as scaled_weight:
        return convolve(x, scaled_weight, shift, stride, padding, dilation, groups)[0]


def _geometry(x: Array, weight: Array, bias: Array | None, *options) -> kernels.Geometry:
    """Checks the arrays. `options`: stride, padding, dilation, groups."""
    check_floating("conv2d", x=x, weight=weight, bias=bias)
    geometry = kernels.Geometry.of(x.shape, weight.shape, *options)
    check_bias("conv2d", bias, geometry.O)
    return geometry
