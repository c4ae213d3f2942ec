"""Class weights from numbers, from a text, and from counted pixels."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn.training.objective import class_weights
from support import tiny


@pytest.fixture
def dataset():
    class Readable(tiny.TinySet):
        def read_label(self, index):
            return self[index][1]

    return Readable(4)


def test_none_is_none(dataset):
    assert class_weights(None, dataset) is class_weights("none", dataset) is None


@pytest.mark.parametrize("wanted", ["1,2,0.5", (1, 2, 0.5), np.array([1, 2, 0.5])])
def test_numbers_are_as_they_are(dataset, wanted):
    np.testing.assert_array_equal(class_weights(wanted, dataset), [1, 2, 0.5])


def test_weights_that_are_counted(dataset):
    labels = [dataset[index][1] for index in range(4)]
    pixels = np.array([sum((label == c).sum() for label in labels) for c in range(3)])
    np.testing.assert_allclose(class_weights("frequency", dataset), 1 - pixels / pixels.sum(), atol=1e-6)
    within = [sum(label[label != 255].size for label in labels if (label == c).any()) for c in range(3)]
    frequencies = pixels / within  # where the class occurs at all
    np.testing.assert_allclose(class_weights("median", dataset), np.median(frequencies) / frequencies, atol=1e-6)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("1,2", r"class weights are 1, 2; give 3 numbers from 0 to 3.4e\+38, one for each of red, green, blue"),
        ("1,2,4e38", r"class weights are 1, 2, 4e\+38; give 3 numbers from 0 to 3.4e\+38"),  # float32 cannot hold it
        ((1, 2, -1), "give 3 numbers"),
        ("1,2,nan", "give 3 numbers"),
        ("heavy", "'heavy': possible are none, frequency, median, or numbers"),
    ],
)
def test_other_weights_are_refused(dataset, wanted, words):
    with pytest.raises(ValueError, match=words):
        class_weights(wanted, dataset)
