"""From the bytes of a picture to the numbers a network was trained on.

Weights are worth what they are only with the preprocessing they were trained with: users who mixed the Caffe and the
torchvision one lost six points of mean IU. So a preprocessing has a name and a `config` that travel with the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class _Recipe:
    """y = (x - mean) / std for pixel values x in 0 .. 255, with mean and std in the order of `channels`."""

    channels: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


RECIPES = {
    # the FCN authors' VGG16: ILSVRC's mean colour, blue first
    "caffe": _Recipe("BGR", (104.00698793, 116.66876762, 122.67891434), (1.0, 1.0, 1.0)),
    # torchvision: x / 255, mean (.485, .456, .406), std (.229, .224, .225)
    "torchvision": _Recipe("RGB", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "squeezenet": _Recipe("BGR", (104.0, 117.0, 123.0), (1.0, 1.0, 1.0)),
    # for training from scratch: about -2 .. 2
    "plain": _Recipe("RGB", (127.5, 127.5, 127.5), (64.0, 64.0, 64.0)),
}


@dataclass(frozen=True)
class Preprocessing:
    """One of the preprocessings: "caffe", "torchvision", "squeezenet" or "plain". ValueError for another name."""

    name: str = "plain"

    def __post_init__(self) -> None:
        if self.name not in RECIPES:
            raise ValueError(f"preprocessing {self.name!r} is not known; choose one of {', '.join(RECIPES)}")

    def __call__(self, image: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """A picture (H, W, 3) uint8 RGB -> (3, H, W) float32, written into `out` where it is given."""
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"a picture of shape {image.shape} and type {image.dtype}; expected uint8 (H, W, 3) RGB")
        recipe = RECIPES[self.name]
        if recipe.channels == "BGR":
            image = image[..., ::-1]
        if out is None:
            out = np.empty((3, *image.shape[:2]), np.float32)
        np.subtract(image.transpose(2, 0, 1), _column(recipe.mean), out=out)  # (3, H, W)
        if recipe.std != (1.0, 1.0, 1.0):
            np.divide(out, _column(recipe.std), out=out)
        return out

    @property
    def fill(self) -> tuple[int, int, int]:
        """The RGB colour that becomes about zero: what new pixels of a rotated or padded picture get."""
        recipe = RECIPES[self.name]
        red, green, blue = (round(value) for value in (recipe.mean if recipe.channels == "RGB" else recipe.mean[::-1]))
        return red, green, blue

    @property
    def config(self) -> dict[str, Any]:
        """Everything that defines it, of JSON's types, to be stored with weights."""
        recipe = RECIPES[self.name]
        return {
            "name": self.name,
            "channels": recipe.channels,
            "mean": list(recipe.mean),
            "std": list(recipe.std),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Preprocessing:
        """The preprocessing of a `config`. ValueError where its numbers are not those that its name stands for."""
        if "name" not in config:
            raise ValueError(f"the preprocessing {config} has no name; known are {', '.join(RECIPES)}")
        preprocessing = cls(config["name"])
        if config != preprocessing.config:
            raise ValueError(f"the preprocessing {config} is not what its name stands for: {preprocessing.config}")
        return preprocessing


def _column(values: tuple[float, float, float]) -> np.ndarray:
    return np.array(values, np.float32)[:, None, None]  # (3, 1, 1)
