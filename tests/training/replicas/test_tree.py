"""The order of addition: one tree, however its leaves are shared out."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minifcn.training.replicas import Node, TreeSum, subtrees


def sum_of(nodes):
    """The sum as it is written, with parentheses."""
    tree = TreeSum(lambda left, right: f"({left}+{right})")
    for node, value in nodes:
        tree.append(node, value)
    return tree


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (1, "0"),
        (2, "(0+1)"),
        (3, "((0+1)+2)"),
        (4, "((0+1)+(2+3))"),
        (5, "(((0+1)+(2+3))+4)"),
        (7, "(((0+1)+(2+3))+((4+5)+6))"),
    ],
)
def test_the_order_is_that_of_a_binary_tree(count, expected):
    assert sum_of([(Node(0, leaf), str(leaf)) for leaf in range(count)]).total() == expected


@given(count=st.integers(1, 40), cuts=st.lists(st.integers(0, 40), max_size=6))
def test_whoever_adds_the_leaves(count, cuts):
    bounds = sorted({0, count, *(cut for cut in cuts if cut < count)})
    shares = [range(first, last) for first, last in itertools.pairwise(bounds)]
    of_workers = [sum_of([(Node(0, leaf), str(leaf)) for leaf in share]).nodes for share in shares]
    assert [[node for node, _ in nodes] for nodes in of_workers] == [subtrees(share) for share in shares]
    together = sum_of([pair for nodes in of_workers for pair in nodes]).total()
    assert together == sum_of([(Node(0, leaf), str(leaf)) for leaf in range(count)]).total()


def test_few_sums_are_kept():
    tree = TreeSum(lambda left, right: None)
    most = 0
    for leaf in range(64):
        tree.append(Node(0, leaf), None)
        most = max(most, len(tree.nodes))
    assert most == 6
