"""Checks: is it right? Gradients against numeric ones and PyTorch's, and the likely mistake where one is not."""

from minifcn.anatomy import coordinates, ledger, training_step_peak  # asked for here, too, since minifcn 0.1
from minifcn.checks.diagnose import diagnose
from minifcn.checks.gradcheck import gradcheck, tie_free
from minifcn.checks.parity import parity
from minifcn.checks.report import Report
from minifcn.checks.sweep import sweep

__all__ = ["Report", "coordinates", "diagnose", "gradcheck", "ledger", "parity", "sweep", "tie_free", "training_step_peak"]
