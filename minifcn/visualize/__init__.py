"""Pictures of what a network saw, did and learnt: of layers at work, of labels, of training runs.

    from minifcn import visualize as vis

    vis.show(vis.draw_sliding(x, weight), "sliding", "The framed window gives the framed number.")
    vis.animate_zero_insertion(x, weight, stride=2).save("deconvolution.gif")

Nothing here uses matplotlib's pyplot, whose global state would leak into the caller's own figures, and all share one look
(:mod:`minifcn.visualize.style`). Each part is loaded when it is first used, since matplotlib takes its time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minifcn.lazy import lazy

if TYPE_CHECKING:
    from minifcn.visualize.board import Board
    from minifcn.visualize.confusion import draw_confusion
    from minifcn.visualize.curves import draw_curves
    from minifcn.visualize.effort import best_effort
    from minifcn.visualize.im2col import animate_im2col, draw_im2col, pixel_colours
    from minifcn.visualize.lines import draw_lines
    from minifcn.visualize.maps import feature_maps
    from minifcn.visualize.matrices import draw_matrices, draw_table
    from minifcn.visualize.overlap import draw_counts, draw_stamps, overlap_counts, window_counts
    from minifcn.visualize.overlays import blend, legend, overlay, sample_sheet
    from minifcn.visualize.phases import draw_phases
    from minifcn.visualize.pixels import draw_agreement, draw_bars, draw_labels, draw_palette, draw_pictures, draw_zoom
    from minifcn.visualize.pointing import interactive
    from minifcn.visualize.reach import draw_reach
    from minifcn.visualize.showing import Animation, Interactive, show
    from minifcn.visualize.sliding import animate_sliding, draw_sliding
    from minifcn.visualize.zero_insertion import animate_zero_insertion, draw_zero_insertion

__all__ = [
    "Animation", "Board", "Interactive", "animate_im2col", "animate_sliding", "animate_zero_insertion", "best_effort", "blend",
    "draw_agreement", "draw_bars", "draw_confusion", "draw_counts", "draw_curves", "draw_im2col", "draw_labels",
    "draw_lines", "draw_matrices",
    "draw_palette", "draw_phases", "draw_pictures", "draw_reach", "draw_sliding", "draw_stamps", "draw_table",
    "draw_zero_insertion", "draw_zoom", "feature_maps", "interactive", "legend", "overlap_counts", "overlay", "pixel_colours",
    "sample_sheet", "show", "window_counts",
]  # fmt: skip

_HOME = {
    "board": ("Board",),
    "confusion": ("draw_confusion",),
    "curves": ("draw_curves",),
    "lines": ("draw_lines",),
    "maps": ("feature_maps",),
    "effort": ("best_effort",),
    "im2col": ("animate_im2col", "draw_im2col", "pixel_colours"),
    "matrices": ("draw_matrices", "draw_table"),
    "overlap": ("draw_counts", "draw_stamps", "overlap_counts", "window_counts"),
    "overlays": ("blend", "legend", "overlay", "sample_sheet"),
    "phases": ("draw_phases",),
    "pixels": ("draw_agreement", "draw_bars", "draw_labels", "draw_palette", "draw_pictures", "draw_zoom"),
    "pointing": ("interactive",),
    "reach": ("draw_reach",),
    "showing": ("Animation", "Interactive", "show"),
    "sliding": ("animate_sliding", "draw_sliding"),
    "zero_insertion": ("animate_zero_insertion", "draw_zero_insertion"),
}
if not TYPE_CHECKING:  # which would take any misspelt name for Any
    __getattr__, __dir__ = lazy(__name__, _HOME)
