"""How lists and numbers are put into sentences."""

from __future__ import annotations

from collections.abc import Iterable


def name_some(names: Iterable[str], most: int = 10, separator: str = ", ") -> str:
    """The first ``most`` names, and how many more there are."""
    names = list(names)
    rest = len(names) - most
    return separator.join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def counted(number: int, one: str, more: str = "") -> str:
    """ "1 picture", "2 pictures": a number with its noun; ``more`` is the plural where it has no s of its own."""
    return f"{number} {one if number == 1 else more or one + 's'}"
