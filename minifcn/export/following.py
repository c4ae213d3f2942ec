"""Following a network through pictures of several sizes, and whether it does the same each time."""

from __future__ import annotations

from typing import Any

from minifcn.anatomy.trace import Graph, Ref, graph
from minifcn.layers import Layer
from minifcn.layers.lengths import Length

Batch = tuple[int, int, int]  # N, H, W
# Where any size shall do: more rows than columns and fewer, odd and even, multiples of 32 and none.
PROBES: tuple[Batch, ...] = ((1, 225, 290), (2, 290, 225), (3, 256, 320))
# Where feature maps' sizes are compared, which may be right for some pictures only: every remainder by 32, also of both sides.
MORE_PROBES: tuple[Batch, ...] = tuple((1, 225 + n, 290 - 3 * n) for n in range(32))


def followed(net: Layer, channels: int, size: tuple[int, int] | None) -> tuple[tuple[Batch, ...], list[Graph]]:
    """Some batches of pictures, of ``size`` (H, W) where it is given, and what the network does with each, in evaluation.

    Raises ValueError where the network refuses one, or does not do the same each time.
    """
    batches = PROBES if size is None else ((1, *size), (2, *size))
    graphs = [_graph(net, (N, channels, H, W), any_size=size is None) for N, H, W in batches]
    if size is None and any(graph.compared for graph in graphs):
        graphs += [_graph(net, (N, channels, H, W), any_size=True) for N, H, W in MORE_PROBES]
        batches += MORE_PROBES
    for batch, other in zip(batches[1:], graphs[1:], strict=True):
        if why := _difference(graphs[0], other):
            cure = "; give size, or compute sizes from x.shape by + - * // % and minifcn.layers.smaller" if size is None else ""
            raise ValueError(f"the network does not do the same with {_words(batches[0])} and {_words(batch)}: {why}{cure}")
    return batches, graphs


def _graph(net: Layer, shape: tuple[int, int, int, int], any_size: bool) -> Graph:
    try:
        return graph(net, shape, evaluating=True)
    except ValueError as error:
        if not any_size:
            raise
        H, W = shape[2:]
        raise ValueError(f"the network refuses pictures of {H}x{W} ({error}): give the size that it is made for") from error


def _difference(first: Graph, other: Graph) -> str | None:
    """Where two graphs part, None where they are the same."""
    for mine, yours in zip(first.steps, other.steps, strict=False):
        if mine.layer is not yours.layer:
            return f"{mine.name} works where {yours.name} does then"
        if _terms((mine.given, mine.made)) != _terms((yours.given, yours.made)):
            return f"{mine.name} is called with {_without_arrays(mine.given)}, then with {_without_arrays(yours.given)}"
    if len(first.steps) != len(other.steps):
        return f"{len(first.steps)} layers work, then {len(other.steps)}"
    return None if first.returned == other.returned else "another array is returned"


def _terms(value: Any) -> Any:
    """``value`` with each length as what it was computed from."""
    if isinstance(value, tuple):
        return tuple(map(_terms, value))
    return value.term if isinstance(value, Length) else value


def _without_arrays(given: tuple[Any, ...]) -> str:
    """What a layer was called with, in words."""
    return ", ".join(str(value) for value in given if not isinstance(value, Ref)) or "other arrays"


def _words(batch: Batch) -> str:
    N, H, W = batch
    return f"{N} picture{'s' if N > 1 else ''} of {H}x{W}"
