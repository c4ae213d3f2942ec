"""Layers: thin objects that own parameters and call :mod:`minifcn.functional`. Constructors take PyTorch's arguments."""

from minifcn.layers import initializers
from minifcn.layers.activation import ReLU
from minifcn.layers.containers import Sequential
from minifcn.layers.conv import Conv2d, ConvTranspose2d
from minifcn.layers.dropout import Dropout
from minifcn.layers.loss import CrossEntropyLoss
from minifcn.layers.module import Layer, Parameter, no_grad
from minifcn.layers.norm import BatchNorm2d
from minifcn.layers.pool import AdaptiveAvgPool2d, AvgPool2d, MaxPool2d, MaxUnpool2d
from minifcn.layers.resize import Upsample

__all__ = [
    "AdaptiveAvgPool2d", "AvgPool2d", "BatchNorm2d", "Conv2d", "ConvTranspose2d", "CrossEntropyLoss", "Dropout", "Layer",
    "MaxPool2d", "MaxUnpool2d", "Parameter", "ReLU", "Sequential", "Upsample", "initializers", "no_grad",
]  # fmt: skip
