"""Convolution, as fast as this machine goes: a ladder of rungs that compute the same three functions.

    y       = forward(x, weight, bias, geometry)
    dx      = input_gradient(dy, weight, geometry)
    dweight = weight_gradient(x, dy, geometry)

The ladder is in `convolution/`, and `select` says which rung runs when nothing is forced.
"""

from minifcn.kernels.dispatch import on_gpu
from minifcn.kernels.geometry import Geometry
from minifcn.kernels.select import forward, forward_relu, gradients, input_gradient, offers_relu, rungs, using, weight_gradient
from minifcn.kernels.threads import get_num_threads, over_blocks, parallel_for, set_num_threads

__all__ = [
    "Geometry",
    "forward",
    "forward_relu",
    "get_num_threads",
    "gradients",
    "input_gradient",
    "offers_relu",
    "on_gpu",
    "over_blocks",
    "parallel_for",
    "rungs",
    "set_num_threads",
    "using",
    "weight_gradient",
]
