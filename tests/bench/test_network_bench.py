"""Networks against their twins: agreement, steps, inference, and where a step goes."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn import functional as F
from minifcn.bench import Timing, measurements, network, profile, run, timing
from minifcn.bench.network import Architecture, Networks, OurStep
from minifcn.bench.profile import PASSES, WHOLE, LayerClock
from minifcn.layers import Conv2d, Layer
from minifcn.layers.watch import watching
from minifcn.training import SGD

SIZE = (17, 23)
FCN8S = Architecture("fcn8s", {"width": 1 / 64})
UNET = Architecture("unet", {"width": 1 / 32})
NORMED = Architecture("unet", {"width": 1 / 32, "batch_norm": True})
EVERY = pytest.mark.parametrize("architecture", [FCN8S, UNET, NORMED], ids=["FCN-8s", "U-Net", "U-Net with batch norm"])


@EVERY
def test_they_agree_then_step_and_score(device, architecture):
    networks = Networks(device, architecture)
    agreement = networks.agreement(SIZE, 2).check("float32")
    assert agreement.our_loss > 0
    assert "gradients within" in str(agreement)
    steps = list(run(networks.step_contests(SIZE, (2, 3)), device, 2))
    group = f"{architecture.title}, training step"
    assert [(r.group, r.name) for r in steps] == [(group, "17x23, batch 2"), (group, "17x23, batch 3")]
    assert all(len(r.timing.ratios) == 2 for r in steps)


def test_titles():
    assert [architecture.title for architecture in (FCN8S, UNET, NORMED, Architecture("fcn16s"))] == [
        "FCN-8s", "U-Net", "U-Net (batch_norm=True)", "fcn16s",
    ]  # fmt: skip


def test_inference_after_steps_compares_the_same_weights_again(device):
    """`bench all` times steps first, and steps with dropout move the two networks apart."""
    session = measurements.Session(device, SIZE, (2,), pairs=2, architecture=FCN8S)
    measurements.step(session)
    assert len(measurements.inference(session).lists["results"]) == 1
    measurements.profile(session)


@EVERY
def test_inference_is_compared_and_keeps_nothing(device, architecture):
    networks = Networks(device, architecture)
    (result,) = run(networks.inference_contests(SIZE, (1,)), device, 1)
    assert result.difference < 1e-4
    assert not any(layer.kept() for _, layer in networks.ours.named_layers())


@pytest.mark.parametrize("measure", [measurements.step, measurements.inference, measurements.profile])
@pytest.mark.parametrize(("architecture", "key"), [(FCN8S, "conv3_2.weight"), (UNET, "up2.bias"), (NORMED, "dec3.bn1.weight")])
def test_a_wrong_weight_is_noticed_before_the_clock_runs(device, monkeypatch, measure, architecture, key):
    from minifcn.bench import torch_step

    def load_wrongly(net, state, right=torch_step.load):
        right(net, state | {key: 1.5 * state[key]})

    def compare(*_, **__):
        raise AssertionError("the clock ran")

    monkeypatch.setattr(torch_step, "load", load_wrongly)
    monkeypatch.setattr("minifcn.bench.contest.compare", compare)
    monkeypatch.setattr(profile, "timed", compare)
    with pytest.raises(RuntimeError, match=r"not timed"):
        measure(measurements.Session(device, (32, 48), (2,), pairs=1, architecture=architecture))


def test_pytorch_runs_in_its_faster_layout(device, monkeypatch):
    """Here that is the one that the stopwatch says is faster."""
    import torch

    seconds = {"contiguous": 2.0, "channels-last": 1.0}

    def compare(theirs, **_):
        images = theirs.images
        layout = "channels-last" if images.is_contiguous(memory_format=torch.channels_last) else "contiguous"
        return Timing((3.0, seconds[layout], 3.0))

    monkeypatch.setattr(timing, "compare", compare)
    networks = Networks(device, UNET, channels_last=True)
    for fastest in ("channels-last", "NCHW"):
        (contest,) = networks.step_contests(SIZE, (1,))
        assert (networks.layout, contest.name) == (fastest, f"17x23, batch 1 (PyTorch: {fastest})")
        weight = networks.theirs.dec2.conv1.weight
        assert weight.is_contiguous() == (fastest == "NCHW")
        seconds["channels-last"] = 2.5
    assert Networks(device, UNET).choose_layout(lambda: None) == ""


def test_a_step_trains_with_dropout_and_leaves_what_is_frozen(device):
    networks = Networks(device, FCN8S)
    networks.agreement(SIZE, 1)  # without dropout
    ours, theirs = networks.steps(SIZE, 1)
    before = {key: p.data.copy() for key, p in networks.ours.named_parameters()}
    ours()
    theirs()
    assert all(layer.training for _, layer in networks.ours.named_layers())
    assert all(module.training for module in networks.theirs.modules())
    moved = {key for key, p in networks.ours.named_parameters() if (p.data != before[key]).any()}
    assert {"conv5_3.weight", "fc7.weight", "score_fr.bias", "score_pool3.weight"} <= moved
    assert not any(key.startswith("upscore") for key in moved)
    assert all(p.grad is None for p in networks.ours.parameters())


@EVERY
def test_networks_that_compute_different_things_are_refused(device, monkeypatch, architecture):
    right = F.max_pool2d_backward
    monkeypatch.setattr(F, "max_pool2d_backward", lambda dy, cache: 1.1 * right(dy, cache))
    agreement = Networks(device, architecture).agreement((32, 48), 2)
    assert agreement.our_loss == pytest.approx(agreement.pytorch_loss, rel=1e-5)
    with pytest.raises(RuntimeError, match=r"do not agree, so they are not timed; batch 2: losses"):
        agreement.check("float32")


def test_a_batch_norm_that_is_wrong_in_training_alone_is_refused(device, monkeypatch):
    right = F.batch_norm
    monkeypatch.setattr(F, "batch_norm", lambda *given: right(*given[:5], False, *given[6:]))
    with pytest.raises(RuntimeError, match="do not agree"):
        Networks(device, NORMED).agreement((32, 48), 2).check("float32")


def test_a_missing_gradient_is_no_agreement(device):
    networks = Networks(device, FCN8S)
    networks.ours.conv3_2.weight.requires_grad = False
    agreement = networks.agreement(SIZE, 1)
    assert (agreement.gradient, agreement.worst) == (float("inf"), "conv3_2.weight")


def test_another_loss_is_no_agreement():
    agreement = network.Agreement(1, 3.0, 3.001, 0.0, "conv1_1.weight")
    with pytest.raises(RuntimeError, match="do not agree"):
        agreement.check("float32")
    assert agreement.check("tf32") is agreement


class TwoScores(Layer):
    """A network with an auxiliary output."""

    def __init__(self) -> None:
        super().__init__()
        self.main, self.auxiliary = Conv2d(3, 4, 1), Conv2d(3, 4, 1)

    def forward(self, x):
        return self.main(x), self.auxiliary(x)

    def backward(self, dmain, dauxiliary):
        self.auxiliary.backward(dauxiliary)
        return self.main.backward(dmain)


class SumOfBoth:
    """A criterion whose gradients are 1 and 2 everywhere."""

    def __call__(self, scores, labels):
        self.shapes = [part.shape for part in scores]
        return scores[0].sum() + 2 * scores[1].sum()

    def backward(self):
        return tuple(np.full(shape, factor, np.float32) for shape, factor in zip(self.shapes, (1, 2), strict=True))


def test_a_network_may_return_several_scores(rng):
    net = TwoScores()
    step = OurStep(net, rng.standard_normal((1, 3, 2, 2), dtype=np.float32), None, SumOfBoth())
    step.gradients()
    assert (net.main.bias.grad == 4).all()
    assert (net.auxiliary.bias.grad == 8).all()


KINDS_OF = {
    "FCN-8s": ["3x3 conv", "ReLU", "max pool", "7x7 conv", "dropout", "1x1 conv", "deconv"],
    "U-Net": ["3x3 conv", "ReLU", "max pool", "deconv", "concat", "1x1 conv"],
    "U-Net (batch_norm=True)": ["3x3 conv", "batch norm", "ReLU", "max pool", "deconv", "concat", "1x1 conv"],
}
REST_OF = {"FCN-8s": "rest: add, crop, loss, update"}


@EVERY
def test_the_shares_add_up_to_the_step(device, architecture):
    networks = Networks(device, architecture)
    results = profile.profile(networks, SIZE, 2, 2)
    by_name = {result.name: result.timing for result in results}
    parts = [f"{kind}, {which}" for which in PASSES for kind in KINDS_OF[architecture.title]]
    rest = REST_OF.get(architecture.title, "rest: crop, loss, pad, update")
    assert [result.name for result in results] == [*parts, rest, WHOLE]
    for side in ("ours", "pytorch"):
        for step in range(2):
            parts_and_rest = [getattr(by_name[name], side)[step] for name in (*parts, rest)]
            assert min(parts_and_rest) > 0, side
            assert sum(parts_and_rest) == pytest.approx(getattr(by_name[WHOLE], side)[step])
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in networks.theirs.modules())


@EVERY
def test_every_layer_with_parameters_has_a_kind_of_its_own_on_both_sides(device, architecture):
    networks = Networks(device, architecture)
    modules = dict(networks.theirs.named_modules())
    for key, layer in networks.ours.named_layers():
        if not any(True for _ in layer.children()) and any(True for _ in layer.parameters()):
            assert profile.kind_of(layer) == profile.kind_of(modules[key])


def test_what_only_one_side_has_goes_to_the_rest():
    ours = ({("ReLU", "forward"): 2.0, ("crop", "forward"): 1.0, ("ReLU", "backward"): 3.0}, 10.0)
    theirs = ({("ReLU", "forward"): 4.0, ("ReLU", "backward"): 1.0}, 6.0)
    assert profile.shares([[ours], [theirs]]) == {
        "ReLU, forward": [[2.0], [4.0]], "ReLU, backward": [[3.0], [1.0]], "rest: crop, update": [[5.0], [1.0]],
        WHOLE: [[10.0], [6.0]],
    }  # fmt: skip


@pytest.mark.parametrize("architecture", [FCN8S, UNET])
def test_a_slow_layer_shows_where_it_is(alone, architecture, monkeypatch):
    """A clock that jumps: only max pooling's backward costs anything."""
    time = [0.0]

    def slow(dy, cache, right=F.max_pool2d_backward):
        time[0] += 5.0
        return right(dy, cache)

    monkeypatch.setattr(F, "max_pool2d_backward", slow)
    ours, _ = Networks(alone, architecture).steps(SIZE, 1)
    spent, whole = profile.timed(ours, lambda: time[0])
    pools = {"FCN-8s": 5, "U-Net": 4}[architecture.title]
    assert {part: seconds for part, seconds in spent.items() if seconds} == {("max pool", "backward"): 5.0 * pools}
    assert whole == 5.0 * pools


def test_no_leaf_is_without_a_kind(alone):
    kinds = set()
    ours, _ = Networks(alone, UNET).steps(SIZE, 1)
    with watching(LayerClock(lambda: 0.0, lambda kind, which, _: kinds.add(kind))):
        ours()
    assert kinds == {*KINDS_OF["U-Net"], "crop", "pad", "loss"}


def test_the_update_is_that_of_our_optimizer(alone):
    ours, _ = Networks(alone, FCN8S).steps(SIZE, 1)
    assert isinstance(ours.optimizer, SGD)
    group = ours.optimizer.param_groups[0]
    assert (group["momentum"], group["weight_decay"]) == (0.9, 5e-4)
