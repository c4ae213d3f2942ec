"""FCN-8s against its twin: agreement, steps, inference, and where a step goes."""

from __future__ import annotations

from collections import Counter

import pytest

from minifcn import functional as F
from minifcn.bench import measurements, network, profile, run
from minifcn.bench.network import Networks
from minifcn.bench.profile import KINDS, PASSES, REST, WHOLE
from minifcn.training import SGD

SIZE, WIDTH = (17, 23), 1 / 64


def test_they_agree_then_step_and_score(device):
    networks = Networks(device, WIDTH)
    agreement = networks.agreement(SIZE, 2).check("float32")
    assert agreement.our_loss > 0
    assert "gradients within" in str(agreement)
    steps = list(run(networks.step_contests(SIZE, (1, 2)), device, 2))
    assert [(r.group, r.name) for r in steps] == [
        ("FCN-8s, training step", "17x23, batch 1"), ("FCN-8s, training step", "17x23, batch 2"),
    ]  # fmt: skip
    assert all(len(r.timing.ratios) == 2 for r in steps)


def test_inference_after_steps_compares_the_same_weights_again(device):
    """`bench all` times steps first, and steps with dropout move the two networks apart."""
    session = measurements.Session(device, SIZE, (2,), pairs=2, width=WIDTH)
    measurements.step(session)
    trained = session.networks()
    assert len(measurements.inference(session).lists["results"]) == 1
    assert session.networks() is not trained


def test_inference_is_compared_and_keeps_nothing(device):
    networks = Networks(device, WIDTH)
    (result,) = run(networks.inference_contests(SIZE, (1,)), device, 1)
    assert result.difference < 1e-4
    assert not any(layer._stack for _, layer in networks.ours.named_layers())


def test_a_step_trains_with_dropout_and_leaves_what_is_frozen(device):
    networks = Networks(device, WIDTH)
    networks.agreement(SIZE, 1)  # without dropout
    ours, theirs = networks.steps(SIZE, 1)
    before = {key: p.data.copy() for key, p in networks.ours.named_parameters()}
    ours()
    theirs()
    assert networks.ours.training
    assert networks.theirs.training
    moved = {key for key, p in networks.ours.named_parameters() if (p.data != before[key]).any()}
    assert {"conv5_3.weight", "fc7.weight", "score_fr.bias", "score_pool3.weight"} <= moved
    assert not any(key.startswith("upscore") for key in moved)
    assert all(p.grad is None for p in networks.ours.parameters())


def test_networks_that_compute_different_things_are_refused(device, monkeypatch):
    right = F.max_pool2d_backward
    monkeypatch.setattr(F, "max_pool2d_backward", lambda dy, cache: 1.1 * right(dy, cache))
    agreement = Networks(device, WIDTH).agreement(SIZE, 1)
    assert agreement.our_loss == pytest.approx(agreement.pytorch_loss)
    with pytest.raises(RuntimeError, match=r"do not agree, so they are not timed; batch 1: losses"):
        agreement.check("float32")


def test_a_missing_gradient_is_no_agreement(device):
    networks = Networks(device, WIDTH)
    networks.ours.conv3_2.weight.requires_grad = False
    agreement = networks.agreement(SIZE, 1)
    assert (agreement.gradient, agreement.worst) == (float("inf"), "conv3_2.weight")


def test_another_loss_is_no_agreement():
    agreement = network.Agreement(1, 3.0, 3.001, 0.0, "conv1_1.weight")
    with pytest.raises(RuntimeError, match="do not agree"):
        agreement.check("float32")
    assert agreement.check("tf32") is agreement


def test_the_shares_add_up_to_the_step(device):
    networks = Networks(device, WIDTH)
    results = profile.profile(networks, SIZE, 1, 2)
    by_name = {result.name: result.timing for result in results}
    parts = [f"{kind}, {what}" for what in PASSES for kind in KINDS.values()]
    assert [result.name for result in results] == [*parts, REST, WHOLE]
    for side in ("ours", "pytorch"):
        for step in range(2):
            shares = [getattr(by_name[name], side)[step] for name in (*parts, REST)]
            assert min(shares) > 0, side
            assert sum(shares) == pytest.approx(getattr(by_name[WHOLE], side)[step])
    assert not any({"forward", "backward"} & set(vars(layer)) for _, layer in networks.ours.named_layers())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in networks.theirs.modules())


def test_a_slow_layer_shows_where_it_is(alone):
    """One multiplication by a clock that jumps: only max pooling's backward costs anything."""
    networks = Networks(alone, WIDTH)
    ours, _ = networks.steps(SIZE, 1)
    time, spent = [0.0], Counter()
    pool = networks.ours.pool3
    right = pool.backward

    def slow(dy):
        time[0] += 5.0
        return right(dy)

    pool.backward = slow
    with profile.watch_layers(networks.ours, lambda: time[0], lambda part, seconds: spent.update({part: seconds})):
        ours()
    assert {part for part, seconds in spent.items() if seconds} == {"max pool, backward"}
    assert spent["max pool, backward"] == 5.0


def test_the_update_is_that_of_our_optimizer(alone):
    ours, _ = Networks(alone, WIDTH).steps(SIZE, 1)
    assert isinstance(ours.optimizer, SGD)
    group = ours.optimizer.param_groups[0]
    assert (group["momentum"], group["weight_decay"]) == (0.9, 5e-4)
