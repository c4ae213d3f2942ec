"""What no log holds of a run: what its best network sees in a few pictures, how large it is, and how long a picture takes.

Everything of a run is kept in one file, named after the content of its checkpoint and the pictures, so that it is computed
once: `kept/<digest>.npz`, and the feature maps beside it as a picture.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minifcn import training
from minifcn.anatomy.ledger import ledger
from minifcn.compare.records import Record
from minifcn.data import Preprocessing, SegmentationDataset
from minifcn.layers import Layer
from minifcn.safe_file import replacing
from minifcn.training import Plan, RunFolder
from minifcn.visualize import best_effort
from minifcn.visualize.maps import feature_maps, maps_of

PICTURES, MAPS = 8, 4


def dataset_of(record: Record) -> SegmentationDataset:
    """The pictures that a run was validated on. Raises what their reader raises where they are no longer there."""
    plan = Plan.from_config(record.config).data
    return plan.located(again=True).datasets()[1]


def chosen(records: Sequence[Record], ids: Sequence[str]) -> list[str]:
    """At most eight pictures: four spread over the set, then the best and the worst of each run, as far as there is room."""
    spread = [ids[place] for place in sorted({int(place) for place in np.linspace(0, len(ids) - 1, min(4, len(ids)))})]
    extremes = [id for record in records for id in (best_and_worst(record) or ()) if id in set(ids)]
    return list(dict.fromkeys([*spread, *extremes]))[:PICTURES]


def best_and_worst(record: Record) -> tuple[str, str] | None:
    """The ids of the pictures with the highest and the lowest mean IU in the best validation; None where nobody wrote them."""
    known = {id: value for id, measures in record.pictures.items() if (value := measures.get("mean_iu")) is not None}
    return (max(known, key=lambda id: known[id]), min(known, key=lambda id: known[id])) if known else None


class Look:
    """One run's: `labels` {id: (H, W) uint8}, `facts` with parameters, macs and milliseconds, `maps` the picture's path."""

    def __init__(self, record: Record, dataset: SegmentationDataset, ids: Sequence[str], kept: Path) -> None:
        self.record, self.dataset, self.ids = record, dataset, list(ids)
        content = hashlib.blake2b(digest_size=12)
        with open(RunFolder(record.path).best, "rb") as file:
            while block := file.read(1 << 20):
                content.update(block)
        content.update(json.dumps(self.ids).encode("utf-8", "backslashreplace"))
        self.file, self.maps = (kept / f"{content.hexdigest()}{suffix}" for suffix in (".npz", ".png"))
        self.labels, self.facts = self._read() or self._make()

    def _read(self) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
        with contextlib.suppress(OSError, ValueError, KeyError), np.load(self.file, allow_pickle=False) as stored:
            facts = json.loads(str(stored["facts"]))
            return {id: stored[f"labels{place}"] for place, id in enumerate(self.ids)}, facts
        return None

    def _make(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        net, about = training.load_model(self.record.path)
        prepared = Preprocessing.from_config(about["preprocessing"])
        places = {id: place for place, id in enumerate(self.dataset.ids)}
        labels, seconds = {}, []
        for id in self.ids:
            image = self.dataset.read_image(places[id])
            start = time.perf_counter()
            labels[id] = training.predict(net, image, prepared)
            seconds.append(time.perf_counter() - start)
        image = self.dataset.read_image(places[self.ids[0]])
        facts = {
            "parameters": sum(parameter.size for parameter in net.parameters()),
            "macs": _macs(net, image),
            "milliseconds": 1000 * statistics.median(seconds),
        }
        self.file.parent.mkdir(parents=True, exist_ok=True)
        arrays: dict[str, Any] = {f"labels{place}": labels[id] for place, id in enumerate(self.ids)}
        with replacing(self.file) as file:
            np.savez_compressed(file, facts=np.array(json.dumps(facts)), **arrays)
        with best_effort(f"the feature maps of {self.record.name}"), replacing(self.maps) as file:
            _maps(net, image, prepared).savefig(file, format="png")
        return labels, facts


def _macs(net: Layer, image: np.ndarray) -> float | None:
    try:
        return float(ledger(net, (1, 3, *image.shape[:2])).macs)
    except (TypeError, ValueError):  # its forward looks at numbers
        return None


def _maps(net: Layer, image: np.ndarray, prepared: Preprocessing) -> Any:
    """The liveliest channels of four layers, of those whose maps have different sizes, from the picture to the scores."""
    keys = list(maps_of(net, prepared(image)[None]))
    places = sorted({int(place) for place in np.linspace(0, len(keys) - 1, min(MAPS, len(keys)))})
    return feature_maps(net, image, *(keys[place] for place in places), channels=4, preprocessing=prepared)
