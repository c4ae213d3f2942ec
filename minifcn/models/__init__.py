"""Networks composed of layers, each with a ``backward`` that is its ``forward`` read upwards.

    net = minifcn.models.build("fcn8s", num_classes=21, width=0.25, seed=0)

Each network's module is imported when it is built; :mod:`minifcn.models.catalogue` lists them.
"""

from minifcn.models.adoption import adopt, count_classes
from minifcn.models.catalogue import CATALOGUE, Entry, backbone_keys, build, check_segments, entry, names, options
from minifcn.models.sliding import convolutionalize
from minifcn.weights.transplant import Transplant, transplant

__all__ = [
    "CATALOGUE",
    "Entry",
    "Transplant",
    "adopt",
    "backbone_keys",
    "build",
    "check_segments",
    "convolutionalize",
    "count_classes",
    "entry",
    "names",
    "options",
    "transplant",
]
