"""The report of one evaluation: best and worst pictures, which classes are taken for which, what happens along outlines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from minifcn import training
from minifcn.compare import pictures
from minifcn.compare.page import embedded, template
from minifcn.data import Preprocessing, SegmentationDataset
from minifcn.data.dataset import title
from minifcn.layers import Layer
from minifcn.safe_file import write_text
from minifcn.training.metrics import ConfusionMatrix
from minifcn.training.validation import MEASURE_NAMES, Evaluation
from minifcn.training.views import Views

BANDS = (1, 2, 4, 8, 16)  # pixels
_SHOWN, _PAIRS = 4, 12


def write_report(
    net: Layer, dataset: SegmentationDataset, preprocessing: Preprocessing, evaluation: Evaluation, path: Path, views: Views
) -> None:  # fmt: skip
    """Writes the page of an evaluation whose `bands` were measured; predicts its eight pictures once more."""
    order = [place for place in np.argsort([row[1] for row in evaluation.by_picture]).tolist() if _has_iu(evaluation, place)]
    worst = order[:_SHOWN]
    best = [place for place in order[::-1][:_SHOWN] if place not in worst]
    masks: list[np.ndarray] = []
    sheets = {
        heading: [_sheet(net, dataset, preprocessing, evaluation, place, views, masks) for place in places]
        for heading, places in (("Best pictures", best), ("Worst pictures", worst))
    }
    matrix, floor = evaluation.matrix, evaluation.matrix.floor(0)
    write_text(
        path,
        template("report.html").render(
            title=f"{net.config.get('name', 'a network')} on {title(dataset)}",
            about=[f"{evaluation.pictures} pictures, loss {evaluation.loss:.4f} a pixel"],
            notes=[],
            floor=dataset.classes[0],
            measures={
                MEASURE_NAMES[name]: [f"{value:.4f}", f"{floor.measures()[name]:.4f}"]
                for name, value in matrix.measures().items()
            },
            classes=_classes(matrix, dataset.classes),
            pairs=confusion_pairs(matrix, dataset.classes)[:_PAIRS],
            bands=_bands(evaluation),
            sheets=sheets,
            legend=pictures.legend(masks, dataset.palette, dataset.classes),
        ),
    )


def confusion_pairs(matrix: ConfusionMatrix, classes: Sequence[str]) -> list[tuple[str, str, int, float]]:
    """(true class, class that was said, pixels, their share of the true class), most pixels first; none without pixels."""
    counts = matrix.counts
    wrong = [(i, j) for i, j in np.argwhere(counts).tolist() if i != j]
    wrong.sort(key=lambda pair: -counts[pair])
    return [(classes[i], classes[j], int(counts[i, j]), float(counts[i, j] / counts[i].sum())) for i, j in wrong]


def _has_iu(evaluation: Evaluation, place: int) -> bool:
    return not np.isnan(evaluation.by_picture[place][1])  # NaN: all void


def _classes(matrix: ConfusionMatrix, classes: Sequence[str]) -> dict[str, list[str]]:
    """{class: [IU, accuracy in per cent, pixels]}."""
    truth, right = matrix.counts.sum(axis=1), np.diag(matrix.counts)
    return {
        name: ["-" if np.isnan(iu) else f"{100 * iu:.1f}", f"{100 * hit / pixels:.1f}" if pixels else "-", f"{pixels:,}"]
        for name, iu, hit, pixels in zip(classes, matrix.per_class_iu(), right, truth, strict=True)
    }


def _bands(evaluation: Evaluation) -> dict[str, list[str]]:
    """{where: [share of the pixels, pixel accuracy, mean IU]}: in bands along outlines, and outside of the widest."""
    total = evaluation.matrix.counts.sum()
    rows = {f"at most {width} px from an outline": near for width, near in evaluation.bands.items()}
    if evaluation.bands:
        widest = max(evaluation.bands)
        counts = evaluation.matrix.counts - evaluation.bands[widest].counts
        rows[f"more than {widest} px away"] = ConfusionMatrix(len(counts), counts=counts)
    return {
        where: [f"{100 * part.counts.sum() / total:.1f} %", _number(part.pixel_accuracy()), _number(part.mean_iu())]
        for where, part in rows.items()
    }


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.4f}"


def _sheet(
    net: Layer, dataset: SegmentationDataset, preprocessing: Preprocessing, evaluation: Evaluation, place: int, views: Views,
    masks: list[np.ndarray],
) -> tuple[str, list[tuple[str, str, str]]]:  # fmt: skip
    """(id, [(heading, measure, source)]) of one picture: itself, the truth, the prediction, and where the two differ."""
    image, truth = dataset[place]
    labels = training.predict(net, image, preprocessing, views)
    masks += [truth, labels]
    wrong = (labels != truth) & (truth != dataset.ignore_index)
    differing = np.where(wrong[..., None], image, (image // 4 + 191).astype(np.uint8))  # what is right fades
    accuracy, iu, _ = evaluation.by_picture[place]
    cells = [
        ("picture", "", embedded(pictures.drawn_picture(image))),
        ("truth", "", embedded(pictures.drawn_mask(truth, dataset.palette))),
        ("prediction", f"mean IU {iu:.3f}", embedded(pictures.drawn_mask(labels, dataset.palette))),
        ("wrong pixels", f"{100 * (1 - accuracy):.1f} %", embedded(pictures.drawn_picture(differing))),
    ]
    return dataset.ids[place], cells
