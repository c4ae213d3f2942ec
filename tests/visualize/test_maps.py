"""Pictures of feature maps: what the layers gave, by their keys, of any network and any size of picture."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn import layers as L
from minifcn import models
from minifcn import visualize as vis
from minifcn.visualize import style
from minifcn.visualize.maps import maps_of


@pytest.fixture
def image(rng) -> np.ndarray:
    return rng.integers(0, 256, (40, 52, 3), np.uint8)


def test_what_the_layers_gave_is_kept_though_a_relu_writes_over_it(rng):
    net = L.Sequential(conv=L.Conv2d(3, 4, 3, padding=1), relu=L.ReLU(inplace=True), pool=L.MaxPool2d(2)).train()
    x = rng.standard_normal((1, 3, 6, 8)).astype("f")
    maps = maps_of(net, x)
    assert list(maps) == ["relu", "pool"]  # the last of each size
    both = maps_of(net, x, ("conv", "relu"))
    np.testing.assert_array_equal(both["relu"], np.maximum(both["conv"], 0))
    assert both["conv"].min() < 0
    assert net.training
    assert not net.conv.kept()


def test_a_stage_is_the_last_layer_in_it(rng):
    net = models.build("unet", 4, width=1 / 32)
    x = rng.standard_normal((1, 3, 32, 48)).astype("f")
    maps = maps_of(net, x, ("enc2", "enc2.relu2", "score"))
    np.testing.assert_array_equal(maps["enc2"], maps["enc2.relu2"])
    assert maps["score"].shape == (4, 32, 48)


def test_an_unknown_layer_is_a_sentence(image):
    with pytest.raises(ValueError, match="no layer 'enc9' makes feature maps; possible are pad"):
        vis.feature_maps(models.build("unet", 4, width=1 / 32), image, "enc9")


def test_pictures_that_are_none_are_refused(image):
    net = models.build("unet", 4, width=1 / 32)
    with pytest.raises(ValueError, match="must be uint8"):
        vis.feature_maps(net, image / 255)
    with pytest.raises(ValueError, match="at least 1"):
        vis.feature_maps(net, image, channels=0)


@pytest.mark.parametrize("name", [name for name in models.names() if models.entry(name).segments])
def test_every_network_shows_its_maps(name, image):
    drawn = vis.feature_maps(models.build(name, 4, width=1 / 32), image, channels=3)
    pixels = np.asarray(style.to_image(drawn, dpi=50))
    assert pixels.std() > 5


def test_two_drawings_are_the_same_to_the_last_byte_and_nothing_touches_the_edge(image, tmp_path):
    net = models.build("fcn8s", 4, width=1 / 16, padding=1)
    first, second = (
        style.save(vis.feature_maps(net, image, "conv1_1", "pool3", "upscore8"), tmp_path / f"{i}.png") for i in (1, 2)
    )
    assert first.read_bytes() == second.read_bytes()
    pixels = np.asarray(style.to_image(vis.feature_maps(net, np.tile(image, (10, 10, 1)), "pool3"))).min(axis=2)
    for edge in (pixels[:4], pixels[-4:], pixels[:, :4], pixels[:, -4:]):
        assert (edge == 255).all()
