"""U-Net: a contracting road of convolutions and poolings, an expanding one of deconvolutions, and between the two, at each
resolution, a concatenation.

x (N, in_channels, H, W) -> scores (N, num_classes, H, W), for any H and W from 16 up. The convolutions pad by 1 and keep the
size; a side that is no multiple of 16 is filled up with zeros at its end, and the scores are cut to the picture.

The paper's convolutions do not pad: 572 pixels come in and 388 go out. ``valid=True`` is that network, for a picture of 388 or
any other size, around which a margin of zeros is laid first.

Source: Ronneberger, Fischer and Brox, "U-Net: convolutional networks for biomedical image segmentation", 2015, figure 1.
"""

from __future__ import annotations

import numpy as np

from minifcn.backend import Array
from minifcn.layers import (
    BatchNorm2d,
    Concat,
    Conv2d,
    ConvTranspose2d,
    Crop,
    Layer,
    MaxPool2d,
    PadTo,
    ReLU,
    Sequential,
    coordinates,
)
from minifcn.layers.containers import needs_dx_of
from minifcn.layers.coordinates import Map
from minifcn.models.backbones import check_size, check_width, scaled


def unet(
    num_classes: int = 21, *, width: float = 1.0, batch_norm: bool = False, valid: bool = False, in_channels: int = 3,
    seed: int | None = 0,
) -> UNet:  # fmt: skip
    """U-Net, or with ``valid`` the paper's own, of as many parameters under the same keys."""
    kind = ValidUNet if valid else UNet
    return kind(num_classes, width=width, batch_norm=batch_norm, in_channels=in_channels, seed=seed)


class UNet(Layer):
    """``width`` is a factor on the paper's 64, 128, 256, 512 and 1024 channels; ``batch_norm`` puts one behind each 3x3."""

    needs_dx = needs_dx_of("pad", "enc1")
    padding = 1  # of the 3x3 convolutions

    def __init__(
        self, num_classes: int = 21, *, width: float = 1.0, batch_norm: bool = False, in_channels: int = 3, seed: int | None = 0
    ) -> None:
        super().__init__()
        check_width(width)
        rng = np.random.default_rng(seed)
        c1, c2, c3, c4, c5 = (scaled(channels, width) for channels in (64, 128, 256, 512, 1024))
        self.pad = PadTo(16)
        self.enc1, self.pool1 = double_conv(in_channels, c1, batch_norm, self.padding, rng), MaxPool2d(2)
        self.enc2, self.pool2 = double_conv(c1, c2, batch_norm, self.padding, rng), MaxPool2d(2)
        self.enc3, self.pool3 = double_conv(c2, c3, batch_norm, self.padding, rng), MaxPool2d(2)
        self.enc4, self.pool4 = double_conv(c3, c4, batch_norm, self.padding, rng), MaxPool2d(2)
        self.enc5 = double_conv(c4, c5, batch_norm, self.padding, rng)
        self.up4, self.cat4 = ConvTranspose2d(c5, c4, 2, 2, rng=rng), Concat()
        self.dec4 = double_conv(2 * c4, c4, batch_norm, self.padding, rng)
        self.up3, self.cat3 = ConvTranspose2d(c4, c3, 2, 2, rng=rng), Concat()
        self.dec3 = double_conv(2 * c3, c3, batch_norm, self.padding, rng)
        self.up2, self.cat2 = ConvTranspose2d(c3, c2, 2, 2, rng=rng), Concat()
        self.dec2 = double_conv(2 * c2, c2, batch_norm, self.padding, rng)
        self.up1, self.cat1 = ConvTranspose2d(c2, c1, 2, 2, rng=rng), Concat()
        self.dec1 = double_conv(2 * c1, c1, batch_norm, self.padding, rng)
        self.score = Conv2d(c1, num_classes, 1, rng=rng)
        self.crop = Crop()
        self.needs_dx = False

    def forward(self, x: Array) -> Array:
        check_size("U-Net", x, 16)
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


