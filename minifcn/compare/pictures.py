"""The pictures of a comparison, as the bytes of PNG files."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from minifcn.compare.records import Record
from minifcn.visualize.curves import class_curves, curves
from minifcn.visualize.overlays import outlined, scaled
from minifcn.visualize.style import to_image

WIDTH = 300  # dots of a picture on the page


def drawn_curves(records: Sequence[Record]) -> bytes:
    """Loss, measures and rate of all runs over the iterations, training beside validation."""
    return png(to_image(curves({record.name: record.rows for record in records})))


def drawn_classes(records: Sequence[Record]) -> bytes:
    """The IU of each class over the iterations, a line for each run."""
    return png(to_image(class_curves({record.name: record.rows for record in records}, records[0].classes)))


def drawn_mask(labels: np.ndarray, palette: np.ndarray) -> bytes:
    """Labels (H, W) as colours, with a white line between them."""
    return png(scaled(outlined(labels, palette), WIDTH))


def drawn_picture(image: np.ndarray) -> bytes:
    return png(scaled(image, WIDTH))


def legend(labels: Sequence[np.ndarray], palette: np.ndarray, classes: Sequence[str]) -> list[tuple[str, str]]:
    """(name, colour) of each class in these masks, void among them."""
    seen = sorted({int(label) for one in labels for label in np.unique(one)})
    names = dict(enumerate(classes))
    return [(names.get(label, "void"), "#{:02x}{:02x}{:02x}".format(*palette[label].tolist())) for label in seen]


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, format="PNG", optimize=True)
    return file.getvalue()
