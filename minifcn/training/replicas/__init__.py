"""Who computes a run's steps: one process, or several that share each step's micro-batches."""

from minifcn.training.replicas.alone import (
    Alone,
    Gradients,
    check_workers,
    give_gradients,
    gradient_sum,
    root_first,
    share_batches,
    take_gradients,
)
from minifcn.training.replicas.tree import Node, TreeSum, subtrees
from minifcn.training.replicas.workers import Workers

__all__ = [
    "Alone", "Gradients", "Node", "TreeSum", "Workers", "check_workers", "give_gradients", "gradient_sum", "root_first",
    "share_batches", "subtrees", "take_gradients",
]  # fmt: skip
