"""minifcn: a fully convolutional network by hand, forward and backward, in NumPy and CuPy.

    import minifcn
    net = minifcn.models.build("fcn8s", num_classes=21)
    criterion = minifcn.layers.CrossEntropyLoss()
    optimizer = minifcn.training.SGD(net.parameters(), lr=1e-4, momentum=0.9)
    loss = criterion(net(images), labels)
    net.backward(criterion.backward())
    optimizer.step()

Importing the package costs no more than importing NumPy: each part is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_SUBMODULES = (
    "backend", "checks", "data", "functional", "kernels", "layers", "models", "training", "visualize",
)  # fmt: skip
_NAMES = {"gradcheck": "minifcn.checks.gradcheck", "no_grad": "minifcn.layers.module"}

__all__ = ["__version__", *_SUBMODULES, *_NAMES]

if TYPE_CHECKING:  # for editors and type checkers, which do not run __getattr__
    from minifcn import backend as backend
    from minifcn import checks as checks
    from minifcn import data as data
    from minifcn import functional as functional
    from minifcn import kernels as kernels
    from minifcn import layers as layers
    from minifcn import models as models
    from minifcn import training as training
    from minifcn import visualize as visualize
    from minifcn.checks.gradcheck import gradcheck as gradcheck
    from minifcn.layers.module import no_grad as no_grad


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    if name in _SUBMODULES:
        return importlib.import_module(f"minifcn.{name}")
    raise AttributeError(f"module 'minifcn' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)
