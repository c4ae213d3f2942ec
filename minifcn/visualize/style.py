"""One look for every picture of this package: colours, type, line widths, and files that come out the same each time.

Colours are those of Okabe and Ito (2008), which people with any of the common kinds of colour blindness can tell apart; a
colour also never carries a meaning alone: cells have numbers in them, lines differ in dashes and markers too, so that a page
printed in grey says the same.

Figures are made without pyplot: no window opens, and the user's own matplotlib settings are neither used nor changed.

    with style.look():
        figure = style.figure(6, 3)
        axes = figure.add_subplot()
        axes.plot(losses)
    style.save(figure, "losses.png")
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from minifcn.safe_file import replacing
from minifcn.visualize import letters
from minifcn.visualize.mpl import (
    ColorType,
    ConstrainedLayoutEngine,
    Figure,
    FigureCanvasAgg,
    LinearSegmentedColormap,
    Text,
    mpl,
    to_rgb,
)

INK = "#1a1a1a"  # text and frames
MUTED = "#666666"  # what may be overlooked: indices, ticks
RULE = "#bdbdbd"  # thin lines between cells
PAPER = "#ffffff"
PADDING = "#e9e9e9"  # cells that are not data: padding and inserted zeros

BLUE, ORANGE, GREEN, VERMILION = "#0072b2", "#e69f00", "#009e73", "#d55e00"
SKY, PURPLE = "#56b4e9", "#cc79a7"
FRAME = "#9e0b0f"  # dark red: a frame stands out from cells of every colour here, also in grey

# Lines of a plot take these in turns; without the yellow that white paper swallows, neighbours apart in lightness too.
COLOURS = (BLUE, VERMILION, GREEN, PURPLE, INK, SKY, ORANGE)
DASHES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

# Signed values, 0 in the middle; both ends stay light enough for black numbers on them.
SIGNED = LinearSegmentedColormap.from_list("minifcn.signed", ["#84bce3", "#ffffff", "#f7c05c"])
# Amounts from nothing to much; its grey runs one way, so it survives a black-and-white printer.
AMOUNT = LinearSegmentedColormap.from_list("minifcn.amount", ["#ffffff", "#a9cfe8", "#3d8bc0", "#0b3c5d"])

THIN, LINE, THICK = 0.6, 1.6, 2.6  # points
DPI = 150

_turn = threading.RLock()
_RC = {
    "font.size": 10,
    "text.color": INK,
    "text.hinting": "none",
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": THIN,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "lines.linewidth": LINE,
    "lines.markersize": 4,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "hatch.linewidth": THIN,
}


@contextmanager
def look(*texts: str) -> Iterator[None]:
    """Context in which matplotlib draws in this package's look, whatever the user's own settings are.

    `texts` are what will be written from outside, for which fonts are looked for. Matplotlib's settings belong to the whole
    process: drawings take turns, or one thread would put back what another has changed.
    """
    settings = {**_RC, "font.family": letters.families("".join(texts))}
    with _turn, np.errstate(all="ignore"), mpl.style.context(["default", settings]):
        yield


def figure(width: float, height: float, constrained: bool = True) -> Figure:
    """An empty figure of width x height inches that belongs to no window. Draw on it inside :func:`look`."""
    layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1) if constrained else None  # inches: no label touches the edge
    drawn = Figure(figsize=(width, height), dpi=DPI, layout=layout, facecolor=PAPER)
    FigureCanvasAgg(drawn)
    return drawn


def to_image(drawn: Figure, dpi: int = DPI) -> Image.Image:
    """The figure as a Pillow picture, mode RGB, of exactly its size in inches times dpi."""
    buffer = io.BytesIO()
    with np.errstate(all="ignore"):  # to list its texts, a figure works out its ticks
        texts = [text.get_text() for text in drawn.findobj(Text)]
    with look(*texts):
        drawn.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return Image.open(buffer).convert("RGB")


def save(drawn: Figure, path: str | Path) -> Path:
    """Writes the figure as a PNG without date, version or other metadata: the same figure gives the same bytes."""
    path = Path(path)
    image = to_image(drawn)
    with replacing(path) as file:
        image.save(file, format="PNG", optimize=True)
    return path


def tint(colour: str, strength: float) -> tuple[float, ...]:
    """The colour mixed with white: strength 0 is white, 1 the colour itself."""
    return tuple(1 - strength * (1 - channel) for channel in to_rgb(colour))


def ink_on(colour: ColorType) -> str:
    """INK or PAPER, whichever reads better on a ground of this colour (by its relative luminance)."""
    return INK if luminance(colour) > 0.2 else PAPER  # 0.2: where both have a contrast of 4.2


def contrast(one: ColorType, other: ColorType) -> float:
    """The contrast of two colours, 1 (none) to 21 (black and white); WCAG 2.2 asks 3 of what a picture needs to be read."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: ColorType) -> float:
    """How light a colour is, 0 (black) to 1 (white): WCAG 2.2's relative luminance."""
    channels = np.array(to_rgb(colour), float)
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
