"""The four preprocessings by their definitions, and configs that travel with weights."""

from __future__ import annotations

import json

import numpy as np
import pytest

from minifcn.data.preprocessing import Preprocessing

NAMES = ("caffe", "torchvision", "squeezenet", "plain")


@pytest.fixture
def image(rng) -> np.ndarray:
    return rng.integers(0, 256, (5, 9, 3), np.uint8)


def by_definition(name: str, image: np.ndarray) -> np.ndarray:
    x = image.astype(np.float64)
    if name == "caffe":
        y = x[..., [2, 1, 0]] - [104.00698793, 116.66876762, 122.67891434]
    elif name == "squeezenet":
        y = x[..., [2, 1, 0]] - [104, 117, 123]
    elif name == "torchvision":
        y = (x / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    else:
        y = (x - 127.5) / 64
    return np.moveaxis(y, 2, 0)


@pytest.mark.parametrize("name", NAMES)
def test_values_follow_the_definition(name, image):
    y = Preprocessing(name)(image)
    assert (y.dtype, y.shape) == (np.float32, (3, 5, 9))
    np.testing.assert_allclose(y, by_definition(name, image), rtol=1e-6, atol=1e-5)


def test_the_result_may_be_written_into_a_batch(image):
    batch = np.full((2, 3, 8, 10), 7, np.float32)
    Preprocessing("caffe")(image, out=batch[1, :, :5, :9])
    np.testing.assert_array_equal(batch[1, :, :5, :9], Preprocessing("caffe")(image))
    assert (batch[0] == 7).all()
    assert (batch[1, :, 5:] == 7).all()


@pytest.mark.parametrize("name", NAMES)
def test_fill_becomes_about_zero(name):
    preprocessing = Preprocessing(name)
    y = preprocessing(np.full((1, 1, 3), preprocessing.fill, np.uint8))
    assert np.abs(y).max() <= (0.5 if name in ("caffe", "squeezenet") else 0.01)


@pytest.mark.parametrize("name", NAMES)
def test_config_survives_json(name):
    config = json.loads(json.dumps(Preprocessing(name).config))
    assert Preprocessing.from_config(config) == Preprocessing(name)


def test_a_config_whose_numbers_are_anothers_is_refused():
    config = Preprocessing("caffe").config | {"mean": Preprocessing("squeezenet").config["mean"]}
    with pytest.raises(ValueError, match="is not what its name stands for"):
        Preprocessing.from_config(config)
    with pytest.raises(ValueError, match="has no name; known are caffe"):
        Preprocessing.from_config({})


def test_unknown_names_and_wrong_arrays_are_refused(image):
    with pytest.raises(ValueError, match="preprocessing 'imagenet' is not known; choose one of caffe, torchvision"):
        Preprocessing("imagenet")
    for wrong in (image[..., 0], image.astype(np.float32), image.transpose(2, 0, 1)):
        with pytest.raises(ValueError, match=r"expected uint8 \(H, W, 3\) RGB"):
            Preprocessing()(wrong)
