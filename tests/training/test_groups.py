"""Freezing, and rates by name."""

from __future__ import annotations

import pytest

from minifcn import layers
from minifcn.training import SGD, freeze, parameter_groups


@pytest.fixture
def net():
    body = layers.Sequential(conv1=layers.Conv2d(3, 4, 3), conv10=layers.Conv2d(4, 4, 3))
    return layers.Sequential(body=body, score_fr=layers.Conv2d(4, 2, 1), score_pool4=layers.Conv2d(4, 2, 1, bias=False))


def rates(net, **options) -> dict[str, tuple[float, float]]:
    """Key -> (rate, decay), as an optimizer sees them."""
    optimizer = SGD(parameter_groups(net, **options), lr=123.0)
    return {name: (group["lr"], group["weight_decay"]) for group in optimizer.param_groups for name in group["names"]}


def test_one_rate_for_all(net):
    assert set(rates(net, lr=0.1, weight_decay=0.5).values()) == {(0.1, 0.5)}
    assert len(parameter_groups(net, lr=0.1)) == 1
    assert set(rates(net, lr=0.1)) == set(dict(net.named_parameters()))


def test_caffes_rule(net):
    found = rates(net, lr=0.1, weight_decay=0.5, bias_lr_factor=2.0, bias_decay_factor=0.0)
    for key, pair in found.items():
        assert pair == ((0.2, 0.0) if key.endswith(".bias") else (0.1, 0.5)), key


def test_factors_multiply(net):
    found = rates(net, lr=1.0, bias_lr_factor=2.0, lr_factors={"score*": 10.0, "score_fr": 3.0})
    assert found["score_fr.weight"][0] == 30
    assert found["score_fr.bias"][0] == 60
    assert found["score_pool4.weight"][0] == 10
    assert found["body.conv1.weight"][0] == 1


@pytest.mark.parametrize(
    ("patterns", "frozen"),
    [
        (["body"], {"body.conv1.weight", "body.conv1.bias", "body.conv10.weight", "body.conv10.bias"}),
        (["body.conv1"], {"body.conv1.weight", "body.conv1.bias"}),  # and not conv10
        ("*.bias", {"body.conv1.bias", "body.conv10.bias", "score_fr.bias"}),
        (iter(["score_pool4", "body.conv10.weight"]), {"score_pool4.weight", "body.conv10.weight"}),
    ],
)
def test_freezing_by_pattern(net, patterns, frozen):
    assert set(freeze(net, patterns)) == frozen
    assert {key for key, parameter in net.named_parameters() if not parameter.requires_grad} == frozen
    assert not frozen & set(rates(net, lr=1.0))


def test_patterns_that_match_nothing_are_refused(net):
    with pytest.raises(ValueError, match=r"'fc7'.*body\.conv1, body\.conv10, score_fr, score_pool4"):
        freeze(net, ["fc7"])
    with pytest.raises(ValueError, match="'fc7'"):
        parameter_groups(net, lr=0.1, lr_factors={"fc7": 2.0})
    assert all(parameter.requires_grad for parameter in net.parameters())


def test_freezing_everything_is_refused(net):
    with pytest.raises(ValueError, match="nothing is left"):
        freeze(net, ["*"])
    assert all(parameter.requires_grad for parameter in net.parameters())
    assert not any(layer.frozen for _, layer in net.named_layers())


@pytest.mark.parametrize(
    ("patterns", "frozen"),
    [
        (["body"], {"body", "body.conv1", "body.norm", "body.drop"}),  # with all below, what has no parameters too
        (["body.conv1", "*.norm"], {"body.conv1", "body.norm"}),
        (["*.weight"], {"score"}),  # the only one that has nothing but a weight
        (["*.weight", "body.norm.bias"], {"score", "body.norm"}),
    ],
)
def test_a_layer_is_frozen_where_it_or_all_that_it_owns_matches(patterns, frozen):
    body = layers.Sequential(conv1=layers.Conv2d(3, 4, 3), norm=layers.BatchNorm2d(4), drop=layers.Dropout())
    net = layers.Sequential(body=body, last=layers.BatchNorm2d(4), score=layers.Conv2d(4, 2, 1, bias=False))
    net.last.requires_grad_(False)  # which is not what freezing a layer is
    freeze(net, patterns) if patterns != ["body"] else freeze(net, "body")
    net.train()
    assert {key for key, layer in net.named_layers() if layer.frozen} == frozen
    assert {key for key, layer in net.named_layers() if not layer.training} == frozen


def tied() -> layers.Sequential:
    """``decoder``'s weight is ``encoder``'s, whose key it goes by."""
    encoder, decoder = (layers.Conv2d(2, 2, 3, padding=1, bias=bias) for bias in (True, False))
    decoder.weight = encoder.weight
    return layers.Sequential(encoder=encoder, decoder=decoder, score=layers.Conv2d(2, 2, 1))


def test_a_shared_weight_is_found_under_each_of_its_names():
    net = tied()
    assert freeze(net, "decoder") == ["encoder.weight"]
    assert [key for key, parameter in net.named_parameters() if not parameter.requires_grad] == ["encoder.weight"]
    assert [key for key, layer in net.named_layers() if layer.frozen] == ["decoder"]  # the encoder's bias learns on
    assert rates(tied(), lr=1.0, lr_factors={"decoder": 10.0})["encoder.weight"][0] == 10
    assert rates(tied(), lr=1.0, lr_factors={"decoder": 10.0})["encoder.bias"][0] == 1


def test_a_layer_under_two_names_is_frozen_by_either():
    norm = layers.BatchNorm2d(2)
    net = layers.Sequential(first=norm, conv=layers.Conv2d(2, 2, 1), again=norm)
    freeze(net, "again")
    assert norm.frozen


def test_a_layer_with_statistics_and_nothing_to_learn_can_be_frozen():
    net = layers.Sequential(conv=layers.Conv2d(2, 2, 1), norm=layers.BatchNorm2d(2, affine=False), drop=layers.Dropout())
    assert freeze(net, "norm") == []
    assert not net.train().norm.training
    with pytest.raises(ValueError, match=r"'norm\.weight' matches no parameter"):
        freeze(net, "norm.weight")
