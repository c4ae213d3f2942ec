"""Weights: arrays under keys, read from files of several kinds, and copied from one network to another."""

from minifcn.weights.files import load_weights, metadata, read, write
from minifcn.weights.transplant import Transplant, transplant

__all__ = ["Transplant", "load_weights", "metadata", "read", "transplant", "write"]
