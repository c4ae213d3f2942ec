"""One HTML file that opens from the disk: the page, and in it a network's weights and maps in 16 bits each.

The page's modules become one script, for a file may not import another. A number is a step times a whole number's square, with
its sign: small numbers stay as exact beside themselves as large ones nearly are, which a fixed step would not keep. The whole
numbers have 16 bits, of which 15 are used: the last one would cost a tenth of the file. They are deflated with all high bytes
in front of the low ones, which hold little but noise. Of a map there are eight bits more, for what was rounded away, so that
the page can say the stored number and the true one. What only hands numbers on (a ReLU, a crop, a sum ...) is done again by the
page. Forward alone: a backward pass needs the network.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from typing import Any

import numpy as np

from minifcn.explore.places import axes_of
from minifcn.explore.server import page_files
from minifcn.explore.session import Session
from minifcn.explore.steps import Step
from minifcn.layers import (
    Add,
    BatchNorm2d,
    Concat,
    Conv2d,
    ConvTranspose2d,
    Crop,
    Dropout,
    Flatten,
    Identity,
    Linear,
    MaxPool2d,
    PadTo,
    ReLU,
    Scale,
)

_HANDED_ON = (ReLU, Dropout, Identity, Scale, Crop, PadTo, Add, Concat, Flatten)
_LARGEST = 2**14 - 1  # the whole number of an array's largest
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+\.js)";\n', re.MULTILINE)


def exported(session: Session) -> str:
    """The file's text."""
    files = {name: content.decode() for name, content in page_files().items()}
    stored = json.dumps(_stored(session), allow_nan=False).replace("</", "<\\/")
    page = files["index.html"]
    for before, after in (
        ('<link rel="stylesheet" href="style.css">', f"<style>\n{files['style.css']}</style>"),
        (
            '<script type="module" src="app.js"></script>',
            f'<script type="application/json" id="stored">{stored}</script>\n<script type="module">\n{bundled(files)}</script>',
        ),
    ):
        assert before in page, before
        page = page.replace(before, after)
    return page


def bundled(files: dict[str, str], start: str = "app.js") -> str:
    """The modules as one script, each behind those that it imports."""
    order: list[str] = []

    def visit(name: str) -> None:
        if name not in order:
            for needed in _IMPORT.findall(files[name]):
                visit(needed)
            order.append(name)

    visit(start)
    return "\n".join(re.sub(r"^export ", "", _IMPORT.sub("", files[name]), flags=re.MULTILINE) for name in order)


def _stored(session: Session) -> dict[str, Any]:
    steps = session.trace.steps
    arrays: dict[str, np.ndarray] = {}
    for number, step in enumerate(steps):
        if step.own(Conv2d, ConvTranspose2d, Linear):
            layer: Any = step.layer
            arrays[f"weight {number}"] = layer.weight.data
            if layer.bias:
                arrays[f"bias {number}"] = layer.bias.data
        if not _is_handed_on(step):
            arrays[f"map {number}"] = step.maps
    steps_of = {name: _steps(array) for name, array in arrays.items()}
    bits = np.concatenate([whole.view("<u2") for whole, _ in steps_of.values()])
    planes = [(bits >> 8).astype(np.uint8), (bits & 255).astype(np.uint8)]
    planes += [_tails(arrays[name], *steps_of[name]) for name in arrays if name.startswith("map")]
    packed = zlib.compress(np.concatenate(planes).tobytes(), 9)
    return {
        "overview": session.overview(),
        "steps": [_about(session, step) for step in steps],
        "arrays": [[name, whole.size, step] for name, (whole, step) in steps_of.items()],
        "bytes": len(packed),
        "data": base64.b85encode(packed, pad=True).decode("ascii"),
    }


def _is_handed_on(step: Step) -> bool:
    """Whether the page can make the map again from those that came in."""
    return step.own(*_HANDED_ON) and None not in step.sources


def _steps(array: np.ndarray) -> tuple[np.ndarray, float]:
    """(whole numbers in one row, the step that their squares count)."""
    values = _finite(array)
    step = float(np.abs(values).max(initial=0)) / _LARGEST**2 or 1.0
    return np.round(_roots(values, step)).astype("<i2"), step


def _tails(array: np.ndarray, whole: np.ndarray, step: float) -> np.ndarray:
    """What was rounded away, from -127 to 127 for half to either side; 127 more, to be a byte."""
    return np.round((_roots(_finite(array), step) - whole) * 254 + 127).clip(0, 254).astype(np.uint8)


def _roots(values: np.ndarray, step: float) -> np.ndarray:
    return np.sign(values) * np.sqrt(np.abs(values) / step)


def _finite(array: np.ndarray) -> np.ndarray:
    return np.nan_to_num(array.astype(np.float64).ravel(), posinf=0, neginf=0)


def _about(session: Session, step: Step) -> dict[str, Any]:
    """What the page's formulas need to know of a layer."""
    layer: Any = step.layer
    about: dict[str, Any] = {"channels": session.channels(step.key)["channels"], "reach": None}
    places = [layer.coordinates(axis) for axis in (0, 1)] if layer is not None else []
    if places and None not in places:
        about["reach"] = [[float(place.stride), float(place.offset), float(place.field)] for place in places if place]
    if step.own(Conv2d, ConvTranspose2d, MaxPool2d):
        about["axes"] = [[axis.K, axis.S, axis.P, axis.D] for axis in axes_of(layer)]
        about["groups"] = getattr(layer, "groups", 1)
    if step.own(BatchNorm2d):
        ones, zeros = np.ones(len(layer.running_mean)), np.zeros(len(layer.running_mean))
        weight, bias = (layer.weight.data, layer.bias.data) if layer.weight else (ones, zeros)
        deviation = np.sqrt(layer.running_var.astype(np.float64) + layer.eps)
        about["norm"] = [array.astype(np.float64).tolist() for array in (layer.running_mean, deviation, weight, bias)]
    return about | {name: getattr(layer, name) for name in ("offset", "margin", "factor") if hasattr(layer, name)}
