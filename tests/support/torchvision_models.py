"""torchvision's networks, which are plain PyTorch, as twins of ours.

The package's compiled part comes for CUDA builds only; two of its operators are declared here, and never run, so that the
import does not stumble over them.
"""

from __future__ import annotations

import torch

_declared = torch.library.Library("torchvision", "DEF")
_declared.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
_declared.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from torchvision.models import resnet, segmentation, squeezenet  # noqa: E402

__all__ = ["resnet", "segmentation", "squeezenet"]
