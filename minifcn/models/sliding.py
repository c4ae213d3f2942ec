"""A classifier turned fully convolutional: it slides over pictures of any size, and scores every place.

A fully connected layer is a convolution whose kernel covers its whole input. Cast into one it takes larger inputs too, and
what it computes for windows that overlap is computed once.

Source: Long, Shelhamer and Darrell, "Fully convolutional networks for semantic segmentation", 2015, section 3.1 and figure 2.
"""

from __future__ import annotations

import copy
from typing import Any

from minifcn import layers as L
from minifcn.backend import get_xp
from minifcn.kernels.geometry import pair
from minifcn.layers import initializers
from minifcn.models.classifier import Classifier


def convolutionalize(classifier: L.Layer, size: int = 224) -> L.Layer:
    """A copy of ``classifier`` that gives a score map (N, num_classes, h, w) of a picture of any size.

    Each fully connected layer becomes a convolution with the same weights, whose kernel covers what the layer saw of a picture
    of ``size`` x ``size``, the size that the classifier was made for. On such a picture the map is one place with the
    classifier's scores; over a larger one the classifier slides, with the stride of its features.

    Pooling to one size, by which a classifier takes any picture, goes; where that size is one pixel, it becomes the mean over
    a window. Works for any network whose scores come out of such layers. Raises ValueError where a pooling to more than one
    pixel has something to do at ``size``.
    """
    net = copy.deepcopy(classifier)
    net.forget()
    net.zero_grad()
    seen = _maps(net, size)
    if isinstance(net, Classifier):
        net.least = net.least_for(seen[net.avgpool][0])
    for _, parent in list(net.named_layers()):
        for name, layer in list(parent.children()):
            if layer in seen:
                setattr(parent, name, _sliding(layer, *seen[layer], size).train(layer.training))
    net.config = {"name": f"convolutionalize({classifier.config['name']})"}
    return net


class _Watcher(L.Watcher):
    """Notes the (h, w) that enters each layer to be exchanged: of its feature map or, for a Linear, of what was flattened."""

    def __init__(self) -> None:
        self.seen: dict[L.Layer, tuple[int, int]] = {}
        self.flattened = (1, 1)

    def forward(self, layer: L.Layer, inputs: tuple[Any, ...], outputs: Any) -> None:
        if isinstance(layer, (L.AdaptiveAvgPool2d, L.Flatten)):
            self.seen[layer] = inputs[0].shape[2:]
        if isinstance(layer, L.Flatten):
            self.flattened = self.seen[layer]
        elif isinstance(layer, L.Linear):
            self.seen[layer], self.flattened = self.flattened, (1, 1)


def _maps(net: L.Layer, size: int) -> dict[L.Layer, tuple[int, int]]:
    """What the layers to be exchanged see of a picture ``size`` x ``size``, by sending an empty one through."""
    weight, watcher = next(net.parameters()).data, _Watcher()
    with L.evaluating(net), L.watching(watcher):
        net(get_xp(weight).zeros((1, L.channels_of_picture(net), size, size), weight.dtype))
    return watcher.seen


def _sliding(layer: L.Layer, h: int, w: int, size: int) -> L.Layer:
    """What stands in the place of ``layer``, which saw an (h, w) map."""
    if isinstance(layer, L.Linear):
        return _as_convolution(layer, h, w)
    if isinstance(layer, L.Flatten):
        return L.Identity()
    assert isinstance(layer, L.AdaptiveAvgPool2d)  # the third kind that is exchanged
    OH, OW = pair(layer.output_size, "output_size", 1)
    if (h, w) == (OH, OW):
        return L.Identity()
    if (OH, OW) == (1, 1):
        return L.AvgPool2d((h, w), stride=1)
    raise ValueError(
        f"convolutionalize: of {size}x{size} the classifier makes a map of {h}x{w} and pools it to {OH}x{OW}; "
        "give the size of picture that it was made for"
    )


def _as_convolution(linear: L.Linear, KH: int, KW: int) -> L.Conv2d:
    """The same weights, (O, C·KH·KW), as those of a convolution."""
    O, C = linear.out_features, linear.in_features // (KH * KW)
    with initializers.blank():
        conv = L.Conv2d(C, O, KH if KH == KW else (KH, KW), bias=linear.bias is not None)
    conv.weight = L.Parameter(linear.weight.data.reshape(O, C, KH, KW), linear.weight.requires_grad)
    conv.bias, conv.frozen, conv.needs_dx = linear.bias, linear.frozen, linear.needs_dx
    return conv
