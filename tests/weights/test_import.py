"""Other people's weights under other people's names: what goes where, what is refused, and what the file then knows."""

from __future__ import annotations

import json

import numpy as np
import pytest

from minifcn import models, training, weights
from minifcn.layers import initializers
from minifcn.weights.names import translated

NARROW = {"width": 1 / 32}
# NETWORKS OF OTHERS, written out: torchvision's numbers and Caffe's names of VGG16's layers, one below the other
TORCHVISION = [*(f"features.{n}" for n in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)), "classifier.0", "classifier.3"]
CAFFE = [f"conv{s}_{i}" for s, n in enumerate((2, 2, 3, 3, 3), 1) for i in range(1, n + 1)] + ["fc6", "fc7"]


def state_of(name: str, classes: int = 5, **options) -> dict[str, np.ndarray]:
    """A network's arrays, all of other numbers."""
    with initializers.blank():
        net = models.build(name, classes, **{**NARROW, **options})
    rng = np.random.default_rng(8)
    return {key: rng.standard_normal(array.shape, np.float32) for key, array in net.state_dict().items()}


def write(path, state: dict[str, np.ndarray], **names: str):
    """A file of a state, layers called otherwise."""
    renamed = {}
    for key, array in state.items():
        layer, _, kind = key.rpartition(".")
        renamed[f"{names.get(layer, layer)}.{kind}"] = array
    weights.write(path, renamed)
    return path


def test_torchvisions_vgg16_becomes_an_fcn(tmp_path):
    state = state_of("vgg16", 1000)
    file = write(tmp_path / "vgg16.npz", state)
    done = training.import_weights(file, "fcn8s", tmp_path / "out.safetensors", options=NARROW)
    mine = done.net.state_dict()
    for theirs, name in zip(TORCHVISION, CAFFE, strict=True):
        for kind in ("weight", "bias"):
            np.testing.assert_array_equal(mine[f"{name}.{kind}"].ravel(), state[f"{theirs}.{kind}"].ravel())
            assert done.report.theirs[f"{name}.{kind}"] == f"{theirs}.{kind}"
    assert done.report.reshaped == ["fc6.weight", "fc7.weight"]
    assert len(done.report.copied) == 28
    assert done.report.skipped == ["classifier.6.weight", "classifier.6.bias"]
    assert {key.partition(".")[0] for key in done.report.unfilled} == {
        "score_fr", "score_pool4", "score_pool3", "upscore2", "upscore_pool4", "upscore8",
    }  # fmt: skip
    assert done.metadata["model"] == {"name": "fcn8s", "num_classes": 21, **NARROW}  # nobody scores: VOC's
    assert done.metadata["classes"][:2] == ["background", "aeroplane"]
    assert done.metadata["preprocessing"]["name"] == "torchvision"


def test_caffes_vgg16_becomes_an_fcn_and_torchvisions(tmp_path):
    state = state_of("vgg16", 1000)
    names = dict(zip([*TORCHVISION, "classifier.6"], [*CAFFE, "fc8"], strict=True))
    file = write(tmp_path / "VGG_ILSVRC_16_layers.npz", state, **names)
    done = training.import_weights(file, "fcn16s", options=NARROW)
    np.testing.assert_array_equal(done.net.fc6.weight.data.ravel(), state["classifier.0.weight"].ravel())
    assert not done.report.theirs
    assert done.metadata["preprocessing"]["name"] == "caffe"
    done = training.import_weights(file, "vgg16", options=NARROW)
    for key, array in state.items():
        np.testing.assert_array_equal(done.net.state_dict()[key], array)
    assert done.net.config["num_classes"] == 1000  # fc8's


def test_the_fcn_authors_and_pytorch_fcns_names(tmp_path):
    state = state_of("fcn8s", 7)
    file = write(tmp_path / "fcn8s-heavy-pascal.npz", state)
    done = training.import_weights(file, "fcn8s", options=NARROW, classes=list("abcdefg"))
    assert not done.report.unfilled + done.report.skipped
    assert done.metadata["model"]["num_classes"] == 7
    assert done.metadata["preprocessing"]["name"] == "caffe"
    older = write(tmp_path / "older.npz", state, score_fr="score-fr", score_pool4="score-pool4")
    assert training.import_weights(older, "fcn8s", options=NARROW).report.theirs["score_fr.bias"] == "score-fr.bias"
    for wrapper in ("module.", "model."):  # nn.DataParallel's, Lightning's
        weights.write(tmp_path / "wrapped.npz", {f"{wrapper}{key}": array for key, array in state.items()})
        done = training.import_weights(tmp_path / "wrapped.npz", "fcn8s", options=NARROW)
        np.testing.assert_array_equal(done.net.score_pool3.bias.data, state["score_pool3.bias"])
        assert done.metadata["preprocessing"]["name"] == "caffe"


