"""Options that several commands share, options made from a record's fields, and what is made of their text."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_type_hints

import typer

if TYPE_CHECKING:
    from minifcn.layers import Layer
    from minifcn.training import Views

PANELS = ("The network", "The data", "The optimisation", "The run")  # the headings of train --help


def option(kind: Any, help: str, *names: str, panel: str = PANELS[0]) -> Any:
    """The annotation of an option under a heading; it is None where it is not given."""
    return Annotated[kind | None, typer.Option(*names, help=help, rich_help_panel=panel)]


Model = Annotated[str, typer.Argument(help="fcn32s, fcn16s, fcn8s, unet, ...: see minifcn models.")]
Classes = Annotated[int, typer.Option(help="Number of classes, background included.")]
Size = Annotated[str, typer.Option(help="Height x width of the picture.")]
Width = option(float, "Factor on all channel counts.")
Padding = option(int, "Of the first layer: 100, or 1 for small pictures.")
Flip = Annotated[bool, typer.Option("--flip", help="Average over the picture and its mirror image.")]
Scales = Annotated[str, typer.Option(help="Average over the picture at these sizes, e.g. 0.75,1,1.25.")]
Tile = Annotated[int | None, typer.Option(help="Work in tiles of so many pixels a side: the same scores in less memory.")]
Options = option(list[str], "Any option of the network, e.g. 'batch_norm=true'.", "--option")
SHORTHANDS = {  # options that many networks take; the others go through --option
    "width": Width,
    "padding": Padding,
    "dropout": option(float, "Probability in fc6 and fc7."),
    "learn_upsampling": option(bool, "Whether deconvolutions learn."),
}


def build(model: str, num_classes: int, texts: Sequence[str] | None, **shorthands: Any) -> Layer:
    """The network that the options describe."""
    from minifcn import models

    return models.build(model, num_classes, **network_options(model, texts, **shorthands))


def network_options(model: str, texts: Sequence[str] | None, **shorthands: Any) -> dict[str, Any]:
    """The options of a network, from texts "name=value", typed as the builder's defaults are, and from shorthands (None: not
    given). Raises ValueError with a clause for each text that cannot be read; what a network takes is its builder's to say."""
    from minifcn import models

    known = models.options(model)
    options = {name: value for name, value in shorthands.items() if value is not None}
    problems = []
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals:
            problems.append(f"--option {text!r}: write name=value; {model} takes {', '.join(known)}")
        elif name not in known:
            problems.append(f"{model} takes no {name}; it takes {', '.join(known)}")
        elif name in options:
            problems.append(f"the option {name} is given twice")
        else:
            try:
                options[name] = _typed(value, known.get(name))
            except (ValueError, KeyError):
                problems.append(f"the option {name} of {model} is {value!r}; write a value such as {known[name]}")
    if problems:
        raise ValueError("; ".join(problems))
    return options


def _typed(text: str, default: Any) -> Any:
    """A text as a value of the default's type."""
    if isinstance(default, bool):
        return {"true": True, "false": False}[text.lower()]
    return text if default is None else type(default)(text)


def parse_size(text: str) -> tuple[int, int]:
    """ "375x500" -> (375, 500)."""
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(f"--size {text!r}: write height x width, such as 375x500")
    return int(parts[0]), int(parts[1])


def parse_views(flip: bool, scales: str, tile: int | None) -> Views:
    """--flip, --scales and --tile as `training.Views`. Raises ValueError for what is not possible."""
    from minifcn.training import Views

    try:
        factors = tuple(float(scale) for scale in scales.split(","))
    except ValueError:
        raise ValueError(f"--scales {scales!r}: write numbers with commas, such as 0.75,1,1.25") from None
    return Views(flip, factors, tile)


def options_of(record: Any) -> dict[str, Any]:
    """{name: annotation} of an option for each field of a record, see `minifcn.training.fields`."""
    kinds, options = get_type_hints(record), {}
    for field in dataclasses.fields(record):
        possible = (kinds[field.name], *get_args(kinds[field.name]))  # float | None; tuple[str, ...] and dict: several texts
        several = list[str] if getattr(possible[0], "__origin__", None) in (tuple, dict) else None
        kind = several or next(kind for kind in (str, bool, int, float) if kind in possible)
        metadata = field.metadata
        options[field.name] = option(kind, metadata["help"], *metadata["names"], panel=metadata["panel"])
    return options


def taking(options: dict[str, Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command, written as f(**arguments), these options, sorted by their headings in --help."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        ordered = sorted(options.items(), key=lambda item: PANELS.index(item[1].__metadata__[0].rich_help_panel))
        kind = inspect.Parameter.KEYWORD_ONLY
        vars(command)["__signature__"] = inspect.Signature(  # which Typer reads
            [inspect.Parameter(name, kind, default=None, annotation=annotation) for name, annotation in ordered]
        )
        command.__annotations__ = dict(ordered)
        return command

    return decorate
