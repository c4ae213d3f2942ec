"""How exact products and convolutions are, ours and PyTorch's, where `minifcn bench` has set a device and a precision:

    python precision_probe.py cuda float32

prints one line of JSON: the largest error of each, relative to the largest magnitude. A process of its own, because CuPy
reads once, when it is imported, whether its cuBLAS may use TF32.
"""

from __future__ import annotations

import json
import sys

import numpy as np

from minifcn import functional as F
from minifcn.backend import to_host
from minifcn.bench import Device
from minifcn.bench.contest import relative_difference, to_numpy


def main(name: str, precision: str) -> None:
    """Computes a product and a convolution in the device's precision, and holds them to float64."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 256, 256), dtype=np.float32)
    x, weight = (rng.standard_normal(shape, dtype=np.float32) for shape in ((1, 64, 24, 32), (64, 64, 3, 3)))
    product = a.astype(np.float64) @ b
    convolution = F.conv2d(x.astype(np.float64), weight.astype(np.float64), padding=1)[0]
    device = Device.of(name, precision, 1)
    with device.held():
        found = {
            "our product": relative_difference(to_host(device.ours(a) @ device.ours(b)), product),
            "our convolution": relative_difference(
                to_host(F.conv2d(device.ours(x), device.ours(weight), padding=1)[0]), convolution
            ),
        }
        if device.pytorch:
            import torch

            found["PyTorch's product"] = relative_difference(to_numpy(device.theirs(a) @ device.theirs(b)), product)
            theirs = torch.nn.functional.conv2d(device.theirs(x), device.theirs(weight), padding=1)
            found["PyTorch's convolution"] = relative_difference(to_numpy(theirs), convolution)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
