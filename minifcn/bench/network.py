"""FCN-8s on VGG16, ours and PyTorch's with the same weights on the same pictures: training steps and inference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import minifcn
from minifcn.backend import to_host
from minifcn.bench.contest import Contest, to_numpy
from minifcn.bench.device import Device
from minifcn.bench.layers import CLASSES, SGD_OPTIONS
from minifcn.layers import CrossEntropyLoss, Layer
from minifcn.models import build
from minifcn.training import SGD

# How far apart two right computations may be: of the loss relative to it, of a gradient relative to its length. Gradients
# differ more, since a ReLU or a maximum may fall on the other side.
LOSS_TOLERANCE = {"float32": 1e-4, "tf32": 1e-2}
GRADIENT_TOLERANCE = {"float32": 5e-2, "tf32": 2e-1}


def batch(size: tuple[int, int], batch_size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Random pictures (N, 3, H, W) float32 and labels (N, H, W) uint8, a tenth of them void."""
    rng = np.random.default_rng(seed)
    images = rng.standard_normal((batch_size, 3, *size), dtype=np.float32)
    labels = rng.integers(0, CLASSES, (batch_size, *size), dtype=np.uint8)
    labels[rng.random(labels.shape) < 0.1] = 255
    return images, labels


def our_network(width: float = 1.0) -> Layer:
    """FCN-8s, 21 classes, padding 100, with random score layers and biases where a new network has zeros.

    Score layers of zeros would hide from the loss what lies below them, and without biases the padding is 0 all the way
    up: exactly on the kink of every ReLU, where rounding alone decides about a gradient.
    """
    net = build("fcn8s", CLASSES, width=width)
    rng = np.random.default_rng(1)
    for key, parameter in net.named_parameters():
        if key.startswith("score") or key.endswith("bias"):
            fan_in = parameter.size // parameter.shape[0]
            parameter.data[...] = rng.standard_normal(parameter.shape, dtype=np.float32) * np.float32(fan_in**-0.5 / 4)
    return net


class OurStep:
    """A training step of ours: forward, loss, backward, SGD update."""

    def __init__(self, net: Layer, images: Any, labels: Any) -> None:
        self.net, self.images, self.labels = net, images, labels
        self.criterion = CrossEntropyLoss()
        self.optimizer = SGD(net.parameters(), **SGD_OPTIONS)

    def gradients(self) -> Any:
        """The loss; leaves every parameter's gradient behind."""
        loss = self.criterion(self.net(self.images), self.labels)
        self.net.backward(self.criterion.backward())
        return loss

    def __call__(self) -> Any:
        loss = self.gradients()
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss


@dataclass(frozen=True)
class Agreement:
    """Ours and PyTorch's first loss and gradients, dropout off: `gradient` is the largest difference of any, in `worst`."""

    batch_size: int
    our_loss: float
    pytorch_loss: float
    gradient: float
    worst: str

    def __str__(self) -> str:
        return (
            f"batch {self.batch_size}: losses {self.our_loss:.6f} and {self.pytorch_loss:.6f}; gradients within "
            f"{self.gradient:.1e} of PyTorch's (furthest: {self.worst})"
        )

    def check(self, precision: str) -> Agreement:
        """Itself. Raises RuntimeError when the two do not compute the same thing."""
        loss_right = abs(self.our_loss - self.pytorch_loss) <= LOSS_TOLERANCE[precision] * abs(self.pytorch_loss)
        if not (loss_right and self.gradient <= GRADIENT_TOLERANCE[precision]):
            raise RuntimeError(f"ours and PyTorch's FCN-8s do not agree, so they are not timed; {self}")
        return self


class Networks:
    """Both networks on one device, PyTorch's only where it takes part, with the same weights."""

    def __init__(self, device: Device, width: float = 1.0) -> None:
        self.device = device
        net = our_network(width)
        if device.pytorch:
            from minifcn.bench import torch_twin

            self.theirs = torch_twin.FCN8s(CLASSES, width)
            torch_twin.load(self.theirs, net.state_dict())
            self.theirs.to(device.name)
        self.ours = net.to(device.name)

    def steps(self, size: tuple[int, int], batch_size: int) -> tuple[OurStep, Any]:
        """A step of ours, and of PyTorch's or None, on the same batch, in training mode."""
        images, labels = batch(size, batch_size)
        ours = OurStep(self.ours.train(), self.device.ours(images), self.device.ours(labels))
        if not self.device.pytorch:
            return ours, None
        from minifcn.bench.torch_twin import Step

        return ours, Step(self.theirs.train(), self.device.theirs(images), self.device.theirs(labels), SGD_OPTIONS)

    def agreement(self, size: tuple[int, int], batch_size: int) -> Agreement | None:
        """One forward and backward of both without dropout, held against each other; None where ours is alone."""
        ours, theirs = self.steps(size, batch_size)
        if theirs is None:
            return None
        self.ours.eval()
        self.theirs.eval()
        losses = float(ours.gradients()), float(theirs.gradients())
        their_parameters = dict(self.theirs.named_parameters())
        apart = {key: _apart(parameter.grad, their_parameters[key].grad) for key, parameter in self.ours.named_parameters()}
        ours.optimizer.zero_grad()
        theirs.optimizer.zero_grad()
        worst = max(apart, key=apart.__getitem__)
        return Agreement(batch_size, *losses, apart[worst], worst)

    def step_contests(self, size: tuple[int, int], batch_sizes: tuple[int, ...]) -> Iterator[Contest]:
        """A whole training step for each batch size. Dropout draws differ, so that only time is compared."""
        on_gpu = self.device.name == "cuda"
        for batch_size in batch_sizes:
            ours, theirs = self.steps(size, batch_size)
            yield Contest("FCN-8s, training step", _named(size, batch_size), ours, theirs, random=True, warmups=1, host=on_gpu)

    def inference_contests(self, size: tuple[int, int], batch_sizes: tuple[int, ...]) -> Iterator[Contest]:
        """Scores of the same pictures, in evaluation mode, nothing kept for a backward."""
        self.ours.eval()
        for batch_size in batch_sizes:
            images, _ = batch(size, batch_size)
            ours = _without_grad(self.ours, self.device.ours(images))
            theirs = self.theirs.eval().inference(self.device.theirs(images)) if self.device.pytorch else None
            on_gpu = self.device.name == "cuda"
            yield Contest("FCN-8s, inference", _named(size, batch_size), ours, theirs, warmups=1, host=on_gpu)


def _without_grad(net: Layer, images: Any) -> Any:
    def scores() -> Any:
        with minifcn.no_grad():
            return net(images)

    return scores


def _named(size: tuple[int, int], batch_size: int) -> str:
    return f"{size[0]}x{size[1]}, batch {batch_size}"


def _apart(mine: Any, yours: Any) -> float:
    """The length of the difference over the length of `yours`; infinite where only one of them has a gradient."""
    if mine is None or yours is None:
        return 0.0 if mine is yours else float("inf")
    mine, yours = to_host(mine), to_numpy(yours)
    length = float(np.linalg.norm(yours))
    return float(np.linalg.norm(mine - yours)) / (length or 1.0)
