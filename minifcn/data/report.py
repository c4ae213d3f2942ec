"""What is in a data set, and what is wrong with it: every picture read once, on threads.

`check` never stops at a bad file: it lists each with its sentence. `stats` counts pixels, and stops.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import combinations
from typing import TypeVar

import numpy as np

from minifcn.data.dataset import SegmentationDataset, title, untaught

Progress = Callable[[], None]
Result = TypeVar("Result")


@dataclass
class Report:
    """What `check` found.

    `problems` has one sentence for each picture that cannot be used (damaged, mask of another size, label out of
    range), or one where all the set has fewer than two classes; `missing` the ids without files, `maskless` those of them
    whose picture is there and whose mask is not; `repeated` the ids that are listed more than once; `twice` the groups of
    ids in this set that hold the very same picture; `notes` what was left out or guessed.
    `sizes` counts (height, width), `labels` the pictures that each label occurs in.
    """

    name: str
    pictures: int
    missing: list[str] = field(default_factory=list)
    maskless: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    labels: Counter[int] = field(default_factory=Counter)
    digests: dict[str, list[str]] = field(default_factory=dict, repr=False)
    notes: list[str] = field(default_factory=list)

    @property
    def twice(self) -> list[list[str]]:
        groups = (list(dict.fromkeys(ids)) for ids in self.digests.values())
        return [ids for ids in groups if len(ids) > 1]

    @property
    def ok(self) -> bool:
        """Can every picture of the list be used, and do they teach anything?"""
        return not self.problems and not self.missing


def check(dataset: SegmentationDataset, num_threads: int = 4, progress: Progress | None = None) -> Report:
    """Reads every picture and mask of a data set. `progress` is called once a picture.

    Build the set with `missing="skip"`, or files that are not there stop it before it starts.
    """
    absent = getattr(dataset, "missing", ())
    report = Report(title(dataset), len(dataset), [sample.id for sample in absent])
    report.maskless = [sample.id for sample in absent if sample.image.exists()]
    report.repeated = [id for id, count in Counter(dataset.ids).items() if count > 1]
    report.notes = list(getattr(dataset, "notes", ()))

    def read(index: int) -> tuple[tuple[int, int], list[int], str] | str:
        try:
            image, label = dataset[index]
        except Exception as error:
            id = dataset.ids[index]
            return str(error) if id in str(error) else f"{id}: {error or type(error).__name__}"
        digest = hashlib.blake2b(image.tobytes() + repr(image.shape).encode(), digest_size=16).hexdigest()
        return label.shape, np.unique(label).tolist(), digest

    for id, found in zip(dataset.ids, _on_threads(read, len(dataset), num_threads, progress), strict=True):
        if isinstance(found, str):
            report.problems.append(found)
            continue
        size, labels, digest = found
        report.sizes[size] += 1
        report.labels.update(labels)
        report.digests.setdefault(digest, []).append(id)
    if report.labels and not report.problems and len(report.labels.keys() - {dataset.ignore_index}) < 2:
        report.problems.append(untaught(report.labels, sum(report.sizes.values()), report.name))
    return report


def overlaps(reports: Sequence[Report]) -> list[tuple[str, str, list[str]]]:
    """(first set, second set, ids in the second) for each two sets that share pictures, by what is in the files.

    It finds copies under another name, which `check_disjoint`, going by ids, does not.
    """
    found = []
    for one, other in combinations(reports, 2):
        shared = [id for digest, ids in other.digests.items() if digest in one.digests for id in dict.fromkeys(ids)]
        if shared:
            found.append((one.name, other.name, shared))
    return found


@dataclass(frozen=True)
class ClassStatistics:
    """Pixels of each class, and the class weights that follow from them.

    pixels (num_classes,) int64; pictures (num_classes,) in how many the class occurs; beside (num_classes,) int64 the
    labelled pixels of those pictures; void the number of unlabelled pixels.
    """

    classes: tuple[str, ...]
    pixels: np.ndarray
    pictures: np.ndarray
    beside: np.ndarray
    void: int

    @property
    def frequencies(self) -> np.ndarray:
        """Share of the labelled pixels, (num_classes,); sums to 1."""
        return self.pixels / max(1, self.pixels.sum())

    @property
    def weights(self) -> np.ndarray:
        """1 - n_c / sum n, (num_classes,): rare classes count more, but never much more than 1."""
        return 1 - self.frequencies

    @property
    def median_frequency_weights(self) -> np.ndarray:
        """Median frequency balancing (Eigen and Fergus, ICCV 2015, section 6.3.2): median of f over f, (num_classes,).

        f of a class is its share of the labelled pixels of the pictures it occurs in. A class that never occurs,
        which no loss will ever ask for, has weight 1.
        """
        seen = self.pixels > 0
        weights = np.ones(len(self.pixels))
        if seen.any():
            frequencies = self.pixels[seen] / self.beside[seen]
            weights[seen] = np.median(frequencies) / frequencies
        return weights


def stats(dataset: SegmentationDataset, num_threads: int = 4, progress: Progress | None = None) -> ClassStatistics:
    """Counts the pixels of each class. Raises what reading a mask raises, and ValueError for fewer than two classes."""

    def count(index: int) -> np.ndarray:
        return np.bincount(dataset.read_label(index).ravel(), minlength=256)

    C = dataset.num_classes
    pixels, pictures, beside = np.zeros((3, C), np.int64)
    void = 0
    for counts in _on_threads(count, len(dataset), num_threads, progress):
        occurs = counts[:C] > 0
        pixels += counts[:C]
        pictures += occurs
        beside += occurs * counts[:C].sum()
        void += int(counts[dataset.ignore_index])
    if (pixels > 0).sum() < 2:
        labels = [*np.flatnonzero(pixels).tolist(), *([dataset.ignore_index] if void else [])]
        raise ValueError(untaught(labels, len(dataset), title(dataset)))
    return ClassStatistics(dataset.classes, pixels, pictures, beside, void)


def _on_threads(function: Callable[[int], Result], count: int, num_threads: int, progress: Progress | None) -> Iterator[Result]:
    pool = ThreadPoolExecutor(num_threads)
    try:
        for result in pool.map(function, range(count)):
            if progress is not None:
                progress()
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
