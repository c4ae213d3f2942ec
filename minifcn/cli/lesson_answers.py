"""The commands of ``minifcn lesson`` that look at answers: check, quiz, progress, grade."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from minifcn.course.grades import Grade
    from minifcn.course.judge import Report
    from minifcn.course.quiz import Question

Number = Annotated[int, typer.Argument(help="The lesson's number, as `minifcn lesson list` shows it.", metavar="N")]
Timeout = Annotated[float, typer.Option(help="Seconds after which a function that does not end is stopped.", min=0.1)]

_LINES = 20  # of what an answer prints


def check_answers(
    number: Number,
    file: Annotated[Path, typer.Argument(help="Your file with the functions that the lesson asks for: .py or .ipynb.")],
    timeout: Timeout = 60,
) -> None:
    """Check your answers to a lesson's exercises, and hear what is wrong. Example: minifcn lesson check 2 mine.py

    Status 0 when all answers that the lesson needs are right (a stretch is not needed), 1 when one is not.
    """
    from rich.text import Text

    from minifcn.cli.screen import console, printable
    from minifcn.course.catalogue import lesson
    from minifcn.course.judge import check

    report = check(lesson(number), file, timeout)
    _print_what_it_printed(file, report)
    for verdict in report.verdicts:
        mark, style = ("right", "green") if verdict.passed else ("not yet", "yellow")
        step = "" if verdict.exercise.step == "main" else f" ({verdict.exercise.step})"
        console.print(Text.assemble((f"{mark:8}", style), (verdict.exercise.name, "bold"), (step, "dim")))
        console.print(f"        {printable(verdict.said)}")
    if not report.passed:
        raise typer.Exit(1)


def quiz(
    number: Number,
    count: Annotated[int, typer.Option("--questions", help="How many questions at most.", min=1)] = 5,
    seed: Annotated[int | None, typer.Option(help="The same seed asks the same questions [default: new ones].", min=0)] = None,
) -> None:
    """Answer questions about a lesson, and hear what a wrong choice means. Example: minifcn lesson quiz 2"""
    import secrets

    from minifcn.cli.screen import console
    from minifcn.course.catalogue import lesson
    from minifcn.course.quiz import questions

    asked = questions(lesson(number), count, secrets.randbelow(2**31) if seed is None else seed)
    right = done = 0
    for place, question in enumerate(asked, start=1):
        _print_question(question, f"{place}/{len(asked)}")
        chosen = _chosen(len(question.choices))
        if chosen is None:
            break
        done += 1
        right += question.choices[chosen].is_right
        _print_reaction(question, chosen)
    console.print(f"{right} of {done} right." if done else "No question was answered.")


def progress(
    file: Annotated[Path, typer.Argument(help="Your file with the functions of all lessons so far: .py or .ipynb.")],
    timeout: Timeout = 60,
) -> None:
    """Show how far you are, lesson by lesson. Example: minifcn lesson progress mine.py"""
    from rich.table import Table

    from minifcn.cli.screen import console, show
    from minifcn.course.progress import progress as standings

    found = list(standings(file, timeout))
    shown = Table(header_style="bold", box=None, padding=(0, 2, 0, 0))
    for column in ("", "lesson", "", "exercises right", "minutes left"):
        shown.add_column(column, justify="right" if column in ("exercises right", "minutes left") else "left")
    styles = {"right": "green", "not yet": "yellow", "missing": "dim"}
    for one in found:
        row = (f"{one.lesson.number:02}", one.lesson.title, one.status, f"{one.right} of {one.needed}", str(one.minutes_left))
        shown.add_row(*row, style=styles[one.status])
    show(shown)
    left = sum(one.minutes_left for one in found)
    console.print(f"About {left} minutes left." if left else "All that is written so far is right.")


def grade_class(
    number: Number,
    folder: Annotated[Path, typer.Argument(help="The folder with your students' files, one or more to a student.")],
    out: Annotated[Path | None, typer.Option(help="A .csv for the grades; a file that holds no grades is left alone.")] = None,
    timeout: Timeout = 20,
) -> None:
    """Grade a class: a row for each exercise of each file. Example: minifcn lesson grade 2 class --out grades.csv

    Every file runs in a process of its own and in an empty folder; one that hangs is "stopped", and the others are graded.
    """
    from minifcn.cli.screen import console, progress_bar
    from minifcn.course.catalogue import lesson
    from minifcn.course.grades import answers_in, grade, look_at, save

    one, files = lesson(number), answers_in(folder)
    if out:
        look_at(out)
    grades: list[Grade] = []
    with progress_bar("grading", len(files)) as advance:
        for file in files:
            grades += grade(one, file, file.relative_to(folder).as_posix(), timeout)
            if out:
                save(grades, out)  # after each file, so that a run that is broken off has lost nothing
            advance()
    _print_grades(grades)
    if out:
        console.print(f"All {len(grades)} rows are in {out}.")


COMMANDS: dict[str, Callable[..., None]] = {"check": check_answers, "quiz": quiz, "progress": progress, "grade": grade_class}


# ---------------------------------------------------------------------------------------------------------- what is printed


def _print_what_it_printed(file: Path, report: Report) -> None:
    """The last lines of what the reader's file printed while it ran."""
    from minifcn.cli.screen import console, printable

    lines = report.printed.rstrip().split("\n")
    if not report.printed.strip():
        return
    which = f" (the last {_LINES} of {report.lines} lines)" if report.lines > _LINES else ""
    kept = "\n".join(line[:500] for line in lines[-_LINES:])
    console.print(f"{printable(file.name)} printed{which}:\n{printable(kept)}\n", style="dim")


