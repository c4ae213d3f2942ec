"""PyTorch's networks, each written as a PyTorch user would write it: what the clock and the tests hold ours against.

Names of layers and layouts of weights are ours, so that one state dict fits both. Nothing else is shared: a twin is an
independent opinion. A new one is a file here and a line in `TWINS`. Imported only where PyTorch is installed.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from minifcn import models
from minifcn.bench.twins.fcn8s import FCN8s
from minifcn.bench.twins.unet import UNet

TWINS = {"fcn8s": FCN8s, "unet": UNet}


def builder(model: str, num_classes: int, options: Mapping[str, Any]) -> Callable[[], Any] | None:
    """A function that makes PyTorch's network; None where there is none, or none with these options."""
    defaults = models.options(model) | {"seed": options.get("seed")}  # its first weights become ours, whatever the seed
    wanted = {option: value for option, value in options.items() if value != defaults[option]}
    if model not in TWINS or not wanted.keys() <= inspect.signature(TWINS[model]).parameters.keys():
        return None
    return functools.partial(TWINS[model], num_classes, **wanted)
