"""FCN on SqueezeNet 1.1 in PyTorch, with the crops written down: the twin that is timed, too."""

from __future__ import annotations

from minifcn.bench.twins.fcn_squeezenet import FCNSqueezeNet as Twin

__all__ = ["OPTIONS", "SIZES", "Twin"]

OPTIONS = [{"dropout": 0.0}, {"dropout": 0.0, "stride": 16}, {"dropout": 0.0, "stride": 32}, {"dropout": 0.0, "padding": 4}]
SIZES = [(33, 47), (48, 32), (31, 66)]
