"""Convolution, as fast as this machine goes: a ladder of rungs that compute the same three functions.

    y       = forward(x, weight, bias, geometry)
    dx      = input_gradient(dy, weight, geometry)
    dweight = weight_gradient(x, dy, geometry)

Read `loops` first: it is the definition. Then `taps`, `im2col`, `strips`, `winograd`, each faster than the one before and held
to it by the tests. `select` says which one runs when nothing is forced.
"""

from minifcn.kernels.dispatch import on_gpu
from minifcn.kernels.geometry import Geometry
from minifcn.kernels.parallel import get_num_threads, over_blocks, parallel_for, set_num_threads
from minifcn.kernels.select import forward, forward_relu, gradients, input_gradient, offers_relu, rungs, using, weight_gradient

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
