"""PyTorch's FCN-8s, written as a PyTorch user would write it: what the clock and the tests hold ours against.

Layer names and weight layouts are ours, so that one state dict fits both. Only :mod:`minifcn.bench` and the tests import
this file, and only where PyTorch is installed.

Source: Long, Shelhamer and Darrell 2015, and the authors' Caffe files, whose crops 5, 9 and 31 belong to padding 100.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import torch
from torch import Tensor, nn

VGG16 = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class FCN8s(nn.Module):
    """x (N, 3, H, W) -> scores (N, num_classes, H, W). Deconvolutions are bilinear and frozen."""

    def __init__(self, num_classes: int = 21, width: float = 1.0, dropout: float = 0.5) -> None:
        super().__init__()
        channels = 3
        for stage, counts in enumerate(VGG16, start=1):
            for index, count in enumerate(counts, start=1):
                out = max(1, round(count * width))
                padding = 100 if stage == index == 1 else 1
                self.add_module(f"conv{stage}_{index}", nn.Conv2d(channels, out, 3, padding=padding))
                self.add_module(f"relu{stage}_{index}", nn.ReLU(inplace=True))
                channels = out
            self.add_module(f"pool{stage}", nn.MaxPool2d(2, 2, ceil_mode=True))
        hidden = max(1, round(4096 * width))
        self.fc6, self.relu6, self.drop6 = nn.Conv2d(channels, hidden, 7), nn.ReLU(inplace=True), nn.Dropout(dropout)
        self.fc7, self.relu7, self.drop7 = nn.Conv2d(hidden, hidden, 1), nn.ReLU(inplace=True), nn.Dropout(dropout)
        self.trunk = tuple(name for name, _ in self.named_children())
        self.score_fr = nn.Conv2d(hidden, num_classes, 1)
        self.score_pool4 = nn.Conv2d(max(1, round(512 * width)), num_classes, 1)
        self.score_pool3 = nn.Conv2d(max(1, round(256 * width)), num_classes, 1)
        self.upscore2 = bilinear_layer(num_classes, 4, 2)
        self.upscore_pool4 = bilinear_layer(num_classes, 4, 2)
        self.upscore8 = bilinear_layer(num_classes, 16, 8)

    def forward(self, x: Tensor) -> Tensor:
        H, W = x.shape[2:]
        pools = {}
        for name in self.trunk:
            x = getattr(self, name)(x)
            if name in ("pool3", "pool4"):
                pools[name] = x
        score = self.upscore2(self.score_fr(x))
        h, w = score.shape[2:]
        score = score + self.score_pool4(pools["pool4"])[:, :, 5 : 5 + h, 5 : 5 + w]
        score = self.upscore_pool4(score)
        h, w = score.shape[2:]
        score = score + self.score_pool3(pools["pool3"])[:, :, 9 : 9 + h, 9 : 9 + w]
        return self.upscore8(score)[:, :, 31 : 31 + H, 31 : 31 + W]

    def inference(self, images: Tensor) -> Callable[[], Tensor]:
        """A function that scores `images`, with all that PyTorch offers for forward passes alone."""

        def scores() -> Tensor:
            with torch.inference_mode():
                return self(images)

        return scores


class Step:
    """A training step of PyTorch's: forward, loss, backward, SGD update."""

    def __init__(self, net: nn.Module, images: Tensor, labels: Tensor, options: Mapping[str, float]) -> None:
        self.net, self.images, self.labels = net, images, labels.long()
        self.criterion = nn.CrossEntropyLoss(ignore_index=255)
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


@contextlib.contextmanager
def watch_modules(
    net: nn.Module, kind_of: Callable[[str], str | None], clock: Callable[[], float], add: Callable[[str, float], None]
) -> Iterator[None]:
    """While it lasts, `add(part, seconds)` is called for each forward and backward of each module that has a kind.

    Every module here leaves one node in autograd's graph, the one that made its output; its hooks say when it runs.
    """
    begun = {}

    def watch(kind: str, module: nn.Module) -> Iterator[torch.utils.hooks.RemovableHandle]:
        def begin(part: str) -> None:
            begun[part] = clock()

        def end(part: str) -> None:
            add(part, clock() - begun.pop(part))

        def forward_done(_: nn.Module, __: tuple, y: Tensor) -> None:
            end(f"{kind}, forward")
            y.grad_fn.register_prehook(lambda _: begin(f"{kind}, backward"))
            y.grad_fn.register_hook(lambda *_: end(f"{kind}, backward"))

        yield module.register_forward_pre_hook(lambda *_: begin(f"{kind}, forward"))
        yield module.register_forward_hook(forward_done)

    modules = [(kind, module) for name, module in net.named_children() if (kind := kind_of(name))]
    handles = [handle for kind, module in modules for handle in watch(kind, module)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def bilinear_layer(channels: int, kernel: int, stride: int) -> nn.ConvTranspose2d:
    """A frozen deconvolution that interpolates each channel by itself."""
    layer = nn.ConvTranspose2d(channels, channels, kernel, stride, bias=False)
    ramp = 1 - (torch.arange(kernel) - (kernel - 1) / 2).abs() / (kernel // 2)  # an even kernel's
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[range(channels), range(channels)] = torch.outer(ramp, ramp)
    return layer.requires_grad_(False)


def load(net: nn.Module, state: Mapping[str, np.ndarray]) -> None:
    """Copies our weights, which must be all of its own."""
    net.load_state_dict({key: torch.from_numpy(array) for key, array in state.items()})
