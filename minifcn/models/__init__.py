"""Networks composed of layers, each with a ``backward`` that is its ``forward`` read upwards.

net = minifcn.models.build("fcn8s", num_classes=21, width=0.25, seed=0)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minifcn.models.fcn import FCN, fcn8s, fcn8s_at_once, fcn16s, fcn32s, fcn32s_fixed, fcn_alexnet
from minifcn.weights.transplant import Transplant, transplant

BUILDERS: dict[str, Callable[..., Any]] = {
    "fcn32s": fcn32s,
    "fcn32s-fixed": fcn32s_fixed,
    "fcn16s": fcn16s,
    "fcn8s": fcn8s,
    "fcn8s-atonce": fcn8s_at_once,
    "fcn-alexnet": fcn_alexnet,
}

__all__ = ["FCN", "Transplant", "build", "names", "transplant"]


def names() -> list[str]:
    """The names that :func:`build` knows."""
    return list(BUILDERS)


def build(name: str, num_classes: int = 21, **options: Any) -> Any:
    """The network ``name`` for ``num_classes`` classes. Its ``config`` holds all that is needed to build it again.

    Options: ``width`` (a factor on all channel counts, 1.0 is the paper's), ``dropout``, ``padding`` of the first
    convolution (100 is the paper's, 1 suits small pictures), ``in_channels``, ``seed`` of the first weights, and
    ``learn_upsampling`` (False: the deconvolutions stay bilinear). Raises ValueError for an unknown name or option.
    """
    if name not in BUILDERS:
        raise ValueError(f"unknown model {name!r}; possible are {', '.join(BUILDERS)}")
    if num_classes < 2:
        raise ValueError(f"num_classes={num_classes} must be at least 2: background counts as a class")
    net = BUILDERS[name](num_classes, **options)
    net.config = {"name": name, "num_classes": num_classes, **options}
    return net
