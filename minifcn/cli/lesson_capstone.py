"""``minifcn lesson capstone``: a small FCN, trained with the reader's own functions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from minifcn.course.capstone import Capstone, Part

_SHOWN = (*range(1, 11), *range(20, 101, 20))  # the steps whose losses are printed


def capstone(
    file: Annotated[Path, typer.Argument(help="Your file with the functions of all lessons so far: .py or .ipynb.")],
    out: Annotated[Path | None, typer.Option(help="A .png for the certificate; else it goes into a temporary folder.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds after which a function that is checked is stopped.", min=0.1)] = 60,
) -> None:
    """Train a small FCN with your own functions. Example: minifcn lesson capstone mine.py

    Each function that is right takes the library's place; where all of them would need more than a minute, the library does the
    slowest part. Status 0 when all functions are right, 1 when one is not.
    """
    import tempfile

    from minifcn.cli.screen import console, printable
    from minifcn.course import certificate
    from minifcn.course.capstone import train

    path = out or Path(tempfile.mkdtemp(prefix="minifcn-capstone-")) / "certificate.png"
    certificate.look_at(path)
    found = train(file, timeout, lambda words: console.print(f"{words} ...", style="dim"))
    _print_parts(found)
    if found.mine is None:
        console.print("None of your functions can be used yet, so there is nothing to train with.")
        raise typer.Exit(1)
    _print_runs(found)
    certificate.save(found, path)
    console.print(f"Trained by you: {found.used} of {len(found.parts)} functions. The certificate: {printable(path)}")
    if not all(part.verdict.passed and not part.trouble for part in found.parts):
        raise typer.Exit(1)


def _print_parts(found: Capstone) -> None:
    from rich.table import Table

    from minifcn.cli.screen import console, printable, show

    shown = Table(header_style="bold", box=None, padding=(0, 2, 0, 0))
    for column in ("function", "lesson", "", "seconds a step", "where the library's is used instead"):
        shown.add_column(column, justify="right" if column in ("lesson", "seconds a step") else "left", overflow="fold")
    for part in found.parts:
        seconds = f"{part.seconds:.4f}" if part.times else ""
        replaced = "everywhere" if not part.is_used else ", ".join(part.replaced)
        shown.add_row(part.name, f"{part.lesson:02}", _status(part), seconds, replaced)
    show(shown)
    for part in found.parts:
        if not part.verdict.passed or part.trouble:
            console.print(f"{part.name}: {printable(part.trouble or part.verdict.said)}")
        elif part.replaced:
            console.print(
                f"{part.name}: yours needs {part.seconds:.1f} s a step, which is too long for a run of a minute; the library's "
                f"is used for {', '.join(part.replaced)}. Whole arrays instead of loops over pixels make it quicker."
            )


def _status(part: Part) -> str:
    return "not yet" if not part.verdict.passed else "not in the network" if part.trouble else "right"


def _print_runs(found: Capstone) -> None:
    from minifcn.cli.screen import console

    assert found.mine is not None
    console.print("\nstep   your loss   the library's")
    for step in _SHOWN:
        console.print(f"{step:4}  {found.mine.losses[step - 1]:10.4f}  {found.library.losses[step - 1]:14.4f}")
    console.print(
        f"mean IU on pictures never seen: yours {found.mine.mean_iu:.3f}, the library's {found.library.mean_iu:.3f}, "
        f"saying background everywhere {found.floor:.3f}\n"
    )
