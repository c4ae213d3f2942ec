"""``minifcn lesson``: list, run, open and render the lessons, and give them other forms; `lesson_answers` looks at answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from minifcn.cli import lesson_answers, lesson_capstone, lesson_clinic

app = typer.Typer(no_args_is_help=True, help="The course: list it, run a lesson, read it, check your answers.")

WEIGHTS = "MINIFCN_WEIGHTS"  # the environment's variable in which a lesson finds the reader's weights

Number = Annotated[int, typer.Argument(help="The lesson's number, as `minifcn lesson list` shows it.", metavar="N")]


@app.command("list")
def list_lessons() -> None:
    """Show all lessons, how long each takes and what it is about. Example: minifcn lesson list"""
    from rich.table import Table

    from minifcn.cli.screen import console, show
    from minifcn.course.catalogue import LESSONS, lessons_folder

    shown = Table(header_style="bold", box=None, padding=(0, 2, 0, 0))
    for column in ("", "lesson", "minutes", "about"):
        shown.add_column(column, justify="left" if column in ("lesson", "about") else "right")
    for one in LESSONS:
        title = one.title if one.is_written else f"{one.title} (coming)"
        shown.add_row(f"{one.number:02}", title, str(one.minutes), one.about, style=None if one.is_written else "dim")
    show(shown)
    console.print(f"They are in {lessons_folder()}. Start with: minifcn lesson open 1")


@app.command("run")
def run_lesson(
    number: Number,
    pictures: Annotated[Path | None, typer.Option(help="Folder for its pictures [default: a temporary one].")] = None,
    weights: Annotated[
        Path | None, typer.Option(help="Pretrained weights of yours, for the lesson that can use some (15).", exists=True)
    ] = None,
) -> None:
    """Run a lesson and check all that it claims. Example: minifcn lesson run 2

    Shows each part's heading, what its cells print, and where its pictures are.
    """
    import os
    import tempfile
    import time

    from minifcn.cli.screen import console
    from minifcn.course import runner
    from minifcn.course.catalogue import lesson
    from minifcn.course.runner import Shown
    from minifcn.course.script import headings, read
    from minifcn.visualize.showing import write

    one = lesson(number)
    script = one.script
    if weights:
        os.environ[WEIGHTS] = str(weights.absolute())
    folder = pictures or Path(tempfile.mkdtemp(prefix=f"minifcn-lesson-{number:02}-"))
    began = time.perf_counter()

    def echo(piece: str | Shown) -> None:
        if isinstance(piece, str):
            console.print(piece, end="")
        else:
            path = write(piece.picture, folder, f"{one.number:02}_{piece.name}")
            console.print(f"picture {path}: {piece.caption}", style="cyan")

    parts = [heading for cell in read(script) for heading in headings(cell)]
    for result in runner.run(script, echo):
        for heading in (
            line for line in result.cell.text.splitlines() if result.cell.kind == "markdown" and line.startswith("#")
        ):
            console.rule(f"{parts.index(heading) + 1}/{len(parts)}  {heading.lstrip('# ')}", align="left")
    seconds = time.perf_counter() - began
    console.print(
        f"\nAll {runner.claims(script)} claims of lesson {number:02} hold ({seconds:.1f} s). Its pictures are in {folder}."
    )


@app.command("open")
def open_lesson(
    number: Number,
    script: Annotated[bool, typer.Option("--script", help="The script, in $VISUAL or $EDITOR, instead of the page.")] = False,
) -> None:
    """Read a lesson's page in the browser, or its script in an editor. Example: minifcn lesson open 2"""
    import os
    import shlex
    import subprocess
    import webbrowser

    from minifcn.course.catalogue import lesson
    from minifcn.course.reader import as_html

    one = lesson(number)
    typer.echo(one.script)
    if script:
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
        if editor:
            subprocess.run([*shlex.split(editor), str(one.script)], check=True)
        else:
            typer.echo("Set $VISUAL or $EDITOR to open it; VS Code, PyCharm and Spyder show its `# %%` parts as cells.")
        return
    page = as_html(one)
    typer.echo(page)
    if not webbrowser.open(page.as_uri()):
        typer.echo("There is no browser here: open the page above yourself.")


@app.command("card")
def show_card(number: Number) -> None:
    """Print what a lesson comes down to: its picture's file, its formulas, three sentences. Example: minifcn lesson card 2"""
    from rich.markdown import Markdown

    from minifcn.cli.screen import console
    from minifcn.course.card import card
    from minifcn.course.catalogue import lesson

    text = card(lesson(number))
    if console.is_terminal:
        console.print(Markdown(text), soft_wrap=False)
    else:
        typer.echo(text)


@app.command("notebook")
def write_notebook(
    number: Number,
    out: Annotated[Path, typer.Option(help="The file to write, NAME.ipynb; one that you have worked in is left alone.")],
) -> None:
    """Write a lesson as a notebook for Jupyter or Colab. Example: minifcn lesson notebook 2 --out lesson2.ipynb"""
    from minifcn.course import notebook
    from minifcn.course.catalogue import lesson

    notebook.write(lesson(number), out)
    typer.echo(f"{out}: open it with Jupyter or VS Code where minifcn is installed")


@app.command("render")
def render_lessons(
    numbers: Annotated[list[int] | None, typer.Argument(help="Lessons to render [default: all that are written].")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; status 1 when a page no longer matches.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for pages and pictures [default: where the lessons are].")] = None,
) -> None:
    """Run lessons and write their pages and pictures. Example: minifcn lesson render --check"""
    import os

    from minifcn.cli.screen import console
    from minifcn.course import glossary
    from minifcn.course.catalogue import are_installed, lesson, lessons_folder, written
    from minifcn.course.page import render
    from minifcn.course.stale import differences

    if out is None and are_installed():
        raise ValueError("an installed minifcn has the lessons' scripts and no pages; choose a folder for them with --out")
    os.environ.pop(WEIGHTS, None)  # pages are the same whatever weights somebody has
    folder, stale = out or lessons_folder(), False
    for one in [lesson(number) for number in numbers] if numbers else written():
        page = render(one)
        if not check:
            console.print(f"{page.save(folder, one)[0]}: {len(page.pictures)} pictures")
            continue
        found = differences(one, page, folder)
        stale = stale or bool(found)
        console.print(f"{one.name}: " + ("matches" if not found else "\n  ".join(["no longer matches", *found])))
    for name, text in glossary.pages().items():
        page_file = folder / f"{name}.md"
        if not check:
            page_file.write_text(text, encoding="utf-8")
            console.print(page_file)
        elif not page_file.is_file() or page_file.read_text(encoding="utf-8") != text:
            console.print(f"{name}: no longer matches")
            stale = True
    if stale:
        console.print("Look at the differences; if they are meant, run: minifcn lesson render")
        raise typer.Exit(1)


@app.command("site")
def write_site(
    out: Annotated[Path, typer.Option(help="Folder for the pages; a new one, or one that this command has made.")],
) -> None:
    """Write the course as static pages, for a server or the disk. Example: minifcn lesson site --out course"""
    from minifcn.cli.screen import console
    from minifcn.course import site

    console.print(site.write(out, console.print))


for _name, _command in lesson_answers.COMMANDS.items():
    app.command(_name)(_command)
app.command("capstone")(lesson_capstone.capstone)
app.command("clinic")(lesson_clinic.clinic)
