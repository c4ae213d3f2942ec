"""Writes an ONNX graph down, node by node. Tensors go by their names, which say the layer that they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minifcn.backend import Array, to_host
from minifcn.layers import Layer
from minifcn.layers.lengths import Term, term_of

FLOAT, UINT8, INT64 = 1, 2, 7  # ONNX's numbers for its types
_NODES = {"+": "Add", "-": "Sub", "*": "Mul", "%": "Mod", "smaller": "Min"}  # Mod's sign is that of the divisor, as Python's


class Writer:
    """The nodes and the constants so far. Each layer's form writes to it while :attr:`step` is the layer's key."""

    def __init__(self, net: Layer) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, np.ndarray] = {}
        self.keys = {id(array): key for key, array in reversed(net.state_dict().items())}  # a shared array by its first key
        self.arrays: dict[int, str] = {}  # the tensors of the trace's arrays, by their numbers
        self.step = ""
        self._names: set[str] = set()
        self._lengths: dict[Term, str] = {}

    def node(self, operation: str, *inputs: str, **attributes: Any) -> str:
        """Adds a node; returns the name of its output. An optional input that is left out is ""."""
        (name,) = self.outputs_of(operation, *inputs, outputs=1, **attributes)
        return name

    def outputs_of(self, operation: str, *inputs: str, outputs: int, **attributes: Any) -> list[str]:
        """The same for an operation with several outputs."""
        from onnx import helper

        name = self._new_name(f"{self.step}/{operation}")
        made = [name, *(f"{name}:{place}" for place in range(1, outputs))]
        self.nodes.append(helper.make_node(operation, inputs, made, name, **attributes))
        return made

    def name(self, tensor: str, name: str) -> None:
        """Has a tensor also go by this name: the file's reader asks for it."""
        from onnx import helper

        self.nodes.append(helper.make_node("Identity", [tensor], [name], name))

    def weight(self, array: Array) -> str:
        """A parameter or a buffer of the network, under its key in the state dict, as float32."""
        name = self.keys.get(id(array)) or self._new_name(f"{self.step}/weight")
        self.constants[name] = to_host(array).astype(np.float32, copy=False)
        return name

    def constant(self, value: Any) -> str:
        """A number or an array of numbers: integers as int64, others as float32."""
        array = np.asarray(value)
        array = array.astype(np.int64 if array.dtype.kind in "iu" else np.float32)
        name = self._new_name(f"{self.step}/constant")
        self.constants[name] = array
        return name

    def sizes(self, sizes: Sequence[int]) -> str:
        """A row of integers of which each may be a length that the picture decides, computed in the graph."""
        terms = [term_of(size) for size in sizes]
        if all(isinstance(term, int) for term in terms):
            return self.constant(terms)
        return self.node("Concat", *map(self._length, terms), axis=0)

    def _length(self, term: Term) -> str:
        """A row of one integer, the value of ``term``; it is computed once."""
        if term not in self._lengths:
            self._lengths[term] = self._new_length(term)
        return self._lengths[term]

    def _new_length(self, term: Term) -> str:
        if isinstance(term, int):
            return self.constant([term])
        operation, left, right = term
        if operation == "size":
            return self.node("Shape", self.arrays[left], start=right, end=right + 1)
        a, b = self._length(left), self._length(right)
        if operation == "//":  # ONNX rounds a quotient towards zero: what is divided is a multiple
            return self.node("Div", self.node("Sub", a, self.node("Mod", a, b)), b)
        return self.node(_NODES[operation], a, b)

    def _new_name(self, name: str) -> str:
        """``name``, or with a number behind it where there is such a name already."""
        candidates = (name if count == 1 else f"{name}_{count}" for count in range(1, len(self._names) + 2))
        new = next(candidate for candidate in candidates if candidate not in self._names)
        self._names.add(new)
        return new
