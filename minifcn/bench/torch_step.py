"""PyTorch's side of the networks' contests: a training step, inference, layouts in memory, and a clock on its modules.

Only :mod:`minifcn.bench` and the tests import this file, and only where PyTorch is installed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

LAYOUTS = {"NCHW": torch.contiguous_format, "channels-last": torch.channels_last}


class Step:
    """A training step of PyTorch's: forward, loss, backward, SGD update."""

    def __init__(
        self, net: nn.Module, images: Tensor, labels: Tensor, options: Mapping[str, Any], criterion: Any = None
    ) -> None:
        self.net, self.images, self.labels = net, images, labels.long()
        self.criterion = criterion or nn.CrossEntropyLoss(ignore_index=255)
        self.optimizer = torch.optim.SGD(net.parameters(), **options)

    def gradients(self) -> Tensor:
        """The loss; leaves every parameter's gradient behind."""
        loss = self.criterion(self.net(self.images), self.labels)
        loss.backward()
        return loss.detach()

    def __call__(self) -> Tensor:
        loss = self.gradients()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss


def inference(net: nn.Module, images: Tensor) -> Callable[[], Tensor]:
    """A function that scores `images`, with all that PyTorch offers for forward passes alone."""
    return torch.inference_mode()(lambda: net(images))


def load(net: nn.Module, state: Mapping[str, np.ndarray]) -> None:
    """Copies our weights, which must be all of its own; only batch norm's counter of batches we do not keep."""
    counters = {key: tensor for key, tensor in net.state_dict().items() if key.endswith("num_batches_tracked")}
    net.load_state_dict(counters | {key: torch.from_numpy(array) for key, array in state.items()})


def train_without_dropout(net: nn.Module) -> None:
    """Training mode, in which nothing is drawn."""
    net.train()
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.eval()


@contextlib.contextmanager
def watch_modules(
    net: nn.Module, kind_of: Callable[[nn.Module], str], clock: Callable[[], float], add: Callable[[str, str, float], None]
) -> Iterator[None]:
    """While it lasts, `add(kind, "forward" or "backward", seconds)` is called for each module that has none inside.

    Every such module leaves one node in autograd's graph, the one that made its output; its hooks say when it runs.
    """
    begun = {}

    def begin(part: tuple[str, str]) -> None:
        begun[part] = clock()

    def end(part: tuple[str, str]) -> None:
        add(*part, clock() - begun.pop(part))

    def watch(module: nn.Module) -> Iterator[torch.utils.hooks.RemovableHandle]:
        forward, backward = ((kind_of(module), which) for which in ("forward", "backward"))

        def forward_done(_: nn.Module, __: tuple, y: Tensor) -> None:
            end(forward)
            if y.grad_fn is not None:  # nothing up to here learns
                y.grad_fn.register_prehook(lambda _: begin(backward))
                y.grad_fn.register_hook(lambda *_: end(backward))

        yield module.register_forward_pre_hook(lambda *_: begin(forward))
        yield module.register_forward_hook(forward_done)

    handles = [handle for module in net.modules() if next(module.children(), None) is None for handle in watch(module)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
