"""Every network of the catalogue as a file, run by onnxruntime: a later one is included without a word."""

from __future__ import annotations

import onnx
import pytest

from minifcn import export, models
from support.onnx_runs import check_same, enlivened

VARIANTS = [
    ("fcn8s", {"padding": 1}),
    ("fcn16s", {"padding": 1}),
    ("fcn-alexnet", {"lrn": True, "padding": 1}),
    ("fcn-squeezenet", {"stride": 32}),
    ("fcn-squeezenet", {"stride": 16, "padding": 3}),
    ("encoder-decoder", {"skips": True}),
    ("unet", {"valid": True}),
    ("unet", {"batch_norm": True, "in_channels": 5}),
    ("r2unet", {"steps": 0}),
    ("fcn-resnet50", {"aux": True}),
    ("deeplabv3-resnet50", {"aux": True}),
]


def pictures(rng, N, C, H, W):
    return rng.standard_normal((N, C, H, W)).astype("f")


@pytest.mark.parametrize(("name", "options"), [*((name, {}) for name in models.names()), *VARIANTS])
def test_onnxruntime_gives_the_scores_of_pictures_of_any_size(name, options, rng, tmp_path):
    net = enlivened(models.build(name, 5, width=0.0625, **options), rng).train()
    path, C = tmp_path / "net.onnx", options.get("in_channels", 3)
    said = export.onnx(net, path)
    assert net.training  # as it was
    check_same(net, path, pictures(rng, 1, C, 65, 79), pictures(rng, 2, C, 96, 67))
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    places = ["H", "W"] if models.entry(name).segments else []
    assert [output.name for output in model.graph.output] == ["scores"]
    assert _dims(model.graph.input[0]) == ["N", C, "H", "W"]
    assert _dims(model.graph.output[0]) == ["N", 5, *places]
    assert said == model.doc_string == f"image float32 (N, {C}, H, W) -> scores float32 ({', '.join(['N', '5', *places])})"


def _dims(port):
    return [dim.dim_param or dim.dim_value for dim in port.type.tensor_type.shape.dim]


@pytest.mark.parametrize("padding", [1, 40, 100])
def test_skips_are_joined_at_every_remainder_of_the_size(padding, rng, tmp_path):
    net = enlivened(models.build("fcn8s", 3, width=0.03125, padding=padding), rng)
    export.onnx(net, tmp_path / "net.onnx")
    sizes = [(side, 97 - side) for side in range(32, 65)]
    check_same(net, tmp_path / "net.onnx", *(pictures(rng, 1, 3, H, W) for H, W in sizes))


def test_convolutionalized_classifiers_score_a_map(rng, tmp_path):
    net = models.convolutionalize(enlivened(models.build("vgg11", 4, width=0.03125), rng))
    said = export.onnx(net, tmp_path / "net.onnx")
    assert said.endswith("scores float32 (N, 4, ?, ?)")
    check_same(net, tmp_path / "net.onnx", pictures(rng, 2, 3, 224, 256), pictures(rng, 1, 3, 289, 225))
