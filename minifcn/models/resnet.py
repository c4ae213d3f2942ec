"""Residual networks: each block adds to its input what its convolutions make of it.

    y = relu(x + f(x))        back:   d = dy where y > 0, else 0        dx = d + the gradient of f at d

However many blocks there are, a sum hands d on as it is; only a ReLU stands in its way.

ResNet-18 and 34 are made of basic blocks, 50 and 101 of bottlenecks, which narrow the feature map before their 3x3
convolution. A convolution's stride can be exchanged for a dilation of all that follow: the feature map stays large and every
neuron sees as much of the picture as before, which is what networks that segment make of them.

Layers carry torchvision's names, its keys are these (``layer3.0.downsample.1.running_mean``); as there, a bottleneck's stride
is its 3x3 convolution's (the paper has it in the first 1x1).

Sources: He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2016, figure 5 and table 1; for the dilation
Chen, Papandreou, Schroff and Adam, "Rethinking atrous convolution for semantic image segmentation", 2017, section 3.1.
"""

from __future__ import annotations

import numpy as np

from minifcn.backend import Array
from minifcn.layers import (
    AdaptiveAvgPool2d,
    Add,
    BatchNorm2d,
    Conv2d,
    Flatten,
    Identity,
    Layer,
    Linear,
    MaxPool2d,
    ReLU,
    Sequential,
    Trunk,
)  # fmt: skip
from minifcn.layers.containers import add_behind, forward_through, needs_dx_of
from minifcn.models.backbones import check_width, scaled


class BasicBlock(Layer):
    """x (N, C, H, W) -> y (N, O, H/stride, W/stride): two 3x3 convolutions; a 1x1 on the side road where the shape changes."""

    expansion = 1  # channels out of the block, for each in its middle

    def __init__(
        self, channels: int, middle: int, out: int, stride: int, dilation: int, rng: np.random.Generator
    ) -> None:  # fmt: skip
        super().__init__()
        self.conv1, self.bn1 = Conv2d(channels, middle, 3, stride, dilation, dilation, bias=False, rng=rng), BatchNorm2d(middle)
        self.relu1 = ReLU(inplace=True)
        self.conv2, self.bn2 = Conv2d(middle, out, 3, 1, 1, bias=False, rng=rng), BatchNorm2d(out)
        self.downsample = _side_road(channels, out, stride, rng)
        self.add, self.relu2 = Add(), ReLU(inplace=True)

    def forward(self, x: Array) -> Array:
        y = forward_through((self.conv1, self.bn1, self.relu1), x)
        y = forward_through((self.conv2, self.bn2), y)
        y = add_behind(self.bn2, self.add, y, self.downsample(x))
        return self.relu2(y)

    def backward(self, dy: Array) -> Array:
        dy = self.relu2.backward(dy)
        dy, dside = self.add.backward(dy)
        dx = self.downsample.backward(dside)
        dy = self.conv2.backward(self.bn2.backward(dy))
        dx += self.conv1.backward(self.bn1.backward(self.relu1.backward(dy)))  # x went two ways
        return dx


class Bottleneck(Layer):
    """x (N, C, H, W) -> y (N, O, H/stride, W/stride): 1x1 to O/4 channels, 3x3, 1x1 back to O."""

    expansion = 4

    def __init__(
        self, channels: int, middle: int, out: int, stride: int, dilation: int, rng: np.random.Generator
    ) -> None:  # fmt: skip
        super().__init__()
        self.conv1, self.bn1 = Conv2d(channels, middle, 1, bias=False, rng=rng), BatchNorm2d(middle)
        self.relu1 = ReLU(inplace=True)
        self.conv2, self.bn2 = Conv2d(middle, middle, 3, stride, dilation, dilation, bias=False, rng=rng), BatchNorm2d(middle)
        self.relu2 = ReLU(inplace=True)
        self.conv3, self.bn3 = Conv2d(middle, out, 1, bias=False, rng=rng), BatchNorm2d(out)
        self.downsample = _side_road(channels, out, stride, rng)
        self.add, self.relu3 = Add(), ReLU(inplace=True)

    def forward(self, x: Array) -> Array:
        y = forward_through((self.conv1, self.bn1, self.relu1), x)
        y = forward_through((self.conv2, self.bn2, self.relu2), y)
        y = forward_through((self.conv3, self.bn3), y)
        y = add_behind(self.bn3, self.add, y, self.downsample(x))
        return self.relu3(y)

    def backward(self, dy: Array) -> Array:
        dy = self.relu3.backward(dy)
        dy, dside = self.add.backward(dy)
        dx = self.downsample.backward(dside)
        dy = self.conv3.backward(self.bn3.backward(dy))
        dy = self.conv2.backward(self.bn2.backward(self.relu2.backward(dy)))
        dx += self.conv1.backward(self.bn1.backward(self.relu1.backward(dy)))  # x went two ways
        return dx


