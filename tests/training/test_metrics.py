"""The measures against slow definitions, and their independence of how a set is cut into batches."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn.training import ConfusionMatrix, jaccard_index
from minifcn.training.metrics import near_outlines

VOID = 255


def slow(labels: np.ndarray, predictions: np.ndarray, num_classes: int) -> dict:
    """All measures by sets of pixels, as their definitions read."""
    pixels = [place for place in np.ndindex(labels.shape) if labels[place] != VOID]
    truth = {c: {p for p in pixels if labels[p] == c} for c in range(num_classes)}
    answer = {c: {p for p in pixels if predictions[p] == c} for c in range(num_classes)}
    iu = {c: len(truth[c] & answer[c]) / len(truth[c] | answer[c]) for c in truth if truth[c] | answer[c]}
    accuracy = [len(truth[c] & answer[c]) / len(truth[c]) for c in truth if truth[c]]
    return {
        "pixel_accuracy": sum(labels[p] == predictions[p] for p in pixels) / len(pixels),
        "mean_accuracy": sum(accuracy) / len(accuracy),
        "mean_iu": sum(iu.values()) / len(iu),
        "frequency_weighted_iu": sum(len(truth[c]) * iu[c] for c in iu) / len(pixels),
        "per_class_iu": [iu.get(c, np.nan) for c in range(num_classes)],
    }


@pytest.fixture
def pictures(rng):
    """Pictures of unequal size and content; class 4 is nowhere in the truth, class 5 nowhere at all."""
    sizes = [(7, 9), (11, 5), (3, 4), (8, 8), (1, 1)]
    labels = [rng.choice([0, 0, 0, 1, 2, 3, VOID], size).astype(np.uint8) for size in sizes]
    labels[2][:] = 0
    return [(label, np.where(rng.random(label.shape) < 0.6, label % 5, rng.integers(0, 5, label.shape))) for label in labels]


def test_equals_the_definitions(pictures):
    matrix = ConfusionMatrix(6)
    for label, prediction in pictures:
        matrix.update(label, prediction.astype(np.uint8))
    expected = slow(*(np.concatenate([part.ravel() for part in parts]) for parts in zip(*pictures, strict=True)), 6)
    np.testing.assert_allclose(matrix.per_class_iu(), expected.pop("per_class_iu"), rtol=1e-14)
    assert matrix.measures() == pytest.approx(expected, rel=1e-14)
    assert np.isnan(matrix.per_class_iu()[5])
    assert matrix.per_class_iu()[4] == 0  # predicted and never true: wrong, not absent


def test_rows_are_truth_and_columns_predictions():
    matrix = ConfusionMatrix(3)
    matrix.update(np.array([0, 0, 1, 2, VOID]), np.array([0, 1, 1, 0, 2]))
    np.testing.assert_array_equal(matrix.counts, [[1, 1, 0], [0, 1, 0], [1, 0, 0]])
    assert matrix.counts.dtype == np.int64


def test_does_not_depend_on_the_batches(pictures):
    everything = [np.concatenate([part.ravel() for part in parts]) for parts in zip(*pictures, strict=True)]
    whole, parts, added = ConfusionMatrix(6), ConfusionMatrix(6), ConfusionMatrix(6)
    whole.update(*everything)
    for start in range(0, len(everything[0]), 13):
        parts.update(everything[0][start : start + 13], everything[1][start : start + 13])
    for label, prediction in pictures:
        one = ConfusionMatrix(6)
        one.update(label, prediction)
        added += one
    np.testing.assert_array_equal(whole.counts, parts.counts)
    np.testing.assert_array_equal(whole.counts, added.counts)
    averaged = np.mean([jaccard_index(label, prediction, 6) for label, prediction in pictures])
    assert abs(averaged - whole.mean_iu()) > 1e-3  # what averaging over batches would have said


def test_what_is_predicted_in_void_does_not_matter(pictures):
    label, prediction = pictures[0]
    one, other = ConfusionMatrix(6), ConfusionMatrix(6)
    one.update(label, prediction)
    other.update(label, np.where(label == VOID, 77, prediction))
    np.testing.assert_array_equal(one.counts, other.counts)


def test_floor_of_the_background_predictor(pictures):
    matrix = ConfusionMatrix(6)
    for label, prediction in pictures:
        matrix.update(label, prediction)
    for class_index in (0, 3):
        constant = ConfusionMatrix(6)
        for label, _ in pictures:
            constant.update(label, np.full_like(label, class_index))
        np.testing.assert_array_equal(matrix.floor(class_index).counts, constant.counts)
    np.testing.assert_array_equal(matrix.floor().counts, matrix.floor(0).counts)


def test_the_papers_floor():
    """VOC's background share of .734 over 21 classes gives mean IU .035."""
    counts = np.zeros((21, 21), np.int64)
    counts[0, 0] = 734
    counts[1:, 5] = [13] * 19 + [19]
    floor = ConfusionMatrix(21, counts=counts).floor(0)
    assert floor.pixel_accuracy() == pytest.approx(0.734)
    assert floor.mean_iu() == pytest.approx(0.734 / 21)


