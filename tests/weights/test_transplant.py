"""Net surgery: 32s -> 16s -> 8s copies what both have; a classifier's fc layers are reshaped; nothing is lost in silence."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn import models
from minifcn.layers import initializers
from minifcn.training import SGD, Adam


def narrow(name: str, **options):
    return models.build(name, 5, **{"width": 1 / 64, "padding": 1, **options})


def test_the_staircase_copies_every_shared_layer_and_keeps_the_scores(rng):
    net32, net16, net8 = (narrow(name, seed=i).eval() for i, name in enumerate(("fcn32s", "fcn16s", "fcn8s")))
    for array in net32.state_dict().values():
        array += rng.standard_normal(array.shape).astype(np.float32) * 0.01
    report = models.transplant(net16, net32.state_dict(), models.entry("fcn16s").fresh)
    assert {"fc6.weight", "fc7.weight", "conv1_1.bias", "score_fr.weight"} <= set(report.copied)
    assert report.skipped == ["upscore.weight"]
    assert set(report.unfilled) == {"upscore2.weight", "score_pool4.weight", "score_pool4.bias", "upscore16.weight"}
    report = models.transplant(net8, net16.state_dict(), models.entry("fcn8s").fresh)
    assert {"score_pool4.weight", "upscore2.weight"} <= set(report.copied)
    np.testing.assert_array_equal(net8.fc6.weight.data, net32.fc6.weight.data)


def test_fully_connected_weights_become_convolutions_by_a_reshape(rng):
    net = narrow("fcn32s")
    state = {key: array.copy() for key, array in net.state_dict().items()}
    O = state["fc6.weight"].shape[0]
    state["fc6.weight"] = rng.standard_normal((O, state["fc6.weight"].size // O), dtype=np.float32)
    report = models.transplant(net, state)
    assert report.reshaped == ["fc6.weight"]
    features = rng.standard_normal(net.fc6.weight.shape[1:], dtype=np.float32)  # (C, 7, 7), what the classifier sees
    as_convolution = (net.fc6.weight.data * features).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(as_convolution, state["fc6.weight"] @ features.ravel(), rtol=1e-4, atol=1e-4)


def test_a_backbone_layer_left_unfilled_is_refused_and_nothing_changes():
    net = narrow("fcn32s")
    before = net.conv1_1.weight.data.copy()
    state = {key: array + 1 for key, array in net.state_dict().items() if not key.startswith("fc6")}
    with pytest.raises(ValueError, match=r"2 arrays of the network find no weights in the source: fc6\.weight .*absent"):
        models.transplant(net, state)
    np.testing.assert_array_equal(net.conv1_1.weight.data, before)
    with pytest.raises(ValueError, match=r"conv1_1\.weight \(1, 3, 3, 3\) \(source: \(2, 3, 3, 3\)\)"):
        models.transplant(net, narrow("fcn32s", width=1 / 32).state_dict())


def test_nothing_may_stay_unless_it_is_said():
    net = narrow("fcn16s")
    with pytest.raises(ValueError, match="4 arrays of the network find no weights"):
        models.transplant(net, narrow("fcn32s").state_dict())


def test_one_name_may_stay_without_a_list():
    """A text is no list of its letters, which would let nearly every layer stay."""
    net, source = models.build("unet", 3, width=1 / 16), {"score.weight": np.ones(1, np.float32)}
    with pytest.raises(ValueError, match="44 arrays of the network find no weights"):
        models.transplant(net, source, "score")
    assert models.transplant(net, models.build("unet", 5, width=1 / 16).state_dict(), "score").unfilled == [
        "score.weight", "score.bias",
    ]  # fmt: skip


@pytest.mark.parametrize("use", [
    lambda net, state: models.transplant(net, state), lambda net, state: net.load_state_dict(state),
    lambda net, state: SGD(net.named_parameters()), lambda net, state: Adam(net.parameters()),
])  # fmt: skip
def test_a_network_that_was_made_to_be_looked_at_says_so_when_it_shall_be_used(use):
    state = narrow("fcn32s").state_dict()
    with initializers.blank():
        net = narrow("fcn32s")
    with pytest.raises(ValueError, match=r"cannot be written to: .*initializers\.blank\(\).*build it outside"):
        use(net, state)
    use(narrow("fcn32s"), state)


def test_a_unet_is_reported_layer_by_layer():
    net, state = narrow_unet(5), narrow_unet(7).state_dict()
    state["enc1.bn1.num_batches_tracked"] = np.array(3)
    report = models.transplant(net, state, models.entry("unet").fresh)
    assert len(report.copied) == 44
    copied, reshaped, skipped, unfilled = str(report).splitlines()
    assert copied.split()[:2] == ["copied", "44"]
    assert copied.split()[2:6] == ["enc1,", "enc2,", "enc3,", "enc4,"]
    assert reshaped == "reshaped    0"
    assert skipped == "skipped     2  score"  # and not PyTorch's counter
    assert unfilled == "unfilled    2  score"


def test_a_layer_that_went_two_ways_is_named_key_by_key():
    net = narrow("fcn32s")
    state = {key: array for key, array in net.state_dict().items() if key != "score_fr.bias"}
    report = str(models.transplant(net, state, ("score",)))
    assert "score_fr.weight, upscore" in report
    assert "unfilled    1  score_fr.bias" in report


def narrow_unet(num_classes: int):
    return models.build("unet", num_classes, width=1 / 64)
