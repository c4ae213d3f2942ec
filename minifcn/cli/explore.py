"""``minifcn explore``: a page in which every number can be opened, forward and backward."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import numpy as np

    from minifcn.explore.session import Session, Subject
    from minifcn.training import RunFolder

_DEMO = Path("runs/demo")
_PAGES = (".html", ".htm")
_EXAMPLE = 636  # of the shapes' pictures: one that no demo was trained on, with three shapes in it


def explore(
    weights: Annotated[Path | None, typer.Argument(help="A run folder or a checkpoint; else the demo's.")] = None,
    picture: Annotated[Path | None, typer.Argument(help="A picture; for a network of shapes one is drawn.")] = None,
    beside: Annotated[Path | None, typer.Option(help="Another run or checkpoint, on the same picture, side by side.")] = None,
    port: Annotated[int, typer.Option(help="Of 127.0.0.1; 0 takes a free one.")] = 0,
    export: Annotated[Path | None, typer.Option(help="Write one HTML file that opens without a server, and end.")] = None,
) -> None:  # fmt: skip
    """Open a trained network in the browser: click a number, and see every product that made it, forward and backward.

    The page is served to this machine alone, until Ctrl-C.

    Example: minifcn explore

    Example: minifcn explore runs/voc holiday.jpg --export holiday.html
    """
    from minifcn.cli.screen import say
    from minifcn.explore.server import serve
    from minifcn.explore.session import Session

    if export is not None and beside is not None:
        raise ValueError("--export writes one network, and --beside asks for two: give one of them")
    if export is not None and export.suffix.lower() not in _PAGES:
        raise ValueError(f"--export {export}: a page is written, which a browser opens by its ending; end the name in .html")
    subject = subject_of_run(weights or _demo_run())
    image, labels = example_of(subject, picture)
    sessions = [Session(subject, image, labels)]
    if beside is not None:
        sessions.append(Session(subject_of_run(beside), image, labels))
    if export is not None:
        _write(sessions[0], export)
        return

    def opened(address: str) -> None:
        say(f"{address}{'two.html' if beside else ''}\nopen it in a browser; Ctrl-C ends it")
        sys.stdout.flush()  # somebody waits for the address, in a pipe too

    serve(sessions, port, opened)


def _demo_run() -> Path:
    """The demo's run, which is made where there is none, and finished where it was cut off."""
    from minifcn.cli.demo import demo
    from minifcn.cli.screen import say
    from minifcn.cli.train import resume_run
    from minifcn.training import RunFolder

    run = RunFolder(_DEMO / "run")
    if not run.last.is_file():
        say(f"there is no run in {_DEMO} yet, so the demo's network is trained first, about a minute")
        demo(out=_DEMO, seed=0, device="cpu")
    elif _is_cut_off(run):
        say(f"the demo in {_DEMO} was cut off, so its network is trained to the end first")
        if resume_run(run.path, {}, {}).interrupted:
            raise typer.Exit(130)
    return run.path


def _is_cut_off(run: RunFolder) -> bool:
    """Whether a run has made fewer iterations than it was to make."""
    from minifcn.training import Plan, read_metadata

    about = read_metadata(run.last)
    return about["iteration"] < Plan.from_config(run.read_config()).training.length(range(about["batches_per_epoch"]))


def subject_of_run(weights: Path) -> Subject:
    """The network of a run or checkpoint, and what is known of it."""
    from minifcn.cli.assemble import trained_network
    from minifcn.explore.session import Subject

    net, about = trained_network(weights, "cpu", "float32")
    return Subject.of_run(net, about, str(weights))


def example_of(subject: Subject, path: Path | None) -> tuple[np.ndarray, np.ndarray | None]:
    """The picture at ``path``, or one that is drawn, and its true labels where they are known."""
    from minifcn import data
    from minifcn.data import shapes

    if path is not None:
        return data.read_image(path), None
    if tuple(subject.classes) != shapes.SHAPES_CLASSES:
        taught = ", ".join(subject.classes)
        raise ValueError(f"{subject.name} was trained on pictures of {taught}: add one, minifcn explore RUN PICTURE")
    return shapes.draw(shapes.ShapesOptions(), _EXAMPLE)


def _write(session: Session, path: Path) -> None:
    from minifcn.cli.screen import say
    from minifcn.explore.export import exported
    from minifcn.safe_file import write_text

    page = exported(session)
    write_text(path, page)
    say(f"{path}: {len(page.encode()) / 1e6:.1f} MB, opens in any browser")
