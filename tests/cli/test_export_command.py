"""``minifcn export``: a run becomes a file that says what ``minifcn predict`` says."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("onnx")


def test_the_file_gives_the_labels_that_predict_gives(minifcn, finished, shapes, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    files = sorted((shapes / "JPEGImages").glob("*.jpg"))[:3]
    assert minifcn("predict", finished, *files, "--out", tmp_path / "predicted").status == 0
    result = minifcn("export", finished, "--pictures", "--out", tmp_path / "net.onnx")
    assert result.status == 0, result.err
    assert "pictures uint8 (N, H, W, 3) -> scores float32 (N, 5, H, W), labels uint8 (N, H, W)" in result.out
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    for file in files:
        with Image.open(file) as picture, Image.open(tmp_path / "predicted" / "masks" / f"{file.stem}.png") as mask:
            (labels,) = session.run(["labels"], {"pictures": np.asarray(picture)[None]})
            assert np.mean(labels[0] == np.asarray(mask)) > 0.999  # where two scores are equal but for rounding


def test_the_metadata_say_what_goes_in_and_what_comes_out(minifcn, finished, tmp_path):
    import onnx

    assert minifcn("export", finished, "--size", "40x57", "--out", tmp_path / "net.onnx").status == 0
    model = onnx.load(tmp_path / "net.onnx")
    about = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert about["classes"][0] == "background"
    assert len(about["classes"]) == about["model"]["num_classes"] == 5
    assert (about["model"]["name"], about["preprocessing"]["name"]) == ("fcn8s", "plain")
    assert [dim.dim_value for dim in model.graph.output[0].type.tensor_type.shape.dim][2:] == [40, 57]


@pytest.mark.parametrize(("arguments", "sentence"), [
    (("--out", "net.pb"), "ends in .onnx"),
    (("--size", "40"), "write height x width"),
    (("--out", "nowhere/net.onnx"), "nowhere/net.onnx cannot be written"),
])  # fmt: skip
def test_bad_input(minifcn, finished, tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    result = minifcn("export", finished, *arguments)
    assert result.status == 2
    assert sentence in result.err
    assert result.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_what_is_no_run(minifcn, shapes, tmp_path):
    for weights in (tmp_path / "nothing", shapes, shapes / "ImageSets"):
        result = minifcn("export", weights, "--out", tmp_path / "net.onnx")
        assert (result.status, result.err.count("\n")) == (2, 1)
    assert not list(tmp_path.iterdir())