def _side_road(channels: int, out: int, stride: int, rng: np.random.Generator) -> Layer:
    """x itself, or where the block changes its shape a 1x1 convolution that changes x's."""
    if stride == 1 and channels == out:
        return Identity()
    return Sequential(Conv2d(channels, out, 1, stride, bias=False, rng=rng), BatchNorm2d(out))


Block = type[BasicBlock] | type[Bottleneck]
RESNETS: dict[int, tuple[Block, tuple[int, int, int, int]]] = {  # blocks in the four stages, table 1
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
}


class Backbone(Layer):
    """The convolutions of a ResNet: x (N, in_channels, H, W) -> what comes out of layer3 and of layer4.

    layer1 has stride 4 and layer2 8; layer3 and layer4 have 16 and 32, or ``dilated`` stay at 8 and are dilated by 2 and 4.
    """

    trunk = Trunk("layer3", "layer4")
    needs_dx = needs_dx_of("trunk")

    def __init__(self, depth: int, *, width: float, in_channels: int, rng: np.random.Generator, dilated: bool = False) -> None:
        super().__init__()
        check_width(width)
        block, counts = RESNETS[depth]
        C = scaled(64, width)
        c1, c2, c3, c4 = ((scaled(middle, width), scaled(middle * block.expansion, width)) for middle in (64, 128, 256, 512))
        stride, dilations3, dilations4 = (1, (1, 2), (2, 4)) if dilated else (2, (1, 1), (1, 1))
        self.conv1, self.bn1 = Conv2d(in_channels, C, 7, stride=2, padding=3, bias=False, rng=rng), BatchNorm2d(C)
        self.relu, self.maxpool = ReLU(inplace=True), MaxPool2d(3, 2, padding=1)
        self.layer1 = _stage(block, counts[0], C, *c1, 1, (1, 1), rng)
        self.layer2 = _stage(block, counts[1], c1[1], *c2, 2, (1, 1), rng)
        self.layer3 = _stage(block, counts[2], c2[1], *c3, stride, dilations3, rng)
        self.layer4 = _stage(block, counts[3], c3[1], *c4, stride, dilations4, rng)

    def forward(self, x: Array) -> tuple[Array, ...]:
        return self.trunk(x)

    def backward(self, *dtaps: Array) -> Array | None:
        """The trunk's: None stands for layer3 where nobody made use of it."""
        return self.trunk.backward(*dtaps)


def _stage(
    block: Block, count: int, channels: int, middle: int, out: int, stride: int, dilations: tuple[int, int],
    rng: np.random.Generator,
) -> Sequential:  # fmt: skip
    """``count`` blocks, the first with the stride. ``dilations`` are the first block's and the others': where a stride was
    taken out, the first block still reads the map as it was."""
    first, others = dilations
    blocks = [block(channels, middle, out, stride, first, rng)]
    return Sequential(*blocks, *(block(out, middle, out, 1, others, rng) for _ in range(count - 1)))


class ResNet(Backbone):
    """The classifier: x (N, in_channels, H, W) -> scores (N, num_classes), for any H and W; layer4's places are averaged."""

    trunk = Trunk("layer4")

    def __init__(self, depth: int, num_classes: int, *, width: float, in_channels: int, seed: int | None) -> None:
        rng = np.random.default_rng(seed)
        super().__init__(depth, width=width, in_channels=in_channels, rng=rng)
        self.avgpool, self.flatten = AdaptiveAvgPool2d(1), Flatten()
        self.fc = Linear(scaled(512 * RESNETS[depth][0].expansion, width), num_classes, rng=rng)
        self.needs_dx = False

    def forward(self, x: Array) -> Array:
        (layer4,) = self.trunk(x)  # (N, 2048, H/32, W/32)
        return self.fc(self.flatten(self.avgpool(layer4)))  # (N, num_classes)

    def backward(self, dy: Array) -> Array | None:
        dlayer4 = self.avgpool.backward(self.flatten.backward(self.fc.backward(dy)))
        return self.trunk.backward(dlayer4)


def resnet18(num_classes: int = 21, *, width: float = 1.0, in_channels: int = 3, seed: int | None = 0) -> ResNet:
    """ResNet-18. ``width`` is a factor on the 64 to 512 channels."""
    return ResNet(18, num_classes, width=width, in_channels=in_channels, seed=seed)


def resnet34(num_classes: int = 21, *, width: float = 1.0, in_channels: int = 3, seed: int | None = 0) -> ResNet:
    """ResNet-34, see :func:`resnet18`."""
    return ResNet(34, num_classes, width=width, in_channels=in_channels, seed=seed)


def resnet50(num_classes: int = 21, *, width: float = 1.0, in_channels: int = 3, seed: int | None = 0) -> ResNet:
    """ResNet-50. ``width`` is a factor on the 64 to 2048 channels."""
    return ResNet(50, num_classes, width=width, in_channels=in_channels, seed=seed)


def resnet101(num_classes: int = 21, *, width: float = 1.0, in_channels: int = 3, seed: int | None = 0) -> ResNet:
    """ResNet-101, see :func:`resnet50`."""
    return ResNet(101, num_classes, width=width, in_channels=in_channels, seed=seed)
