"""Sizes that remember what they were computed from.

A network that asks for ``x.shape[2:]`` and crops or resizes to it does so for pictures of every size. Whoever follows it
through a picture of one size (:mod:`minifcn.anatomy.trace`) sees 375 and 500 go by, and cannot tell what they are. A
:class:`Length` is such a 375, an integer like any other, that says of itself "axis 2 of array 0"; and half of it says that it
is half of that:

    >>> height = Length(375, ("size", 0, 2))
    >>> height // 2, (height // 2).term
    (187, ('//', ('size', 0, 2), 2))

What a length decides (``if``, Python's own ``min``) leaves no trace in numbers. So it can be given a list, to which each
comparison with it, or with what was computed from it, is added.

Source: PyTorch's exporters follow sizes in this way (its ``SymInt``).
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from numbers import Integral
from typing import Any

Term = int | tuple[Any, ...]  # a number; ("size", array, axis); or (operation, Term, Term), the operation one of OPERATIONS
OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "//": operator.floordiv, "%": operator.mod, "smaller": min,
}  # fmt: skip


def _operators(operation: str) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    """The methods for ``length + number`` and ``number + length``, or another operation."""

    def left(length: Length, number: Any) -> Any:
        return _computed(operation, length, number) if isinstance(number, Integral) else NotImplemented

    def right(length: Length, number: Any) -> Any:
        return _computed(operation, number, length) if isinstance(number, Integral) else NotImplemented

    return left, right


def _comparison(operation: str) -> Callable[[Any, Any], Any]:
    """The method for ``length < number``, or another comparison: a plain integer's, but that it is noted."""

    def compare(length: Length, number: Any) -> Any:
        if (compared := _list_of(length, number)) is not None:
            compared.append((operation, length.term, number))
        return getattr(int, operation)(length, number)

    return compare


class Length(int):
    """An integer and the ``term`` that it is the value of. What is computed from it by +, -, ·, // and % is a Length again.

    ``compared`` is the list to which comparisons are added, where somebody wants to know of them.
    """

    term: Term
    compared: list[Any] | None

    def __new__(cls, value: int, term: Term, compared: list[Any] | None = None) -> Length:
        length = super().__new__(cls, value)
        length.term, length.compared = term, compared
        return length

    __add__, __radd__ = _operators("+")
    __sub__, __rsub__ = _operators("-")
    __mul__, __rmul__ = _operators("*")
    __floordiv__, __rfloordiv__ = _operators("//")
    __mod__, __rmod__ = _operators("%")
    __lt__, __le__, __gt__, __ge__ = map(_comparison, ("__lt__", "__le__", "__gt__", "__ge__"))
    __eq__, __ne__ = map(_comparison, ("__eq__", "__ne__"))
    __hash__ = int.__hash__

    def __neg__(self) -> Length:
        return 0 - self


def term_of(number: int) -> Term:
    """What a number was computed from: itself, where nobody knows more."""
    return number.term if isinstance(number, Length) else int(number)


def smaller(a: int, b: int) -> int:
    """min(a, b). Python's own ``min`` of two lengths is one of the two, also for the pictures in which the other is smaller."""
    return _computed("smaller", a, b)


def _computed(operation: str, a: Any, b: Any) -> int:
    value = OPERATIONS[operation](int(a), int(b))
    known = isinstance(a, Length) or isinstance(b, Length)
    return Length(value, (operation, term_of(a), term_of(b)), _list_of(a, b)) if known else value


def _list_of(*numbers: Any) -> list[Any] | None:
    """Where comparisons with one of these are noted."""
    lists = (number.compared for number in numbers if isinstance(number, Length))
    return next((compared for compared in lists if compared is not None), None)
