"""The lessons' small network: its gradients, its size, and the losses that all lessons count on."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn.checks.gradcheck import gradcheck
from minifcn.course.small_fcn import SMALLEST, SmallFCN, measure, pictures, predict, train
from minifcn.training import Adam

FIRST_LOSSES = [1.6094, 1.2232, 0.9348, 0.7046, 0.5455, 0.4240, 0.4734, 0.5061, 0.3615, 0.3683]


def weights(net):
    return sum(parameter.data.size for parameter in net.parameters())


def test_its_weights_are_as_many_as_the_lessons_say():
    assert weights(SmallFCN()) == 62_639
    assert weights(SmallFCN(channels=(8, 16, 16))) == 4_722
    conv, score, up = 3 * 8 * 9 + 8, 8 * 5 + 5, 5 * 5 * 4 * 4  # counted by hand, for two convolutions and one pooling
    assert weights(SmallFCN(channels=(8, 8), norm=False)) == conv + (8 * 8 * 9 + 8) + score + up


def test_without_skips_one_deconvolution_makes_the_whole_way():
    net = SmallFCN(skips=False)
    assert [name for name, _ in net.children() if name.startswith(("up", "score", "join"))] == ["score4", "up1"]
    assert net.up1.weight.data.shape == (5, 5, 16, 16)
    assert net.crop.offset == 4


@pytest.mark.parametrize(
    "options", [{}, {"skips": False}, {"norm": False}, {"channels": (3, 2)}, {"channels": (4, 3, 2)}], ids=str
)
def test_its_gradients(options):
    net = SmallFCN(3, **{"channels": (3, 4, 2, 3), **options})
    rng = np.random.default_rng(5)
    for parameter in net.parameters():  # the score layers start at zero, where a gradient does not go through
        parameter.data = rng.normal(0, 0.5, parameter.data.shape)
    net.needs_dx = True
    assert gradcheck(net, rng.normal(size=(2, 3, 13, 19))).passed


@pytest.mark.parametrize("size", [(8, 9), (13, 19), (48, 64), (17, 33)])
def test_any_size_comes_back_and_scores_lie_over_their_pixels(size):
    """A bright square of any place: with all skips the scores' centre of mass is that of the square."""
    net = SmallFCN(2, (1, 1, 1), norm=False, in_channels=1)
    for name, parameter in net.named_parameters():
        if "conv" in name and name.endswith("weight"):
            parameter.data[...] = 0
            parameter.data[:, :, 1, 1] = 1
        elif "score" in name and name.endswith("weight"):
            parameter.data[...] = 1
    x = np.zeros((1, 1, *size))
    x[0, 0, 4:8, 4:8] = 1
    scores = net(x)
    assert scores.shape == (1, 2, *size)
    mass = scores[0, 0, :12, :12]
    centre = (mass.sum(axis=1) @ np.arange(len(mass)) / mass.sum(), mass.sum(axis=0) @ np.arange(mass.shape[1]) / mass.sum())
    if min(size) >= 12:  # all of its surroundings are in the picture
        assert np.allclose(centre, 5.5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_first_ten_losses(dtype):
    x, labels = pictures(0, 200)
    x = x.astype(dtype)
    net = SmallFCN(dtype=dtype)
    losses = train(net, x, labels, Adam(net.parameters(), lr=1e-2), 10)
    assert losses[0] == pytest.approx(np.log(5), abs=1e-4)
    assert losses == pytest.approx(FIRST_LOSSES, rel=0.02)


def test_measuring_leaves_the_network_as_it_was():
    x, labels = pictures(0, 5, SMALLEST)
    net = SmallFCN(channels=(4, 4, 4))
    net.train()
    before = {key: array.copy() for key, array in net.state_dict().items()}
    matrix = measure(net, x, labels)
    assert net.training
    assert all(np.array_equal(array, before[key]) for key, array in net.state_dict().items())
    assert matrix.counts.sum() == (labels != 255).sum()
    assert np.array_equal(predict(net, x, batch=2), predict(net, x, batch=5))


def test_channels_that_make_no_network():
    with pytest.raises(ValueError, match="make no FCN"):
        SmallFCN(channels=(8,))