def test_most_frequent_class_is_not_always_background():
    matrix = ConfusionMatrix(3)
    matrix.update(np.array([0, 2, 2, 2, 1]), np.array([0, 0, 0, 0, 0]))
    assert matrix.floor().pixel_accuracy() == pytest.approx(0.6)


def test_jaccard_of_one_picture():
    label = np.array([[0, 0, 1], [1, 2, VOID]])
    prediction = np.array([[0, 1, 1], [1, 0, 3]])
    by_class = {0: 1 / 3, 1: 2 / 3, 2: 0}  # class 3 is predicted in void only
    assert jaccard_index(label, prediction, 5) == pytest.approx(sum(by_class.values()) / 3)
    weighted = (2 * by_class[0] + 2 * by_class[1] + 1 * by_class[2]) / 5
    assert jaccard_index(label, prediction, 5, weighted=True) == pytest.approx(weighted)
    assert np.isnan(jaccard_index(np.full((2, 2), VOID), np.zeros((2, 2), int), 5))


def test_nothing_counted_gives_nan():
    matrix = ConfusionMatrix(3)
    assert all(np.isnan(value) for value in matrix.measures().values())


def test_no_ignore_index_counts_every_pixel():
    matrix = ConfusionMatrix(256, ignore_index=None)
    matrix.update(np.array([255], np.uint8), np.array([255], np.uint8))
    assert matrix.counts[255, 255] == 1


@pytest.mark.parametrize(
    ("labels", "predictions", "words"),
    [
        (np.zeros((2, 3), int), np.zeros((3, 2), int), r"\(2, 3\)"),
        (np.array([3]), np.array([0]), "labels range from 3 to 3"),
        (np.array([-1]), np.array([0]), "labels range from -1"),
        (np.array([0, 0]), np.array([1, 3]), "predictions range from 1 to 3"),
    ],
)
def test_bad_pixels_are_refused(labels, predictions, words):
    matrix = ConfusionMatrix(3)
    with pytest.raises(ValueError, match=words):
        matrix.update(labels, predictions)
    assert matrix.counts.sum() == 0


def test_bad_types_and_sizes_are_refused():
    with pytest.raises(TypeError, match="float64"):
        ConfusionMatrix(3).update(np.zeros(3), np.zeros(3, int))
    with pytest.raises(ValueError, match="num_classes is 0"):
        ConfusionMatrix(0)
    with pytest.raises(ValueError, match=r"\(2, 2\)"):
        ConfusionMatrix(3, counts=np.zeros((2, 2)))


@pytest.mark.parametrize("width", [1, 2, 3, 7])
def test_bands_along_outlines_by_their_definition(width, rng):
    labels = np.kron(rng.integers(0, 3, (3, 4)), np.ones((5, 4), int)).astype(np.uint8)
    labels[7, 9] = 255
    H, W = labels.shape
    places = [(y, x) for y in range(H) for x in range(W)]
    changes = [(y, x) for y, x in places for v, u in ((y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1))
               if 0 <= v < H and 0 <= u < W and labels[v, u] != labels[y, x]]  # fmt: skip
    expected = [[min(abs(y - v) + abs(x - u) for v, u in changes) < width for x in range(W)] for y in range(H)]
    np.testing.assert_array_equal(near_outlines(labels, width), expected)
    assert not near_outlines(np.zeros((4, 5), np.uint8), width).any()
    with pytest.raises(ValueError, match="at least 1"):
        near_outlines(labels, 0)