def test_squeezenets_names_of_both(tmp_path):
    state = state_of("squeezenet1_1", 1000)
    places = dict(zip((3, 4, 6, 7, 9, 10, 11, 12), range(2, 10), strict=True))
    slashes = {f"features.{n}.squeeze": f"fire{fire}/squeeze1x1" for n, fire in places.items()}
    slashes |= {f"features.{n}.{e}": f"fire{fire}/{e}" for n, fire in places.items() for e in ("expand1x1", "expand3x3")}
    slashes |= {"features.0": "conv1", "classifier.1": "conv10"}
    for file, names, prepared in (("torch.npz", {}, "torchvision"), ("caffe.npz", slashes, "squeezenet")):
        write(tmp_path / file, state, **names)
        for name in ("squeezenet1_1", "fcn-squeezenet", "squeeze-unet"):
            done = training.import_weights(tmp_path / file, name, options=NARROW)
            assert done.metadata["preprocessing"]["name"] == prepared
            layer = "features.10.expand3x3" if name == "squeezenet1_1" else "fire7.expand3x3"
            np.testing.assert_array_equal(done.net.state_dict()[f"{layer}.weight"], state["features.10.expand3x3.weight"])


@pytest.mark.parametrize("name", ["fcn-resnet50", "deeplabv3-resnet50"])
def test_a_resnet_becomes_a_backbone_and_back(tmp_path, name):
    state = state_of("resnet50", 1000)
    state["bn1.num_batches_tracked"] = np.array(7)
    done = training.import_weights(write(tmp_path / "resnet50.npz", state), name, tmp_path / "a.safetensors", options=NARROW)
    np.testing.assert_array_equal(done.net.backbone.layer4[2].conv3.weight.data, state["layer4.2.conv3.weight"])
    assert done.report.skipped == ["fc.weight", "fc.bias"]
    assert {key.partition(".")[0] for key in done.report.unfilled} == {"classifier"}
    back = training.import_weights(tmp_path / "a.safetensors", "resnet50", options=NARROW)
    np.testing.assert_array_equal(back.net.layer4[2].conv3.weight.data, state["layer4.2.conv3.weight"])


def test_caffes_file_itself(tmp_path):
    from support import weight_files

    state = state_of("fcn32s")
    layers = {key.rpartition(".")[0]: [] for key in state}
    for key, array in state.items():
        layers[key.rpartition(".")[0]].append(weight_files.blob(array.shape, array.tobytes()))
    file = tmp_path / "fcn32s-heavy-pascal.caffemodel"
    file.write_bytes(b"".join(weight_files.layer(*blobs, called=name) for name, blobs in layers.items()))
    done = training.import_weights(file, "fcn32s", options=NARROW)
    assert all(done.net.state_dict()[key].tobytes() == array.tobytes() for key, array in state.items())


def test_an_auxiliary_head_is_taken_where_it_is_wanted(tmp_path):
    file = write(tmp_path / "f.npz", state_of("fcn-resnet50", 21, aux=True))
    assert {key.partition(".")[0] for key in training.import_weights(file, "fcn-resnet50", options=NARROW).report.skipped} == {
        "aux_classifier"
    }
    assert not training.import_weights(file, "fcn-resnet50", options={**NARROW, "aux": True}).report.skipped


@pytest.mark.parametrize(
    ("name", "counts"), [("vgg11-lrn", (1, 1, 2, 2, 2)), ("vgg13", (2, 2, 2, 2, 2)), ("vgg19", (2, 2, 4, 4, 4))]
)
def test_caffes_names_of_the_other_vggs(tmp_path, name, counts):
    state = state_of(name, 1000)
    caffe = [f"conv{stage}_{place}" for stage, count in enumerate(counts, 1) for place in range(1, count + 1)]
    layers = dict.fromkeys(key.rpartition(".")[0] for key in state)  # in the order of the network
    file = write(tmp_path / "w.npz", state, **dict(zip(layers, [*caffe, "fc6", "fc7", "fc8"], strict=True)))
    done = training.import_weights(file, name, options=NARROW)
    assert all(done.net.state_dict()[key].tobytes() == array.tobytes() for key, array in state.items())
    assert len(done.report.theirs) == len(state)


def test_every_table_of_names_is_one_to_one():
    for name in models.names():
        kin = models.entry(name).kin
        with initializers.blank():
            state = models.build(name, 5).state_dict()
        assert translated(state, state, kin)[0].keys() == state.keys()  # our own names stay


