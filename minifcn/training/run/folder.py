"""A run's folder: what was asked for, what happened, what came out.

    config.toml           all settings, versions, git commit
    log.csv, log.jsonl    a row for every `log_every` steps and for every validation; the second also by class, and exact
    last.safetensors      the state to go on from;  best.safetensors: that of the best validation
    curves.png, samples/  pictures;  metrics.json: the best and the last validation in full
    pictures.json         how well each validation picture was segmented in the best validation

Logs are only ever added to. A resumed run first drops the rows after its checkpoint (and a last line that was cut off),
so that the log of a killed and resumed run is that of one that was never stopped, times apart.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from minifcn.safe_file import hold, write_text

COLUMNS = (
    "iteration", "epoch", "lr", "loss", "train_pixel_accuracy", "train_mean_iu", "gradient_norm", "images_per_second",
    "seconds",
    "validation_loss", "pixel_accuracy", "mean_accuracy", "mean_iu", "frequency_weighted_iu", "jaccard", "jaccard_weighted",
)  # fmt: skip


class RunFolder:
    """The folder of one run and the files in it; nothing is touched before `create` or `open`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.config = self.path / "config.toml"
        self.log_csv = self.path / "log.csv"
        self.log_jsonl = self.path / "log.jsonl"
        self.last = self.path / "last.safetensors"
        self.best = self.path / "best.safetensors"
        self.curves = self.path / "curves.png"
        self.samples = self.path / "samples"
        self.metrics = self.path / "metrics.json"
        self.pictures = self.path / "pictures.json"
        self._held: BinaryIO | None = None  # the open lock file

    def create(self) -> RunFolder:
        """Makes the folder for a new run.

        Raises ValueError where it holds a run already, OSError where it cannot be made or written to.
        """
        if any(file.exists() for file in (self.last, self.log_csv, self.log_jsonl)):
            raise ValueError(f"{self.path} already holds a run; resume it, or choose another folder")
        try:
            self.samples.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(f"the run folder {self.path} cannot be made: {error.strerror}") from error
        write_text(self.config, "")  # now we know that it can be written
        return self

    def open(self) -> RunFolder:
        """Checks that the folder holds a run that can be resumed. Raises FileNotFoundError otherwise."""
        if not self.last.is_file():
            what = "holds no last.safetensors" if self.path.is_dir() else "does not exist"
            raise FileNotFoundError(f"the run folder {self.path} {what}; there is no run to resume")
        return self

    def lock(self) -> None:
        """Holds the folder for this process, until `unlock` or the process's end, however that comes.

        Raises ValueError where another process holds it: two that write one log and one checkpoint would ruin both.
        """
        if self._held is None:
            self._held = hold(self.path / ".lock")
            if self._held is None:
                raise ValueError(f"another process is training in {self.path}: wait for it, stop it, or take another folder")

    def unlock(self) -> None:
        """Lets go of the folder."""
        if self._held is not None:
            self._held.close()  # and with the file goes the lock
            self._held = None

    def check_space(self, needed: int) -> None:
        """Raises OSError unless `needed` bytes are free on the folder's disk."""
        free = shutil.disk_usage(self.path).free
        if free < needed:
            raise OSError(
                f"the run folder {self.path} needs {needed / 1e6:,.0f} MB for its checkpoints and its disk has "
                f"{free / 1e6:,.0f} MB free; make room or choose another folder"
            )

    def write_config(self, sections: Mapping[str, Mapping[str, Any]]) -> None:
        """Writes config.toml, a table for each section."""
        write_toml(self.config, sections)

    def read_config(self) -> dict[str, Any]:
        """The sections of config.toml. Raises FileNotFoundError, or ValueError where the file is damaged."""
        return read_toml(self.config)

    def append(self, row: Mapping[str, Any]) -> None:
        """Adds a row to both logs; log.csv takes the COLUMNS among its entries. Raises OSError with a sentence."""
        try:
            with open(self.log_jsonl, "a", encoding="utf-8") as file:
                file.write(json.dumps(_finite(row), allow_nan=False) + "\n")
            with open(self.log_csv, "a", encoding="utf-8", newline="") as file:
                file.write(_csv_text([row], header=file.tell() == 0))
        except OSError as error:
            raise OSError(f"the log in {self.path} cannot be written: {error.strerror or error}") from error

    def read_log(self) -> list[dict[str, Any]]:
        """The rows of log.jsonl; a last line that was cut off is left out; ValueError where another is none."""
        rows: list[dict[str, Any]] = []
        exists = self.log_jsonl.exists()
        lines = self.log_jsonl.read_text(encoding="utf-8", errors="replace").splitlines() if exists else []
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
                rows.append({**row, "event": row["event"], "iteration": int(row["iteration"])})
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                if number < len(lines):  # else a process was killed while it wrote this one
                    raise ValueError(f"{self.log_jsonl}: line {number} is no row; remove what is damaged") from error
        return rows

    def cut_log(self, iteration: int) -> None:
        """Drops the rows after `iteration`; what is kept is on the disk when this returns."""
        rows = [row for row in self.read_log() if row["iteration"] <= iteration]
        write_text(self.log_jsonl, "".join(json.dumps(row) + "\n" for row in rows))
        write_text(self.log_csv, _csv_text(rows, header=True) if rows else "")

    def sync_log(self) -> None:
        """Brings the logs to the disk: done before a checkpoint, so that no checkpoint is ahead of them."""
        for path in (self.log_jsonl, self.log_csv):
            if path.exists():
                with open(path, "rb") as file:
                    os.fsync(file.fileno())

    def write_pictures(self, iteration: int, pictures: Mapping[str, Mapping[str, Any]]) -> None:
        """Writes pictures.json: {"iteration", "pictures": {id: measures}} of a validation."""
        write_text(self.pictures, json.dumps({"iteration": iteration, "pictures": pictures}, indent=1) + "\n")

    def read_pictures(self) -> dict[str, dict[str, float | None]]:
        """{id: measures} of the best validation; {} where the run has none. ValueError where the file is damaged."""
        try:
            found = json.loads(self.pictures.read_text(encoding="utf-8"))["pictures"]
            return {str(id): dict(measures) for id, measures in found.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ValueError(f"{self.pictures} is damaged") from error

    def write_metrics(self) -> None:
        """Writes metrics.json from the log: the validation with the best mean IU, and the last one."""
        validations = [row for row in self.read_log() if row["event"] == "validation"]
        if validations:
            best = max(validations, key=lambda row: -1.0 if row.get("mean_iu") is None else row["mean_iu"])
            write_text(self.metrics, json.dumps({"best": best, "last": validations[-1]}, indent=2) + "\n")


def write_toml(path: Path, sections: Mapping[str, Mapping[str, Any]]) -> None:
    """Writes a TOML file, whole or not at all, a table for each section."""
    import tomli_w

    write_text(path, tomli_w.dumps(_for_toml(sections)))


def read_toml(path: Path) -> dict[str, Any]:
    """The sections of such a file. Raises FileNotFoundError, or ValueError where it is damaged."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: there is no such file; is {path.parent} a run folder?") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read ({error})") from error


def _csv_text(rows: Iterable[Mapping[str, Any]], header: bool) -> str:
    """Rows as lines of CSV, six digits a number; what a row does not have is left empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if header:
        writer.writerow(COLUMNS)
    for row in rows:
        values = (row.get(column) for column in COLUMNS)
        writer.writerow(["" if v is None else f"{v:.6g}" if isinstance(v, float) else v for v in values])
    return text.getvalue()


def _finite(row: Mapping[str, Any]) -> dict[str, Any]:
    """NaN and infinity, which JSON does not have, as None."""
    return {key: None if isinstance(value, float) and not np.isfinite(value) else value for key, value in row.items()}


def _for_toml(value: Any) -> Any:
    """TOML has no None (the entry is left out), no tuples, no paths and no NumPy numbers."""
    if isinstance(value, Mapping):
        return {str(key): _for_toml(entry) for key, entry in value.items() if entry is not None}
    if isinstance(value, np.ndarray | np.generic):
        return _for_toml(value.tolist())
    if isinstance(value, list | tuple):
        return [_for_toml(entry) for entry in value]
    return value if isinstance(value, bool | int | float | str) else str(value)