class ValidUNet(UNet):
    """The paper's figure: nothing is padded but the picture, and what skips is cropped to what comes up.

    The margin and the crops, 4, 16, 40 and 88, follow from where each map's pixels lie.
    """

    padding = 0

    def __init__(
        self, num_classes: int = 21, *, width: float = 1.0, batch_norm: bool = False, in_channels: int = 3, seed: int | None = 0
    ) -> None:
        super().__init__(num_classes, width=width, batch_norm=batch_norm, in_channels=in_channels, seed=seed)
        x1 = _through(Map(), self.enc1)
        x2 = _through(x1, self.pool1, self.enc2)
        x3 = _through(x2, self.pool2, self.enc3)
        x4 = _through(x3, self.pool3, self.enc4)
        up4 = _through(x4, self.pool4, self.enc5, self.up4)
        up3 = _through(up4, self.dec4, self.up3)
        up2 = _through(up3, self.dec3, self.up2)
        up1 = _through(up2, self.dec2, self.up1)
        pairs = (x4, up4), (x3, up3), (x2, up2), (x1, up1)
        self.crop4, self.crop3, self.crop2, self.crop1 = (Crop(coordinates.crop(x, up)) for x, up in pairs)
        margin = coordinates.crop(Map(), _through(up1, self.dec1))
        lost = 4 * (1 + 2 + 4 + 8)  # 4 pixels a stage, before each pooling: what is left shall be even every time
        self.pad = PadTo(16, margin, lost % 16)
        self.needs_dx = False

    def forward(self, x: Array) -> Array:
        check_size("U-Net", x, 16)
        x1 = self.enc1(self.pad(x))  # (N,   64, 568, 568) of a picture of 388x388 and its margin, 572x572
        x2 = self.enc2(self.pool1(x1))  # (N,  128, 280, 280)
        x3 = self.enc3(self.pool2(x2))  # (N,  256, 136, 136)
        x4 = self.enc4(self.pool3(x3))  # (N,  512,  64,  64)
        y = self.up4(self.enc5(self.pool4(x4)))  # (N,  512,  56,  56)
        y = self.up3(self.dec4(self.cat4(self.crop4(x4, y.shape[2:]), y)))  # (N,  256, 104, 104)
        y = self.up2(self.dec3(self.cat3(self.crop3(x3, y.shape[2:]), y)))  # (N,  128, 200, 200)
        y = self.up1(self.dec2(self.cat2(self.crop2(x2, y.shape[2:]), y)))  # (N,   64, 392, 392)
        y = self.dec1(self.cat1(self.crop1(x1, y.shape[2:]), y))  # (N,   64, 388, 388)
        return self.crop(self.score(y), x.shape[2:])  # (N, num_classes, the picture's H, W)

    def backward(self, dy: Array) -> Array | None:
        dy = self.score.backward(self.crop.backward(dy))
        dx1, dy = self.cat1.backward(self.dec1.backward(dy))
        dx1 = self.crop1.backward(dx1)
        dx2, dy = self.cat2.backward(self.dec2.backward(self.up1.backward(dy)))
        dx2 = self.crop2.backward(dx2)
        dx3, dy = self.cat3.backward(self.dec3.backward(self.up2.backward(dy)))
        dx3 = self.crop3.backward(dx3)
        dx4, dy = self.cat4.backward(self.dec4.backward(self.up3.backward(dy)))
        dx4 = self.crop4.backward(dx4)
        dy = self.up4.backward(dy)
        dx4 += self.pool4.backward(self.enc5.backward(dy))  # x4 went two ways: its gradient comes back from both
        dx3 += self.pool3.backward(self.enc4.backward(dx4))
        dx2 += self.pool2.backward(self.enc3.backward(dx3))
        dx1 += self.pool1.backward(self.enc2.backward(dx2))
        return self.pad.backward(self.enc1.backward(dx1))


def double_conv(in_channels: int, out_channels: int, batch_norm: bool, padding: int, rng: np.random.Generator) -> Sequential:
    """Twice a 3x3 convolution, a batch norm where there shall be one, and a ReLU."""
    layers: dict[str, Layer] = {}
    for place, channels in ((1, in_channels), (2, out_channels)):
        layers[f"conv{place}"] = Conv2d(channels, out_channels, 3, padding=padding, rng=rng)
        if batch_norm:
            layers[f"bn{place}"] = BatchNorm2d(out_channels)
        layers[f"relu{place}"] = ReLU(inplace=True)
    return Sequential(**layers)


def _through(place: Map, *layers: Layer) -> Map:
    """Where the pixels lie behind some more layers, or stages of layers."""
    for layer in layers:
        row = dict(layer.children()) or {"": layer}
        *_, place = coordinates.behind(row, place).values()
    return place
