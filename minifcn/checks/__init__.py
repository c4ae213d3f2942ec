"""Checks: is it right, and what does it cost? Gradients against numeric ones and PyTorch's, coordinates, ledgers, diagnoses."""

from minifcn.checks.coordinates import coordinates
from minifcn.checks.diagnose import diagnose
from minifcn.checks.gradcheck import gradcheck, tie_free
from minifcn.checks.ledger import ledger
from minifcn.checks.memory import training_step_peak
from minifcn.checks.parity import parity
from minifcn.checks.report import Report
from minifcn.checks.sweep import sweep

__all__ = ["Report", "coordinates", "diagnose", "gradcheck", "ledger", "parity", "sweep", "tie_free", "training_step_peak"]
