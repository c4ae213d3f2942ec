"""``minifcn summary``: what a network is made of and what it costs."""

from __future__ import annotations

from typing import Annotated

import typer

Model = Annotated[str, typer.Argument(help="fcn32s, fcn16s, fcn8s, ...")]
Classes = Annotated[int, typer.Option(help="Number of classes, background included.")]
Width = Annotated[float, typer.Option(help="Factor on all channel counts.")]
Padding = Annotated[int, typer.Option(help="Of the first layer.")]
Size = Annotated[str, typer.Option(help="Height x width of the picture.")]


def summary(
    model: Model,
    size: Size = "375x500",
    batch_size: Annotated[int, typer.Option(help="Pictures in a batch.")] = 1,
    num_classes: Classes = 21,
    width: Width = 1.0,
    padding: Padding = 100,
    measure: Annotated[bool, typer.Option(help="Also run a training step and measure its peak memory.")] = False,
) -> None:
    """Print each layer's output shape, parameters, multiply-adds and im2col bytes; totals; memory, predicted and measured.

    Example: minifcn summary fcn8s --size 375x500 --measure
    """
    from minifcn.checks.ledger import ledger

    net = build(model, num_classes, width, padding)
    shape = (batch_size, 3, *parse_size(size))
    costs = ledger(net, shape)
    print(costs)
    if measure:
        from minifcn.checks.memory import training_step_peak

        peak = training_step_peak(net, shape, num_classes)
        print(
            f"measured: {peak / 2**20:,.0f} MB at the peak of a training step, predicted {costs.training_peak / 2**20:,.0f} MB"
        )


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
