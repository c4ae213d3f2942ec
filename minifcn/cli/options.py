"""Options that several commands share, and what is made of their text."""

from __future__ import annotations

import ast
from typing import Annotated, Any

import typer

Model = Annotated[str, typer.Argument(help="fcn32s, fcn16s, fcn8s, ...")]
Classes = Annotated[int, typer.Option(help="Number of classes, background included.")]
Width = Annotated[float, typer.Option(help="Factor on all channel counts.")]
Padding = Annotated[int, typer.Option(help="Of the first layer.")]
Size = Annotated[str, typer.Option(help="Height x width of the picture.")]


def build(model: str, num_classes: int, width: float, padding: int):
    """The network that the options describe."""
    from minifcn import models

    return models.build(model, num_classes, width=width, padding=padding)


def parse_options(model: str, assignments: list[str]) -> dict[str, Any]:
    """["batch_norm=true", "width=0.5"] -> {"batch_norm": True, "width": 0.5}, of the types of the network's defaults."""
    from minifcn import models

    defaults, options = models.options(model), {}
    for assignment in assignments:
        name, _, text = assignment.partition("=")
        if name not in defaults or not text:
            raise ValueError(f"--option {assignment!r}: write name=value; {model} takes {', '.join(defaults)}")
        try:
            value = ast.literal_eval(text.capitalize() if text.isalpha() else text)
        except (ValueError, SyntaxError):
            value = text
        kind = type(defaults[name])
        if kind is float and type(value) is int:
            value = float(value)
        if defaults[name] is not None and value is not None and type(value) is not kind:
            raise ValueError(f"--option {assignment!r}: {name} is of type {kind.__name__}, such as {defaults[name]}")
        options[name] = value
    return options


def parse_size(text: str) -> tuple[int, int]:
    """ "375x500" -> (375, 500)."""
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise ValueError(f"--size {text!r}: write height x width, such as 375x500")
    return int(parts[0]), int(parts[1])
