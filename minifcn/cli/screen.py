"""What commands show: progress bars and tables, through Rich; one plain line after the other where there is no terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.table import Table

from minifcn.training import Progress
from minifcn.training.validation import MEASURE_NAMES, Evaluation

console = Console(markup=False, emoji=False, highlight=False, soft_wrap=True)  # text from outside is no markup


def printable(text: object) -> str:
    """Text from outside (names of files and classes) with escapes for characters that would steer a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in str(text))


def say(text: object) -> None:
    """Prints text as it is."""
    print(printable(text))


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Prints a table: the first column is text, the others are numbers, to the right. One too wide for the terminal is cut by
    none of its columns: the terminal breaks its lines."""
    shown = Table(title=printable(title), title_justify="left", title_style="bold", header_style="bold")
    for index, column in enumerate(columns):
        shown.add_column(printable(column), justify="left" if index == 0 else "right", overflow="fold")
    for row in rows:
        shown.add_row(*map(printable, row))
    show(shown)


def show(shown: Table) -> None:
    """Prints a table at the terminal's width, or, where a column would vanish, as wide as its longest words need."""
    needed = console.measure(shown, options=console.options.update(max_width=1000)).minimum
    shown.width = needed if needed > console.width else None
    console.print(shown, crop=False)


def percent(value: float | None) -> str:
    """0.8512 -> "85.1"; NaN or None (a class that does not occur) -> "-"."""
    return "-" if value is None or np.isnan(value) else f"{100 * value:.1f}"


def duration(seconds: float) -> str:
    """4.23 -> "4.2 s"; 75 -> "1 min 15 s"; 7384 -> "2 h 3 min"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def print_evaluation(evaluation: Evaluation, classes: Sequence[str]) -> None:
    """The four measures beside those of the predictor that says the first class everywhere, and the IU of each class."""
    matrix, floor = evaluation.matrix, evaluation.matrix.floor(0)
    rows = [(MEASURE_NAMES[name], f"{value:.4f}", f"{floor.measures()[name]:.4f}") for name, value in matrix.measures().items()]
    rows.append(("Jaccard index of a picture", f"{evaluation.jaccard:.4f}", ""))
    title = f"{evaluation.pictures} pictures, loss {evaluation.loss:.4f} a pixel, {evaluation.seconds:.1f} s"
    table(title, ("measure", "this network", f"all {classes[0]}"), rows)
    table(
        "by class",
        ("class", "IU %", f"all {classes[0]} %", "pixels"),
        [
            (name, percent(iu), percent(below), f"{int(pixels):,}")
            for name, iu, below, pixels in zip(
                classes, matrix.per_class_iu(), floor.per_class_iu(), matrix.counts.sum(axis=1), strict=True
            )
        ],
    )


@contextmanager
def progress_bar(title: str, total: int) -> Iterator[Callable[..., None]]:
    """A progress bar; the value is a function to call after each picture, whatever it is told."""
    with Bars(console=console, transient=True, disable=not console.is_terminal) as bars:
        task = bars.add_task(escape(title), total=total)
        yield lambda *_: bars.advance(task)


class TrainingScreen(Progress):
    """The trainer's progress on the terminal: a bar with loss a pixel, images a second and time left."""

    training: TaskID  # of the bars, there from `begin` on
    validation: TaskID

    def __init__(self) -> None:
        self.bars = Bars(
            TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TextColumn("{task.fields[text]}"),
            console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip

    def begin(self, iteration: int, iterations: int) -> None:
        self.bars.start()
        self.training = self.bars.add_task("training", total=iterations, completed=iteration, text="")
        self.validation = self.bars.add_task("validating", total=1, visible=False, text="")

    def step(self, iteration: int) -> None:
        self.bars.update(self.training, completed=iteration)

    def logged(self, row: dict[str, Any]) -> None:
        left = row["seconds_left"]
        text = f"loss {row['loss']:.4f}  {row['images_per_second']:.1f} images/s  {left // 60:.0f}:{left % 60:02.0f} left"
        self.bars.update(self.training, text=text)
        if not console.is_terminal:
            console.print(f"iteration {row['iteration']:5d}  epoch {row['epoch']:6.2f}  {text}")

    def validating(self, done: int, total: int) -> None:
        self.bars.update(self.validation, completed=done, total=total, visible=done < total)

    def validated(self, evaluation: Evaluation, is_best: bool) -> None:
        text = "  ".join(f"{MEASURE_NAMES[name]} {value:.4f}" for name, value in evaluation.matrix.measures().items())
        console.print(f"validation: {text}  loss {evaluation.loss:.4f}{'  (best so far)' if is_best else ''}")

    def end(self) -> None:
        self.bars.stop()
