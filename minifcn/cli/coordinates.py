"""``minifcn coordinates``: where each layer's pixels look, and the crops that follow."""

from __future__ import annotations

from minifcn.cli.options import Classes, Model, Padding, Size, build, parse_size


def coordinates(model: Model, size: Size = "375x500", num_classes: Classes = 21, padding: Padding = 100) -> None:
    """Print stride, offset and receptive field of every layer, and the crops derived from them.

    Example: minifcn coordinates fcn8s
    """
    from minifcn.anatomy.coordinates import coordinates as places

    net = build(model, num_classes, 1 / 64, padding)  # coordinates do not depend on the number of channels
    print(places(net, (1, 3, *parse_size(size))))
