"""From a network to labels, and from labels to measures."""

from __future__ import annotations

import contextlib
import functools
import math
import operator
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from minifcn import layers
from minifcn.backend import device_of, to_device
from minifcn.layers import Layer, evaluating
from minifcn.training.diagnosis import NotFinite
from minifcn.training.metrics import MEASURES, ConfusionMatrix, near_outlines
from minifcn.training.replicas import Alone
from minifcn.training.views import WHOLE, Views, most_likely

if TYPE_CHECKING:
    from minifcn.data import Preprocessing, SegmentationDataset

_WORDS = ("pixel accuracy", "mean accuracy", "mean IU", "f.w. IU")
MEASURE_NAMES = dict(zip(MEASURES, _WORDS, strict=True))


@dataclass
class Evaluation:
    """The result of running a network over a set of pictures.

    matrix              one confusion matrix over all of them
    loss                cross-entropy a labelled pixel, without class weights or smoothing, so that runs compare
    jaccard, jaccard_weighted   the Jaccard index of a picture, averaged over pictures, plain and class-weighted
    predictions         {index: labels (H, W) uint8} of the pictures that were asked for
    bands               {width: confusion matrix} of the pixels near outlines, see `near_outlines`, where asked for
    by_picture          (pixel accuracy, mean IU, frequency weighted IU) of each picture, NaN for one that is all void
    """

    matrix: ConfusionMatrix
    loss: float
    jaccard: float
    jaccard_weighted: float
    pictures: int
    seconds: float
    predictions: dict[int, np.ndarray] = field(default_factory=dict)
    by_picture: list[tuple[float, float, float]] = field(default_factory=list)
    bands: dict[int, ConfusionMatrix] = field(default_factory=dict)

    def measures(self) -> dict[str, float]:
        """Loss, the four measures and the two Jaccard indices by name."""
        return {
            "loss": self.loss,
            **self.matrix.measures(),
            "jaccard": self.jaccard,
            "jaccard_weighted": self.jaccard_weighted,
        }

    def pictures_as_dict(self, ids: Sequence[str]) -> dict[str, dict[str, float | None]]:
        """{id: {measure: value}}: how well each picture was segmented."""
        names = ("pixel_accuracy", "mean_iu", "frequency_weighted_iu")
        rows = zip(ids, self.by_picture, strict=True)
        return {id: _plain({name: round(value, 6) for name, value in zip(names, row, strict=True)}) for id, row in rows}

    def as_dict(self, classes: Collection[str]) -> dict[str, Any]:
        """Everything for a JSON file: measures, IU by class (None: absent), the two floors, counts."""
        frequent = self.matrix.counts.sum(axis=1).argmax()
        return {
            **{name: none_if_nan(value) for name, value in self.measures().items()},
            "per_class_iu": dict(zip(classes, map(none_if_nan, self.matrix.per_class_iu()), strict=True)),
            "floor_all_background": _plain(self.matrix.floor(0).measures()),
            "floor_most_frequent_class": {
                "class": list(classes)[frequent],
                **_plain(self.matrix.floor(int(frequent)).measures()),
            },
            "pictures": self.pictures,
            "pixels": int(self.matrix.counts.sum()),
            "confusion": self.matrix.counts.tolist(),
        }


def predict(
    net: Layer, image: np.ndarray, preprocessing: Callable[[np.ndarray], np.ndarray], views: Views = WHOLE
) -> np.ndarray:
    """The labels (H, W) uint8 of one picture (H, W, 3) uint8 RGB of any size; the network runs in eval mode."""
    with evaluating(net):
        return views.labels(net, preprocessing(image)[None])[0]


def evaluate(
    net: Layer,
    dataset: SegmentationDataset,
    preprocessing: Preprocessing,
    num_threads: int = 2,
    keep: Collection[int] = (),
    progress: Callable[[int, int], None] = lambda done, total: None,
    views: Views = WHOLE,
    bands: Collection[int] = (),
    replicas: Alone | None = None,
) -> Evaluation:
    """Runs the network over a data set, one picture at a time at its own size, whole or as `views` says.

    `keep` are the indices of pictures whose prediction is wanted; `progress(done, total)` is called after each picture, or
    after as many as there are `replicas`, who take turns and all have the result, the same to the last bit.
    Raises NotFinite, naming the picture, where scores are no numbers.
    """
    from minifcn.data import Loader

    start = time.perf_counter()
    replicas = replicas or Alone()
    matrix = ConfusionMatrix(dataset.num_classes, dataset.ignore_index)
    criterion = layers.CrossEntropyLoss(ignore_index=dataset.ignore_index, reduction="sum")
    near = {width: ConfusionMatrix(dataset.num_classes, dataset.ignore_index) for width in bands}
    found: list[_Picture] = []
    mine = range(replicas.rank, len(dataset), replicas.count)
    loader = Loader(dataset, preprocessing=preprocessing, num_threads=num_threads)
    with evaluating(net), contextlib.closing(loader.epoch(0, wanted=mine.__contains__)) as batches:
        for index, batch in zip(mine, batches, strict=True):
            try:
                scores = views(net, batch.images)
            except NotFinite as error:
                raise NotFinite(f"picture {batch.ids[0]}: {error}") from None
            labels = most_likely(scores)  # (1, H, W)
            picture = ConfusionMatrix(dataset.num_classes, dataset.ignore_index)
            picture.update(batch.labels, labels)
            matrix += picture
            for width, counted_near in near.items():
                inside = near_outlines(batch.labels[0], width)
                counted_near.update(batch.labels[0][inside], labels[0][inside])
            loss = float(criterion(scores, to_device(batch.labels, device_of(scores))))
            measures = picture.pixel_accuracy(), picture.mean_iu(), picture.frequency_weighted_iu()
            found.append(_Picture(index, loss, measures, labels[0] if index in keep else None))
            progress(min(index - replicas.rank + replicas.count, len(dataset)), len(dataset))
        if len(mine) < math.ceil(len(dataset) / replicas.count):  # the others have one more, and a progress may wait for all
            progress(len(dataset), len(dataset))
    found = sorted(replicas.gather(found), key=lambda picture: picture.number)
    of_workers = zip(*replicas.gather([(matrix, *near.values())]), strict=True)
    matrix, *of_bands = (functools.reduce(operator.iadd, matrices) for matrices in of_workers)
    near = dict(zip(near, of_bands, strict=True))
    loss = sum(picture.loss for picture in found)
    by_picture = [picture.measures for picture in found]
    predictions = {picture.number: picture.labels for picture in found if picture.labels is not None}
    pixels = int(matrix.counts.sum())
    counted = np.array(by_picture)[:, 1:]  # (pictures, 2)
    counted = counted[~np.isnan(counted[:, 0])]  # a picture that is all void has none
    plain, weighted = counted.mean(axis=0) if len(counted) else (np.nan, np.nan)
    return Evaluation(
        matrix, loss / pixels if pixels else float("nan"), float(plain), float(weighted),
        len(dataset), time.perf_counter() - start, predictions, by_picture, near,
    )  # fmt: skip


class _Picture(NamedTuple):
    """What is found of one picture: its summed loss, measures, and labels (H, W) where they are wanted."""

    number: int
    loss: float
    measures: tuple[float, float, float]
    labels: np.ndarray | None


def none_if_nan(value: float) -> float | None:
    """JSON has no NaN."""
    return float(value) if np.isfinite(value) else None


def _plain(measures: dict[str, float]) -> dict[str, float | None]:
    return {name: none_if_nan(value) for name, value in measures.items()}
