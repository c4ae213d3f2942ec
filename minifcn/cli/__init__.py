"""The ``minifcn`` command: one file a command, each importing what it needs only when it runs.

Exit status 0 means that the command did what was asked. An error that a user can mend is one sentence on stderr and status 2;
``--debug`` anywhere on the line shows the traceback instead.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings

import typer

import minifcn
from minifcn.cli import streams, worker
from minifcn.machine import freed_memory

app = typer.Typer(
    name="minifcn", no_args_is_help=True, add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False,
    help="Fully convolutional networks by hand: step through lessons, check gradients, train on PASCAL VOC.",
)  # fmt: skip

# In the order of --help. A name without function is a group of commands (its module's ``app``).
COMMANDS = (
    "demo", "train", "evaluate", "predict", "compare", "explore", "export", "models", "summary", "coordinates", "gradcheck",
    "bench", "doctor",
)  # fmt: skip
given: list[str] = []  # the arguments of this call of main: what workers are started with
GROUPS = ("data", "experiment", "lesson", "weights")


def _say_version(asked: bool) -> None:
    if asked:
        print(minifcn.__version__)
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    debug: bool = typer.Option(False, "--debug", help="On an error show the traceback. May stand anywhere on the line."),
    version: bool = typer.Option(False, "--version", callback=_say_version, is_eager=True, help="Say the version, and end."),
) -> None:
    """Options of all commands."""
    if context.invoked_subcommand != "bench":  # which runs others' programs beside ours, as their users do
        freed_memory.keep()


def main(arguments: list[str] | None = None) -> None:
    """Runs the command line and exits with its status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    given[:] = arguments
    worker.enter()
    debug = "--debug" in arguments
    streams.make_sturdy()
    warnings.filterwarnings("ignore", module="PIL")  # about files' notes; what cannot be read is an error
    mount()
    try:
        app([a for a in arguments if a != "--debug"], prog_name="minifcn")
    except (ValueError, TypeError, OSError, RuntimeError, MemoryError) as error:
        if debug:
            raise
        _leave(_sentence(error, arguments), 2)
    except SystemExit as leaving:
        if (trouble := streams.trouble()) and not leaving.code:
            _leave(f"the command is done, but its output could not be written: {trouble.strerror}", 2)
        raise
    except KeyboardInterrupt:
        if debug:
            raise
        _leave("stopped by Ctrl-C", 130)


def mount() -> None:
    """Adds the commands to ``app``. Their modules are light: NumPy, Pillow and the rest come when a command runs."""
    if app.registered_groups:
        return  # done before
    for name in COMMANDS:
        app.command(name)(getattr(importlib.import_module(f"minifcn.cli.{name}"), name))
    for name in GROUPS:
        app.add_typer(importlib.import_module(f"minifcn.cli.{name}").app, name=name)


def _leave(sentence: str, status: int) -> None:
    streams.trouble()  # all of stdout comes before the sentence
    if not worker.leave(sentence):
        print(f"minifcn: {sentence}", file=sys.stderr)
    os._exit(status) if status == 130 else sys.exit(status)


def _sentence(error: BaseException, arguments: list[str]) -> str:
    from minifcn.cli.screen import printable

    if isinstance(error, MemoryError):
        sizes = "use a smaller batch, a crop (--augment crop:256x256), or a narrower network (--width)"
        return f"out of memory: {sizes if 'train' in arguments[:1] else 'use smaller pictures, or a narrower network'}"
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return printable(f"{os.fsdecode(error.filename)}: {error.strerror}")
    return printable(" ".join(str(error).split()) or type(error).__name__)


@app.command("version", hidden=True)
def version() -> None:
    """The version of minifcn."""
    _say_version(True)
