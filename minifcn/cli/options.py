"""Options that several commands share, and what is made of their text."""

from __future__ import annotations

from typing import Annotated

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


def parse_size(text: str) -> tuple[int, int]:
    """ "375x500" -> (375, 500)."""
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise ValueError(f"--size {text!r}: write height x width, such as 375x500")
    return int(parts[0]), int(parts[1])
