"""``minifcn coordinates``: where each layer's pixels look, and the crops that follow."""

from __future__ import annotations

from minifcn.cli.options import Classes, Model, Options, Padding, Size, Width, build, parse_size


def coordinates(
    model: Model, size: Size = "375x500", num_classes: Classes = 21, width: Width = None, padding: Padding = None,
    option: Options = None,
) -> None:  # fmt: skip
    """Print stride, offset and receptive field of every layer, and the crops derived from them.

    Example: minifcn coordinates fcn8s
    """
    from minifcn.anatomy.coordinates import coordinates as places
    from minifcn.layers import channels_of_picture, initializers

    with initializers.blank():
        net = build(model, num_classes, option, width=width, padding=padding)
    shape = (2, channels_of_picture(net), *parse_size(size))  # of one picture, image pooling makes one value a channel
    print(places(net, shape))
