"""``minifcn data check | stats | download``: is the data set what one thinks it is?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Look at a data set, or fetch one.")

_Name = Annotated[str, typer.Argument(help="shapes, voc, voc2011, idd, cityscapes, camvid, folder.")]
_Root = Annotated[str | None, typer.Option(help="Where the data set lies.")]
_Missing = Annotated[str, typer.Option(help="Listed pictures that are not there: error or skip.")]


@app.command()
def check(
    name: _Name,
    root: _Root = None,
    splits: Annotated[str, typer.Option(help="Which splits, with commas.")] = "train,val",
) -> None:
    """Read every picture and mask; list what is missing, damaged, out of range, or in two splits. Status 2 if anything is.

    What is listed twice, or is there under two names, is said too, and can be used.

    Example: minifcn data check voc --root VOCdevkit
    """
    from minifcn import data
    from minifcn.cli.screen import console, printable, progress_bar, table
    from minifcn.words import counted, name_some

    names = [split for split in map(str.strip, splits.split(",")) if split]
    if not names:
        raise ValueError(f"--splits {splits!r}: write the names of splits with commas, such as train,val")
    reports = []
    for split in names:
        dataset = data.build(name, root, split, missing="skip")  # the report names what is missing
        with progress_bar(f"reading {split}", len(dataset)) as progress:
            reports.append(data.check(dataset, progress=progress))
    rows = []
    for report in reports:
        heights, widths = zip(*report.sizes, strict=True) if report.sizes else ((0,), (0,))
        labels = " ".join(map(str, sorted(report.labels)))
        size = f"{min(heights)}-{max(heights)} x {min(widths)}-{max(widths)}"
        rows.append((report.name, report.pictures, len(report.missing), len(report.problems), size, labels))
    table("", ("split", "pictures", "missing", "problems", "height x width", "labels"), rows)
    for report in reports:
        pictures = [id for id in report.missing if id not in report.maskless]
        for ids, missing in (
            (pictures, counted(len(pictures), "listed picture is missing", "listed pictures are missing")),
            (report.maskless, counted(len(report.maskless), "listed picture has no mask", "listed pictures have no masks")),
        ):
            if ids:
                console.print(printable(f"{report.name}: {missing}: {name_some(ids)}"), style="red")
        for problem in report.problems:
            console.print(printable(problem), style="red")
        if report.repeated:
            console.print(printable(f"{report.name}: listed more than once: {name_some(report.repeated)}"), style="yellow")
        for ids in report.twice:
            console.print(printable(f"{report.name}: the same picture under several names: {', '.join(ids)}"), style="yellow")
        for note in report.notes:
            console.print(printable(f"{report.name}: {note}"), style="yellow")
    shared = data.overlaps(reports)
    for first, second, ids in shared:
        console.print(printable(f"{first} and {second} share {counted(len(ids), 'picture')}: {name_some(ids)}"), style="red")
    if shared or not all(report.ok for report in reports):
        raise typer.Exit(2)
    print("all pictures and masks can be used")


@app.command()
def stats(name: _Name, root: _Root = None, split: str = "train", missing: _Missing = "error") -> None:
    """Count the pixels of each class, with the class weights that follow from them.

    Example: minifcn data stats idd --root idd20k_lite
    """
    from minifcn import data
    from minifcn.cli.screen import percent, progress_bar, say, table

    dataset = data.build(name, root, split, missing=missing)
    with progress_bar(f"reading {split}", len(dataset)) as progress:
        counted = data.stats(dataset, progress=progress)
    columns = (counted.classes, counted.pixels, counted.pictures, counted.frequencies, counted.weights)
    table(
        f"{dataset!r}",
        ("class", "pixels", "pictures", "% of labelled", "1 - n/sum", "median freq."),
        [
            (title, f"{pixels:,}", pictures, percent(frequency), f"{weight:.4f}", f"{median:.4f}")
            for title, pixels, pictures, frequency, weight, median in zip(
                *columns, counted.median_frequency_weights, strict=True
            )
        ],
    )
    print(f"void: {counted.void:,} pixels")
    for note in getattr(dataset, "notes", ()):
        say(note)


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="voc2012, voc2011 or sbd.")],
    root: Annotated[Path, typer.Option(help="Below which folder.")] = Path("data"),
) -> None:
    """Fetch a data set, check its checksum and unpack it.

    Example: minifcn data download voc2012 --root data
    """
    from rich.progress import DownloadColumn, Progress, TransferSpeedColumn

    from minifcn.cli.screen import console
    from minifcn.data.download import archive_of
    from minifcn.data.download import download as fetch

    archive_of(name)  # refuses an unknown one before a bar is drawn
    with Progress(*Progress.get_default_columns(), DownloadColumn(), TransferSpeedColumn(), console=console) as bars:
        task = bars.add_task(name, total=None)
        folder = fetch(name, root, lambda done, total: bars.update(task, completed=done, total=total))
    print(f"{name} is in {folder}")
