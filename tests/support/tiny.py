"""A data set and a network that train in milliseconds, for the tests of training; as a script, a run that can be killed.

python tiny.py FOLDER --iterations 20 --kill saved:10
python tiny.py --writer          a process that forks processes that write checkpoints, for a parent that kills them
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from minifcn import layers
from minifcn.data import Loader
from minifcn.data.palette import VOC_PALETTE
from minifcn.training import SGD, Adam, Progress, RunFolder, Settings, Trainer
from minifcn.training.run.state import RunState, load_run, save_run


class TinySet:
    """Seven pictures of unequal size, the label of a pixel being its brightest channel; some void."""

    classes = ("red", "green", "blue")
    num_classes = 3
    ignore_index = 255
    palette = VOC_PALETTE

    def __init__(self, count: int = 7, seed: int = 0) -> None:
        self.seed = seed
        self.ids = [f"tiny_{seed}_{index}" for index in range(count)]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng((self.seed, index))
        image = rng.integers(0, 256, (9 + index % 3, 11 + index % 2, 3), np.uint8)
        label = image.argmax(axis=2).astype(np.uint8)
        label[rng.random(label.shape) < 0.1] = 255
        return image, label


def flip(image: np.ndarray, label: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A random augmentation: a resumed run must draw the same ones."""
    return (image[:, ::-1], label[:, ::-1]) if rng.random() < 0.5 else (image, label)


def tiny_net(dropout: float = 0.3) -> layers.Sequential:
    """Convolution, batch norm (running statistics!), ReLU, dropout (random numbers!), convolution."""
    net = layers.Sequential(
        conv1=layers.Conv2d(3, 8, 3, padding=1), norm=layers.BatchNorm2d(8), relu=layers.ReLU(),
        drop=layers.Dropout(dropout), score=layers.Conv2d(8, 3, 1),
    )  # fmt: skip
    rng = np.random.default_rng(5)
    for parameter in net.parameters():
        parameter.data[...] = rng.uniform(-0.5, 0.5, parameter.shape)
    net.config = {"name": "tiny", "dropout": dropout}
    return net


def tiny_trainer(
    folder: Path, iterations: int = 20, optimizer: str = "sgd", progress: Progress | None = None, validate: bool = True,
    lr: float = 0.05, net: Any = None, dataset: Any = None, criterion: Any = None, replicas: Any = None, **settings: Any,
) -> Trainer:  # fmt: skip
    """A trainer on TinySet, batches of 2 in epochs of 4; folder must exist as a run folder, or be created by the caller."""
    net = net or tiny_net()
    options = {"lr": lr, "weight_decay": 1e-3}
    chosen = SGD(net.named_parameters(), momentum=0.9, **options) if optimizer == "sgd" else Adam(net.parameters(), **options)
    loader = Loader(dataset or TinySet(), batch_size=2, shuffle=True, seed=3, transform=flip)
    settings = Settings(**{"iterations": iterations, "log_every": 3, "checkpoint_every": 5, "samples": 0, **settings})
    validation = TinySet(3, seed=9) if validate else None
    return Trainer(net, chosen, loader, settings, RunFolder(folder), validation, None, progress, criterion, replicas)


class KillAt(Progress):
    """Kills the process, as kill -9 does, at the first call of a method ("step", "saved", "logged" ...) for an iteration."""

    def __init__(self, where: str) -> None:
        method, _, iteration = where.partition(":")

        def strike(value: Any, *rest: Any) -> None:
            at = value["iteration"] if isinstance(value, dict) else value
            if at == int(iteration):
                os.kill(os.getpid(), signal.SIGKILL)

        setattr(self, method, strike)


def write_until_killed(path: Path) -> None:
    """Goes on with the run in the folder, or starts it, and saves again and again, saying so after each time."""
    net = tiny_net()
    net.unused = layers.Conv2d(64, 64, 7)  # makes writing take a moment
    optimizer = SGD(net.named_parameters(), lr=0.1, momentum=0.9)
    for parameter in net.parameters():
        parameter.grad = np.ones_like(parameter.data)
    folder, state, identity = RunFolder(path), RunState(), {"model": net.config}
    if folder.last.exists():
        state = load_run(folder, net, optimizer, identity)
    else:
        folder.create()
    while True:
        optimizer.step()
        state.iteration += 1
        net.conv1.bias.data[...] = state.iteration  # so that a reader can tell whether all of a file is of one moment
        folder.append({"event": "train", "iteration": state.iteration, "loss": 1 / state.iteration})
        save_run(folder, net, optimizer, state, identity, best=state.iteration % 3 == 0)
        os.write(1, f"saved {os.getpid()} {state.iteration}\n".encode())


def serve_writers() -> None:
    """For each folder on stdin forks a process that writes until it is killed; says "dead", or "failed: why"."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                write_until_killed(Path(line.strip()))
            except BaseException as error:
                os.write(1, f"failed: {error!r}\n".encode())
            finally:
                os._exit(1)
        os.waitpid(child, 0)
        os.write(1, b"dead\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--writer", action="store_true")
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--optimizer", default="sgd")
    parser.add_argument("--accumulate", type=int, default=1)
    parser.add_argument("--kill")
    arguments = parser.parse_args()
    if arguments.writer:
        serve_writers()
        return
    progress = KillAt(arguments.kill) if arguments.kill else None
    trainer = tiny_trainer(
        arguments.folder, arguments.iterations, arguments.optimizer, progress, accumulate=arguments.accumulate
    )
    if trainer.folder.last.exists():
        trainer.resume()
    else:
        trainer.folder.create()
    trainer.run()


if __name__ == "__main__":
    main()
