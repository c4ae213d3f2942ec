"""Anatomy: what a network is made of, and what it costs. Shapes, parameters, multiply-adds, memory, coordinates."""

from minifcn.anatomy.coordinates import coordinates
from minifcn.anatomy.ledger import ledger
from minifcn.anatomy.memory import training_step_peak

__all__ = ["coordinates", "ledger", "training_step_peak"]
