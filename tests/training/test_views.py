"""Tiles give the very scores of the whole picture; views are averaged as probabilities, each at its own place."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn import functional as F
from minifcn import layers, models
from minifcn.data import Preprocessing
from minifcn.models.catalogue import CATALOGUE
from minifcn.training import Views, evaluate, predict, views
from support import tiny

TILED = [
    "course-baseline", "encoder-decoder", "fcn-alexnet", "fcn-squeezenet", "fcn16s", "fcn32s", "fcn8s", "segnet-basic", "unet",
]  # fmt: skip
WIDTH = {"fcn-squeezenet": 1 / 8}


@pytest.fixture
def net():
    return tiny.tiny_net()


def alive(name: str, rng: np.random.Generator) -> layers.Layer:
    """A network whose scores depend on all of its receptive field: what would begin at zero is drawn."""
    net = models.build(name, 3, width=WIDTH.get(name, 1 / 32)).to("float64").eval()
    for _, parameter in net.named_parameters():
        if not parameter.data.any():
            parameter.data[...] = rng.normal(0, 0.1, parameter.shape)
    return net


@pytest.mark.parametrize("name", TILED)
def test_tiles_give_the_scores_of_the_whole(name, rng):
    net = alive(name, rng)
    stride, halo = views.reach(net)
    x = rng.normal(size=(1, 3, stride + 13, 2 * halo + stride + 9))
    with layers.no_grad():
        expected = views.whole(net, x)
        np.testing.assert_allclose(Views(tile=stride)(net, x), expected, rtol=0, atol=1e-12 * np.abs(expected).max())
        np.testing.assert_array_equal(Views(tile=halo + 1).labels(net, x), expected.argmax(axis=1))


@pytest.mark.parametrize("name", ["fcn-alexnet", "fcn8s", "unet"])
def test_a_smaller_halo_shows(name, rng, monkeypatch):
    net = alive(name, rng)
    stride, halo = views.reach(net)
    monkeypatch.setattr(views, "reach", lambda net: (stride, halo - 4 * stride))
    x = rng.normal(size=(1, 3, stride, 3 * halo))
    with layers.no_grad():
        expected = views.whole(net, x)
        assert np.abs(Views(tile=stride)(net, x) - expected).max() > 1e-6 * np.abs(expected).max()


UNTILED = ("fcn-resnet50", "fcn-resnet101", "deeplabv3-resnet50", "deeplabv3-resnet101")


@pytest.mark.parametrize("name", [name for name in models.names() if CATALOGUE[name].segments])
def test_every_network_works_in_tiles_or_says_why_not(name):
    net = models.build(name, 3, width=1 / 16)
    if name in UNTILED:
        with pytest.raises(ValueError, match=f"{name} cannot work in tiles: its layer .* looks at the whole picture"):
            views.reach(net)
    else:
        stride, halo = views.reach(net)
        assert halo >= stride >= 1
        assert halo % stride == 0


def test_views_are_averaged_as_probabilities_where_they_lie(net, rng):
    x = rng.normal(size=(2, 3, 9, 14)).astype(np.float32)
    net.eval()
    with layers.no_grad():
        p, q = F.softmax(net(x)), F.softmax(net(np.ascontiguousarray(x[..., ::-1])))[..., ::-1]
        np.testing.assert_allclose(np.exp(Views(flip=True)(net, x)), (p + q) / 2, atol=1e-6)
        small = F.interpolate(F.softmax(net(F.interpolate(x, (4, 7))[0])), (9, 14))[0]
        np.testing.assert_allclose(np.exp(Views(scales=(1.0, 0.5))(net, x)), (p + small) / 2, atol=1e-6)
        assert Views()(net, x).tobytes() == net(x).tobytes()  # of one view the scores themselves


def test_evaluation_and_prediction_use_them(net, rng):
    """A network that tells left from right: averaged with its mirror image it can no longer."""
    dataset, prepared = tiny.TinySet(3), Preprocessing("plain")
    both = Views(flip=True)
    labels = [predict(net, dataset[k][0], prepared, both) for k in range(3)]
    result = evaluate(net, dataset, prepared, keep=range(3), views=both)
    for k in range(3):
        np.testing.assert_array_equal(result.predictions[k], labels[k])
    mirrored = predict(net, np.ascontiguousarray(dataset[0][0][:, ::-1]), prepared, both)
    np.testing.assert_array_equal(mirrored[:, ::-1], labels[0])
    assert np.isfinite(result.loss)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"scales": ()}, "scales are none"), ({"scales": (1.0, 0.0)}, "scales are 1, 0; give numbers above 0"),
     ({"scales": (float("nan"),)}, "scales are nan"), ({"scales": (17.0,)}, "up to 16"),
     ({"scales": (1.0, 1.0)}, "give each once"), ({"tile": 0}, "tile is 0")],
)  # fmt: skip
def test_what_is_not_possible_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        Views(**options)
