"""What a 3x3 convolution costs on each rung, by shape: a model fitted to measurements.

Nanoseconds of one core for one call are a sum of a few products of sizes, with T the number of output tiles, n = m + 2
their side and P = N*OH*OW the output pixels:

    strips        a + b C O 9 + c P C 9 + d P O + e P C O 9      (weights read, columns made, result written, products)
    winograd F(m) a + b C O n² + c T C n² + d T O n² + e T C O n²    (the same four, in the transformed domain)
"""

from __future__ import annotations

from minifcn.kernels.geometry import Geometry

# (a, b, c, d, e): least squares of the relative error over 205 shapes a function
_MEASURED = {
    "forward": {
        "strips": (63215, 0.594, 0.593, 0.0, 0.0132),
        "F2": (108579, 0.874, 1.064, 0.759, 0.0137),
        "F4": (110302, 0.601, 1.362, 1.111, 0.0188),
    },
    "input_gradient": {
        "strips": (79990, 1.226, 0.0, 4.010, 0.0160),
        "F2": (109152, 0.767, 0.619, 0.953, 0.0150),
        "F4": (109610, 0.605, 0.985, 1.241, 0.0160),
    },
    "weight_gradient": {
        "strips": (68380, 0.511, 0.885, 0.0, 0.0138),
        "F2": (122943, 0.777, 0.981, 0.754, 0.0144),
        "F4": (124462, 0.722, 1.221, 0.992, 0.0140),
    },
}


def nanoseconds(what: str, rung: str, g: Geometry) -> float:
    """What the model says for "strips", "F2" or "F4"."""
    a, b, c, d, e = _MEASURED[what][rung]
    if rung == "strips":
        points, kernel = g.N * g.OH * g.OW, 9
    else:
        m = int(rung[1])
        points, kernel = g.N * -(-g.OH // m) * -(-g.OW // m), (m + 2) ** 2
    return a + kernel * (b * g.C * g.O + c * points * g.C + e * points * g.C * g.O) + d * points * g.O * (
        1 if rung == "strips" else kernel
    )


def winograd_method(what: str, g: Geometry) -> str | None:
    """"F2" or "F4", whichever is faster for a geometry that Winograd covers; None where `strips` is faster still."""
    fastest = min(_MEASURED[what], key=lambda rung: nanoseconds(what, rung, g))
    return None if fastest == "strips" else fastest
