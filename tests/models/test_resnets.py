"""ResNets and what stands on them: torchvision's own networks are the twins, its state dicts load by key."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import minifcn
from minifcn import anatomy, models
from minifcn import layers as L
from minifcn.bench.twins.torchvision_models import resnet, segmentation
from minifcn.layers import initializers
from minifcn.models.resnet import BasicBlock, Bottleneck
from support.against_torch import differences, load_twin

SEGMENTATION = {
    "fcn-resnet50": (segmentation.fcn_resnet50, 32_957_013, 35_322_218),
    "fcn-resnet101": (segmentation.fcn_resnet101, 51_949_141, 54_314_346),
    "deeplabv3-resnet50": (segmentation.deeplabv3_resnet50, 39_638_869, 42_004_074),
    "deeplabv3-resnet101": (segmentation.deeplabv3_resnet101, 58_630_997, 60_996_202),
}
CLASSIFIERS = {
    "resnet18": (resnet.resnet18, 11_689_512),
    "resnet34": (resnet.resnet34, 21_797_672),
    "resnet50": (resnet.resnet50, 25_557_032),
    "resnet101": (resnet.resnet101, 44_549_160),
}


def count(name: str, num_classes: int, **options) -> int:
    with initializers.blank():
        return sum(parameter.size for parameter in models.build(name, num_classes, **options).parameters())


def narrow(name: str, num_classes: int = 5, **options):
    return models.build(name, num_classes, **{"width": 1 / 32, **options})


def compare(net, twin, size, batch, training, rng) -> None:
    net.train(training)
    twin.train(training)
    found = differences(net, twin, rng.standard_normal((batch, 3, *size)), rng)
    wrong = {key: value for key, value in found.items() if not value <= 1e-8}
    assert not wrong
    assert len(found) > len(list(net.parameters()))


@pytest.mark.parametrize("name", SEGMENTATION)
def test_parameters(name):
    _, alone, with_aux = SEGMENTATION[name]
    assert (count(name, 21), count(name, 21, aux=True)) == (alone, with_aux)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_parameters_of_the_classifiers(name):
    assert count(name, 1000) == CLASSIFIERS[name][1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size", "batch"), [("resnet18", (33, 47), 2), ("resnet34", (64, 63), 2), ("resnet50", (65, 63), 1)]
)
def test_a_classifiers_scores_and_gradients_are_torchvisions(name, size, batch, rng):
    twin = CLASSIFIERS[name][0](weights=None, num_classes=10)
    with initializers.blank():
        net = models.build(name, 10)
    load_twin(net, twin, rng)
    for training in (True, False):
        compare(net, twin, size, batch, training, rng)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "aux", "runs"),
    [
        ("fcn-resnet50", True, [((33, 47), 1, True), ((33, 47), 2, False)]),
        ("fcn-resnet101", False, [((35, 32), 2, True)]),
        ("deeplabv3-resnet50", False, [((33, 47), 2, True), ((32, 304), 1, False), ((305, 33), 1, False)]),
        ("deeplabv3-resnet101", True, [((33, 47), 2, True)]),
    ],
)
def test_scores_and_gradients_are_torchvisions(name, aux, runs, rng):
    """32x304 and 305x33: on a smaller map all taps of the larger rates but the middle one lie in the padding."""
    twin = SEGMENTATION[name][0](weights=None, weights_backbone=None, num_classes=21, aux_loss=aux)
    with initializers.blank():
        net = models.build(name, aux=aux)
    load_twin(net, twin, rng)
    for size, batch, training in runs:
        compare(net, twin, size, batch, training, rng)


@pytest.mark.parametrize("name", ["fcn-resnet50", "deeplabv3-resnet50"])
def test_the_second_head(name, rng):
    net, x = narrow(name, aux=True), rng.standard_normal((2, 3, 40, 33), dtype=np.float32)
    scores, aux_scores = net(x)
    assert scores.shape == aux_scores.shape == (2, 5, 40, 33)
    with pytest.raises(ValueError, match="takes dscores and daux: a gradient for each"):
        net.backward(scores)
    net.forget()
    net.eval()
    assert net(x).shape == (2, 5, 40, 33)
    net.backward(scores)
    assert net.aux_classifier[0].weight.grad is None
    net(x)
    with pytest.raises(ValueError, match="takes dscores alone"):
        net.backward(scores, aux_scores)


def test_one_value_a_channel_is_refused_in_training_only(rng):
    net, x = narrow("deeplabv3-resnet50"), rng.standard_normal((1, 3, 40, 33), dtype=np.float32)
    with pytest.raises(ValueError, match="one value a channel"):
        net(x)
    net.classifier[0].convs[4].freeze()  # the cure that the module names
    assert net(x).shape == (1, 5, 40, 33)
    assert net.eval()(x).shape == (1, 5, 40, 33)


def test_frozen_stages_keep_nothing_and_leave_the_other_gradients_as_they_are(rng):
    net, x = narrow("fcn-resnet50", aux=True, dropout=0.0).to("float64"), rng.standard_normal((1, 3, 33, 40))
    frozen = [net.backbone.conv1, net.backbone.bn1, net.backbone.layer1, net.backbone.layer2, net.backbone.layer3]
    for layer in frozen:
        layer.eval()  # the same statistics then, frozen or not
    dys = [rng.standard_normal((1, 5, 33, 40)) for _ in range(2)]
    net(x)
    net.backward(*(dy.copy() for dy in dys))
    free = {key: parameter.grad for key, parameter in net.named_parameters()}
    net.zero_grad()
    for layer in frozen:
        layer.freeze()
    net(x)
    assert not any(inner.kept() for layer in frozen for _, inner in layer.named_layers())
    net.backward(*dys)
    for key, parameter in net.named_parameters():
        if parameter.requires_grad:
            largest = np.abs(free[key]).max()  # where they are frozen, batch norms are folded into weights: other roundings
            np.testing.assert_allclose(parameter.grad, free[key], rtol=0, atol=1e-10 * largest, err_msg=key)
        else:
            assert parameter.grad is None


@pytest.mark.parametrize("name", SEGMENTATION)
def test_summary_and_coordinates_print(name):
    with initializers.blank():
        net = models.build(name, aux=True)
    assert "resize (Upsample)" in str(anatomy.ledger(net, (2, 3, 33, 47)))
    places = {place.name: place.rows for place in anatomy.coordinates(net, (2, 3, 65, 47)).places}
    assert str(places["backbone.layer4.2.relu3"]).startswith("stride 8, offset 0,")


def norm_name(block):
    return "bn2" if isinstance(block, BasicBlock) else "bn3"


@pytest.fixture(params=["BasicBlock", "Bottleneck"])
def block(request, rng):
    made = BasicBlock(4, 4, 4, 1, 1, rng) if request.param == "BasicBlock" else Bottleneck(4, 2, 4, 1, 1, rng)
    return made.to("float64")


def branch(block):
    return itertools.takewhile(lambda name: name != "downsample", [name for name, _ in block.children()])


REPLACED = {
    "no norm": lambda block: setattr(block, norm_name(block), L.Identity()),
    "a ReLU at its end": lambda block: setattr(block, norm_name(block), L.ReLU()),
    "a row at its end": lambda block: setattr(block, norm_name(block), L.Sequential(L.BatchNorm2d(4), L.ReLU()).to("float64")),
    "nothing left of it": lambda block: [setattr(block, name, L.Identity()) for name in branch(block)],
}


@pytest.mark.parametrize("replaced", REPLACED)
def test_a_block_writes_over_nothing_that_somebody_keeps(block, replaced, rng):
    x = rng.standard_normal((2, 4, 5, 5))
    REPLACED[replaced](block)
    before = x.copy()
    y = block(x)
    np.testing.assert_array_equal(x, before)
    block.forget()
    by_itself, block.add = block.add, Apart()
    np.testing.assert_array_equal(block(x), y)
    block.forget()
    block.add = by_itself
    assert minifcn.gradcheck(block, x)


class Kept(L.BatchNorm2d):
    """One that remembers what it gave."""

    def forward(self, x):
        self.given = super().forward(x)
        return self.given


@pytest.mark.parametrize("way", ["a class", "a forward of its own"])
def test_a_norm_of_the_users_may_keep_what_it_gives(block, way, rng):
    norm = getattr(block, norm_name(block))
    if way == "a class":
        norm.__class__ = Kept
    else:
        right = norm.forward

        def forward(x):
            norm.given = right(x)
            return norm.given

        norm.forward = forward
    block(rng.standard_normal((2, 4, 5, 5)))
    assert abs(norm.given.mean(axis=(0, 2, 3))).max() < 1e-9  # normalised: x is not in it


def test_a_sum_of_the_users_is_asked_for_nothing(block, rng):
    x = rng.standard_normal((2, 4, 5, 5))
    y = block(x)
    block.forget()
    block.add = Apart()
    np.testing.assert_array_equal(block(x), y)
    block.forget()
    block.add = L.Add()
    block.add.forward = lambda a, b: a + b
    np.testing.assert_array_equal(block(x), y)


class Apart(L.Add):
    """A sum of the user's own, that is never written over anything and knows of no option."""

    def forward(self, a, b):
        return super().forward(a, b)


def test_a_block_as_it_is_sums_in_place(block, rng, monkeypatch):
    asked, right = [], L.Add.forward
    monkeypatch.setattr(L.Add, "forward", lambda self, a, b, inplace=False: asked.append(inplace) or right(self, a, b, inplace))
    x = rng.standard_normal((2, 4, 5, 5))
    block(x)
    block.eval()(x)
    setattr(block, norm_name(block), L.Conv2d(4, 4, 1).to("float64"))
    block(x)
    assert asked == [True] * 3


@pytest.mark.parametrize("kind", [BasicBlock, Bottleneck])
def test_a_stride_alone_needs_a_side_road(kind, rng):
    assert minifcn.gradcheck(kind(4, 4, 4, 2, 1, rng).to("float64"), rng.standard_normal((2, 4, 6, 5)))
