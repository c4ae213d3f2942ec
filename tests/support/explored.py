"""A network of the demo's shape, and what the explorer needs to know of a network."""

from __future__ import annotations

import numpy as np

from minifcn import models
from minifcn.data import Preprocessing, palette, shapes
from minifcn.explore.session import Session, Subject
from minifcn.layers import Layer

EXAMPLE = 636  # a picture of three shapes


def subject_of(net: Layer, classes: tuple[str, ...] = shapes.SHAPES_CLASSES) -> Subject:
    return Subject(net, "a test", classes, palette.VOC_PALETTE[: len(classes)], Preprocessing())


def demo_net() -> Layer:
    """As large as the demo's, in float32, with weights that were drawn, not trained."""
    net = models.build("fcn8s", 5, width=0.125, padding=1, learn_upsampling=True).eval()
    rng = np.random.default_rng(3)
    for _, parameter in net.named_parameters():
        if parameter.data.ndim < 2 or not parameter.data.all():
            parameter.data[...] += rng.normal(0, 0.05, parameter.shape)
    return net


def demo_session(net: Layer) -> Session:
    """It, at work on a picture whose truth is known."""
    return Session(subject_of(net), *shapes.draw(shapes.ShapesOptions(), EXAMPLE))
