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

from typing import TYPE_CHECKING

from minifcn.lazy import lazy

__version__ = "0.2.0.dev0"

__all__ = [
    "__version__", "anatomy", "backend", "checks", "data", "explore", "export", "functional", "gradcheck", "kernels",
    "layers", "models", "no_grad", "training", "visualize", "weights",
]  # fmt: skip

if TYPE_CHECKING:  # for editors and type checkers, which do not run __getattr__
    from minifcn import anatomy as anatomy
    from minifcn import backend as backend
    from minifcn import checks as checks
    from minifcn import data as data
    from minifcn import explore as explore
    from minifcn import export as export
    from minifcn import functional as functional
    from minifcn import kernels as kernels
    from minifcn import layers as layers
    from minifcn import models as models
    from minifcn import training as training
    from minifcn import visualize as visualize
    from minifcn import weights as weights
    from minifcn.checks.gradcheck import gradcheck as gradcheck
    from minifcn.layers.module import no_grad as no_grad


_MODULES = (
    "anatomy", "backend", "checks", "data", "explore", "export", "functional", "kernels", "layers", "models",
    "training", "visualize", "weights",
)  # fmt: skip
if not TYPE_CHECKING:  # which would take any misspelt name for Any
    __getattr__, __dir__ = lazy(__name__, {"checks.gradcheck": ("gradcheck",), "layers.module": ("no_grad",)}, _MODULES)
