"""The order in which gradients are added: that of a binary tree over a step's micro-batches.

                       ┌─────────┴────────┐             Addition of floating-point numbers is not associative, so a
                 ┌─────┴─────┐            │             sum's last bits depend on who added what first. Here the micro-
              ┌──┴──┐     ┌──┴──┐         │             batches are the leaves of one tree, whoever computes them: a
    leaf      0     1     2     3         4             worker adds the whole subtrees among its leaves, and the rest
                                                        is added when they meet.
A node (level, n) is the sum of the leaves n·2^level, ..., (n + 1)·2^level − 1. What is left over at the right edge
joins from the right: with five leaves ((0 + 1) + (2 + 3)) + 4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

Sum = TypeVar("Sum")


class Node(NamedTuple):
    """The place of a sum in the tree."""

    level: int
    number: int


class TreeSum(Generic[Sum]):
    """A sum over nodes that are given from left to right; at most one node a level is kept, as in a binary counter.

    `add(left, right)` returns left + right and may use the memory of `left` for it.
    """

    def __init__(self, add: Callable[[Sum, Sum], Sum]) -> None:
        self._add = add
        self.nodes: list[tuple[Node, Sum]] = []  # from left to right, no two of them siblings

    def append(self, node: Node, value: Sum) -> None:
        """Adds a node that lies to the right of all others, to its sibling where that is here."""
        while self.nodes and node.number % 2 == 1 and self.nodes[-1][0] == Node(node.level, node.number - 1):
            value = self._add(self.nodes.pop()[1], value)
            node = Node(node.level + 1, node.number // 2)
        self.nodes.append((node, value))

    def total(self) -> Sum:
        """The sum of all: what has no sibling joins from the right. Raises IndexError where there is nothing."""
        _, value = self.nodes.pop()
        while self.nodes:
            value = self._add(self.nodes.pop()[1], value)
        return value


def subtrees(leaves: range) -> list[Node]:
    """The nodes that a worker with these leaves, which lie side by side, has added up in the end."""
    tree: TreeSum[None] = TreeSum(lambda left, right: None)
    for leaf in leaves:
        tree.append(Node(0, leaf), None)
    return [node for node, _ in tree.nodes]
