"""FCN's exact numbers: parameters, shapes, crops, the first loss; any picture size; and its gradients."""

from __future__ import annotations

import numpy as np
import pytest

import minifcn
from minifcn import functional as F
from minifcn import models
from minifcn.layers import Conv2d, CrossEntropyLoss

FCNS = [name for name in models.names() if models.entry(name).module == "fcn"]


def narrow(name: str, num_classes: int = 5, **options):
    """A network of the paper's shape with very few channels."""
    return models.build(name, num_classes, **{"width": 1 / 64, "seed": 1, **options})


def counts(net) -> tuple[int, int]:
    parameters = list(net.parameters())
    return sum(p.size for p in parameters), sum(p.size for p in parameters if p.requires_grad)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "total", "trained"),
    [
        ("fcn32s", 136_152_917, 134_346_581),
        ("fcn16s", 134_815_994, 134_357_354),
        ("fcn8s", 134_489_759, 134_362_751),
        ("fcn8s-atonce", 134_489_759, 134_362_751),
    ],
)
def test_parameter_counts_of_the_paper(name, total, trained, monkeypatch):
    monkeypatch.setattr("minifcn.layers.initializers._normal", lambda shape, rng, std: np.zeros(shape, np.float32))
    net = models.build(name, 21)
    assert counts(net) == (total, trained)
    state = net.state_dict()
    vgg = sum(a.size for key, a in state.items() if key.startswith("conv"))
    fc6, fc7 = (sum(state[f"{name}.{kind}"].size for kind in ("weight", "bias")) for name in ("fc6", "fc7"))
    assert (vgg, fc6, fc7) == (14_714_688, 102_764_544, 16_781_312)
    assert vgg + fc6 + fc7 + 4096 * 1000 + 1000 == 138_357_544  # with its last layer, the VGG16 classifier


@pytest.mark.parametrize(
    ("name", "joins", "last"),
    [
        ("fcn32s", {}, 19),
        ("fcn32s-fixed", {}, 19),
        ("fcn16s", {"pool4": 5}, 27),
        ("fcn8s", {"pool4": 5, "pool3": 9}, 31),
        ("fcn8s-atonce", {"pool4": 5, "pool3": 9}, 31),
        ("fcn-alexnet", {}, 18),
    ],
)
def test_crops_come_out_of_the_coordinates(name, joins, last):
    net = narrow(name)
    assert {name[5:]: layer.offset for name, layer in net.children() if name.startswith("join_")} == joins
    assert net.crop.offset == last


def test_shapes_of_a_375x500_picture():
    net = narrow("fcn8s")
    seen = {}
    for name, layer in net.named_layers():
        if name and "." not in name:
            layer.forward = lambda *a, name=name, f=layer.forward: seen.setdefault(name, f(*a))
    with minifcn.no_grad():
        assert net(np.zeros((1, 3, 375, 500), np.float32)).shape == (1, 5, 375, 500)
    expected = {
        "pool1": (287, 349), "pool2": (144, 175), "pool3": (72, 88), "pool4": (36, 44), "pool5": (18, 22), "fc6": (12, 16),
        "upscore2": (26, 34), "upscore_pool4": (54, 70), "upscore8": (440, 568),
    }  # fmt: skip
    assert {name: seen[name].shape[2:] for name in expected} == expected


@pytest.mark.parametrize("name", FCNS)
@pytest.mark.parametrize("padding", [100, 1])
def test_any_picture_size(name, padding):
    net = narrow(name, padding=padding)
    with minifcn.no_grad():
        for size in [(1, 1), (2, 31), (33, 17), (64, 80), (97, 131)]:
            assert net(np.zeros((1, 3, *size), np.float32)).shape == (1, 5, *size)


@pytest.mark.parametrize("name", FCNS)
def test_the_first_loss_is_ln_21_a_pixel(name, rng):
    net = narrow(name, 21, padding=1)
    scores = net(rng.standard_normal((1, 3, 40, 50), dtype=np.float32))
    loss = CrossEntropyLoss()(scores, rng.integers(0, 21, (1, 40, 50), dtype=np.uint8))
    assert round(float(loss), 4) == 3.0445


def prepared(name: str, rng, **options):
    """A narrow float64 net whose score layers and biases are no longer zero: gradients reach every layer, and no ReLU
    sits exactly on its kink, as one does behind a layer that is dead where its bias is zero."""
    net = narrow(name, dropout=0.0, padding=1, learn_upsampling=True, **options).to("float64")
    for key, parameter in net.named_parameters():
        if key.startswith("score") or key.endswith("bias"):
            parameter.data[...] = rng.standard_normal(parameter.shape) / 2
    net.needs_dx = True
    return net


