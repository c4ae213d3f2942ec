"""What a 3x3 convolution of stride 1 costs on each rung, by shape: a model fitted to measurements.

Nanoseconds of one core for one call, with P the number of output pixels (`strips`: k = 9) or of tiles of m x m output
pixels (Winograd F(m x m, 3x3): k = (m+2)^2):

    a + k (b C O + c P C + d P O + e P C O)

for the call itself, reading or transforming the weights, unfolding or transforming the input, writing or transforming
the output, and the matrix products. Fitted by least squares of the relative error to 205 shapes a function (N of 1 and
4, 4 to 512 channels, 5 to 96 pixels a side; CPU time of one core of a Xeon with AVX-512, OpenBLAS 0.3.31). The model is
off by 15 % (root mean square), most of all where channels are so few that products of 36 x 36 matrices do not pay:
Winograd is ruled out there. Taking what it names instead of the truly fastest costs 0.9 % on average, where always
taking `strips` costs 37 % and always F(4x4) 23 %.
"""

from __future__ import annotations

import functools

from minifcn.kernels.geometry import Geometry

# what: {rung: (a, b, c, d, e)}
_MEASURED = {
    "forward": {
        "strips": (45_000, 0.335, 0.485, 0.000, 0.0125),
        "F2": (65_000, 0.581, 0.921, 0.533, 0.0110),
        "F4": (65_100, 0.402, 1.332, 0.867, 0.0088),
    },
    "input_gradient": {
        "strips": (52_800, 0.933, 0.070, 0.300, 0.0145),
        "F2": (67_400, 0.550, 0.472, 0.932, 0.0113),
        "F4": (67_900, 0.414, 0.786, 1.326, 0.0098),
    },
    "weight_gradient": {
        "strips": (44_600, 0.371, 0.713, 0.000, 0.0109),
        "F2": (63_000, 0.573, 0.833, 0.504, 0.0137),
        "F4": (62_700, 0.435, 1.168, 0.748, 0.0110),
    },
}
_FEWEST = 12  # channels, on both sides, from which on Winograd may pay
# What copies and smaller products add to a dilated convolution on these two rungs. Measured, C to O channels, pixels a side and
# dilation: 2048 to 256, 32, 12 and 24; 512, 32, 2 to 16; 256, 65, 2 to 24; 256, 24, 2 to 12; 64, 32, 2 to 8; 32, 65, 2 and 8
_AROUND = {"inside": 1.25, "dilated": 1.4}
_A_TAP = 100_000  # ns for the calls that a tap takes
_TILE = {"strips": 1, "F2": 2, "F4": 4}  # m


def nanoseconds(what: str, rung: str, geometry: Geometry) -> float:
    """What the model says for "strips", "F2" or "F4"."""
    g, m = geometry, _TILE[rung]
    a, b, c, d, e = _MEASURED[what][rung]
    points = g.N * -(-g.OH // m) * -(-g.OW // m)
    return a + (m + 2) ** 2 * (b * g.C * g.O + c * points * g.C + d * points * g.O + e * points * g.C * g.O)


def inside_nanoseconds(what: str, geometry: Geometry, share: float) -> float:
    """Of the rung `inside`, where that share of the multiplications meets a pixel: see `_AROUND`."""
    g = geometry
    return _A_TAP * g.KH * g.KW + _AROUND["inside"] * share * nanoseconds(what, "strips", geometry)


def dilated_nanoseconds(what: str, small: Geometry) -> float:
    """Of the rung `dilated`, which convolves these small pictures: see `_AROUND`."""
    return _AROUND["dilated"] * nanoseconds(what, winograd_method(what, small), small)


@functools.lru_cache(maxsize=4096)
def winograd_method(what: str, geometry: Geometry) -> str:
    """ "F2" or "F4", whichever is faster for a geometry that Winograd covers."""
    return min(("F2", "F4"), key=lambda method: nanoseconds(what, method, geometry))


def winograd_pays(what: str, geometry: Geometry) -> bool:
    """Whether that is faster than `strips`."""
    method = winograd_method(what, geometry)
    enough_channels = min(geometry.C, geometry.O) >= _FEWEST
    return enough_channels and nanoseconds(what, method, geometry) < nanoseconds(what, "strips", geometry)
