"""The geometry of one convolution: every size that decides what is computed, and nothing else.

All kernels share this alphabet (one letter, one meaning, in every file):

    N batch        C input channels     H W input height, width      KH KW kernel     PH PW zero padding, both sides
    G groups       O output channels    OH OW output height, width   SH SW stride     DH DW dilation

    x       (N, C, H, W)        weight   (O, C/G, KH, KW)        y   (N, O, OH, OW)
    dx      (N, C, H, W)        dweight  (O, C/G, KH, KW)        dy  (N, O, OH, OW)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

Pair = int | tuple[int, int]


@dataclass(frozen=True, slots=True)
class Geometry:
    """Sizes of one convolution: hashable, so that a choice can be remembered for it. Make one with `Geometry.of`."""

    N: int
    C: int
    H: int
    W: int
    O: int
    KH: int
    KW: int
    SH: int = 1
    SW: int = 1
    PH: int = 0
    PW: int = 0
    DH: int = 1
    DW: int = 1
    G: int = 1

    @property
    def OH(self) -> int:
        """Output height: how many vertical positions the dilated kernel takes inside the padded input."""
        return (self.H + 2 * self.PH - self.DH * (self.KH - 1) - 1) // self.SH + 1

    @property
    def OW(self) -> int:
        """Output width: how many horizontal positions the dilated kernel takes inside the padded input."""
        return (self.W + 2 * self.PW - self.DW * (self.KW - 1) - 1) // self.SW + 1

    @property
    def x_shape(self) -> tuple[int, int, int, int]:
        return self.N, self.C, self.H, self.W

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        return self.O, self.C // self.G, self.KH, self.KW

    @property
    def y_shape(self) -> tuple[int, int, int, int]:
        return self.N, self.O, self.OH, self.OW

    @property
    def macs(self) -> int:
        """Multiply-adds of one pass, each kernel tap at each output pixel counted once (padding included)."""
        return self.N * self.O * self.OH * self.OW * (self.C // self.G) * self.KH * self.KW

    @property
    def tasks(self) -> int:
        """Into how many tasks the work is worth cutting: of 16 million multiply-adds (some 200 us of a core), 16 at most."""
        return max(1, min(16, self.macs >> 24))

    @property
    def mirror(self) -> Geometry:
        """The convolution that maps dy to dx, for stride 1: C and O change places, and so do input and output.

        Its kernel is `windows.turned(weight)`. Its padding may be negative: then dy is cropped.
        """
        PH, PW = self.DH * (self.KH - 1) - self.PH, self.DW * (self.KW - 1) - self.PW
        return Geometry(self.N, self.O, self.OH, self.OW, self.C, self.KH, self.KW, 1, 1, PH, PW, self.DH, self.DW, self.G)

    @classmethod
    def of(
        cls,
        x_shape: Sequence[int],
        weight_shape: Sequence[int],
        stride: Pair = 1,
        padding: Pair = 0,
        dilation: Pair = 1,
        groups: int = 1,
    ) -> Geometry:
        """The geometry of `conv2d(x, weight, stride=..., padding=..., dilation=..., groups=...)`.

        Args:
            x_shape: (N, C, H, W).
            weight_shape: (O, C/G, KH, KW).
            stride, padding, dilation: one integer for both axes, or a pair (vertical, horizontal).
            groups: G, which divides both C and O.

        Raises:
            ValueError: sizes that do not fit each other, with a sentence that names them.
            TypeError: a stride, padding, dilation or groups that is not an integer.
        """
        O, CG, KH, KW = _four(weight_shape, "the weight", "(O, C/G, KH, KW)")
        (SH, SW), (PH, PW), (DH, DW) = placement(stride, padding, dilation)
        G, _ = pair(groups, "groups", 1)
        if len(x_shape) == 3:
            likely = likely_layout(x_shape, CG * G)
            raise ValueError(f"the input of a 2-d convolution must have four axes, not shape {tuple(x_shape)}{likely}")
        N, C, H, W = _four(x_shape, "the input", "(N, C, H, W)")
        if C % G or O % G:
            raise ValueError(f"groups={G} must divide both the {C} input channels and the {O} output channels")
        if CG * G != C:
            raise ValueError(
                f"the input has {C} channels but a weight of shape {tuple(weight_shape)} with groups={G} expects {CG * G}"
                + likely_layout(x_shape, CG * G)
            )
        geometry = cls(N, C, H, W, O, KH, KW, SH, SW, PH, PW, DH, DW, G)
        for axis, size, pad, reach in (("height", H, PH, DH * (KH - 1) + 1), ("width", W, PW, DW * (KW - 1) + 1)):
            if size + 2 * pad < reach:
                raise ValueError(
                    f"the kernel reaches over {reach} pixels of {axis} but the padded input has only {size + 2 * pad}: "
                    "give a larger input, more padding or a smaller kernel or dilation"
                )
        return geometry


def pair(value: int | Sequence[int], name: str, least: int) -> tuple[int, int]:
    """One integer, or two, as (vertical, horizontal); refuses anything below `least`."""
    if type(value) is int and value >= least:
        return value, value  # nearly every call, and all the checks below cost as much as a small product
    both = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value, value)
    both *= 2 if len(both) == 1 else 1
    if len(both) != 2 or not all(isinstance(number, Integral) and not isinstance(number, bool) for number in both):
        raise TypeError(f"{name} must be one integer or a pair of integers, not {value!r}")
    if min(both) < least:
        raise ValueError(f"{name} must be at least {least}, not {value!r}")
    return int(both[0]), int(both[1])


def likely_layout(x_shape: Sequence[int], channels: int) -> str:
    """What pictures (N, H, W, C), or without N, would be told: the end of a sentence about an input without ``channels``."""
    sentence = "; pictures are (N, C, H, W)"
    if x_shape[-1] == channels != x_shape[-3]:
        N, axes = ("N, ", "0, 3, 1, 2)") if len(x_shape) == 4 else ("", "2, 0, 1)[None]")
        return f"{sentence}, and this looks like ({N}H, W, C): give x.transpose({axes}"
    return sentence + (": add an axis for a single one, x[None]" if len(x_shape) == 3 else "")


def placement(stride: Pair, padding: Pair, dilation: Pair) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Where a kernel is laid and its taps lie, three pairs (vertical, horizontal); refuses what fits no picture."""
    return pair(stride, "stride", 1), pair(padding, "padding", 0), pair(dilation, "dilation", 1)


def _four(shape: Sequence[int], what: str, layout: str) -> tuple[int, int, int, int]:
    """Checks that a shape has four sizes, none of them zero."""
    if len(shape) != 4:
        raise ValueError(f"{what} of a 2-d convolution must have four axes {layout}, not shape {tuple(shape)}")
    if min(shape) < 1:
        raise ValueError(f"{what} of a 2-d convolution must not be empty, but its shape is {tuple(shape)}")
    first, second, third, fourth = (int(size) for size in shape)
    return first, second, third, fourth
