"""Classifiers: the papers' sizes, torchvision's keys, and what becomes of them when they slide. See test_twins.py, too."""

from __future__ import annotations

import numpy as np
import pytest

import minifcn
from minifcn import checks, models
from minifcn import layers as L
from minifcn.layers import initializers

CLASSIFIERS = [name for name in models.names() if models.entry(name).module in ("vgg", "alexnet")]


def narrow(name: str, num_classes: int = 5, **options) -> L.Layer:
    """Of the paper's shape, with few channels, dropping nothing, its biases no longer zero."""
    net = models.build(name, num_classes, **{"width": 1 / 32, "dropout": 0.0, **options}).to("float64")
    rng = np.random.default_rng(1)
    for key, parameter in net.named_parameters():
        if key.endswith("bias"):
            parameter.data[...] = rng.standard_normal(parameter.shape)
    return net


def squeezenet() -> L.Layer:
    """The form of SqueezeNet 1.1: strides, roundings and the end of it; a pooling to one pixel behind the last layer."""
    rng, layers = np.random.default_rng(2), []
    for channels in (4, 6, 8):
        layers += [L.ReLU(inplace=True), L.MaxPool2d(3, 2, ceil_mode=True), L.Conv2d(channels, channels + 2, 1, rng=rng)]
    features = L.Sequential(L.Conv2d(3, 4, 3, stride=2, rng=rng), *layers)
    classifier = L.Sequential(L.Dropout(0.0), L.Conv2d(10, 5, 1, rng=rng), L.ReLU(inplace=True), L.AdaptiveAvgPool2d(1))
    return L.Sequential(features=features, classifier=classifier, flatten=L.Flatten()).to("float64")


def resnet() -> L.Layer:
    """The form of a ResNet's end: a pooling to one pixel, and one fully connected layer. Made for 64x64."""
    rng = np.random.default_rng(3)
    body = L.Sequential(L.Conv2d(3, 4, 7, 2, 3, bias=False, rng=rng), L.BatchNorm2d(4), L.ReLU(), L.MaxPool2d(3, 2, 1))
    return L.Sequential(body=body, avgpool=L.AdaptiveAvgPool2d(1), flatten=L.Flatten(), fc=L.Linear(4, 5, rng=rng)).to(
        "float64"
    )


def lenet() -> L.Layer:
    """Without padding: each place of its map is what it says of that window. Made for 28x28 and one channel."""
    rng = np.random.default_rng(4)
    return L.Sequential(
        L.Conv2d(1, 3, 5, rng=rng), L.ReLU(inplace=True), L.MaxPool2d(2), L.Conv2d(3, 4, 5, rng=rng), L.MaxPool2d(2),
        L.Flatten(), L.Linear(4 * 4 * 4, 6, rng=rng), L.ReLU(inplace=True), L.Linear(6, 5, bias=False, rng=rng),
    ).to("float64")  # fmt: skip


# --------------------------------------------------------------------------------------------------------- the networks


PARAMETERS = {
    "vgg11": 132_863_336, "vgg11-lrn": 132_863_336, "vgg13": 133_047_848, "vgg16": 138_357_544, "vgg16-1x1": 133_638_952,
    "vgg19": 143_667_240, "alexnet": 61_100_840,
}  # fmt: skip


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_parameter_counts_of_the_papers(name):
    with initializers.blank():
        net = models.build(name, 1000)
    assert sum(parameter.size for parameter in net.parameters()) == PARAMETERS[name]


@pytest.mark.parametrize("name", ["vgg11", "vgg11-lrn", "vgg13", "vgg16", "vgg19", "alexnet"])
def test_keys_and_shapes_are_torchvisions(name):
    pytest.importorskip("torch")
    from minifcn.bench.twins.torchvision_models import models as theirs
    from minifcn.bench.twins.torchvision_models import torch

    with torch.device("meta"):
        expected = getattr(theirs, name.removesuffix("-lrn"))(num_classes=1000).state_dict()
    with initializers.blank():
        net = models.build(name, 1000)
    mine = {key: array.shape for key, array in net.state_dict().items()}
    assert list(mine.items()) == [(key, tuple(tensor.shape)) for key, tensor in expected.items()]


