"""``minifcn weights``: what it shows, and what an imported file is good for, and protected from, afterwards."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from minifcn import models, weights
from minifcn.data.shapes import SHAPES_CLASSES

NARROW = ("--width", "0.03125", "--padding", "1")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """A file of somebody's FCN-8s for the five classes of the shapes, with names alone."""
    net = models.build("fcn8s", 5, width=1 / 32, padding=1, seed=3)
    rng = np.random.default_rng(3)
    for parameter in net.parameters():
        parameter.data += rng.standard_normal(parameter.shape).astype(np.float32) / 50
    path = tmp_path_factory.mktemp("theirs") / "theirs.npz"
    weights.write(path, net.state_dict())
    return path


@pytest.fixture
def imported(minifcn, theirs, tmp_path):
    out = tmp_path / "ours.safetensors"
    names = ",".join(SHAPES_CLASSES)
    arguments = ("--model", "fcn8s", *NARROW, "--classes", names, "--preprocessing", "plain", "--out", out)
    result = minifcn("weights", "import", theirs, *arguments)
    assert result.status == 0, result.err
    return out


def test_show(minifcn, theirs, finished):
    result = minifcn("weights", "show", theirs)
    assert result.status == 0, result.err
    assert "conv1_1.weight" in result.out
    assert "2x3x3x3" in result.out
    assert result.out.splitlines()[-1].startswith("39 arrays, ")
    result = minifcn("weights", "show", finished)  # a run folder
    assert "optimizer" not in result.out
    assert "preprocessing: {'name': 'plain'" in result.out
    assert "iteration: " in result.out


def test_the_table_of_an_import(minifcn, tmp_path):
    state = models.build("vgg16", 9, width=1 / 32).state_dict()
    weights.write(tmp_path / "vgg.npz", state)
    result = minifcn(
        "weights", "import", tmp_path / "vgg.npz", "--model", "fcn32s", *NARROW, "--out", tmp_path / "o.safetensors"
    )
    assert result.status == 0, result.err
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in result.out.splitlines() if line.startswith("│")]
    assert ["conv3_2", "copied", "2", "584", "features.12"] in rows
    assert ["fc6", "reshaped", "1", "100,352", "classifier.0"] in rows
    assert ["fc6", "copied", "1", "128", "classifier.0"] in rows
    assert ["upscore", "unfilled", "1", "1,806,336", ""] in rows
    assert "these start anew, as they may: score_fr, upscore\n" in result.out
    assert "21 classes: background, aeroplane, bicycle, bird, boat and 16 more" in result.out
    assert "preprocessing: torchvision, RGB" in result.out


def test_evaluate_and_predict_need_nothing_else(minifcn, imported, shapes, tmp_path):
    result = minifcn("evaluate", imported, "--data", "shapes", "--root", shapes, "--out", tmp_path / "measured")
    assert result.status == 0, result.err
    assert "circle" in result.out
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (37, 45, 3), np.uint8)).save(tmp_path / "a.png")
    result = minifcn("predict", imported, tmp_path / "a.png", "--out", tmp_path / "predicted", "--preprocessing", "plain")
    assert result.status == 0, result.err
    assert (tmp_path / "predicted" / "masks" / "a.png").is_file()


def commands(weights_file, shapes, folder) -> list[tuple]:
    train = ("train", "--init-from", weights_file, "--root", shapes, *NARROW, "--iterations", 1, "--out", folder / "run")
    Image.new("RGB", (40, 40)).save(folder / "a.png")
    return [
        train,
        ("evaluate", weights_file, "--data", "shapes", "--root", shapes, "--out", folder),
        ("predict", weights_file, folder / "a.png", "--out", folder / "predicted"),
    ]


def test_another_preprocessing_is_refused_everywhere(minifcn, imported, shapes, tmp_path):
    for command in commands(imported, shapes, tmp_path):
        result = minifcn(*command, "--preprocessing", "caffe")
        assert result.status == 2, command[0]
        assert "were trained with preprocessing 'plain' and this run has 'caffe': add --preprocessing plain" in result.err
        assert len(result.err.splitlines()) == 1
    assert minifcn(*commands(imported, shapes, tmp_path)[0]).status == 0


def test_a_preprocessing_whose_numbers_were_changed_is_refused_everywhere(minifcn, imported, shapes, tmp_path):
    about = json.loads(weights.metadata(imported)["minifcn"])
    about["preprocessing"]["mean"][0] += 1
    arrays = {f"model.{key}": array for key, array in weights.read(imported).items()}
    weights.write(tmp_path / "changed.safetensors", arrays, {"minifcn": json.dumps(about)})
    for command in commands(tmp_path / "changed.safetensors", shapes, tmp_path):
        result = minifcn(*command)
        assert result.status == 2, command[0]
        assert "is not what its name stands for" in result.err
        assert len(result.err.splitlines()) == 1


def test_a_classifier_segments_nothing_and_says_so(minifcn, shapes, tmp_path):
    weights.write(tmp_path / "net.npz", models.build("resnet18", 5, width=1 / 32).state_dict())
    out = tmp_path / "net.safetensors"
    result = minifcn("weights", "import", tmp_path / "net.npz", "--model", "resnet18", "--width", 1 / 32, "--out", out)
    assert result.status == 0, result.err
    for command in commands(out, shapes, tmp_path)[1:]:
        result = minifcn(*command)
        assert result.status == 2
        assert "resnet18 scores whole pictures and segments none" in result.err


@pytest.mark.parametrize("columns", ["20", "80", "500"])
def test_an_error_is_one_line_at_any_width(minifcn, theirs, tmp_path, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    result = minifcn("weights", "import", theirs, "--model", "fcn8s", "--out", tmp_path / "out.safetensors")
    assert result.status == 2
    assert not result.out
    assert result.err.count("\n") == 1
    assert "30 arrays of the network find no weights" in result.err  # those of VGG16: scores may start anew
    assert not list(tmp_path.iterdir())


def test_training_starts_from_pytorchs_file(minifcn, shapes, tmp_path):
    torch = pytest.importorskip("torch")
    state = models.build("vgg16", 9, width=1 / 32).state_dict()
    torch.save({"state_dict": {key: torch.tensor(array) for key, array in state.items()}}, tmp_path / "vgg16.pth")
    arguments = ("--root", shapes, "--model", "fcn16s", *NARROW, "--iterations", 1, "--out", tmp_path / "run")
    result = minifcn("train", "--init-from", tmp_path / "vgg16.pth", *arguments)
    assert result.status == 0, result.err
    assert "reshaped    2  fc6.weight, fc7.weight" in result.out
