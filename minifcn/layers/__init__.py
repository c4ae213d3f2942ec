"""Layers: thin objects that own parameters and call :mod:`minifcn.functional`. Constructors take PyTorch's arguments."""

from minifcn.layers import initializers
from minifcn.layers.activation import ReLU
from minifcn.layers.containers import Sequential
from minifcn.layers.conv import Conv2d, ConvTranspose2d, channels_of_picture
from minifcn.layers.dropout import Dropout
from minifcn.layers.lengths import smaller
from minifcn.layers.linear import Flatten, Linear
from minifcn.layers.loss import CrossEntropyLoss, WithAuxiliary
from minifcn.layers.merge import Add, Concat, Crop, Identity, Join, PadTo, Scale
from minifcn.layers.module import Layer, Parameter, evaluating, no_grad
from minifcn.layers.norm import BatchNorm2d, LocalResponseNorm
from minifcn.layers.pool import AdaptiveAvgPool2d, AvgPool2d, LPPool2d, MaxPool2d, MaxUnpool2d
from minifcn.layers.resize import Upsample
from minifcn.layers.trunk import Trunk
from minifcn.layers.watch import Watcher, watching

__all__ = [
    "AdaptiveAvgPool2d", "Add", "AvgPool2d", "BatchNorm2d", "Concat", "Conv2d", "ConvTranspose2d", "Crop", "CrossEntropyLoss",
    "Dropout", "Flatten", "Identity", "Join", "LPPool2d", "Layer", "Linear", "LocalResponseNorm", "MaxPool2d", "MaxUnpool2d",
    "PadTo", "Parameter", "ReLU", "Scale", "Sequential", "Trunk", "Upsample", "Watcher", "WithAuxiliary", "channels_of_picture",
    "evaluating", "initializers", "no_grad", "smaller", "watching",
]  # fmt: skip
