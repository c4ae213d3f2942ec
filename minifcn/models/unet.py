"""U-Net: a contracting road of convolutions and poolings, an expanding one of deconvolutions, and between the two, at each
resolution, a concatenation.

x (N, in_channels, H, W) -> scores (N, num_classes, H, W), for any H and W from 16 up. The convolutions pad by 1 and keep the
size (the paper's do not, and lose 184 pixels of 572); a side that is no multiple of 16 is filled up with zeros at its end, and
the scores are cut to the picture.

Source: Ronneberger, Fischer and Brox, "U-Net: convolutional networks for biomedical image segmentation", 2015, figure 1.
"""

from __future__ import annotations

import numpy as np

from minifcn.backend import Array
from minifcn.layers import BatchNorm2d, Concat, Conv2d, ConvTranspose2d, Crop, Layer, MaxPool2d, PadTo, ReLU, Sequential
from minifcn.layers.containers import needs_dx_of
from minifcn.models.backbones import check_width, scaled


class UNet(Layer):
    """``width`` is a factor on the paper's 64, 128, 256, 512 and 1024 channels; ``batch_norm`` puts one behind each 3x3."""

    needs_dx = needs_dx_of("pad", "enc1")

    def __init__(
        self, num_classes: int = 21, *, width: float = 1.0, batch_norm: bool = False, in_channels: int = 3, seed: int | None = 0
    ) -> None:
        super().__init__()
        check_width(width)
        rng = np.random.default_rng(seed)
        c1, c2, c3, c4, c5 = (scaled(channels, width) for channels in (64, 128, 256, 512, 1024))
        self.pad = PadTo(16)
        self.enc1, self.pool1 = double_conv(in_channels, c1, batch_norm, rng), MaxPool2d(2)
        self.enc2, self.pool2 = double_conv(c1, c2, batch_norm, rng), MaxPool2d(2)
        self.enc3, self.pool3 = double_conv(c2, c3, batch_norm, rng), MaxPool2d(2)
        self.enc4, self.pool4 = double_conv(c3, c4, batch_norm, rng), MaxPool2d(2)
        self.enc5 = double_conv(c4, c5, batch_norm, rng)
        self.up4, self.cat4 = ConvTranspose2d(c5, c4, 2, 2, rng=rng), Concat()
        self.dec4 = double_conv(2 * c4, c4, batch_norm, rng)
        self.up3, self.cat3 = ConvTranspose2d(c4, c3, 2, 2, rng=rng), Concat()
        self.dec3 = double_conv(2 * c3, c3, batch_norm, rng)
        self.up2, self.cat2 = ConvTranspose2d(c3, c2, 2, 2, rng=rng), Concat()
        self.dec2 = double_conv(2 * c2, c2, batch_norm, rng)
        self.up1, self.cat1 = ConvTranspose2d(c2, c1, 2, 2, rng=rng), Concat()
        self.dec1 = double_conv(2 * c1, c1, batch_norm, rng)
        self.score = Conv2d(c1, num_classes, 1, rng=rng)
        self.crop = Crop()
        self.needs_dx = False

    def forward(self, x: Array) -> Array:
        _check_size(x)
        x1 = self.enc1(self.pad(x))  # (N,   64, H,    W), H and W filled up to multiples of 16
        x2 = self.enc2(self.pool1(x1))  # (N,  128, H/2,  W/2)
        x3 = self.enc3(self.pool2(x2))  # (N,  256, H/4,  W/4)
        x4 = self.enc4(self.pool3(x3))  # (N,  512, H/8,  W/8)
        y = self.enc5(self.pool4(x4))  # (N, 1024, H/16, W/16)
        y = self.dec4(self.cat4(x4, self.up4(y)))  # (N,  512, H/8,  W/8)
        y = self.dec3(self.cat3(x3, self.up3(y)))  # (N,  256, H/4,  W/4)
        y = self.dec2(self.cat2(x2, self.up2(y)))  # (N,  128, H/2,  W/2)
        y = self.dec1(self.cat1(x1, self.up1(y)))  # (N,   64, H,    W)
        return self.crop(self.score(y), x.shape[2:])  # (N, num_classes, the picture's H, W)

    def backward(self, dy: Array) -> Array | None:
        dy = self.score.backward(self.crop.backward(dy))
        dx1, dy = self.cat1.backward(self.dec1.backward(dy))
        dx2, dy = self.cat2.backward(self.dec2.backward(self.up1.backward(dy)))
        dx3, dy = self.cat3.backward(self.dec3.backward(self.up2.backward(dy)))
        dx4, dy = self.cat4.backward(self.dec4.backward(self.up3.backward(dy)))
        dy = self.up4.backward(dy)
        dx4 += self.pool4.backward(self.enc5.backward(dy))  # x4 went two ways: its gradient comes back from both
        dx3 += self.pool3.backward(self.enc4.backward(dx4))
        dx2 += self.pool2.backward(self.enc3.backward(dx3))
        dx1 += self.pool1.backward(self.enc2.backward(dx2))
        return self.pad.backward(self.enc1.backward(dx1))


def double_conv(in_channels: int, out_channels: int, batch_norm: bool, rng: np.random.Generator) -> Sequential:
    """Twice a 3x3 convolution, a batch norm where there shall be one, and a ReLU."""
    layers: dict[str, Layer] = {}
    for place, channels in ((1, in_channels), (2, out_channels)):
        layers[f"conv{place}"] = Conv2d(channels, out_channels, 3, padding=1, rng=rng)
        if batch_norm:
            layers[f"bn{place}"] = BatchNorm2d(out_channels)
        layers[f"relu{place}"] = ReLU(inplace=True)
    return Sequential(**layers)


def _check_size(x: Array) -> None:
    if min(x.shape[2:]) < 16:
        raise ValueError(f"U-Net halves its picture four times: {x.shape[2]}x{x.shape[3]} is too small, the least is 16x16")
