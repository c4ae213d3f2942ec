"""R2U-Net in PyTorch."""

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional as F

OPTIONS = [{}, {"steps": 1}]
SIZES = [(16, 16), (33, 47)]


class Recurrent(nn.Module):
    def __init__(self, channels: int, steps: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.bns = nn.ModuleList([nn.BatchNorm2d(channels) for _ in range(steps + 1)])
        for bn in self.bns:
            bn.weight, bn.bias = self.bns[0].weight, self.bns[0].bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.zeros_like(x)
        for bn in self.bns:
            h = F.relu(bn(self.conv(x + h)))
        return h


class RRCNN(nn.Module):
    def __init__(self, C: int, O: int, steps: int) -> None:
        super().__init__()
        self.conv, self.rec1, self.rec2 = nn.Conv2d(C, O, 1), Recurrent(O, steps), Recurrent(O, steps)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        return x + self.rec2(self.rec1(x))


def up(C: int, O: int) -> nn.Module:
    layers = {"resize": nn.Upsample(scale_factor=2), "conv": nn.Conv2d(C, O, 3, padding=1), "bn": nn.BatchNorm2d(O)}
    return nn.Sequential(OrderedDict(layers, relu=nn.ReLU()))


class Twin(nn.Module):
    def __init__(self, num_classes: int, width: float = 1.0, steps: int = 2) -> None:
        super().__init__()
        c = [3, *(max(1, round(count * width)) for count in (64, 128, 256, 512, 1024))]
        self.enc1, self.enc2, self.enc3, self.enc4, self.enc5 = (RRCNN(c[i], c[i + 1], steps) for i in range(5))
        self.up4, self.up3, self.up2, self.up1 = (up(c[i + 1], c[i]) for i in (4, 3, 2, 1))
        self.dec4, self.dec3, self.dec2, self.dec1 = (RRCNN(2 * c[i], c[i], steps) for i in (4, 3, 2, 1))
        self.score = nn.Conv2d(c[1], num_classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y, skips = F.pad(x, (0, -x.shape[3] % 16, 0, -x.shape[2] % 16)), []
        for encoder in (self.enc1, self.enc2, self.enc3, self.enc4):
            skips.append(encoder(y))
            y = F.max_pool2d(skips[-1], 2)
        y = self.enc5(y)
        for double, decoder in ((self.up4, self.dec4), (self.up3, self.dec3), (self.up2, self.dec2), (self.up1, self.dec1)):
            y = decoder(torch.cat([skips.pop(), double(y)], dim=1))
        return self.score(y)[:, :, : x.shape[2], : x.shape[3]]
