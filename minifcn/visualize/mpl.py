"""The only file that imports matplotlib, whatever the environment says about it.

A notebook puts `MPLBACKEND=module://matplotlib_inline.backend_inline` into the environment of all that it starts, and where
that module is not installed, importing matplotlib raises. Nothing here needs a backend, so it is imported without one. For the
user's own plots, later in the same process, the environment then counts as it always does; where matplotlib was imported
before, nothing is touched at all.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def _any_backend() -> Iterator[None]:
    """Imports inside the block do not see MPLBACKEND; after it, a backend that matplotlib knows is what it asked for."""
    backend = os.environ.get("MPLBACKEND")
    if backend is None or "matplotlib" in sys.modules:
        yield
        return
    del os.environ["MPLBACKEND"]
    try:
        yield
    finally:
        os.environ["MPLBACKEND"] = backend
    with contextlib.suppress(ValueError):  # what the import itself would have raised
        mpl.rcParams["backend"] = backend


with _any_backend():
    import matplotlib as mpl
    import matplotlib.style
    from matplotlib import font_manager
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.collections import LineCollection
    from matplotlib.colors import LinearSegmentedColormap, hsv_to_rgb, to_rgb
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    from matplotlib.patches import PathPatch, Polygon, Rectangle
    from matplotlib.path import Path
    from matplotlib.text import Text
    from matplotlib.textpath import TextPath
    from matplotlib.transforms import Affine2D
    from matplotlib.typing import ColorType

__all__ = [
    "Affine2D", "Artist", "Axes", "ColorType", "ConstrainedLayoutEngine", "Figure", "FigureCanvasAgg", "FontProperties",
    "LineCollection", "LinearSegmentedColormap", "Path", "PathPatch", "Polygon", "Rectangle", "Text", "TextPath",
    "font_manager", "hsv_to_rgb", "mpl", "to_rgb",
]  # fmt: skip
