"""Prediction at any size, and evaluation that depends on nothing but network and pictures."""

from __future__ import annotations

import json

import numpy as np
import pytest

from minifcn import layers, models
from minifcn.data import Preprocessing
from minifcn.training import (
    SGD,
    Checkpoint,
    ConfusionMatrix,
    evaluate,
    jaccard_index,
    load_model,
    predict,
    write_checkpoint,
)
from support import tiny


@pytest.fixture
def net():
    return tiny.tiny_net()


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (37, 23)])
def test_predicts_pictures_of_any_size(size, net, rng):
    image = rng.integers(0, 256, (*size, 3), np.uint8)
    labels = predict(net, image, Preprocessing("plain"))
    assert labels.shape == size
    assert labels.dtype == np.uint8
    net.eval()
    scores = net(Preprocessing("plain")(image)[None])
    np.testing.assert_array_equal(labels, scores[0].argmax(axis=0))


@pytest.mark.parametrize("training", [True, False])
def test_leaves_the_network_as_it_was(training, net):
    net.train(training)
    before = {key: array.copy() for key, array in net.state_dict().items()}
    evaluate(net, tiny.TinySet(2), Preprocessing("plain"))
    assert all(layer.training is training for _, layer in net.named_layers())
    assert all(np.array_equal(array, before[key]) for key, array in net.state_dict().items())
    assert not any(layer._stack for _, layer in net.named_layers())


def test_evaluation_equals_the_measures_of_each_picture(net):
    dataset, preprocessing = tiny.TinySet(5), Preprocessing("caffe")
    net.score.bias.data[...] = (30, 0, 0)
    evaluation = evaluate(net, dataset, preprocessing, keep=(1, 4))
    matrix, indices, losses, pixels = ConfusionMatrix(3), [], 0.0, 0
    net.eval()
    for index in range(5):
        image, label = dataset[index]
        prediction = predict(net, image, preprocessing)
        matrix.update(label, prediction)
        indices.append([jaccard_index(label, prediction, 3, weighted=weighted) for weighted in (False, True)])
        scores = net(preprocessing(image)[None])[0].reshape(3, -1).astype(np.float64)
        log_p = scores - scores.max(axis=0)
        log_p -= np.log(np.exp(log_p).sum(axis=0))
        counted = label.ravel() != 255
        losses -= log_p[label.ravel()[counted], np.flatnonzero(counted)].sum()
        pixels += counted.sum()
        if index in (1, 4):
            np.testing.assert_array_equal(evaluation.predictions[index], prediction)
    np.testing.assert_array_equal(evaluation.matrix.counts, matrix.counts)
    assert (evaluation.jaccard, evaluation.jaccard_weighted) == pytest.approx(tuple(np.mean(indices, axis=0)), rel=1e-12)
    assert evaluation.loss == pytest.approx(losses / pixels, rel=1e-5)
    assert evaluation.pictures == 5
    assert set(evaluation.predictions) == {1, 4}


def test_pictures_that_are_all_void_do_not_count(net):
    class SomeVoid(tiny.TinySet):
        def __getitem__(self, index):
            image, label = super().__getitem__(index)
            return image, np.full_like(label, 255) if index == 0 else label

    class NoVoid(tiny.TinySet):
        def __init__(self):
            super().__init__(3)

        def __getitem__(self, index):
            return super().__getitem__(index + 1)

    some, none = (evaluate(net, dataset, Preprocessing("plain")) for dataset in (SomeVoid(4), NoVoid()))
    assert some.measures() == pytest.approx(none.measures(), rel=1e-12)


def test_nothing_but_void_is_no_error(net):
    class Void(tiny.TinySet):
        def __getitem__(self, index):
            image, label = super().__getitem__(index)
            return image, np.full_like(label, 255)

    evaluation = evaluate(net, Void(2), Preprocessing("plain"))
    report = evaluation.as_dict(tiny.TinySet.classes)
    assert report["loss"] is None
    assert report["mean_iu"] is None


def test_report_is_plain_json(net):
    evaluation = evaluate(net, tiny.TinySet(3), Preprocessing("plain"))
    report = json.loads(json.dumps(evaluation.as_dict(tiny.TinySet.classes), allow_nan=False))
    assert set(report["per_class_iu"]) == {"red", "green", "blue"}
    assert report["pixels"] == evaluation.matrix.counts.sum()
    assert report["floor_all_background"] == pytest.approx(evaluation.matrix.floor(0).measures())
    frequent = report["floor_most_frequent_class"]
    assert frequent["pixel_accuracy"] == pytest.approx(evaluation.matrix.counts.sum(axis=1).max() / report["pixels"])
    assert tiny.TinySet.classes.index(frequent["class"]) == evaluation.matrix.counts.sum(axis=1).argmax()


def test_only_the_first_of_several_outputs_is_looked_at(net):
    class WithMore(layers.Layer):
        def __init__(self):
            super().__init__()
            self.net = net

        def forward(self, x):
            scores = self.net(x)
            return scores, -scores

    image, _ = tiny.TinySet(1)[0]
    evaluations = [evaluate(layer, tiny.TinySet(3), Preprocessing("plain")).measures() for layer in (net, WithMore())]
    assert evaluations[0] == evaluations[1]
    np.testing.assert_array_equal(predict(net, image, Preprocessing()), predict(WithMore(), image, Preprocessing()))


def test_float64_networks(net):
    one = evaluate(net, tiny.TinySet(3), Preprocessing("plain"))
    other = evaluate(net.to("float64"), tiny.TinySet(3), Preprocessing("plain"))
    assert one.loss == pytest.approx(other.loss, rel=1e-5)


def test_a_network_comes_back_from_its_checkpoint(tmp_path, rng):
    net = models.build("fcn32s", num_classes=3, width=0.02, padding=1, dropout=0.5, seed=4)
    net.score_fr.weight.data[...] = rng.standard_normal(net.score_fr.weight.shape)
    optimizer = SGD(net.named_parameters(), lr=0.1)
    metadata = {"model": net.config, "iteration": 3}
    write_checkpoint(tmp_path / "last.safetensors", Checkpoint(net.state_dict(), optimizer.state_dict(), metadata))
    image = rng.integers(0, 256, (40, 50, 3), np.uint8)
    for path in (tmp_path, tmp_path / "last.safetensors"):
        found, about = load_model(path)
        assert about["iteration"] == 3
        assert not found.training
        np.testing.assert_array_equal(
            predict(found, image, Preprocessing("plain")), predict(net, image, Preprocessing("plain"))
        )


def test_scores_that_are_no_numbers_are_not_measured(net):
    net.score.weight.data[...] = np.float32(3e38)
    with pytest.raises(
        ValueError, match=r"^picture tiny_\d_0: the output of layer score is not finite, so the scores mean nothing$"
    ):
        evaluate(net, tiny.TinySet(2), Preprocessing("plain"))
    with pytest.raises(ValueError, match="layer score is not finite"):
        predict(net, tiny.TinySet(1)[0][0], Preprocessing("plain"))
