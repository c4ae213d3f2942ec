"""``minifcn doctor``: what this machine has, and what to type where something does not fit."""

from __future__ import annotations

import typer

_MARKS = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "problem": "[red]problem[/]"}


def doctor() -> None:
    """Look at Python, NumPy, BLAS and threads, memory, CuPy, driver and CUDA.

    Status 2 when something is installed that cannot work. Example: minifcn doctor
    """
    from rich.markup import escape
    from rich.table import Table

    from minifcn.cli.screen import console
    from minifcn.machine import doctor as checks

    findings = checks.examine()
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for finding in findings:
        table.add_row(_MARKS[finding.status], finding.name, escape(finding.value))
        if finding.advice:
            table.add_row("", "", f"[bold]{escape(finding.advice)}[/]")
    console.print(table)
    if any(finding.status == "problem" for finding in findings):
        raise typer.Exit(2)
