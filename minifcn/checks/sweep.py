"""Every function against numeric gradients, over many cases: the table of ``minifcn gradcheck``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from minifcn import functional as F
from minifcn.checks.cases import cases, names
from minifcn.checks.gradcheck import gradcheck


@dataclass(frozen=True)
class SweepRow:
    """One function over its cases: the largest relative error, and, where it did not pass, what was seen."""

    function: str
    cases: int
    error: float
    passed: bool
    words: str = ""


@dataclass(frozen=True)
class Sweep:
    """True when every function passed; prints as a table."""

    title: str
    rows: list[SweepRow]

    @property
    def passed(self) -> bool:
        return bool(self.rows) and all(row.passed for row in self.rows)

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        width = max(len(row.function) for row in self.rows)
        lines = [
            f"{self.title}: {'all right' if self.passed else 'NOT right'}",
            f"  {'function':{width}}  cases  error  verdict",
        ]
        for row in self.rows:
            lines.append(f"  {row.function:{width}}  {row.cases:5}  {row.error:.0e}  {'right' if row.passed else 'WRONG'}")
            lines += ["      " + line for line in row.words.splitlines()]
        return "\n".join(lines)


def sweep(functions: Sequence[str] | None = None, count: int = 8, seed: int = 0) -> Sweep:
    """Gradient checks of every function (or those named) over ``count`` adversarial cases each.

    Raises ValueError for a name that is none of them. A case whose inputs all sit on kinks (a picture of nothing but ties)
    decides nothing, and is not held against the function.
    """
    rows = []
    for function in functions or names():
        reports = []
        for case in cases(function, count, seed):
            positional, named = case.arguments()
            reports.append((case, gradcheck(getattr(F, function), *positional, **named)))
        errors = [row.error for _, report in reports for row in report.rows if row.error is not None]
        wrong = [f"{case}\n{report}" for case, report in reports if any(row.verdict == "WRONG" for row in report.rows)]
        rows.append(SweepRow(function, len(reports), max(errors, default=0.0), not wrong, "".join(wrong[:1])))
    return Sweep("against numeric gradients, float64", rows)
