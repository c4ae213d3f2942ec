"""A whole network, ours and PyTorch's with the same weights on the same pictures: training steps and inference."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

import minifcn
from minifcn.backend import to_host
from minifcn.bench import onnx_runtime
from minifcn.bench.contest import Contest, to_numpy
from minifcn.bench.device import Device
from minifcn.bench.layers import CLASSES, SGD_OPTIONS
from minifcn.bench.timing import trial
from minifcn.layers import CrossEntropyLoss, Layer
from minifcn.models import build
from minifcn.training import SGD

# How far apart two right computations may be: of the loss relative to it, of a gradient relative to its length. Gradients
# differ more, since a ReLU or a maximum may fall on the other side.
LOSS_TOLERANCE = {"float32": 1e-4, "tf32": 1e-2}
GRADIENT_TOLERANCE = {"float32": 5e-2, "tf32": 2e-1}
# A gradient shorter than this part of all gradients together is rounding, such as that of a bias in front of a batch norm.
LEAST_GRADIENT = 1e-4
TITLES = {"fcn8s": "FCN-8s", "unet": "U-Net"}  # others by their name in the catalogue


@dataclass(frozen=True)
class Architecture:
    """A network of the catalogue, 21 classes, by its name and options."""

    model: str = "fcn8s"
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        special = ", ".join(f"{name}={value}" for name, value in self.options.items() if name != "width")
        return TITLES.get(self.model, self.model) + (f" ({special})" if special else "")

    def ours(self) -> Layer:
        """Our network, with random weights and biases where a new one has zeros.

        Score layers of zeros would hide from the loss what lies below them, and without biases FCN-8s's padding of 100 is 0
        all the way up: exactly on the kink of every ReLU, where rounding alone decides about a gradient.
        """
        net = build(self.model, CLASSES, **self.options)
        rng = np.random.default_rng(1)
        for parameter in net.parameters():
            if not parameter.data.any():
                std = np.float32((parameter.size // parameter.shape[0]) ** -0.5 / 4)
                parameter.data[...] = rng.standard_normal(parameter.shape, dtype=np.float32) * std
        return net

    def twin(self) -> Callable[[], Any] | None:
        """A function that makes PyTorch's network, with first weights of its own; None where there is none. Imports PyTorch."""
        from minifcn.bench import twins

        return twins.builder(self.model, CLASSES, self.options)

    def batch(self, size: tuple[int, int], batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        """Random pictures (N, C, H, W) float32 and labels (N, H, W) uint8, a tenth of them void."""
        rng = np.random.default_rng(0)
        images = rng.standard_normal((batch_size, self.options.get("in_channels", 3), *size), dtype=np.float32)
        labels = rng.integers(0, CLASSES, (batch_size, *size), dtype=np.uint8)
        labels[rng.random(labels.shape) < 0.1] = 255
        return images, labels


class OurStep:
    """A training step of ours: forward, loss, backward, SGD update."""

    def __init__(self, net: Layer, images: Any, labels: Any, criterion: Any = None) -> None:
        self.net, self.images, self.labels = net, images, labels
        self.criterion = criterion or CrossEntropyLoss()
        self.optimizer = SGD(net.parameters(), **SGD_OPTIONS)

    def gradients(self) -> Any:
        """The loss; leaves every parameter's gradient behind."""
        loss = self.criterion(self.net(self.images), self.labels)
        dscores = self.criterion.backward()  # several where the network returns several
        self.net.backward(*dscores if isinstance(dscores, tuple) else (dscores,))
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
            raise RuntimeError(f"ours and PyTorch's network do not agree, so they are not timed; {self}")
        return self


class Networks:
    """Both networks on one device with the same weights; `theirs` is None where PyTorch takes no part or has no twin.

    With `channels_last` PyTorch's is tried in that layout, too, before it is timed, and takes part in the faster one.
    """

    def __init__(self, device: Device, architecture: Architecture, channels_last: bool = False) -> None:
        self.device, self.architecture, self.channels_last = device, architecture, channels_last
        self.layout = "NCHW"
        self.theirs: Any = None
        net = architecture.ours()
        twin = architecture.twin() if device.pytorch else None
        if twin is not None:
            from minifcn.bench import torch_step

            self.theirs = twin()
            torch_step.load(self.theirs, net.state_dict())
            self.theirs.to(device.name)
        self.ours = net.to(device.name)

    def steps(self, size: tuple[int, int], batch_size: int) -> tuple[OurStep, Any]:
        """A step of ours, and of PyTorch's or None, on the same batch, in training mode."""
        images, labels = self.architecture.batch(size, batch_size)
        ours = OurStep(self.ours.train(), self.device.ours(images), self.device.ours(labels))
        if self.theirs is None:
            return ours, None
        from minifcn.bench.torch_step import Step

        return ours, Step(self.theirs.train(), self._laid_out(images), self.device.theirs(labels), SGD_OPTIONS)

    def scorers(self, size: tuple[int, int], batch_size: int) -> tuple[Callable[[], Any], Any]:
        """Inference of ours, and of PyTorch's or None, on the same pictures: evaluation, nothing kept for a backward."""
        images, _ = self.architecture.batch(size, batch_size)
        ours = minifcn.no_grad()(functools.partial(self.ours.eval(), self.device.ours(images)))
        if self.theirs is None:
            return ours, None
        from minifcn.bench.torch_step import inference

        return ours, inference(self.theirs.eval(), self._laid_out(images))

    def agreement(self, size: tuple[int, int], batch_size: int) -> Agreement | None:
        """One forward and backward of both without dropout, held against each other; None where ours is alone."""
        ours, theirs = self.steps(size, batch_size)
        if theirs is None:
            return None
        from minifcn.bench.torch_step import train_without_dropout

        train_without_dropout(self.theirs)
        for _, layer in self.ours.named_layers():
            layer.training = not layer.draws and layer.training
        losses = float(ours.gradients()), float(theirs.gradients())
        gradients = {key: parameter.grad for key, parameter in self.theirs.named_parameters()}
        whole = np.linalg.norm([np.linalg.norm(to_numpy(dy)) for dy in gradients.values() if dy is not None])
        least = LEAST_GRADIENT * float(whole)
        apart = {key: _apart(parameter.grad, gradients[key], least) for key, parameter in self.ours.named_parameters()}
        ours.optimizer.zero_grad()
        theirs.optimizer.zero_grad()
        worst = max(apart, key=apart.__getitem__)
        return Agreement(batch_size, *losses, apart[worst], worst)

    def step_contests(self, size: tuple[int, int], batch_sizes: tuple[int, ...]) -> Iterator[Contest]:
        """A whole training step for each batch size. Dropout draws differ, so that only time is compared."""
        yield from self._contests("training step", self.steps, size, batch_sizes, random=True)

    def inference_contests(self, size: tuple[int, int], batch_sizes: tuple[int, ...]) -> Iterator[Contest]:
        """Scores of the same pictures; ONNX Runtime scores them too, where it is installed."""
        runtime = onnx_runtime.session(self.ours, size, self.device) if onnx_runtime.takes_part(self.device) else None
        contests = self._contests("inference", self.scorers, size, batch_sizes)
        for batch_size, contest in zip(batch_sizes, contests, strict=True):
            images, _ = self.architecture.batch(size, batch_size)
            yield replace(contest, onnxruntime=onnx_runtime.inference(runtime, images) if runtime else None)

    def _contests(
        self, what: str, both: Callable[..., tuple[Callable[[], Any], Any]], size: tuple[int, int],
        batch_sizes: tuple[int, ...], random: bool = False,
    ) -> Iterator[Contest]:  # fmt: skip
        for batch_size in batch_sizes:
            layout = self.choose_layout(functools.partial(both, size, batch_size))
            group, name = f"{self.architecture.title}, {what}", f"{size[0]}x{size[1]}, batch {batch_size}{layout}"
            on_gpu = self.device.name == "cuda"
            yield Contest(group, name, *both(size, batch_size), random=random, warmups=1, host=on_gpu)

    def choose_layout(self, both: Callable[[], tuple[Any, Callable[[], Any]]]) -> str:
        """Leaves PyTorch's network in the layout in which the second of what `both` returns is fastest.

        Returns what to say of it: nothing where only NCHW counts.
        """
        if not self.channels_last or self.theirs is None:
            return ""
        from minifcn.bench.torch_step import LAYOUTS

        seconds = {}
        for self.layout in LAYOUTS:
            seconds[self.layout] = trial(both()[1], self.device.wait)
        self.layout = min(seconds, key=seconds.__getitem__)
        return f" (PyTorch: {self.layout})"

    def _laid_out(self, images: np.ndarray) -> Any:
        """The pictures for PyTorch's network, and the network, in its layout."""
        from minifcn.bench.torch_step import LAYOUTS

        self.theirs.to(memory_format=LAYOUTS[self.layout])
        return self.device.theirs(images).contiguous(memory_format=LAYOUTS[self.layout])


def _apart(mine: Any, yours: Any, least: float) -> float:
    """The length of the difference over that of `yours`, at least `least`; infinite where only one of them has a gradient."""
    if mine is None or yours is None:
        return 0.0 if mine is yours else float("inf")
    mine, yours = to_host(mine), to_numpy(yours)
    return float(np.linalg.norm(mine - yours)) / (max(float(np.linalg.norm(yours)), least) or 1.0)
