"""Net surgery: the layers that two networks share, copied from one to the other.

FCN-16s starts from FCN-32s, and FCN-8s from FCN-16s (Long, Shelhamer and Darrell 2015, section 4.2); FCN-32s starts from a
classifier, whose fully connected layers become convolutions by a reshape. What is not copied is said out loud: with fc6 and
fc7 left behind in silence, training ends at half the mean IU.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from minifcn.backend import Array, device_of, to_device
from minifcn.layers import Layer
from minifcn.layers.module import check_writable
from minifcn.words import name_some

_OUTCOMES = ("copied", "reshaped", "skipped", "unfilled")
_FEW = 4  # layers; where there are no more, those inside of them are shown


@dataclass
class Transplant:
    """What :func:`transplant` did, key by key. Printed, keys of one layer that went the same way are that layer."""

    copied: list[str] = field(default_factory=list)
    reshaped: list[str] = field(default_factory=list)  # the same numbers in another shape: fc (O, C·KH·KW) -> (O, C, KH, KW)
    skipped: list[str] = field(default_factory=list)  # in the source only, or of another size
    unfilled: list[str] = field(default_factory=list)  # in the network only: keeps its first values
    theirs: dict[str, str] = field(default_factory=dict)  # {our key: the source's} where the source has another name

    def groups(self) -> dict[tuple[str, str], list[str]]:
        """{(layer, what became of it): its keys}, first what was copied. A layer is as much of a key as tells some apart."""
        keys = [(key, name) for name in _OUTCOMES for key in getattr(self, name)]
        depth = next((depth for depth in (1, 2) if len({_layer(key, depth) for key, _ in keys}) > _FEW), 3)
        found: dict[tuple[str, str], list[str]] = {}
        for key, name in keys:
            found.setdefault((_layer(key, depth), name), []).append(key)
        return found

    def __str__(self) -> str:
        lines = []
        for name in _OUTCOMES:
            keys = getattr(self, name)
            others = {_layer(key) for other in _OUTCOMES if other != name for key in getattr(self, other) if key not in keys}
            shown = dict.fromkeys(key if _layer(key) in others else _layer(key) for key in keys)
            head = f"{name:9} {len(keys):3}  "
            lines += textwrap.wrap(head + ", ".join(shown), 120, subsequent_indent=" " * len(head)) or [head.rstrip()]
        return "\n".join(lines)


def transplant(net: Layer, state: Mapping[str, Array], may_stay: str | Sequence[str] = ()) -> Transplant:
    """Copies into ``net`` every array of ``state`` that fits, and reports.

    An array of ``net`` that stays unfilled must have a key that starts with one of ``may_stay``, the layers that may start
    anew (``models.entry(name).fresh``); else ValueError, and nothing is changed. A reshape is taken where key and number of
    elements agree. PyTorch's ``num_batches_tracked``, which nothing here counts, is passed over.
    """
    mine = net.state_dict()
    check_writable(mine)
    may_stay = (may_stay,) if isinstance(may_stay, str) else tuple(may_stay)
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
    if wrong := [f"{key} is of {state[key].dtype}" for key in taken if state[key].dtype.kind != "f"]:
        raise ValueError(f"{name_some(sorted(wrong))}; weights are floating numbers: convert them first")
    report.skipped = [key for key in state if key not in taken and key.rpartition(".")[2] != "num_batches_tracked"]
    stranded = [key for key in report.unfilled if not key.startswith(may_stay)]
    if stranded:
        shapes = {key: state[key].shape if key in state else "absent" for key in stranded}
        raise ValueError(
            f"{len(stranded)} arrays of the network find no weights in the source: "
            f"{name_some(f'{key} {mine[key].shape} (source: {shapes[key]})' for key in stranded)}; "
            "give the weights of the same kind of network with the same options"
        )
    for key in taken:
        mine[key][...] = to_device(state[key], device_of(mine[key])).reshape(mine[key].shape)  # (O, C·KH·KW) -> (O, C, KH, KW)
    return report


def _layer(key: str, depth: int = 1) -> str:
    """The network's own layer that a key belongs to: "enc1" for "enc1.conv1.weight", or at depth 2 "enc1.conv1"."""
    return ".".join(key.split(".")[:-1][:depth]) or key
