"""The ten patients of lesson 18. Their charts were made once, by ``python -m minifcn.course.clinic.charts``, and are kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from minifcn.course.clinic.illnesses import ILLNESSES, NAMES, blue_first
from minifcn.course.clinic.procedure import Chart, Parts, examined, trained

PATIENTS = {
    1: "void as background",
    2: "masks of other pictures",
    3: "examined in training mode",
    4: "red and blue exchanged",
    5: "loss summed",
    6: "crop off by two",
    7: "rate too small",
    8: "averaged by picture",
    9: "masks resized smoothly",
    10: "kernels too small",
}
CURES: dict[int, tuple[str, Callable[[Callable[..., Any]], Parts]]] = {  # a reader's function, and the part that it becomes
    4: ("cure_colours", lambda cure: {"pictures_to_examine": lambda x: cure(blue_first(x))}),
    5: ("cure_rate", lambda cure: {"rate": cure}),
    6: ("cure_crop", lambda cure: {"crop": cure}),
    8: ("cure_average", lambda cure: {"average": cure}),
}
HEALED = 0.92  # mean IU
FILE = Path(__file__).with_name("charts.json")


@cache
def chart(patient: int) -> Chart:
    """The chart of one of the ten; 0 is a healthy network. Raises ValueError for another number."""
    kept = json.loads(FILE.read_text(encoding="utf-8"))
    if str(patient) not in kept:
        raise ValueError(f"there is no patient {patient}; choose one of 1 to {len(PATIENTS)}")
    return Chart(**kept[str(patient)])


def patient(parts: Parts, seed: int = 0) -> Chart:
    """The chart of a network with these parts: trained and examined now, in a few seconds."""
    net, notes = trained(parts, seed)
    return examined(net, parts, notes, seed)


def treated(number: int, cure: Callable[..., Any]) -> Chart:
    """The chart of one of the ten with the reader's function in the place of what is wrong."""
    _, becomes = CURES[number]
    return patient(ILLNESSES[PATIENTS[number]].parts | becomes(cure))


def drawn(seed: int) -> tuple[str, Chart]:
    """A new patient: one of the sixteen illnesses, with other pictures and other first weights."""
    name = NAMES[int(np.random.default_rng(seed).integers(len(NAMES)))]
    return name, patient(ILLNESSES[name].parts, seed_of(seed))


def seed_of(seed: int | None) -> int:
    """Which pictures and first weights a drawn patient has; 0 are those of the ten."""
    return 0 if seed is None else 1 + seed % 90


def write() -> None:
    """Examines the ten and the healthy network, and keeps their charts."""
    kept = {0: patient({})} | {number: patient(ILLNESSES[name].parts) for number, name in PATIENTS.items()}
    lines = [f'"{number}": {json.dumps(_short(one.as_dict()))}' for number, one in kept.items()]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def _short(value: Any) -> Any:
    """Numbers of six digits: enough for a chart."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, list):
        return [_short(one) for one in value]
    return {key: _short(one) for key, one in value.items()} if isinstance(value, dict) else value


if __name__ == "__main__":
    write()
