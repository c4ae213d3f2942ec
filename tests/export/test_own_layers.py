"""Layers and networks of a user's own: followed, or refused in a sentence, and then no file is left."""

from __future__ import annotations

import math

import numpy as np
import onnx
import pytest

from minifcn import export
from minifcn import layers as L
from minifcn.data import Preprocessing
from minifcn.export.forms import FORMS
from support.onnx_runs import check_same, enlivened, scores_of, session


class Net(L.Layer):
    """A convolution, and behind it what the test says: ``then(net, x, y)``."""

    def __init__(self, then, **layers):
        super().__init__()
        self.conv = L.Conv2d(3, 4, 3, padding=1, rng=np.random.default_rng(0))
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.then = then

    def forward(self, x):
        return self.then(self, x, self.conv(x))


class Swish(L.Layer):
    """x · sigmoid(βx), with a β that is learnt."""

    def __init__(self):
        super().__init__()
        self.beta = L.Parameter(np.full((1, 4, 1, 1), 1.5, np.float32))

    def forward(self, x):
        return x / (1 + np.exp(-self.beta.data * x))


@pytest.fixture
def swish():
    """Swish with a form, for one test."""

    @export.form(Swish)
    def written(graph, layer, x):
        return graph.node("Mul", x, graph.node("Sigmoid", graph.node("Mul", x, graph.weight(layer.beta.data))))

    yield
    del FORMS[Swish]


def pictures(rng, *sizes):
    return [rng.standard_normal((N, 3, H, W)).astype("f") for N, H, W in sizes]


# ------------------------------------------------------------------------------------------------------- what is followed