def _print_question(question: Question, place: str) -> None:
    from rich.text import Text

    from minifcn.cli.screen import console

    console.print(Text.assemble((f"{place}  ", "dim"), ("What does this give? ", "bold"), question.exercise.signature))
    console.print(_right_by(question.exercise.task.split("\n\n")[0], 5), style="dim")
    console.print(_right_by(question.given, 5) + "\n")
    for letter, choice in zip("abcd", question.choices, strict=False):
        console.print(f"  {letter}  {_right_by(choice.shown, 5).lstrip(' ')}")


def _chosen(count: int) -> int | None:
    """The number of the choice; None when the reader stops, or there is nobody to ask."""
    from minifcn.cli.screen import console

    letters = "abcd"[:count]
    while True:
        try:
            said = console.input(f"Your answer ({', '.join(letters)}; q to stop): ").strip().lower()
        except EOFError:
            console.print()
            return None
        if said == "q":
            return None
        if len(said) == 1 and said in letters:
            return letters.index(said)


def _print_reaction(question: Question, chosen: int) -> None:
    from minifcn.cli.screen import console

    if question.choices[chosen].is_right:
        console.print("Right.\n", style="green")
        return
    right = next(letter for letter, choice in zip("abcd", question.choices, strict=False) if choice.is_right)
    console.print(f"No, it is {right}. Who answers {'abcd'[chosen]} is told:", style="yellow")
    console.print(f"{question.choices[chosen].said}\n")


def _print_grades(grades: list[Grade]) -> None:
    """A line a file, then the mistakes that are made most."""
    from rich.table import Table

    from minifcn.cli.screen import console, printable, show
    from minifcn.course.grades import commonest

    shown = Table(header_style="bold", box=None, padding=(0, 2, 0, 0))
    for column in ("file", "right", "the others"):
        shown.add_column(column, overflow="fold")
    for file in dict.fromkeys(one.file for one in grades):
        mine = [one.verdict for one in grades if one.file == file]
        others = ", ".join(f"{verdict.exercise.name}: {verdict.status}" for verdict in mine if not verdict.passed)
        shown.add_row(printable(file), f"{sum(verdict.passed for verdict in mine)} of {len(mine)}", others)
    show(shown)
    if found := commonest(grades):
        console.print("The commonest mistakes:")
        for times, name, what in found:
            console.print(f"  {times} x {name}: {what}")


def _right_by(text: str, columns: int) -> str:
    return "\n".join(" " * columns + line for line in text.split("\n"))