@pytest.mark.parametrize(
    ("change", "options", "said"),
    [
        (lambda s: s.pop("fc6.bias"), {}, r"w\.npz: 1 arrays of the network find no weights in the source: fc6\.bias .*absent"),
        (lambda s: s.update({"fc7.weight": s["fc7.weight"][:-1]}), {}, r"fc7\.weight \(128, 128, 1, 1\) \(source: \(127, "),
        (lambda s: s.update({"score_pool4.bias": np.ones(4, "f")}), {}, r"different numbers of classes: score_fr.weight 5"),
        (lambda s: s.update({"features.0.bias": s["conv1_1.bias"]}), {}, r"conv1_1\.bias and features\.0\.bias are both"),
        (lambda s: s.update({"fc7.bias": np.arange(128)}), {}, r"fc7\.bias is of int64; weights are floating numbers"),
        (lambda s: s.update({"fc7.bias": np.full(128, np.nan, "f")}), {}, r"model\.fc7\.bias hold NaN or infinity"),
        (lambda s: None, {"classes": ["a", "a", "b", "c", "d"]}, "5 names of classes are given .* 5 different ones"),
        (lambda s: None, {"classes": ["a"], "num_classes": 5}, "1 names of classes"),
        (lambda s: None, {"num_classes": 1}, "num_classes=1 must be at least 2"),
        (lambda s: None, {"preprocessing": "imagenet"}, "preprocessing 'imagenet' is not known; choose one of caffe"),
        (lambda s: None, {"options": {"width": 1 / 16}}, r"30 arrays .* find no weights"),
        (lambda s: None, {"options": {"depth": 3}}, r"takes no depth"),
        (lambda s: None, {"model": "unet"}, r"find no weights"),
        (lambda s: None, {"model": "fcn9s"}, r"unknown model 'fcn9s'"),
    ],
)
def test_what_is_refused_leaves_no_file(tmp_path, change, options, said):
    state = state_of("fcn16s")
    change(state)
    weights.write(tmp_path / "w.npz", state)
    arguments = {"model": "fcn16s", "options": NARROW, **options}
    with pytest.raises(ValueError, match=said) as refused:
        training.import_weights(tmp_path / "w.npz", arguments.pop("model"), tmp_path / "out.safetensors", **arguments)
    assert "\n" not in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["w.npz"]


def test_names_that_say_nothing_of_preprocessing(tmp_path):
    file = write(tmp_path / "unet.npz", state_of("unet"))
    with pytest.raises(ValueError, match=r"nothing in .*unet\.npz says how .*: add --preprocessing caffe, torchvision, squeez"):
        training.import_weights(file, "unet", options=NARROW)
    done = training.import_weights(file, "unet", tmp_path / "a.safetensors", options=NARROW, preprocessing="squeezenet")
    assert done.metadata["preprocessing"]["channels"] == "BGR"
    with pytest.raises(ValueError, match="was trained with preprocessing 'squeezenet', which 'plain' would spoil"):
        training.import_weights(tmp_path / "a.safetensors", "unet", options=NARROW, preprocessing="plain")
    again = training.import_weights(tmp_path / "a.safetensors", "unet", options=NARROW, num_classes=3)  # as the file says
    assert again.metadata["preprocessing"]["name"] == "squeezenet"
    assert sorted(key.partition(".")[0] for key in again.report.unfilled) == ["score", "score"]


@pytest.mark.parametrize("out", ["out.npz", "out.pth", "out"])
def test_only_a_file_that_can_say_how_to_use_it_is_written(tmp_path, out):
    file = write(tmp_path / "w.npz", state_of("fcn32s"))
    with pytest.raises(ValueError, match=r"written to a \.safetensors file, which says how to use them"):
        training.import_weights(file, "fcn32s", tmp_path / out, options=NARROW)
    assert not (tmp_path / out).exists()


def test_a_file_does_not_replace_itself(tmp_path):
    write(tmp_path / "w.safetensors", state_of("fcn32s"))
    with pytest.raises(ValueError, match="is the file that is read"):
        training.import_weights(tmp_path / "w.safetensors", "fcn32s", tmp_path / "w.safetensors", options=NARROW)


def test_the_metadata_is_json_that_a_checkpoint_has(tmp_path):
    file = write(tmp_path / "w.npz", state_of("fcn32s", 3))
    training.import_weights(file, "fcn32s", tmp_path / "a.safetensors", options=NARROW, classes=["sky", "road", "é\n"])
    about = json.loads(weights.metadata(tmp_path / "a.safetensors")["minifcn"])
    assert about["classes"] == ["sky", "road", "é\n"]
    assert about["source"] == "w.npz"
    assert len(about["palette"]) == 256
