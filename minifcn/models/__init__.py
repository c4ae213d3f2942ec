"""Networks composed of layers, each with a ``backward`` that is its ``forward`` read upwards.

    net = minifcn.models.build("fcn8s", num_classes=21, width=0.25, seed=0)

Each network's module is imported when it is built; :mod:`minifcn.models.catalogue` lists them.
"""

from minifcn.models.catalogue import CATALOGUE, Entry, build, entry, names, options
from minifcn.weights.transplant import Transplant, transplant

__all__ = ["CATALOGUE", "Entry", "Transplant", "build", "entry", "names", "options", "transplant"]
