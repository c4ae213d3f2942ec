"""The pictures of a run folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import numpy as np

from minifcn.data.dataset import SegmentationDataset
from minifcn.training.run.folder import RunFolder


def sample_indices(length: int, count: int) -> list[int]:
    """Up to `count` indices spread evenly over a data set: the same in every validation, so that pictures compare."""
    return sorted({int(index) for index in np.linspace(0, length - 1, min(count, length))})


def draw_samples(
    folder: RunFolder, dataset: SegmentationDataset, predictions: Mapping[int, np.ndarray], iteration: int
) -> None:
    """Draws samples/ITERATION.png: picture, truth and prediction for each {index: labels} of `predictions`.

    Raises OSError where the folder can no longer be written.
    """
    from minifcn.visualize.overlays import sample_sheet

    if not predictions:
        return
    samples = [(*dataset[index], labels) for index, labels in predictions.items()]
    sheet = sample_sheet(samples, dataset.palette, dataset.classes, [dataset.ids[index] for index in predictions])
    with _naming(folder):
        sheet.save(folder.samples / f"{iteration:07d}.png")


def draw_log(folder: RunFolder) -> None:
    """Draws curves.png and writes metrics.json from the log. Raises OSError as above."""
    from minifcn.visualize.curves import draw_curves  # here, since matplotlib takes its time to import

    folder.write_metrics()
    with _naming(folder):
        draw_curves({folder.path.resolve().name: folder.read_log()}, folder.curves)


@contextlib.contextmanager
def _naming(folder: RunFolder) -> Iterator[None]:
    """An OSError as one sentence."""
    try:
        yield
    except OSError as error:
        raise OSError(f"the pictures of {folder.path} cannot be written: {error.strerror or error}") from error
