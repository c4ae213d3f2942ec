"""Fast NumPy for everything that is not a convolution: cache-sized blocks on all cores, and few passes over memory.

Each function computes what its definition in `functional/` says with plain array operations, and is held to it by the tests.

    pool.py           max-pooling and its gradient
    batch_norm.py     statistics, normalisation and its gradient; sums over channels
    cross_entropy.py  log-softmax, the loss of each pixel and its gradient
    relu.py           ReLU and its gradient
    dropout.py        the mask drawn and applied
    merge.py          sums, copies, concatenation
    separable.py      averages and interpolation: a matrix along rows, one along columns
    product.py        the matrix products of fully connected layers
    local_response.py local response normalisation and its gradient
    stride.py         every second number of a row
"""

from minifcn.kernels.host.batch_norm import channel_statistics, channel_sum, normalise, normalise_backward
from minifcn.kernels.host.cross_entropy import log_softmax, pixel_losses, pixel_losses_backward
from minifcn.kernels.host.dropout import dropout, dropout_backward
from minifcn.kernels.host.local_response import local_response, local_response_backward
from minifcn.kernels.host.merge import add, concat, copied, cut_channels
from minifcn.kernels.host.pool import max_pool, max_pool_backward, max_pool_values
from minifcn.kernels.host.product import product
from minifcn.kernels.host.relu import relu, relu_backward
from minifcn.kernels.host.separable import separable

__all__ = [
    "add", "channel_statistics", "channel_sum", "concat", "copied", "cut_channels", "dropout", "dropout_backward",
    "local_response", "local_response_backward", "log_softmax", "max_pool", "max_pool_backward", "max_pool_values",
    "normalise", "normalise_backward", "pixel_losses", "pixel_losses_backward", "product", "relu", "relu_backward", "separable",
]  # fmt: skip
