"""What a run's folder says of it: its settings, its log, its best validation; and which runs may be set side by side."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from minifcn.safe_file import names_for
from minifcn.training import RunFolder, read_metadata

NEAR = 0.9  # of the best mean IU: when a run that gets there has mostly converged
# Settings that say where and how much is written, not what is learnt.
_ASIDE = ("root", "device", "precision", "log_every", "checkpoint_every", "samples", "missing")


@dataclass(frozen=True)
class Record:
    """A run that was validated. `rows` are its log's, `about` its best checkpoint's metadata, `pictures` the measures of each
    validation picture by id ({} where an older version wrote the run)."""

    name: str
    path: Path
    config: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    about: Mapping[str, Any]
    pictures: Mapping[str, Mapping[str, float | None]]

    @cached_property
    def validations(self) -> list[Mapping[str, Any]]:
        return [row for row in self.rows if row["event"] == "validation"]

    @property
    def last(self) -> Mapping[str, Any]:
        """The last validation."""
        return self.validations[-1]

    @property
    def best(self) -> Mapping[str, Any]:
        """The validation with the best mean IU, the first of several."""
        return max(self.validations, key=_mean_iu)

    @property
    def near_best(self) -> Mapping[str, Any]:
        """The first validation with nine tenths of the best mean IU: the speed of convergence."""
        return next(row for row in self.validations if _mean_iu(row) >= NEAR * _mean_iu(self.best))

    @property
    def classes(self) -> list[str]:
        return list(self.about["classes"])

    @property
    def protocol(self) -> tuple[Any, ...]:
        """What must be equal for two runs' measures to mean the same: the classes, and the pictures that were validated on."""
        return tuple(self.classes), self.about.get("val_pictures")

    @property
    def settings(self) -> dict[str, Any]:
        """{setting: value} of what decides what was learnt, the network's options among it."""
        tables = (self.config.get(table, {}) for table in ("data", "network", "optimizer", "training"))
        flat = {name: value for table in tables if isinstance(table, Mapping) for name, value in table.items()}
        options = flat.pop("options", {})
        return {name: value for name, value in {**flat, **options}.items() if name not in _ASIDE}


def read(path: Path, name: str) -> Record:
    """The record of the run in a folder. Raises OSError or ValueError, with a clause, for one that is none, that is damaged, or
    that was never validated."""
    folder = RunFolder(path)
    if not path.is_dir():
        raise FileNotFoundError("there is no such folder" if not path.exists() else "it is a file, and no run folder")
    config, rows = folder.read_config(), folder.read_log()
    if not any(row["event"] == "validation" for row in rows):
        raise ValueError("it was never validated")
    about = read_metadata(folder.best)
    if not isinstance(about.get("classes"), list):
        raise ValueError(f"{folder.best} does not say its classes")
    record = Record(name, path, config, rows, about, folder.read_pictures())
    for row in record.validations:
        if not isinstance(row.get("per_class_iu"), Mapping) or set(row["per_class_iu"]) != set(record.classes):
            raise ValueError(f"{folder.log_jsonl}: the validation at iteration {row['iteration']} lacks the IU of its classes")
    return record


def read_all(paths: Sequence[Path]) -> tuple[list[Record], list[tuple[Path, str]]]:
    """(the records of the runs, those that are left out with the reason). Raises ValueError where no run is left."""
    paths = list(dict.fromkeys(path.resolve() for path in paths))
    records, left_out = [], []
    for path, name in zip(paths, names_for(paths), strict=True):
        try:
            records.append(read(path, name))
        except (OSError, ValueError, TypeError, KeyError) as error:
            left_out.append((path, " ".join(str(error).split()) or type(error).__name__))
    if not records:
        reasons = "; ".join(f"{path}: {reason}" for path, reason in left_out)
        raise ValueError(f"there is no run to compare ({reasons}): give the folders of runs that were validated")
    return records, left_out


def groups(records: Sequence[Record]) -> list[list[Record]]:
    """The runs by protocol: within a group numbers compare, between groups they do not. The largest group comes first."""
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(json.dumps(record.protocol), []).append(record)
    return sorted(found.values(), key=len, reverse=True)


def differences(records: Sequence[Record]) -> dict[str, list[Any]]:
    """{setting: its value in each run, None where it has none} for the settings that are not the same in all of them."""
    names = dict.fromkeys(name for record in records for name in record.settings)
    values = {name: [record.settings.get(name) for record in records] for name in names}
    return {name: each for name, each in values.items() if any(value != each[0] for value in each)}


# What a table says of a run beside its name: heading, how many digits, and where it comes from. A look has what no log holds.
_COLUMNS: dict[str, tuple[str, Any]] = {
    "parameters": (",.0f", lambda run, look: look.get("parameters")),
    "multiply-adds": (",.3g", lambda run, look: look.get("macs")),
    "best mean IU": (".4f", lambda run, look: run.best["mean_iu"]),
    "at iteration": (",.0f", lambda run, look: run.best["iteration"]),
    "final mean IU": (".4f", lambda run, look: run.last["mean_iu"]),
    "best pixel accuracy": (".4f", lambda run, look: _best(run, "pixel_accuracy", max)),
    "final pixel accuracy": (".4f", lambda run, look: run.last["pixel_accuracy"]),
    "lowest loss": (".4f", lambda run, look: _best(run, "validation_loss", min)),
    "final loss": (".4f", lambda run, look: run.last["validation_loss"]),
    "mean accuracy": (".4f", lambda run, look: run.best["mean_accuracy"]),
    "f.w. IU": (".4f", lambda run, look: run.best["frequency_weighted_iu"]),
    "Jaccard": (".4f", lambda run, look: run.best.get("jaccard")),
    "Jaccard, weighted": (".4f", lambda run, look: run.best.get("jaccard_weighted")),
    "iterations to 90 %": (",.0f", lambda run, look: run.near_best["iteration"]),
    "seconds to 90 %": (",.0f", lambda run, look: run.near_best.get("seconds")),
    "inference, ms": (",.0f", lambda run, look: look.get("milliseconds")),
}


def table_rows(records: Sequence[Record], looks: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """{heading: the number of each run, as text}: "-" where a run has none."""
    return {
        heading: [_text(value(run, looks.get(run.name, {})), digits) for run in records]
        for heading, (digits, value) in _COLUMNS.items()
    }


def _text(value: float | None, digits: str) -> str:
    return "-" if value is None else f"{value:{digits}}"


def _best(run: Record, key: str, best: Any) -> float | None:
    return best((row[key] for row in run.validations if row.get(key) is not None), default=None)


def _mean_iu(row: Mapping[str, Any]) -> float:
    return -1.0 if row.get("mean_iu") is None else row["mean_iu"]
