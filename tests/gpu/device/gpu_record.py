"""What was measured on a GPU: one JSON file for a device and a day, to which every run of a part is added, and its table.

    {"format": ..., "device": ..., "date": ..., versions and the like,
     "parts": {"step": [run, run, ...], ...}, "left_out": [...]}

A run is never overwritten by a later one, and the file is replaced whole each time, so it can be read at any moment.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from minifcn.bench.tables import milliseconds, ratio
from minifcn.bench.timing import geometric_mean
from minifcn.safe_file import write_text

FORMAT = "minifcn gpu 1"
PRECISIONS = ("tf32", "float32")


class Record:
    """The file of one device and day; what is in it already stays."""

    def __init__(self, path: Path, facts: dict[str, Any]) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        before = _read_or_put_aside(path)
        self.content = {"format": FORMAT, **before, **facts}
        self.content.setdefault("parts", {})
        self.content.setdefault("left_out", [])
        self.save()

    def begin(self, part: str, **about: Any) -> dict[str, Any]:
        """A new run of a part, as a dictionary to be filled; `save` writes it as it then is."""
        run = {**about, "status": "running", "commands": [], "found": {}}
        self.content["parts"].setdefault(part, []).append(run)
        self.save()
        return run

    def leave_out(self, part: str, why: str) -> None:
        """Notes that a part was asked for and not run."""
        self.content["left_out"].append({"part": part, "why": why})
        self.save()

    def save(self) -> None:
        """Writes the file, whole or not at all."""
        write_text(self.path, json.dumps(self.content, indent=1) + "\n")


def _read_or_put_aside(path: Path) -> dict[str, Any]:
    """The file's content, {} where there is none. One that cannot be read keeps its content under another name."""
    try:
        return read(path)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        aside = path.with_suffix(".unreadable")
        path.rename(aside)
        print(f"{error}; it is now {aside}")
        return {}


def read(path: Path) -> dict[str, Any]:
    """A file's content. Raises ValueError where it is no such file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f"{path} is no record of run_on_gpu.py")
    return content


def merged(contents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Several files of one device as one: all runs in the order in which they began, the facts of the last file."""
    parts: dict[str, list[dict[str, Any]]] = {}
    for content in contents:
        for part, runs in content["parts"].items():
            parts.setdefault(part, []).extend(runs)
    for runs in parts.values():
        runs.sort(key=lambda run: run.get("began", ""))
    return {**contents[-1], "parts": parts}


# ------------------------------------------------------------------------------------------------------------ the table


def table(content: dict[str, Any]) -> str:
    """The README's Markdown: what it was measured on, FCN-8s whole, its layers, and the training; what is missing is left
    out. Of several runs of a part the last one that has the figures counts."""
    return "\n\n".join(filter(None, (_about(content), _networks(content), _layers(content), _training(content)))) + "\n"


def _found(content: dict[str, Any], part: str, key: str) -> Any:
    """What the last run of a part that found anything under `key` found there; None where none did."""
    return next((run["found"][key] for run in reversed(content["parts"].get(part, [])) if run["found"].get(key)), None)


def _results(content: dict[str, Any], subject: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every result of a subject of `minifcn bench`, with its precision."""
    for precision in PRECISIONS:
        files = _found(content, subject, f"{subject}, {precision}") or {}
        bench = files.get(subject) or files.get(f"{subject}-unfinished") or {"results": []}
        yield from ((precision, result) for result in bench["results"])


def _about(content: dict[str, Any]) -> str:
    versions = content.get("versions", {})
    names = {"cupy-cuda13x": "CuPy", "cupy-cuda12x": "CuPy", "torch": "PyTorch", "nvidia-cudnn-cu13": "cuDNN"}
    said = ", ".join(f"{name} {versions[package]}" for package, name in names.items() if package in versions)
    return f"{content['device']}, {content['date']}, {said}; medians, ours / PyTorch, below 1 is faster."


def _networks(content: dict[str, Any]) -> str:
    """One row a subject, batch size and precision: milliseconds, their ratio, and the host's part of them."""
    rows = []
    for subject in ("step", "inference"):
        for precision, result in _results(content, subject):
            ours, theirs, our_host, their_host = (
                milliseconds(_median(result.get(f"{side}_seconds")))
                for side in ("ours", "pytorch", "ours_host", "pytorch_host")
            )
            name = f"{result['group'].removeprefix('FCN-8s, ')}, {result['name']}"
            rows.append((name, precision, ours, theirs, ratio(result["ratio"]), our_host, their_host))
    columns = ("FCN-8s", "precision", "ours ms", "PyTorch ms", "ratio", "ours, host ms", "PyTorch, host ms")
    return _markdown(columns, rows, text=2)


def _layers(content: dict[str, Any]) -> str:
    """One row a group of layers and precision, and one for all: the geometric mean of the ratios, and the worst."""
    rows = []
    for wanted in PRECISIONS:
        results = [result for precision, result in _results(content, "layers") if precision == wanted]
        groups: dict[str, list[dict[str, Any]]] = {}
        for result in results:
            groups.setdefault(result["group"], []).append(result)
        if results:
            groups["all of them"] = results
        for group, members in groups.items():
            known = [result for result in members if result["ratio"] is not None]
            worst = max(known, key=lambda result: result["ratio"], default=None)
            mean = ratio(geometric_mean(result["ratio"] for result in known))
            said = "-" if worst is None else f"{ratio(worst['ratio'])} ({worst['name']})"
            rows.append((group, wanted, str(len(members)), mean, said))
    return _markdown(("layers one by one", "precision", "how many", "geometric mean", "worst"), rows, text=2)


def _training(content: dict[str, Any]) -> str:
    found = _found(content, "train", "training")
    if not found:
        return ""
    score = _found(content, "train", "evaluation") or {}
    measured = "".join(
        f", {name.replace('_', ' ')} {score[name]:.4f}" for name in ("mean_iu", "pixel_accuracy") if score.get(name) is not None
    )
    return (
        f"FCN-8s trained on {found['data']}: {found['iterations']} iterations in {found['seconds']:.0f} s, "
        f"{found['images_per_second']:.0f} pictures a second{measured}."
    )


def _median(values: Iterable[float] | None) -> float | None:
    return median(values) if values else None


def _markdown(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]], text: int) -> str:
    """A table whose first `text` columns are text and whose others are numbers, to the right; "" without rows."""
    if not rows:
        return ""
    rule = ["---"] * text + ["---:"] * (len(columns) - text)
    return "\n".join(f"| {' | '.join(row)} |" for row in (columns, rule, *rows))
