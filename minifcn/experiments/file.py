"""An experiment's file, read and checked: nothing is run before all of it is known to be possible."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minifcn.training.plan import FIELDS
from minifcn.training.run.folder import read_toml

LENGTHS = ("shares", "epochs")
_OF_FILE = ("title", "about", "length", "epochs", "settings", "run")
_OF_RUN = ("name", "share", "with_weights", "document")
# What the schedule decides, and where the command line says where things lie.
_DECIDED = ("iterations", "epochs", "validate_every", "validate_on", "data", "root", "checkpoint_every")
SETTINGS = tuple(name for name in ("recipe", *FIELDS) if name not in _DECIDED)
RUN = "run:"  # init_from of an earlier run
WEIGHTS = "weights"  # init_from of the file on the command line


@dataclass(frozen=True)
class Planned:
    """One run of an experiment: its settings, those that hold with weights, and what its document reports."""

    name: str
    share: float = 1.0
    settings: Mapping[str, Any] = field(default_factory=dict)
    with_weights: Mapping[str, Any] = field(default_factory=dict)
    document: Mapping[str, str] = field(default_factory=dict)

    def values(self, weights: Path | None) -> dict[str, Any]:
        """The settings, with the place of the weights where they are given."""
        values = dict(self.settings)
        if weights is not None:
            values |= self.with_weights
            if values.get("init_from") == WEIGHTS:
                values["init_from"] = str(weights)
        return values


@dataclass(frozen=True)
class Experiment:
    """Runs that are to be set side by side, in their order."""

    name: str
    title: str
    about: tuple[str, ...]
    runs: tuple[Planned, ...]
    length: str = "shares"
    epochs: float = math.inf

    def reported(self) -> dict[str, list[str]]:
        """{measure: what the document reports for each run, "-" where nothing}."""
        measures = dict.fromkeys(measure for run in self.runs for measure in run.document)
        return {measure: [run.document.get(measure, "-") for run in self.runs] for measure in measures}


def shipped() -> list[str]:
    """The names of the source documents' experiments."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.toml"))


def load(name: str | Path) -> Experiment:
    """The experiment of that name, or of a .toml file. Raises FileNotFoundError for none, ValueError, with a clause for what
    is wrong each, for a file that cannot be run."""
    own = str(name).endswith(".toml")
    path = Path(name) if own else Path(__file__).parent / f"{name}.toml"
    if not path.is_file():
        known = f"there is no experiment {str(name)!r}: give one of {', '.join(shipped())}, or a .toml file"
        raise FileNotFoundError(f"no such file: {name}" if own else known)
    content = read_toml(path)
    problems: list[str] = []
    _check_keys(content, _OF_FILE, "the file", problems)
    settings, runs = content.get("settings", {}), content.get("run", [])
    if not isinstance(settings, dict) or not isinstance(runs, list) or not all(isinstance(run, dict) for run in runs):
        raise ValueError(f"{path}: settings is a table, [settings], and each run one of a list, [[run]]")
    _check_keys(settings, SETTINGS, "[settings]", problems)
    if not runs:
        problems.append("it has no run: give at least one [[run]]")
    planned: list[Planned] = []
    for number, run in enumerate(runs, start=1):
        planned.append(_planned(run, settings, number, [one.name for one in planned], problems))
    length, epochs = content.get("length", "shares"), content.get("epochs", math.inf)
    if length not in LENGTHS:
        problems.append(f"length is {length!r}; possible are {', '.join(LENGTHS)}")
    if isinstance(epochs, bool) or not isinstance(epochs, int | float) or not epochs > 0:
        problems.append(f"epochs is {epochs!r}; it must be a number above 0")
    if problems:
        raise ValueError(f"{path}: {'; '.join(problems)}")
    about = content.get("about", [])
    paragraphs = tuple(map(str, about if isinstance(about, list) else [about]))
    return Experiment(path.stem, str(content.get("title", path.stem)), paragraphs, tuple(planned), length, float(epochs))


def _planned(
    run: Mapping[str, Any], settings: Mapping[str, Any], number: int, before: list[str], problems: list[str]
) -> Planned:  # fmt: skip
    """One [[run]], with what is wrong with it added to the problems."""
    name, share = run.get("name"), run.get("share", 1.0)
    where = f"run {number}" if not isinstance(name, str) else f"run {name}"
    if not isinstance(name, str) or not name or name.startswith(".") or any(letter in name for letter in "/\\:\0"):
        problems.append(f"{where} has the name {name!r}; give one that can be a folder's")
    elif name in before:
        problems.append(f"two runs have the name {name}")
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < math.inf:
        problems.append(f"{where} has share {share!r}; it must be a number above 0")
    with_weights, document = run.get("with_weights", {}), run.get("document", {})
    if not isinstance(with_weights, dict) or not isinstance(document, dict):
        problems.append(f"{where}: with_weights and document are tables")
        with_weights = document = {}
    own = {key: value for key, value in run.items() if key not in _OF_RUN}
    _check_keys(own, (*_OF_RUN, *SETTINGS), where, problems)
    _check_keys(with_weights, SETTINGS, f"with_weights of {where}", problems)
    values = {**settings, **own, "options": {**settings.get("options", {}), **own.get("options", {})}}
    for value in (values.get("init_from"), with_weights.get("init_from")):
        if isinstance(value, str) and value.startswith(RUN) and value.removeprefix(RUN) not in before:
            problems.append(f"{where} starts from {value}, which is no run before it")
    documented = {str(measure): str(figure) for measure, figure in document.items()}
    return Planned(str(name), float(share) if isinstance(share, int | float) else 1.0, values, with_weights, documented)


def _check_keys(table: Mapping[str, Any], known: tuple[str, ...], where: str, problems: list[str]) -> None:
    for key in table:
        if key in known:
            continue
        if key in _DECIDED:
            problems.append(f"{where} has {key}, which the budget and the command line decide")
            continue
        near = difflib.get_close_matches(key, known, 3) or known[:6]
        problems.append(f"{where} has {key}, which is not known; near it are {', '.join(near)}")
