"""Every network of the catalogue as PyTorch has it: torchvision's, or a twin, so narrow as it can be had."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from minifcn.bench.twins.fcn8s import FCN8s, bilinear_layer
from minifcn.bench.twins.torchvision_models import resnet, segmentation, squeezenet

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "models"))
import twins

CLASSES = 5
WIDTH = 1 / 16


class FCN32s(FCN8s):
    """x -> scores, one deconvolution."""

    def __init__(self, num_classes: int, width: float) -> None:
        super().__init__(num_classes, width)
        del self.score_pool4, self.score_pool3, self.upscore2, self.upscore_pool4, self.upscore8
        self.upscore = bilinear_layer(num_classes, 64, 32)

    def forward(self, x: Tensor) -> Tensor:
        H, W = x.shape[2:]
        for name in self.trunk:
            x = getattr(self, name)(x)
        return self.upscore(self.score_fr(x))[:, :, 19 : 19 + H, 19 : 19 + W]


class FCN16s(FCN8s):
    """x -> scores, one skip."""

    def __init__(self, num_classes: int, width: float) -> None:
        super().__init__(num_classes, width)
        del self.score_pool3, self.upscore_pool4, self.upscore8
        self.upscore16 = bilinear_layer(num_classes, 32, 16)

    def forward(self, x: Tensor) -> Tensor:
        H, W = x.shape[2:]
        for name in self.trunk:
            x = getattr(self, name)(x)
            if name == "pool4":
                pool4 = x
        up = self.upscore2(self.score_fr(x))
        up = up + self.score_pool4(pool4)[:, :, 5 : 5 + up.shape[2], 5 : 5 + up.shape[3]]
        return self.upscore16(up)[:, :, 27 : 27 + H, 27 : 27 + W]


class FCN8sAtOnce(FCN8s):
    """FCN-8s whose skips are scaled down before they are scored."""

    def __init__(self, num_classes: int, width: float) -> None:
        super().__init__(num_classes, width)
        self.score_pool4.register_forward_pre_hook(lambda layer, inputs: (0.01 * inputs[0],))
        self.score_pool3.register_forward_pre_hook(lambda layer, inputs: (0.0001 * inputs[0],))


_FCNS = {"fcn32s": FCN32s, "fcn32s-fixed": FCN32s, "fcn16s": FCN16s, "fcn8s": FCN8s, "fcn8s-atonce": FCN8sAtOnce}
_TORCHVISION = {
    **{name: getattr(resnet, name) for name in ("resnet18", "resnet34", "resnet50", "resnet101")},
    **{name: getattr(segmentation, name.replace("-", "_")) for name in (
        "fcn-resnet50", "fcn-resnet101", "deeplabv3-resnet50", "deeplabv3-resnet101",
    )},
    "squeezenet1_1": squeezenet.squeezenet1_1,
}  # fmt: skip


def oracle(name: str) -> tuple[nn.Module, dict[str, Any]]:
    """PyTorch's network ``name`` for CLASSES classes, stirred, and the options that make ours as wide."""
    torch.manual_seed(1)
    if name in _TORCHVISION:
        module, options = _TORCHVISION[name](weights=None, num_classes=CLASSES, **_no_backbone(name)), {}
    else:
        options = {"width": WIDTH}
        module = _FCNS[name](CLASSES, WIDTH) if name in _FCNS else twins.twin(name).Twin(CLASSES, width=WIDTH)
    with torch.no_grad():
        for tensor in module.state_dict().values():
            if tensor.is_floating_point() and tensor.ndim < 2:
                tensor.add_(torch.rand(tensor.shape) / 4)
            elif tensor.is_floating_point() and not tensor.any():
                tensor.copy_(torch.randn(tensor.shape) / 4)
    return module.eval(), options


def _no_backbone(name: str) -> dict[str, Any]:
    return {"weights_backbone": None} if "-" in name else {}


def scores(module: nn.Module, x: Tensor) -> Tensor:
    """What the network says of x, in evaluation."""
    with torch.no_grad():
        y = module(x)
    return y["out"] if isinstance(y, dict) else y
