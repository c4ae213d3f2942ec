"""``minifcn doctor``: what this machine has, and what to type where something does not fit."""

from __future__ import annotations

import typer

_COLOURS = {"ok": "green", "note": "yellow", "problem": "red"}


def doctor() -> None:
    """Look at Python, NumPy, BLAS and threads, memory, CuPy, driver and CUDA.

    Status 2 when something is installed that cannot work. Example: minifcn doctor
    """
    from rich.table import Table
    from rich.text import Text

    from minifcn.cli.screen import show
    from minifcn.machine import doctor as checks

    findings = checks.examine()
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for finding in findings:
        table.add_row(Text(finding.status, _COLOURS[finding.status]), finding.name, finding.value)
        if finding.advice:
            table.add_row("", "", Text(finding.advice, "bold"))
    show(table)
    if any(finding.status == "problem" for finding in findings):
        raise typer.Exit(2)
