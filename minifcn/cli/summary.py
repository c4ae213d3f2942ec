"""``minifcn summary``: what a network is made of and what it costs."""

from __future__ import annotations

from typing import Annotated

import typer

from minifcn.cli.options import Classes, Model, Padding, Size, Width, build, parse_size


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
    from minifcn.anatomy.ledger import ledger

    net = build(model, num_classes, width, padding)
    shape = (batch_size, 3, *parse_size(size))
    costs = ledger(net, shape)
    print(costs)
    if measure:
        from minifcn.anatomy.memory import training_step_peak

        peak = training_step_peak(net, shape, num_classes)
        print(
            f"measured: {peak / 2**20:,.0f} MB at the peak of a training step, predicted {costs.training_peak / 2**20:,.0f} MB"
        )
