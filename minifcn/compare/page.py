"""The page of a comparison: one HTML file that needs no network and no scripts."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from minifcn.compare import pictures
from minifcn.compare.looks import PICTURES, Look, best_and_worst, chosen, dataset_of
from minifcn.compare.records import Record, differences, groups, table_rows
from minifcn.data import SegmentationDataset
from minifcn.safe_file import write_text
from minifcn.visualize import best_effort

KEPT = "kept"


@dataclass(frozen=True)
class Story:
    """What a page is about: its title, paragraphs, and what somebody else reports of the runs, {measure: {run: figure}}."""

    title: str
    about: Sequence[str] = ()
    reported: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def write_page(
    records: Sequence[Record], left_out: Sequence[tuple[Path, str]], out: Path, story: Story
) -> tuple[dict[str, list[str]], list[str]]:
    """Writes `out`/compare.json and `out`/compare.html; returns the table, and sentences about what could not be shown.

    Numbers are on the disk before anything is predicted or drawn.
    """
    notes = [f"{path} is left out: {reason}" for path, reason in left_out]
    parts = groups(records)
    if len(parts) > 1:
        others = "; ".join(", ".join(record.name for record in part) for part in parts)
        notes.append(
            f"these runs were validated on different pictures or classes, so their measures do not compare: {others}. "
            "Pictures, classes and predictions below are those of the first of these groups"
        )
    shown = parts[0]
    looks: dict[str, Look] = {}
    _write_numbers(records, notes, {}, out)
    dataset = _dataset(shown, notes)
    if dataset is not None:
        ids = chosen(shown, dataset.ids)
        for record in shown:
            try:
                looks[record.name] = Look(record, dataset, ids, out / KEPT)
            except (OSError, ValueError, MemoryError) as error:
                notes.append(f"{record.name} predicts nothing: {' '.join(str(error).split())}")
    facts = {name: look.facts for name, look in looks.items()}
    _write_numbers(records, notes, facts, out)
    sections = {"curves": "", "classes": ""}
    with best_effort("the curves of the comparison"):
        sections["curves"] = embedded(pictures.drawn_curves(records))
    with best_effort("the curves of the classes"):
        sections["classes"] = embedded(pictures.drawn_classes(shown))
    rows = table_rows(records, facts)
    page = template("page.html").render(
        title=story.title, about=story.about, notes=notes, names=[record.name for record in records], rows=rows,
        reported={measure: [figures.get(record.name) for record in records] for measure, figures in story.reported.items()},
        settings=differences(records), ius=_ius(shown), shown=[record.name for record in shown], **sections,
        **_seen(shown, looks, dataset), extremes=_extremes(shown),
    )  # fmt: skip
    write_text(out / "compare.html", page)
    return rows, notes


def _write_numbers(
    records: Sequence[Record], notes: Sequence[str], facts: Mapping[str, Mapping[str, Any]], out: Path
) -> None:  # fmt: skip
    """compare.json: of each run its best, last and nine-tenths validation, its size and speed where known, its settings."""
    out.mkdir(parents=True, exist_ok=True)
    runs = {
        record.name: {
            "folder": str(record.path), "best": record.best, "last": record.last, "near_best": record.near_best,
            **facts.get(record.name, {}), "settings": record.settings,
        }
        for record in records
    }  # fmt: skip
    write_text(out / "compare.json", json.dumps({"runs": runs, "notes": list(notes)}, indent=1) + "\n")


def _dataset(shown: Sequence[Record], notes: list[str]) -> SegmentationDataset | None:
    """The pictures that these runs were validated on, by the first that still finds them."""
    reason = ""
    for record in shown:
        try:
            return dataset_of(record)
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())
    notes.append(f"the pictures that the runs were validated on are not there, so nothing is predicted: {reason}")
    return None


def _ius(shown: Sequence[Record]) -> dict[str, list[str]]:
    """{class: its IU in per cent in the best validation of each run}."""
    return {
        name: ["-" if (iu := record.best["per_class_iu"][name]) is None else f"{100 * iu:.1f}" for record in shown]
        for name in shown[0].classes
    }


def _seen(shown: Sequence[Record], looks: Mapping[str, Look], dataset: SegmentationDataset | None) -> dict[str, Any]:
    """What the template shows of pictures, predictions and feature maps."""
    if dataset is None or not looks:
        return {"examples": [], "legend": [], "maps": [], "most": PICTURES}
    palette = np.asarray(shown[0].about["palette"], np.uint8)
    places = {id: place for place, id in enumerate(dataset.ids)}
    examples, masks = [], []
    for id in next(iter(looks.values())).ids:
        image, truth = dataset[places[id]]
        masks += [truth, *(look.labels[id] for look in looks.values())]
        cells = [("picture", "", embedded(pictures.drawn_picture(image)))]
        cells.append(("truth", "", embedded(pictures.drawn_mask(truth, palette))))
        for name, look in looks.items():
            measured = look.record.pictures.get(id, {}).get("mean_iu")
            said = "" if measured is None else f"mean IU {measured:.3f}"
            cells.append((name, said, embedded(pictures.drawn_mask(look.labels[id], palette))))
        examples.append((id, cells))
    maps = [(name, embedded(look.maps.read_bytes())) for name, look in looks.items() if look.maps.is_file()]
    return {"examples": examples, "legend": pictures.legend(masks, palette, shown[0].classes), "maps": maps, "most": PICTURES}


def _extremes(shown: Sequence[Record]) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """(run, [(best or worst, id, mean IU)])."""
    found = []
    for record in shown:
        pair = best_and_worst(record)
        if pair is not None:
            words = zip(("best", "worst"), pair, strict=True)
            found.append((record.name, [(word, id, f"{record.pictures[id]['mean_iu']:.3f}") for word, id in words]))
    return found


def embedded(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()


def template(name: str) -> jinja2.Template:
    """A page of this folder that is to be filled in; text from outside is no markup."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("minifcn.compare", "."), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template(name)
