"""The pictures of a run folder."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from minifcn.data.dataset import SegmentationDataset
from minifcn.safe_file import replacing
from minifcn.training.run.folder import RunFolder
from minifcn.visualize.effort import best_effort


def draw_samples(
    folder: RunFolder, dataset: SegmentationDataset, predictions: Mapping[int, np.ndarray], iteration: int
) -> None:
    """Draws samples/ITERATION.png: picture, truth and prediction for each {index: labels} of `predictions`, or says why not."""
    if not predictions:
        return
    with best_effort(f"samples of validations in {folder.samples}"):
        from minifcn.visualize.overlays import sample_sheet

        samples = [(*dataset[index], labels) for index, labels in predictions.items()]
        sheet = sample_sheet(samples, dataset.palette, dataset.classes, [dataset.ids[index] for index in predictions])
        with replacing(folder.samples / f"{iteration:07d}.png") as file:
            sheet.save(file, format="PNG")


def draw_log(folder: RunFolder) -> None:
    """Writes metrics.json from the log, or raises OSError; draws curves.png, or says why not."""
    folder.write_metrics()
    with best_effort(str(folder.curves)):
        from minifcn.visualize.curves import draw_curves  # here, since matplotlib takes its time to import

        draw_curves({folder.path.resolve().name: folder.read_log()}, folder.curves)
