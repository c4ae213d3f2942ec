"""Transposed convolution ("deconvolution"): a convolution's forward and dx exchanged.

Defined in two steps: put S − 1 zeros between the pixels of x, then convolve at stride 1 with the flipped kernel and
padding D·(K − 1) − P (plus ``output_padding`` rows of zeros at the bottom and right). That *is* the gradient of a strided
convolution with respect to its input, so both run on the same kernels: the rung ``zero_insertion`` takes the two steps as
they stand; the default, ``phases``, computes the same numbers without ever multiplying by an inserted zero.

Source: Dumoulin and Visin 2016, section 4; Long, Shelhamer and Darrell 2015, section 3.3.
"""

from __future__ import annotations

from minifcn import kernels
from minifcn.backend import Array, get_xp
from minifcn.functional.arguments import check_bias, check_floating, check_gradient, check_images
from minifcn.functional.reduce import channel_sum
from minifcn.kernels.geometry import Pair, likely_layout, pair, placement


def conv_transpose2d(
    x: Array, weight: Array, bias: Array | None = None,
    stride: Pair = 1, padding: Pair = 0, output_padding: Pair = 0, groups: int = 1, dilation: Pair = 1,
) -> tuple[Array, tuple]:  # fmt: skip
    """x (N, C, H, W), weight (C, O/G, KH, KW), bias (O,) -> y (N, O, OH, OW) and the cache.

    OH = (H − 1)·SH − 2·PH + DH·(KH − 1) + OPH + 1, and OW likewise; several input sizes of a strided convolution share one
    output size, and output_padding says which one to give back. Raises TypeError unless all are of one floating dtype,
    ValueError when sizes or options do not fit.
    """
    check_images("conv_transpose2d", x)
    check_floating("conv_transpose2d", x=x, weight=weight, bias=bias)
    # of the convolution from y to x, so that its C, H and W are our O, OH and OW
    geometry = _transposed_geometry(x.shape, weight.shape, stride, padding, output_padding, groups, dilation)
    check_bias("conv_transpose2d", bias, geometry.C)  # (O,)
    x_size = x.shape[2:]
    x = _fit(x, geometry)
    y = kernels.input_gradient(x, weight, geometry)  # (N, O, OH, OW)
    if bias is not None:
        y += bias.reshape(1, -1, 1, 1)  # (1, O, 1, 1)
    return y, (x, weight, bias is not None, geometry, x_size)


def conv_transpose2d_backward(
    dy: Array, cache: tuple, needs: tuple[bool, bool, bool] = (True, True, True)
) -> tuple[Array | None, Array | None, Array | None]:
    """dy (N, O, OH, OW) -> dx (N, C, H, W), dweight (C, O/G, KH, KW), dbias (O,), None where ``needs`` says so.

    The transpose of the transpose: dx is a plain convolution of dy, and dweight is a convolution's, x and dy exchanged.
    """
    x, weight, has_bias, geometry, (H, W) = cache
    check_gradient("conv_transpose2d_backward", dy, geometry.x_shape)  # (N, O, OH, OW)
    dx = kernels.forward(dy, weight, None, geometry)[:, :, :H, :W] if needs[0] else None  # what _fit added falls away
    dweight = kernels.weight_gradient(dy, x, geometry) if needs[1] else None
    dbias = channel_sum(dy) if needs[2] and has_bias else None
    return dx, dweight, dbias


def transposed_options(stride: Pair, padding: Pair, output_padding: Pair, dilation: Pair) -> list[tuple[int, int]]:
    """Stride, padding, output padding and dilation, each (vertical, horizontal); refuses what fits no picture."""
    strides, pads, steps = placement(stride, padding, dilation)
    more = pair(output_padding, "output_padding", 0)
    for S, OP, D in zip(strides, more, steps, strict=True):
        if max(S, D) <= OP:
            raise ValueError(
                f"conv_transpose2d: output_padding={output_padding} must be smaller than the stride or the dilation "
                f"({S}, {D}): it only chooses between sizes that the strided convolution maps to one"
            )
    return [strides, pads, more, steps]


def _fit(x: Array, geometry: kernels.Geometry) -> Array:
    """x (N, C, H, W), with rows and columns of zeros at the end where output_padding >= stride makes room for them."""
    extra = (geometry.OH - x.shape[2], geometry.OW - x.shape[3])
    return get_xp(x).pad(x, ((0, 0), (0, 0), (0, extra[0]), (0, extra[1]))) if any(extra) else x


def _transposed_geometry(x_shape, weight_shape, stride, padding, output_padding, groups, dilation) -> kernels.Geometry:
    """The geometry of the convolution whose *output* is x (N, C, H, W) and whose *input* is y (N, O, OH, OW)."""
    if len(weight_shape) != 4 or 0 in weight_shape:
        raise ValueError(f"conv_transpose2d: weight has shape {tuple(weight_shape)}; it must be (C, O/G, KH, KW)")
    N, C = x_shape[:2]
    if weight_shape[0] != C:
        raise ValueError(
            f"conv_transpose2d: x has {C} channels and weight {tuple(weight_shape)} expects {weight_shape[0]}; "
            "a transposed convolution's weight is (C, O/G, KH, KW), input channels first"
            + likely_layout(x_shape, weight_shape[0])
        )
    if groups < 1 or C % groups:
        raise ValueError(f"conv_transpose2d: groups={groups} does not divide the {C} input channels")
    size = []
    names = ("height", "width")
    options = transposed_options(stride, padding, output_padding, dilation)
    for axis, (S, P, OP, D) in enumerate(zip(*options, strict=True)):
        size.append((x_shape[2 + axis] - 1) * S - 2 * P + D * (weight_shape[2 + axis] - 1) + OP + 1)
        if size[-1] < 1:
            raise ValueError(
                f"conv_transpose2d: output {names[axis]} would be {size[-1]} for x {tuple(x_shape)}, kernel "
                f"{tuple(weight_shape[2:])}, stride {S}, padding {P}; use less padding or a larger input"
            )
    y_shape = (N, weight_shape[1] * groups, *size)
    return kernels.Geometry.of(y_shape, weight_shape, stride, padding, dilation, groups)
