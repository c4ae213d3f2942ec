"""What a gradient check found, as an object and as a table."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Worst:
    """The element that is furthest off: its index, what backward says and what the numeric gradient is."""

    index: tuple[int, ...]
    mine: float
    numeric: float

    def __str__(self) -> str:
        return f"at {list(self.index)} backward gives {self.mine:.10g}, the numeric gradient is {self.numeric:.10g}"


@dataclass(frozen=True)
class Row:
    """One input or parameter. ``verdict`` is "right", "WRONG" or "undecided"; ``error`` the largest relative error seen."""

    name: str
    shape: tuple[int, ...]
    verdict: str
    error: float | None = None
    words: tuple[str, ...] = ()
    worst: Worst | None = None

    @property
    def passed(self) -> bool:
        return self.verdict == "right"

    def lines(self) -> list[str]:
        """Everything there is to say about it, a sentence a line."""
        return [*self.words, *([str(self.worst)] if self.worst else [])]


@dataclass(frozen=True)
class Report:
    """True when every gradient is right. Prints as a table; ``rows`` holds the same as objects."""

    name: str
    rows: list[Row] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return bool(self.rows) and all(row.passed for row in self.rows)

    def __bool__(self) -> bool:
        return self.passed

    def __getitem__(self, name: str) -> Row:
        """The row of an input or parameter by its name."""
        return next(row for row in self.rows if row.name == name)

    def __str__(self) -> str:
        title = f"{self.name}: {'every gradient is right' if self.passed else 'NOT right'}"
        cells = [("input", "shape", "error", "verdict")]
        for row in self.rows:
            error = "" if row.error is None else f"{row.error:.0e}"
            cells.append((row.name, "×".join(map(str, row.shape)) or "1", error, row.verdict))
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = [
            "  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
        ]
        table = [title, lines[0]]
        for line, row in zip(lines[1:], self.rows, strict=True):
            table += [line, *("      " + sentence for sentence in row.lines())]
        return "\n".join(table)
