"""A trained network, opened: which products made a number, which pixels reached it, and what gradient came back to it.

    from minifcn.explore import Trace

    trace = Trace(net, x)
    terms, bias, value = trace.terms("conv3_2", 7, 4, 9)

``minifcn explore`` shows it as a page.
"""

from minifcn.explore.steps import TERM, Sum
from minifcn.explore.trace import Trace
from minifcn.explore.what_if import DropSkip, Nudge, SwitchOff, Turn

__all__ = ["TERM", "DropSkip", "Nudge", "Sum", "SwitchOff", "Trace", "Turn"]
