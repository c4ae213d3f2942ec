"""PyTorch's networks, each written as a PyTorch user would write it: what the clock and the tests hold ours against.

Names of layers and layouts of weights are ours, so that one state dict fits both. Nothing else is shared: a twin is an
independent opinion. A new one is a file here and a line in `TWINS`. Imported only where PyTorch is installed; torchvision's
networks are its own classes, where it is installed.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from minifcn import models

TWINS = {  # where each is built, in which module of this package
    "fcn8s": ("fcn8s", "FCN8s"),
    "unet": ("unet", "UNet"),
    "fcn-squeezenet": ("fcn_squeezenet", "FCNSqueezeNet"),
    "encoder-decoder": ("encoder_decoder", "EncoderDecoder"),
    **{name: ("torchvision_models", name.replace("-", "_")) for name in (
        "fcn-resnet50", "fcn-resnet101", "deeplabv3-resnet50", "deeplabv3-resnet101",
    )},
}  # fmt: skip


def twin_of(model: str) -> Callable[..., Any] | None:
    """The builder of PyTorch's network; None where there is none, or where it is torchvision's, which is not installed."""
    if model not in TWINS:
        return None
    module, name = TWINS[model]
    if module == "torchvision_models" and importlib.util.find_spec("torchvision") is None:
        return None
    return getattr(importlib.import_module(f"{__name__}.{module}"), name)


def builder(model: str, num_classes: int, options: Mapping[str, Any]) -> Callable[[], Any] | None:
    """A function that makes PyTorch's network; None where there is none, or none with these options."""
    defaults = models.options(model) | {"seed": options.get("seed")}  # its first weights become ours, whatever the seed
    wanted = {option: value for option, value in options.items() if value != defaults[option]}
    twin = twin_of(model)
    if twin is None or not wanted.keys() <= inspect.signature(twin).parameters.keys():
        return None
    return functools.partial(twin, num_classes, **wanted)
