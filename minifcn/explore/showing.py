"""The page for a network of one's own, from Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from minifcn.data import Preprocessing
from minifcn.data.palette import VOC_PALETTE
from minifcn.explore.server import serve
from minifcn.explore.session import Session, Subject
from minifcn.layers import Layer


def show(
    net: Layer, image: np.ndarray, labels: np.ndarray | None = None, classes: Sequence[str] = (),
    preprocessing: Callable[[np.ndarray], np.ndarray] | None = None, port: int = 0, opened: Callable[[str], None] = print,
) -> None:  # fmt: skip
    """Serves the page of any network, at work on ``image`` (H, W, 3) uint8, until Ctrl-C; ``opened`` is told its address.

    ``labels`` (H, W) are the truth, ``classes`` the names of what it scores, and ``preprocessing`` makes (C, H, W) floating
    numbers of the picture: without, it is :class:`~minifcn.data.Preprocessing`'s plain one.
    """
    serve([session_of(net, image, labels, classes, preprocessing)], port, opened)


def session_of(
    net: Layer, image: np.ndarray, labels: np.ndarray | None = None, classes: Sequence[str] = (),
    preprocessing: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Session:  # fmt: skip
    """What :func:`show` serves. Raises ValueError where there are not as many names as the network has scores."""
    session = Session(
        Subject(net, "a network of your own", (), VOC_PALETTE[:0], preprocessing or Preprocessing()), image, labels
    )
    count = session.trace.scores.shape[1]
    names = classes or [f"class {number}" for number in range(count)]
    if len(names) != count:
        raise ValueError(f"there are {len(names)} names of classes, and {type(net).__name__} scores {count}")
    session.subject = replace(session.subject, classes=names, colours=VOC_PALETTE[np.arange(count) % 255])
    return session
