"""What a 3x3 convolution of stride 1 costs on each rung, by shape: a model fitted to measurements.

Nanoseconds of one core for one call, with P the number of output pixels (`strips`: k = 9) or of tiles of m x m output
pixels (Winograd F(m x m, 3x3): k = (m+2)^2):

    a + k (b C O + c P C + d P O + e P C O)

for the call itself, reading or transforming the weights, unfolding or transforming the input, writing or transforming
the output, and the matrix products. Fitted by least squares of the relative error to 205 shapes a function (N of 1 and
4, 4 to 512 channels, 5 to 96 pixels a side; CPU time of one core of a Xeon with AVX-512, OpenBLAS 0.3.31): the model is
off by 17 % (root mean square), and taking what it names instead of the truly fastest costs 1.4 % on average, where
always taking `strips` costs 30 % and always F(4x4) 29 %.
"""

from __future__ import annotations

from minifcn.kernels.geometry import Geometry

# what: {rung: (a, b, c, d, e)}
_MEASURED = {
    "forward": {
        "strips": (65_900, 0.335, 0.554, 0.000, 0.0136),
        "F2": (108_500, 0.706, 1.091, 0.632, 0.0128),
        "F4": (108_000, 0.504, 1.543, 1.101, 0.0080),
    },
    "input_gradient": {
        "strips": (76_700, 0.956, 0.031, 0.406, 0.0156),
        "F2": (112_500, 0.576, 0.513, 1.166, 0.0130),
        "F4": (115_100, 0.425, 0.813, 1.684, 0.0100),
    },
    "weight_gradient": {
        "strips": (71_100, 0.377, 0.858, 0.002, 0.0119),
        "F2": (129_900, 0.601, 1.054, 0.745, 0.0161),
        "F4": (131_200, 0.497, 1.443, 1.129, 0.0101),
    },
}
_TILE = {"strips": 1, "F2": 2, "F4": 4}  # m


def nanoseconds(what: str, rung: str, geometry: Geometry) -> float:
    """What the model says for "strips", "F2" or "F4"."""
    g, m = geometry, _TILE[rung]
    a, b, c, d, e = _MEASURED[what][rung]
    points = g.N * -(-g.OH // m) * -(-g.OW // m)
    return a + (m + 2) ** 2 * (b * g.C * g.O + c * points * g.C + d * points * g.O + e * points * g.C * g.O)


def winograd_method(what: str, geometry: Geometry) -> str | None:
    """ "F2" or "F4", whichever is faster for a geometry that Winograd covers; None where `strips` is faster still."""
    fastest = min(_TILE, key=lambda rung: nanoseconds(what, rung, geometry))
    return None if fastest == "strips" else fastest
