"""Names that are loaded when they are first used, so that importing a package costs nothing.

__getattr__, __dir__ = lazy(__name__, {"loader": ("Batch", "Loader"), "palette": ("colorize",)})
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def lazy(
    package: str, home: Mapping[str, Sequence[str]], modules: Sequence[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` for ``package``: ``home`` says which of its modules holds which names, and ``modules``
    are modules that are themselves names."""
    module_of = {name: module for module, names in home.items() for name in names}

    def __getattr__(name: str) -> Any:
        if name in module_of:
            return getattr(importlib.import_module(f"{package}.{module_of[name]}"), name)
        if name in modules:
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}; it has {', '.join([*modules, *module_of])}")

    def __dir__() -> list[str]:
        return sorted([*modules, *module_of])

    return __getattr__, __dir__
