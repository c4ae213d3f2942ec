"""A trained network, opened: which products made a number, which pixels reached it, and what gradient came back to it.

    from minifcn import explore

    trace = explore.Trace(net, x)                           # any network, one picture (1, C, H, W)
    terms, bias, value = trace.terms("conv3_2", 7, 4, 9)
    explore.show(net, image)                                # the page of minifcn explore, for a network of one's own

Each part is loaded when it is first used: the page needs Pillow, a trace does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minifcn.lazy import lazy

if TYPE_CHECKING:
    from minifcn.explore.showing import show
    from minifcn.explore.steps import TERM, Sum
    from minifcn.explore.trace import Trace
    from minifcn.explore.what_if import DropSkip, Nudge, SwitchOff, Turn

__all__ = ["TERM", "DropSkip", "Nudge", "Sum", "SwitchOff", "Trace", "Turn", "show"]

_HOME = {
    "showing": ("show",),
    "steps": ("TERM", "Sum"),
    "trace": ("Trace",),
    "what_if": ("DropSkip", "Nudge", "SwitchOff", "Turn"),
}
if not TYPE_CHECKING:  # which would take any misspelt name for Any
    __getattr__, __dir__ = lazy(__name__, _HOME)
