"""torchvision's own networks, which are plain PyTorch. Imported only where torchvision is installed.

The package's compiled part comes for CUDA builds only; beside another PyTorch two of its operators are declared here, and never
run, so that the import does not stumble over them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

if torch.version.cuda is None:
    _declared = torch.library.Library("torchvision", "DEF")
    _declared.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _declared.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from torchvision import models
from torchvision.models import resnet, segmentation, squeezenet

__all__ = [
    "deeplabv3_resnet50", "deeplabv3_resnet101", "fcn_resnet50", "fcn_resnet101", "models", "narrowed", "resnet",
    "segmentation", "squeezenet",
]  # fmt: skip


def narrowed(
    build: Callable[..., nn.Module], num_classes: int, width: float = 1.0, in_channels: int = 3, **options
) -> nn.Module:
    """torchvision's network of one road, its forward untouched, with ``width`` times the channels in each layer."""
    with torch.device("meta"):  # nothing is drawn, and takes no memory
        net = build(num_classes=num_classes, **options)
    before = after = 0  # channels of torchvision's last layer, and of ours
    for name, layer in list(net.named_modules()):
        if not isinstance(layer, (nn.Conv2d, nn.Linear)):
            continue
        O = layer.out_channels if isinstance(layer, nn.Conv2d) else layer.out_features
        scaled = num_classes if name == "classifier.6" else max(1, round(O * width))
        if isinstance(layer, nn.Conv2d):
            options = {"kernel_size": layer.kernel_size, "stride": layer.stride, "padding": layer.padding}
            new: nn.Module = nn.Conv2d(after or in_channels, scaled, **options)
        else:
            new = nn.Linear(layer.in_features // before * after, scaled)
        net.set_submodule(name, new)
        before, after = O, scaled
    return net


def fcn_resnet50(num_classes: int = 21) -> nn.Module:
    """x (N, 3, H, W) -> scores (N, num_classes, H, W)."""
    return _scoring(segmentation.fcn_resnet50, num_classes)


def fcn_resnet101(num_classes: int = 21) -> nn.Module:
    """x (N, 3, H, W) -> scores (N, num_classes, H, W)."""
    return _scoring(segmentation.fcn_resnet101, num_classes)


def deeplabv3_resnet50(num_classes: int = 21) -> nn.Module:
    """x (N, 3, H, W) -> scores (N, num_classes, H, W)."""
    return _scoring(segmentation.deeplabv3_resnet50, num_classes)


def deeplabv3_resnet101(num_classes: int = 21) -> nn.Module:
    """x (N, 3, H, W) -> scores (N, num_classes, H, W)."""
    return _scoring(segmentation.deeplabv3_resnet101, num_classes)


def _scoring(build: Callable[..., nn.Module], num_classes: int) -> nn.Module:
    """torchvision's network with first weights of its own, which returns its scores and not a dictionary with them."""
    net = build(weights=None, weights_backbone=None, num_classes=num_classes, aux_loss=False)

    class Scoring(type(net)):  # type: ignore[misc] # the same layers under the same keys
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x)["out"]

    net.__class__ = Scoring
    return net
