"""``minifcn summary``: what a network is made of and what it costs."""

from __future__ import annotations

from typing import Annotated

import typer

from minifcn.cli.options import Classes, Model, Options, Padding, Width, build, network_options, parse_size


def summary(
    model: Model,
    size: Annotated[str | None, typer.Option(help="Height x width of the picture; 375x500, or the style's own.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Pictures in a batch; 1, or 2 where 1 cannot be trained on.")] = None,
    num_classes: Classes = 21,
    width: Width = None,
    padding: Padding = None,
    option: Options = None,
    style: Annotated[str | None, typer.Option(help="seed-000: encoder-decoder as its source document prints it.")] = None,
    measure: Annotated[bool, typer.Option(help="Also run a training step and measure its peak memory.")] = False,
) -> None:
    """Print each layer's output shape, parameters, multiply-adds and im2col bytes; totals; memory, predicted and measured.

    Example: minifcn summary fcn8s --size 375x500 --measure
    """
    from minifcn.anatomy.ledger import ledger
    from minifcn.layers import channels_of_picture, initializers
    from minifcn.training.batches import one_value_a_channel

    if batch_size is not None and batch_size < 1:
        raise ValueError(f"--batch-size {batch_size}: a batch has at least 1 picture")
    if style is not None:
        if measure or batch_size is not None:
            raise ValueError(f"--style {style} prints a document's own table: leave out --measure and --batch-size")
        from minifcn.anatomy.torchsummary import styled

        options = network_options(model, option, width=width, padding=padding)
        print(styled(style, model, parse_size(size) if size else None, num_classes=num_classes, **options))
        return
    H, W = parse_size(size or "375x500")
    with initializers.blank():
        net = build(model, num_classes, option, width=width, padding=padding)
    if batch_size is None:
        batch_size = 2 if one_value_a_channel(net, (H, W)) else 1
    shape = (batch_size, channels_of_picture(net), H, W)
    costs = ledger(net, shape)
    print(costs)
    if measure:
        from minifcn.anatomy.memory import training_step_peak
        from minifcn.anatomy.room import check_room

        check_room(net, shape, training=True)
        net = build(model, num_classes, option, width=width, padding=padding)
        peak = training_step_peak(net, shape, num_classes)
        print(
            f"measured: {peak / 2**20:,.0f} MB at the peak of a training step, predicted {costs.training_peak / 2**20:,.0f} MB"
        )