@pytest.mark.parametrize("then", [
    lambda net, x, y: net.crop(y, (x.shape[2] // 2, x.shape[3] - 5)),
    lambda net, x, y: net.crop(y, size=(-(-x.shape[2] // 3), L.smaller(x.shape[2], x.shape[3]))),
    lambda net, x, y: net.crop(y, (7 + y.shape[2] % 5, 2 * x.shape[3] // 3)),
    lambda net, x, y: net.crop(y, (9, 30 - y.shape[1] * 3)),
    lambda net, x, y: net.crop(y, (5 + x.shape[0], (3 - x.shape[3]) // 4 + x.shape[3])),
], ids=["half", "rounded up", "modulo", "numbers", "below zero"])  # fmt: skip
def test_sizes_that_are_computed(then, rng, tmp_path):
    net = Net(then, crop=L.Crop())
    export.onnx(net, tmp_path / "net.onnx")
    check_same(net, tmp_path / "net.onnx", *pictures(rng, (1, 31, 46), (2, 40, 33), (3, 17, 52)))


def test_a_size_is_computed_once(tmp_path):
    def cropped_twice(net, x, y):
        size = (x.shape[2] // 2, x.shape[3] // 2)
        return net.add(net.crop(y, size), net.again(y, size))

    export.onnx(Net(cropped_twice, crop=L.Crop(1), again=L.Crop(2), add=L.Add()), tmp_path / "net.onnx")
    operations = [node.op_type for node in onnx.load(tmp_path / "net.onnx").graph.node]
    assert (operations.count("Shape"), operations.count("Div")) == (2, 2)


def test_a_layer_of_ones_own_with_a_form(swish, rng, tmp_path):
    net = L.Sequential(L.Conv2d(3, 4, 3), Swish(), L.Conv2d(4, 2, 1))
    export.onnx(net, tmp_path / "net.onnx")
    check_same(net, tmp_path / "net.onnx", *pictures(rng, (1, 9, 12), (2, 20, 7)))
    assert "1.beta" in {weight.name for weight in onnx.load(tmp_path / "net.onnx").graph.initializer}


def test_layers_that_are_used_twice_have_their_weights_once(rng, tmp_path):
    net = Net(lambda net, x, y: net.score(net.again(net.again(y))), again=L.Conv2d(4, 4, 1), score=L.Conv2d(4, 2, 1))
    net.score.bias = net.conv.bias = None
    export.onnx(net, tmp_path / "net.onnx")
    check_same(net, tmp_path / "net.onnx", *pictures(rng, (1, 9, 12)))
    graph = onnx.load(tmp_path / "net.onnx").graph
    assert sorted(weight.name for weight in graph.initializer) == ["again.bias", "again.weight", "conv.weight", "score.weight"]


def test_a_parameter_that_layers_share_is_there_once(rng, tmp_path):
    first, second = L.Conv2d(3, 3, 1), L.Conv2d(3, 3, 1)
    second.weight, second.bias = first.weight, first.bias
    net = enlivened(L.Sequential(first, L.ReLU(), second), rng)
    export.onnx(net, tmp_path / "net.onnx")
    check_same(net, tmp_path / "net.onnx", *pictures(rng, (1, 9, 12)))
    assert [weight.name for weight in onnx.load(tmp_path / "net.onnx").graph.initializer] == ["0.weight", "0.bias"]


def test_a_network_in_float64_is_written_in_float32_and_stays_what_it_is(rng, tmp_path):
    net = L.Sequential(L.Conv2d(3, 4, 3), L.BatchNorm2d(4), L.Dropout(0.5)).to("float64").train()
    before = {key: array.copy() for key, array in net.state_dict().items()}
    export.onnx(net, tmp_path / "net.onnx")
    check_same(net, tmp_path / "net.onnx", rng.standard_normal((1, 3, 9, 8)))
    assert all(np.array_equal(array, before[key]) and array.dtype == "f8" for key, array in net.state_dict().items())
    assert net.training
    assert not any(layer.kept() for layer in net)


def test_several_outputs(rng, tmp_path):
    net = Net(lambda net, x, y: (net.relu(y), *net.pool(y)), relu=L.ReLU(), pool=L.MaxPool2d(2, return_indices=True))
    said = export.onnx(net, tmp_path / "net.onnx")
    assert said.split(" -> ")[1] == ("scores float32 (N, 4, H, W), output_2 float32 (N, 4, ?, ?), output_3 int64 (N, 4, ?, ?)")
    (x,) = pictures(rng, (2, 11, 8))
    for ours, theirs in zip(scores_of(net, x), session(tmp_path / "net.onnx").run(None, {"image": x}), strict=True):
        np.testing.assert_allclose(theirs, ours, atol=1e-5)
        assert theirs.dtype == ours.dtype


# ------------------------------------------------------------------------------------- feature maps that are compared


class Skipping(L.Layer):
    """An eighth of the picture, brought up again and added: ``fit(net, up, x)`` makes both fit.

    Of 225, 290 and 256 pixels, with which every network is followed, what comes up is no larger; of 230 it is.
    """

    def __init__(self, fit):
        super().__init__()
        self.down, self.up = L.Conv2d(3, 2, 8, stride=8, padding=2), L.ConvTranspose2d(2, 3, 8, stride=8)
        self.crop, self.crop_x, self.add, self.fit = L.Crop(), L.Crop(), L.Add(), fit

    def forward(self, x):
        return self.add(*self.fit(self, self.up(self.down(x)), x))


def by_smaller(net, up, x):
    size = tuple(map(L.smaller, up.shape[2:], x.shape[2:]))
    return net.crop(up, size), net.crop_x(x, size)


def by_min(net, up, x):
    size = tuple(map(min, up.shape[2:], x.shape[2:]))
    return net.crop(up, size), net.crop_x(x, size)


def by_if(net, up, x):
    size = tuple(u if u < n else n for u, n in zip(up.shape[2:], x.shape[2:], strict=True))
    return net.crop(up, size), net.crop_x(x, size)


def test_the_smaller_of_two_maps(rng, tmp_path):
    net = Skipping(by_smaller)
    export.onnx(net, tmp_path / "net.onnx")
    check_same(net, tmp_path / "net.onnx", *pictures(rng, *((1, 20 + n, 31 - n) for n in range(9))))


@pytest.mark.parametrize("fit", [by_min, by_if])
def test_a_choice_that_three_pictures_do_not_show(fit, tmp_path):
    with pytest.raises(ValueError, match=r"does not do the same with 1 picture of 225x290 and .* crop is called with"):
        export.onnx(Skipping(fit), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_sizes_may_be_looked_at(rng, tmp_path):
    def looked_at(net, up, x):
        assert up.shape[2] > 0
        return by_smaller(net, up, x)

    net = Skipping(looked_at)
    export.onnx(net, tmp_path / "net.onnx")
    check_same(net, tmp_path / "net.onnx", *pictures(rng, (1, 20, 31)))


# ---------------------------------------------------------------------------------------------------------- a fixed size


def made_for_one_size():
    return L.Sequential(L.Conv2d(3, 4, 3), L.Flatten(), L.Linear(4 * 5 * 7, 3))


def test_a_network_that_is_made_for_one_size(rng, tmp_path):
    net, path = made_for_one_size(), tmp_path / "net.onnx"
    with pytest.raises(ValueError, match=r"refuses pictures of 225x290 \(.*give the size that it is made for"):
        export.onnx(net, path)
    assert not list(tmp_path.iterdir())
    assert export.onnx(net, path, size=(7, 9)) == "image float32 (N, 3, 7, 9) -> scores float32 (N, 3)"
    check_same(net, path, *pictures(rng, (1, 7, 9), (4, 7, 9)))


def test_what_depends_on_the_size_in_ways_of_its_own_can_be_written_for_one(rng, tmp_path):
    net, path = Net(lambda net, x, y: net.crop(y, (math.ceil(x.shape[2] / 2), 4)), crop=L.Crop()), tmp_path / "net.onnx"
    with pytest.raises(ValueError, match=r"conv|crop is called with \(113, 4\), then with \(145, 4\); give size"):
        export.onnx(net, path)
    assert not list(tmp_path.iterdir())
    export.onnx(net, path, size=(21, 9))
    check_same(net, path, *pictures(rng, (2, 21, 9)))


# --------------------------------------------------------------------------------------------- pictures in, labels out


@pytest.mark.parametrize("name", ["caffe", "torchvision"])
def test_pictures_in_labels_out(name, rng, tmp_path):
    preprocessing, path = Preprocessing(name), tmp_path / "net.onnx"
    net = Net(lambda net, x, y: y)
    net.conv.weight.data[:] -= net.conv.weight.data.mean(axis=(1, 2, 3), keepdims=True)
    said = export.onnx(net, path, preprocessing=preprocessing, pictures=True)
    assert said == "pictures uint8 (N, H, W, 3) -> scores float32 (N, 4, H, W), labels uint8 (N, H, W)"
    batch = rng.integers(0, 256, (2, 13, 18, 3), dtype=np.uint8)
    scores, labels = session(path).run(None, {"pictures": batch})
    ours = scores_of(net, np.stack([preprocessing(picture) for picture in batch]))
    np.testing.assert_allclose(scores, ours, atol=1e-5 * np.abs(ours).max())
    assert (labels.dtype, labels.shape) == (np.uint8, (2, 13, 18))
    assert np.array_equal(labels, scores.argmax(axis=1))
    assert len(np.unique(labels)) == 4


def test_a_thousand_classes_do_not_fit_into_a_byte(rng, tmp_path):
    net = L.Sequential(L.Conv2d(3, 1000, 1))
    export.onnx(net, tmp_path / "net.onnx", preprocessing=Preprocessing(), pictures=True)
    batch = rng.integers(0, 256, (1, 9, 9, 3), dtype=np.uint8)
    scores, labels = session(tmp_path / "net.onnx").run(None, {"pictures": batch})
    assert np.array_equal(labels, scores.argmax(axis=1))
    assert labels.max() > 255


# ------------------------------------------------------------------------------------------------------ what is refused


def written_over(net, x, y):
    y += 1
    return net.relu(y)


REFUSED = {
    "1 is a Swish, which has no form in ONNX here: write one with": lambda: L.Sequential(L.Conv2d(3, 4, 1), Swish()),
    "what relu takes came out of no layer": lambda: Net(lambda net, x, y: net.relu(y * 2), relu=L.ReLU()),
    "what relu takes came out of no layer: it was computed, or written over": lambda: Net(written_over, relu=L.ReLU()),
    "what Net returns came out of no layer": lambda: Net(lambda net, x, y: y[:, :2]),
    "relu works where score does": lambda: Net(
        lambda net, x, y: net.relu(y) if x.shape[2] < x.shape[3] else net.score(y), relu=L.ReLU(), score=L.Conv2d(4, 4, 1)
    ),
    "2 layers work, then 1": lambda: Net(lambda net, x, y: net.relu(y) if x.shape[2] < x.shape[3] else y, relu=L.ReLU()),
    "another array is returned": lambda: Net(
        lambda net, x, y: (net.relu(y), y)[x.shape[2] > x.shape[3]], relu=L.ReLU()
    ),
}  # fmt: skip


@pytest.mark.parametrize("sentence", REFUSED)
def test_what_cannot_be_followed_is_refused(sentence, tmp_path):
    with pytest.raises(ValueError, match=sentence) as refused:
        export.onnx(REFUSED[sentence](), tmp_path / "net.onnx")
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("wrong", "sentence"), [
    (lambda graph, layer, x: graph.node("Swish", x), "this is no valid ONNX"),
    (lambda graph, layer, x: (x, x), "returns 2 names, and 1 gives 1 arrays"),
    (lambda graph, layer, x: "somewhere", "this is no valid ONNX"),
])  # fmt: skip
def test_a_form_that_is_wrong(wrong, sentence, swish, tmp_path):
    FORMS[Swish] = wrong
    with pytest.raises(ValueError, match=sentence):
        export.onnx(L.Sequential(L.Conv2d(3, 4, 3), Swish()), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())
