"""``minifcn compare``: runs side by side, as a table and as a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from minifcn.compare import Record, Story

_ACROSS = 4  # runs that fit side by side on a terminal
_MAIN = ("parameters", "best mean IU", "best pixel accuracy", "lowest loss", "seconds to 90 %", "inference, ms")


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Run folders.")],
    out: Annotated[Path, typer.Option(help="Where compare.html and compare.json go.")] = Path("compared"),
) -> None:
    """Set runs side by side: parameters, measures, speed of convergence, curves, predictions, feature maps.

    A run that is damaged or was never validated is left out and named.

    Example: minifcn compare runs/fcn8s runs/unet --out compared
    """
    from minifcn.compare import Story, read_all

    records, left_out = read_all(runs)
    print_comparison(records, left_out, out, Story("Runs side by side"))


def print_comparison(records: list[Record], left_out: list[tuple[Path, str]], out: Path, story: Story) -> None:
    """Writes the page of these runs, and prints their table."""
    from minifcn.cli.screen import say, table
    from minifcn.compare import write_page

    rows, notes = write_page(records, left_out, out, story)
    names = [record.name for record in records]
    if len(names) <= _ACROSS:
        table("", ("", *names), [(heading, *values) for heading, values in rows.items()])
    else:  # a line for each run, with what matters most; the page has the rest
        table("", ("run", *_MAIN), zip(names, *(rows[heading] for heading in _MAIN), strict=True))
    for note in notes:
        say(note)
    say(f"written: {out / 'compare.html'}, {out / 'compare.json'}")
