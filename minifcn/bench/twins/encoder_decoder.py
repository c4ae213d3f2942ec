"""PyTorch's encoder-decoder on VGG16: five poolings down, five deconvolutions up.

Source: James Hsu, "Experiment of fully convolutional network".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn.functional import pad

STAGES = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


class EncoderDecoder(nn.Module):
    """x (N, in_channels, H, W) -> scores (N, num_classes, H, W)."""

    if TYPE_CHECKING:  # for torch, what is added by name may be a tensor

        def __getattr__(self, name: str) -> nn.Module: ...

    def __init__(self, num_classes: int = 21, width: float = 1.0, skips: bool = False, in_channels: int = 3) -> None:
        super().__init__()
        self.skips, self.pool, self.relu = skips, nn.MaxPool2d(2), nn.ReLU(inplace=True)
        C = in_channels
        for stage, counts in enumerate(STAGES, start=1):
            for index, count in enumerate(counts, start=1):
                O = max(1, round(count * width))
                self.add_module(f"conv{stage}_{index}", nn.Conv2d(C, O, 3, padding=1))
                C = O
        for stage, count in ((4, 512), (3, 256), (2, 128), (1, 64), (0, 32)):
            O, up = max(1, round(count * width)), nn.Sequential()
            up.add_module("deconv", nn.ConvTranspose2d(C, O, 2, stride=2))
            up.add_module("bn", nn.BatchNorm2d(O))
            if stage:
                up.add_module("relu", nn.ReLU(inplace=True))
            self.add_module(f"up{stage}", up)
            C = O
        self.score = nn.Conv2d(C, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        H, W = x.shape[2:]
        x = pad(x, (0, -W % 32, 0, -H % 32))
        pools = []
        for stage, counts in enumerate(STAGES, start=1):
            for index in range(1, len(counts) + 1):
                x = self.relu(getattr(self, f"conv{stage}_{index}")(x))
            x = self.pool(x)
            pools.append(x)
        for stage in (4, 3, 2, 1, 0):
            x = getattr(self, f"up{stage}")(x)
            if self.skips and stage:
                x = x + pools[stage - 1]
        return self.score(x)[:, :, :H, :W]
