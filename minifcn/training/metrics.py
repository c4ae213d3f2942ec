"""How good a segmentation is: one confusion matrix over a whole set, and what is read from it.

With n[i, j] the number of pixels of class i predicted to be j, t_i = Σ_j n[i, j] the pixels of class i and n_cl the
number of classes (Long, Shelhamer and Darrell 2015, section 5):

    pixel accuracy           Σ_i n[i, i] / Σ_i t_i
    mean accuracy            mean over i of n[i, i] / t_i
    mean IU                  mean over i of IU_i,   IU_i = n[i, i] / (t_i + Σ_j n[j, i] − n[i, i])
    frequency weighted IU    Σ_i t_i IU_i / Σ_i t_i

Void pixels are left out. A class that is neither in the truth nor in the prediction has no IU (NaN) and is left out of
the mean. Pixels are counted over the whole set before anything is divided, so no measure depends on how the set was cut
into batches: a mean of per-batch IUs is another, easily better-looking number.
"""

from __future__ import annotations

import numpy as np

from minifcn.backend import Array, to_host

MEASURES = ("pixel_accuracy", "mean_accuracy", "mean_iu", "frequency_weighted_iu")


class ConfusionMatrix:
    """Counts of (truth, prediction) over all pixels that are not void.

    `counts` is (num_classes, num_classes) int64, a row for each true class, a column for each predicted one.
    """

    def __init__(self, num_classes: int, ignore_index: int | None = 255, counts: np.ndarray | None = None) -> None:
        if num_classes < 1:
            raise ValueError(f"num_classes is {num_classes}; there must be at least one class")
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.counts = np.zeros((num_classes, num_classes), np.int64) if counts is None else np.asarray(counts, np.int64)
        if self.counts.shape != (num_classes, num_classes):
            raise ValueError(f"counts have shape {self.counts.shape}, not {(num_classes, num_classes)}")

    def update(self, labels: Array, predictions: Array) -> None:
        """Adds pixels: two integer arrays of one shape, whatever it is.

        Raises ValueError where the shapes differ, or a label or prediction is out of range.
        """
        labels, predictions = to_host(labels), to_host(predictions)
        if labels.dtype.kind not in "iu" or predictions.dtype.kind not in "iu":
            raise TypeError(f"labels are {labels.dtype} and predictions {predictions.dtype}; both must be integers")
        if labels.shape != predictions.shape:
            raise ValueError(f"labels have shape {labels.shape} and predictions {predictions.shape}; they must be equal")
        if self.ignore_index is not None:
            counted = labels != self.ignore_index
            labels, predictions = labels[counted], predictions[counted]
        n = self.num_classes
        for name, values in (("labels", labels), ("predictions", predictions)):
            if values.size and not (values.min() >= 0 and values.max() < n):
                raise ValueError(
                    f"{name} range from {values.min()} to {values.max()}; possible are 0 to {n - 1}, and "
                    f"{self.ignore_index} (void) among the labels"
                )
        pairs = labels.astype(np.int64).ravel() * n + predictions.ravel()
        self.counts += np.bincount(pairs, minlength=n * n).reshape(n, n)  # (n, n)

    def __iadd__(self, other: ConfusionMatrix) -> ConfusionMatrix:
        self.counts += other.counts
        return self

    def pixel_accuracy(self) -> float:
        """The share of pixels that are right; NaN when nothing was counted."""
        return float(_divide(np.trace(self.counts), self.counts.sum()))

    def mean_accuracy(self) -> float:
        """The share of a class's pixels that are right, averaged over the classes in the truth."""
        return _mean(_divide(np.diag(self.counts), self.counts.sum(axis=1)))

    def per_class_iu(self) -> np.ndarray:
        """Intersection over union of each class, (num_classes,) float64; NaN for an absent class."""
        right = np.diag(self.counts)
        return _divide(right, self.counts.sum(axis=1) + self.counts.sum(axis=0) - right)

    def mean_iu(self) -> float:
        """The average of `per_class_iu` over the classes that are in the truth or the prediction."""
        return _mean(self.per_class_iu())

    def frequency_weighted_iu(self) -> float:
        """The average of `per_class_iu`, each class weighted by its pixels in the truth."""
        pixels = self.counts.sum(axis=1)
        return float(_divide((pixels * np.nan_to_num(self.per_class_iu())).sum(), pixels.sum()))

    def measures(self) -> dict[str, float]:
        """The four measures by name."""
        return {name: getattr(self, name)() for name in MEASURES}

    def floor(self, class_index: int | None = None) -> ConfusionMatrix:
        """The matrix of the predictor that answers every pixel with one class: what a network has to beat.

        The class is the most frequent one of the truth, or `class_index` (0: all background).
        """
        pixels = self.counts.sum(axis=1)
        counts = np.zeros_like(self.counts)
        counts[:, int(pixels.argmax()) if class_index is None else class_index] = pixels
        return ConfusionMatrix(self.num_classes, self.ignore_index, counts)


def jaccard_index(
    labels: Array, predictions: Array, num_classes: int, ignore_index: int | None = 255, weighted: bool = False
) -> float:
    """The Jaccard index of one picture: |G_c ∩ E_c| / |G_c ∪ E_c|, averaged over the classes in it.

    G_c are the pixels of class c in the truth, E_c in the prediction; classes in neither do not count. `weighted`
    averages with the share of each class in the truth. NaN for a picture that is all void.
    """
    matrix = ConfusionMatrix(num_classes, ignore_index)
    matrix.update(labels, predictions)
    return matrix.frequency_weighted_iu() if weighted else matrix.mean_iu()


def near_outlines(labels: np.ndarray, width: int) -> np.ndarray:
    """labels (H, W) -> (H, W) bool: the band of pixels at most ``width`` steps to a neighbour away from a change of label.

    A pixel with another label beside it is one step away. Most of what a coarse network gets wrong lies there (the "trimap" of
    Kohli, Ladicky and Torr 2009).
    """
    if width < 1:
        raise ValueError(f"the band is {width} pixels wide; it must be at least 1")
    down, across = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    band = np.zeros(labels.shape, bool)
    band[1:] |= down
    band[:-1] |= down
    band[:, 1:] |= across
    band[:, :-1] |= across
    for _ in range(width - 1):
        grown = band.copy()
        grown[1:] |= band[:-1]
        grown[:-1] |= band[1:]
        grown[:, 1:] |= band[:, :-1]
        grown[:, :-1] |= band[:, 1:]
        band = grown
    return band


def _divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """The quotient, NaN where the denominator is 0."""
    return np.divide(numerator, np.where(denominator == 0, np.nan, denominator))


def _mean(values: np.ndarray) -> float:
    """The mean of what is not NaN; NaN when nothing is."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float("nan")
