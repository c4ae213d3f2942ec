"""The mathematics: each operation's forward and backward side by side, as pure functions.

A forward ``f(x, ...)`` returns ``(y, cache)``; its backward ``f_backward(dy, cache)`` returns the gradients of the loss
with respect to what went in, given ``dy``, the gradient with respect to what came out. Nothing is hidden in between.

What stands here is the definition, in plain array operations. ``@kernels.accelerated`` over a function says that
:mod:`minifcn.kernels` has faster versions of it, held to the definition by the tests; ``kernels.using("plain")`` runs the
definition itself.

    y, cache = conv2d(x, weight, bias, padding=1)
    dx, dweight, dbias = conv2d_backward(dy, cache)

Names, arguments, defaults and layouts are those of ``torch.nn.functional``: images (N, C, H, W), weights (O, C/G, KH, KW).
There are three exceptions: ``cross_entropy`` ignores label 255, PASCAL VOC's void (PyTorch: -100); ``interpolate`` is bilinear
unless told otherwise (nearest); ``max_unpool2d`` is told the size of its output (the windows, and the size where they leave it
open).
"""

from minifcn.functional.activation import relu, relu_backward
from minifcn.functional.avg_pool import adaptive_avg_pool2d, adaptive_avg_pool2d_backward, avg_pool2d, avg_pool2d_backward
from minifcn.functional.batch_norm import batch_norm, batch_norm_backward, scale_and_shift
from minifcn.functional.conv import conv2d, conv2d_backward, conv2d_relu, conv2d_relu_backward, conv2d_scaled
from minifcn.functional.conv_transpose import conv_transpose2d, conv_transpose2d_backward
from minifcn.functional.cross_entropy import cross_entropy, cross_entropy_backward, log_softmax, softmax
from minifcn.functional.dropout import dropout, dropout_backward
from minifcn.functional.linear import linear, linear_backward
from minifcn.functional.local_response_norm import local_response_norm, local_response_norm_backward
from minifcn.functional.lp_pool import lp_pool2d, lp_pool2d_backward
from minifcn.functional.max_pool import max_pool2d, max_pool2d_backward, max_pool2d_indices, max_pool2d_values
from minifcn.functional.merge import (
    add,
    add_backward,
    concat,
    concat_backward,
    crop,
    crop_backward,
    pad,
    pad_backward,
)
from minifcn.functional.resize import interpolate, interpolate_backward
from minifcn.functional.unpool import max_unpool2d, max_unpool2d_backward

__all__ = [
    "adaptive_avg_pool2d", "adaptive_avg_pool2d_backward", "add", "add_backward", "avg_pool2d", "avg_pool2d_backward",
    "batch_norm", "batch_norm_backward", "concat", "concat_backward", "conv2d", "conv2d_backward", "conv2d_relu",
    "conv2d_relu_backward", "conv2d_scaled", "conv_transpose2d", "conv_transpose2d_backward", "crop", "crop_backward",
    "cross_entropy", "cross_entropy_backward", "dropout", "dropout_backward", "interpolate", "interpolate_backward",
    "linear", "linear_backward", "local_response_norm", "local_response_norm_backward", "log_softmax", "lp_pool2d",
    "lp_pool2d_backward", "max_pool2d", "max_pool2d_backward", "max_pool2d_indices", "max_pool2d_values", "max_unpool2d",
    "max_unpool2d_backward", "pad", "pad_backward", "relu", "relu_backward", "scale_and_shift", "softmax",
]  # fmt: skip
