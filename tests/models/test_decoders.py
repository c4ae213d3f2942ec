"""What the encoder-decoders owe beside what every network does: first weights, statistics of time, and what a skip is."""

from __future__ import annotations

import numpy as np
import pytest

import minifcn
from minifcn import models
from minifcn.anatomy import coordinates
from minifcn.layers import BatchNorm2d, Sequential
from minifcn.models.r2unet import Recurrent

NAMES = ("encoder-decoder", "course-baseline", "rrcnn-fcn", "segnet-basic", "r2unet")


@pytest.mark.parametrize("name", NAMES)
def test_too_small_a_picture_is_one_sentence(name):
    net = models.build(name, 5, width=1 / 16)
    least = 16 if name in ("segnet-basic", "r2unet") else 32
    with pytest.raises(ValueError, match=f"from {least}x{least} up; {least - 1}x50 is too small"):
        net(np.zeros((1, 3, least - 1, 50), np.float32))


def test_a_batch_norm_of_one_value_says_so():
    net = models.build("course-baseline", 5, width=1 / 16)
    with pytest.raises(ValueError, match="one value a channel"):
        net(np.zeros((1, 3, 32, 32), np.float32))
    assert net.eval()(np.zeros((1, 3, 32, 32), np.float32)).shape == (1, 5, 32, 32)


def test_the_valid_unet_has_the_papers_sizes_and_crops():
    """572 pixels with their margin, 388 without; what skips is cropped as the grey arrows of figure 1 say."""
    net = models.build("unet", 2, width=1 / 64, valid=True, in_channels=1)
    places = {place.name: place for place in coordinates(net, (1, 1, 388, 388)).places}
    stages = [f"enc{stage}.relu2" for stage in range(1, 6)] + [f"dec{stage}.relu2" for stage in range(4, 0, -1)]
    assert [places[name].shape[2] for name in ("pad", *stages)] == [572, 568, 280, 136, 64, 28, 52, 100, 196, 388]
    assert [places[f"crop{stage}"].shape[2] for stage in (4, 3, 2, 1)] == [56, 104, 200, 392]
    assert [places[f"crop{stage}"].crop for stage in (4, 3, 2, 1)] == [4, 16, 40, 88]
    assert coordinates(net, (1, 1, 50, 61)).aligned


@pytest.mark.parametrize("name", ["course-baseline", "rrcnn-fcn"])
def test_weights_are_drawn_as_glorot_and_bengio_do(name):
    for key, weight in models.build(name, width=0.5).state_dict().items():
        if weight.ndim == 4:
            taps, channels = np.prod(weight.shape[2:]), sum(weight.shape[:2])
            limit = np.sqrt(6 / (taps * channels))
            assert 0.9 * limit < np.abs(weight).max() <= limit, key


def test_skips_are_added_and_have_no_weights():
    """With skips a decoder whose last batch norms give zero still sees the pools: pool1, and through it the picture."""
    plain, skipping = (models.build("encoder-decoder", 5, width=1 / 16, skips=skips).eval() for skips in (False, True))
    assert plain.state_dict().keys() == skipping.state_dict().keys()
    x = np.random.default_rng(0).standard_normal((1, 3, 64, 64)).astype(np.float32)
    with minifcn.no_grad():
        for net in (plain, skipping):
            net.up1.bn.weight.data[...] = 0
            assert (net(x).std(axis=(2, 3)) > 1e-3).all() == (net is skipping)


# ------------------------------------------------------------------------------------------------------ statistics of time


def recurrent_layers(net):
    return [layer for _, layer in net.named_layers() if type(layer).__name__ == "Recurrent"]


@pytest.mark.parametrize("name", ["r2unet", "rrcnn-fcn"])
def test_time_steps_share_what_is_learnt_and_no_statistics(name):
    net = models.build(name, 5, width=1 / 16)
    learnt, state = dict(net.named_parameters()), net.state_dict()
    for place in ("enc1.rec1", "enc5.rec2"):
        assert {key for key in learnt if key.startswith(f"{place}.bns")} == {f"{place}.bns.0.weight", f"{place}.bns.0.bias"}
        assert state[f"{place}.bns.2.weight"] is state[f"{place}.bns.0.weight"]
        assert state[f"{place}.bns.2.running_var"] is not state[f"{place}.bns.0.running_var"]


@pytest.mark.parametrize("steps", [0, 2])
def test_a_recurrent_convolution_learns_alike_whether_or_not_x_needs_a_gradient(steps, rng):
    net = Sequential(Recurrent(3, steps, rng))
    x, dy = rng.standard_normal((2, 1, 3, 8, 8)).astype(np.float32)
    gradients = []
    for net.needs_dx in (True, False):
        net.zero_grad()
        net(x)
        net.backward(dy.copy())
        gradients.append([parameter.grad for parameter in net.parameters()])
    for wanted, spared in zip(*gradients, strict=True):
        np.testing.assert_array_equal(wanted, spared)


def settled(net, x: np.ndarray) -> float:
    """How far evaluation is from training once the statistics are settled, the weights still: of the scores' deviation."""
    for _, layer in net.named_layers():
        if isinstance(layer, BatchNorm2d):
            layer.momentum = 0.3  # it is always the same batch: soon done
    with minifcn.no_grad():
        for _ in range(40):
            scores = net.train()(x)
        difference = net.eval()(x) - scores
    return float(np.sqrt((difference**2).mean()) / scores.std())


@pytest.mark.parametrize(("name", "shape"), [("r2unet", (4, 3, 48, 48)), ("rrcnn-fcn", (8, 3, 96, 96))])
def test_statistics_a_time_step_let_evaluation_follow_training(name, shape, rng):
    """Running variances divide by M − 1 and a batch's by M, which of few values a channel is percents."""
    x = rng.standard_normal(shape).astype(np.float32)
    assert settled(models.build(name, 5, width=1 / 16), x) < 0.02

    shared = models.build(name, 5, width=1 / 16)
    for layer in recurrent_layers(shared):
        for bn in layer.bns:
            bn.running_mean, bn.running_var = layer.bns[0].running_mean, layer.bns[0].running_var
    assert settled(shared, x) > 0.25