def test_torchvisions_weights_load(rng):
    """Into AlexNet, of its full size, and the scores are torchvision's."""
    pytest.importorskip("torch")
    from minifcn.bench.twins.torchvision_models import models as theirs
    from minifcn.bench.twins.torchvision_models import torch

    torch.manual_seed(0)
    twin = theirs.alexnet(num_classes=7).eval()
    with initializers.blank():
        net = models.build("alexnet", 7).eval()
    for parameter in net.parameters():
        parameter.data = np.empty(parameter.shape, np.float32)  # what is blank cannot be written to
    net.load_state_dict({key: tensor.numpy() for key, tensor in twin.state_dict().items()})
    x = rng.standard_normal((1, 3, 70, 95), dtype=np.float32)
    with torch.no_grad(), minifcn.no_grad():
        np.testing.assert_allclose(net(x), twin(torch.tensor(x)).numpy(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("name", "gmacs"), [("vgg16", 15.470264320), ("vgg11", 7.609090048), ("alexnet", 0.714188480)])
def test_multiply_adds_of_one_picture(name, gmacs):
    """As torchvision's pages have them: fully connected layers count too."""
    with initializers.blank():
        net = models.build(name, 1000)
    ledger = checks.ledger(net, (1, 3, 224, 224))
    assert ledger.macs / 1e9 == pytest.approx(gmacs, rel=1e-9)
    assert "classifier.6 (Linear)" in str(ledger)
    assert "features.0 (Conv2d)" in str(checks.coordinates(net, (1, 3, 224, 224)))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_ledger_keeps_what_a_real_pass_keeps(name):
    net = narrow(name)
    kept = checks.ledger(net, (2, 3, 65, 71)).kept_bytes
    net(np.zeros((2, 3, 65, 71)))
    arrays = {}
    for _, layer in net.named_layers():
        for array in arrays_of(layer.kept()):
            arrays[id(array if array.base is None else array.base)] = array if array.base is None else array.base
    for parameter in net.parameters():
        arrays.pop(id(parameter.data), None)
    assert kept == sum(array.nbytes for array in arrays.values())


def arrays_of(value) -> list[np.ndarray]:
    if isinstance(value, (tuple, list)):
        return [array for part in value for array in arrays_of(part)]
    return [value] if isinstance(value, np.ndarray) else []


@pytest.mark.parametrize(("name", "least"), [("vgg16", 32), ("vgg11-lrn", 32), ("alexnet", 63)])
def test_the_least_picture_comes_out_of_the_coordinates(name, least, rng):
    net = narrow(name)
    assert net.features(rng.standard_normal((1, 3, least, least))).shape[2:] == (1, 1)
    assert net(rng.standard_normal((1, 3, least, least + 40))).shape == (1, 5)
    with pytest.raises(ValueError, match="smaller"):
        net.features(rng.standard_normal((1, 3, least - 1, least)))
    with pytest.raises(ValueError, match=f"from {least}x{least} up; {least - 1}x90 is too small"):
        net(rng.standard_normal((1, 3, least - 1, 90)))


@pytest.mark.parametrize("name", ["alexnet", "fcn-alexnet"])
def test_normalisation_is_off_unless_asked_for_and_stands_behind_the_poolings(name):
    plain, normal = models.build(name, 3, width=1 / 64), models.build(name, 3, width=1 / 64, lrn=True)
    assert not any(isinstance(layer, L.LocalResponseNorm) for _, layer in plain.named_layers())
    row = [layer for _, layer in normal.named_layers()]
    found = [place for place, layer in enumerate(row) if isinstance(layer, L.LocalResponseNorm)]
    assert len(found) == 2
    assert all(isinstance(row[place - 1], L.MaxPool2d) for place in found)
    assert plain.state_dict().keys() == normal.state_dict().keys()


def test_a_classifier_is_not_trained_to_segment():
    for name in models.names():
        if models.entry(name).segments:
            models.check_segments(name)
    for name in CLASSIFIERS:
        with pytest.raises(ValueError, match=rf"{name} scores whole pictures.*fcn8s.*minifcn.models.convolutionalize"):
            models.check_segments(name)


# ------------------------------------------------------------------------------------------------------ convolutionalized


MADE_FOR = {"squeezenet": 224, "resnet": 64, "lenet": 28}
OTHERS = {"squeezenet": squeezenet, "resnet": resnet, "lenet": lenet}


def pair(name: str) -> tuple[L.Layer, L.Layer, tuple[int, int]]:
    """A classifier, the same convolutionalized, and (channels, side) of the picture that it was made for."""
    net = (OTHERS[name]() if name in OTHERS else narrow(name)).eval()
    size = MADE_FOR.get(name, 224)
    return net, models.convolutionalize(net, size), (1 if name == "lenet" else 3, size)


@pytest.mark.parametrize("name", [*CLASSIFIERS, *OTHERS])
def test_on_its_own_size_the_map_is_the_classifiers_scores(name, rng):
    net, sliding, (C, size) = pair(name)
    x = rng.standard_normal((2, C, size, size))
    scores, score_map = net(x), sliding(x)
    assert score_map.shape == (2, 5, 1, 1)
    assert scores.any()
    np.testing.assert_allclose(score_map[..., 0, 0], scores, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["vgg16", "vgg16-1x1", "alexnet", "lenet"])
def test_of_whole_numbers_it_is_to_the_last_bit(name, rng):
    net, _, (C, size) = pair(name)
    for parameter in net.parameters():
        parameter.data[...] = rng.integers(-1, 2, parameter.shape)
    sliding = models.convolutionalize(net, size)
    x = rng.integers(0, 9, (1, C, size, size)).astype(float)
    scores = net(x)
    assert scores.any()
    np.testing.assert_array_equal(sliding(x)[..., 0, 0], scores)


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        ("vgg16", (256, 320), (2, 4)), ("vgg11-lrn", (224, 255), (1, 1)), ("vgg19", (288, 224), (3, 1)),
        ("alexnet", (256, 320), (2, 4)), ("alexnet", (223, 255), (1, 2)), ("squeezenet", (256, 320), (3, 7)),
        ("resnet", (96, 81), (9, 6)), ("lenet", (31, 40), (1, 4)),
    ],
)  # fmt: skip
def test_it_slides_with_the_stride_of_its_features(name, size, expected):
    _, sliding, (C, _) = pair(name)
    assert sliding(np.zeros((1, C, *size))).shape == (1, 5, *expected)


