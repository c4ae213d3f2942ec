"""The speed. Convolution as fast as this machine goes: a ladder of rungs that compute the same three functions.

    y       = forward(x, weight, bias, geometry)
    dx      = input_gradient(dy, weight, geometry)
    dweight = weight_gradient(x, dy, geometry)

The ladder is in `convolution/`, and `select` says which rung runs when nothing is forced. Everything else is defined in
`functional/`; `dispatch` calls the fast versions in its place, those for NumPy's arrays in `host/`, for CuPy's in `cuda/`.
"""

from minifcn.kernels.dispatch import accelerated
from minifcn.kernels.geometry import Geometry
from minifcn.kernels.scaled import scaled
from minifcn.kernels.select import (
    forward,
    forward_relu,
    gradients,
    input_gradient,
    offers_relu,
    offers_relu_gradients,
    relu_gradients,
    rungs,
    using,
    weight_gradient,
)
from minifcn.kernels.threads import get_num_threads, parallel_for, set_num_threads

__all__ = [
    "Geometry",
    "accelerated",
    "forward",
    "forward_relu",
    "get_num_threads",
    "gradients",
    "input_gradient",
    "offers_relu",
    "offers_relu_gradients",
    "parallel_for",
    "relu_gradients",
    "rungs",
    "scaled",
    "set_num_threads",
    "using",
    "weight_gradient",
]
