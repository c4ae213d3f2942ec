"""The networks once more, in PyTorch: one file each, of at most 60 lines, with the same keys.

A file is named as its network in the catalogue, with ``_`` for ``-``, and has

    Twin       the network: Twin(num_classes, **options), a torch.nn.Module whose state dict has our keys and shapes
    OPTIONS    the variants to compare, each the options that both builders take, without width
    SIZES      the pictures' heights and widths

A twin shares no code with the network that it is held against: it is an oracle, and says everything itself.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType


def names() -> list[str]:
    """The files here."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem != "__init__")


def twin(name: str) -> ModuleType:
    """The file with the twin of the catalogue's network ``name``."""
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