@pytest.mark.parametrize("name", ["fcn32s", "fcn16s", "fcn8s", "fcn-alexnet"])
def test_the_whole_networks_gradient_is_the_numeric_one(name, rng):
    """Along random directions in the space of the picture and all parameters together."""
    net = prepared(name, rng)
    x, dy = rng.standard_normal((2, 3, 37, 45)), rng.standard_normal((2, 5, 37, 45))
    net(x)
    dx = net.backward(dy)
    arrays = [x, *(p.data for p in net.parameters())]
    gradients = [dx, *(p.grad for p in net.parameters())]
    assert all(np.abs(g).max() > 0 for g in gradients)

    def loss_at(step: float, directions) -> float:
        for array, direction in zip(arrays, directions, strict=True):
            array += step * direction
        with minifcn.no_grad():
            loss = (net(x) * dy).sum()
        for array, direction in zip(arrays, directions, strict=True):
            array -= step * direction
        return loss

    h = 1e-6
    for _ in range(3):
        directions = [rng.standard_normal(a.shape) * (np.abs(a).mean() + 1e-3) for a in arrays]
        numeric = (loss_at(h, directions) - loss_at(-h, directions)) / (2 * h)
        ours = sum((g * d).sum() for g, d in zip(gradients, directions, strict=True))
        assert ours == pytest.approx(numeric, rel=1e-6)


def test_frozen_layers_cost_nothing_and_change_nothing(rng):
    """Freezing the first layers leaves the other gradients as they are, keeps no caches and computes no gradient of theirs."""
    net = prepared("fcn8s", rng)
    net.needs_dx = False
    x, dy = rng.standard_normal((1, 3, 33, 40)), rng.standard_normal((1, 5, 33, 40))
    net(x)
    net.backward(dy)
    free = {key: p.grad for key, p in net.named_parameters()}
    net.zero_grad()
    trunk = list(net.trunk.layers)
    frozen = trunk[: trunk.index("pool4")]
    for name in frozen:
        getattr(net, name).requires_grad_(False)
    net(x)
    assert not any(getattr(net, name)._stack for name in frozen)
    assert net.backward(dy) is None
    for key, parameter in net.named_parameters():
        if key.split(".")[0] in frozen:
            assert parameter.grad is None
        else:
            np.testing.assert_array_equal(parameter.grad, free[key])
    assert not any(layer._stack for _, layer in net.named_layers())


def test_32s_fixed_trains_the_score_layer_only():
    trained = {key for key, p in narrow("fcn32s-fixed").named_parameters() if p.requires_grad}
    assert trained == {"score_fr.weight", "score_fr.bias"}


def test_at_once_scales_what_the_skips_read(rng):
    """The same weights, a pool4 score layer a hundred times larger: the at-once net gives FCN-8s's scores."""
    net, at_once = prepared("fcn8s", rng), prepared("fcn8s-atonce", rng)
    at_once.load_state_dict(net.state_dict())
    at_once.score_pool4.weight.data *= 100
    at_once.score_pool3.weight.data *= 10000
    x = rng.standard_normal((1, 3, 33, 40))
    np.testing.assert_allclose(at_once(x), net(x), rtol=1e-10, atol=1e-10)


def test_deconvolutions_interpolate_a_ramp_exactly():
    """Bilinear upsampling of a linear ramp is the same ramp, inside; and constants stay constant (no checkerboard)."""
    upscore8 = narrow("fcn8s").upscore8.weight.data.astype(float)
    ramp = np.broadcast_to(np.arange(10.0), (1, 5, 6, 10)).copy()
    y, _ = F.conv_transpose2d(ramp, upscore8, stride=8)
    inside = y[0, 0, 12:-12, 12:-12]
    np.testing.assert_allclose(np.diff(inside, axis=1), 1 / 8, atol=1e-7)
    np.testing.assert_allclose(F.conv_transpose2d(np.ones_like(ramp), upscore8, stride=8)[0][..., 12:-12, 12:-12], 1, atol=1e-7)


def test_one_seed_one_network():
    first, second, other = (narrow("fcn8s", seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(np.array_equal(first[key], second[key]) for key in first)
    assert not np.array_equal(first["conv3_2.weight"], other["conv3_2.weight"])


def test_config_builds_the_same_network_again():
    net = narrow("fcn16s", padding=1, in_channels=4)
    again = models.build(**net.config)
    assert isinstance(again.conv1_1, Conv2d)
    assert {k: a.shape for k, a in again.state_dict().items()} == {k: a.shape for k, a in net.state_dict().items()}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "fcn4s"}, "unknown model 'fcn4s'; possible are fcn32s"),
        ({"name": "fcn8s", "num_classes": 1}, "at least 2"),
        ({"name": "fcn8s", "width": 0}, "width=0 must be positive"),
        ({"name": "fcn8s", "padding": 0}, "padding=0 must be at least 1"),
        ({"name": "fcn8s", "dropout": 2}, "probability"),
    ],
)
def test_wrong_options_are_answered_with_a_sentence(arguments, words):
    with pytest.raises(ValueError, match=words):
        models.build(**{"width": 1 / 64, **arguments})