def test_each_place_is_the_classifier_on_that_window(rng):
    net, sliding, _ = pair("lenet")
    x = rng.standard_normal((2, 1, 41, 36))
    score_map = sliding(x)
    assert score_map.shape == (2, 5, 4, 3)
    for i in range(4):
        for j in range(3):
            window = x[:, :, 4 * i : 4 * i + 28, 4 * j : 4 * j + 28]
            np.testing.assert_allclose(score_map[:, :, i, j], net(window), rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "size", "words"),
    [
        ("vgg16", (223, 300), "from 224x224 up; 223x300 is too small"),
        ("alexnet", (300, 222), "from 223x223 up; 300x222 is too small"),
        ("vgg16", (20, 20), "from 224x224 up; 20x20 is too small"),
        ("squeezenet", (200, 300), "smaller than one window"),
        ("lenet", (27, 28), "the padded input has only 3"),
    ],
)
def test_too_small_a_picture_is_one_sentence(name, size, words):
    _, sliding, (C, _) = pair(name)
    with pytest.raises(ValueError, match=words) as refusal:
        sliding(np.zeros((1, C, *size)))
    assert "\n" not in str(refusal.value)


def test_another_size_than_it_was_made_for_is_one_sentence():
    with pytest.raises(ValueError, match="of 288x288 the classifier makes a map of 9x9 and pools it to 7x7"):
        models.convolutionalize(narrow("vgg11"), size=288)


def test_the_classifier_stays_as_it_was(rng):
    net = resnet()
    net.fc.freeze()
    net(rng.standard_normal((2, 3, 40, 40)))
    before = {key: array.copy() for key, array in net.state_dict().items()}
    sliding = models.convolutionalize(net, 64)
    assert net.training
    assert sliding.training
    assert len(net.body[0].kept()) == 1
    assert not any(layer.kept() for _, layer in sliding.named_layers())
    assert {key for key, parameter in sliding.named_parameters() if not parameter.requires_grad} == {"fc.weight", "fc.bias"}
    assert not sliding.fc.training
    for key, array in sliding.state_dict().items():
        np.testing.assert_array_equal(before[key], net.state_dict()[key])
        np.testing.assert_array_equal(array.reshape(before[key].shape), before[key])
        assert not np.shares_memory(array, net.state_dict()[key])


def test_it_learns(rng):
    """It is a network like any other: its gradients are right, and its keys the classifier's."""
    net, sliding, _ = pair("lenet")
    report = minifcn.gradcheck(sliding, rng.standard_normal((1, 1, 32, 29)))
    assert report, str(report)
    assert sliding.state_dict().keys() == net.state_dict().keys()
    assert sliding.state_dict()["6.weight"].shape == (6, 4, 4, 4)
    assert sliding.config == {"name": "convolutionalize(Sequential)"}
