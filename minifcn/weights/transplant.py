"""Net surgery: the layers that two networks share, copied from one to the other.

FCN-16s starts from FCN-32s, and FCN-8s from FCN-16s (Long, Shelhamer and Darrell 2015, section 4.2); FCN-32s starts from a
classifier, whose fully connected layers become convolutions by a reshape. What is not copied is said out loud: with fc6 and
fc7 left behind in silence, training ends at half the mean IU.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from minifcn.backend import Array, device_of, to_device
from minifcn.layers import Layer


@dataclass
class Transplant:
    """What :func:`transplant` did, key by key."""

    copied: list[str] = field(default_factory=list)
    reshaped: list[str] = field(default_factory=list)  # the same numbers in another shape: fc (O, C·KH·KW) -> (O, C, KH, KW)
    skipped: list[str] = field(default_factory=list)  # in the source only, or of another size
    unfilled: list[str] = field(default_factory=list)  # in the network only: keeps its first values

    def __str__(self) -> str:
        rows = (("copied", self.copied), ("reshaped", self.reshaped), ("skipped", self.skipped), ("unfilled", self.unfilled))
        return "\n".join(f"{name:9} {len(keys):3}  {', '.join(keys)}" for name, keys in rows)


def transplant(net: Layer, state: Mapping[str, Array], may_stay: tuple[str, ...] = ("score", "upscore")) -> Transplant:
    """Copies into ``net`` every array of ``state`` that fits, and reports. A parameter of ``net`` that stays unfilled must
    have a key that starts with one of ``may_stay`` (score and upsampling layers, which start fresh); else ValueError, and
    nothing is changed. A reshape is taken where key and number of elements agree.
    """
    mine = net.state_dict()
    report = Transplant()
    for key, target in mine.items():
        source = state.get(key)
        if source is not None and source.shape == target.shape:
            report.copied.append(key)
        elif source is not None and source.ndim == 2 and source.shape[0] == target.shape[0] and source.size == target.size:
            report.reshaped.append(key)
        else:
            report.unfilled.append(key)
    taken = {*report.copied, *report.reshaped}
    report.skipped = [key for key in state if key not in taken]
    stranded = [key for key in report.unfilled if not key.startswith(may_stay)]
    if stranded:
        raise ValueError(
            f"{len(stranded)} layers find no weights in the source: {_described(stranded, mine, state)}; "
            "give the weights of the same backbone and width (for VGG16's own keys convert them first)"
        )
    for key in taken:
        mine[key][...] = to_device(state[key], device_of(mine[key])).reshape(mine[key].shape)  # (O, C·KH·KW) -> (O, C, KH, KW)
    return report


def _described(keys: list[str], mine: Mapping[str, Array], state: Mapping[str, Array], limit: int = 5) -> str:
    def one(key: str) -> str:
        return f"{key} {mine[key].shape} (source: {state[key].shape if key in state else 'absent'})"

    return ", ".join(one(key) for key in keys[:limit]) + (f" and {len(keys) - limit} more" if len(keys) > limit else "")
