"""The course baseline with an encoder of recurrent residual blocks, in PyTorch."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from twins import course_baseline
from twins.r2unet import RRCNN

OPTIONS = [{}, {"steps": 1}]
SIZES = [(32, 32), (33, 47), (64, 35)]


class Twin(nn.Module):
    def __init__(self, num_classes: int, width: float = 1.0, steps: int = 2) -> None:
        super().__init__()
        c = [3, *(max(1, round(count * width)) for count in (32, 64, 128, 256, 512))]
        for stage in range(1, 6):
            self.add_module(f"enc{stage}", RRCNN(c[stage - 1], c[stage], steps))
        baseline = course_baseline.Twin(num_classes, width)
        self.decoder, self.score = baseline.decoder, baseline.score

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.pad(x, (0, -x.shape[3] % 32, 0, -x.shape[2] % 32))
        for block in (self.enc1, self.enc2, self.enc3, self.enc4, self.enc5):
            y = F.max_pool2d(block(y), 2)
        return self.score(self.decoder(y))[:, :, : x.shape[2], : x.shape[3]]
