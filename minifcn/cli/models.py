"""``minifcn models``: the networks that there are."""

from __future__ import annotations

from typing import Annotated

import typer


def models(name: Annotated[str | None, typer.Argument(help="One of them; else all.")] = None) -> None:
    """List the networks: parameters for 21 classes, where they were published, options with their defaults.

    Example: minifcn models unet
    """
    from minifcn.layers import initializers
    from minifcn.models import build, entry, names, options

    networks = names() if name is None else [name]
    width = max(map(len, networks))
    for network in networks:
        with initializers.blank():  # a shape is all that counting needs
            parameters = sum(parameter.size for parameter in build(network, 21).parameters())
        print(f"{network:{width}} {parameters:11,} parameters   {entry(network).source}")
        print(f"{'':{width}} {', '.join(f'{option}={default}' for option, default in options(network).items())}")
