"""Ours -> PyTorch -> ours, for every network: each file loads into the other side's network, and the scores are the same."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn import models, no_grad, training, weights
from minifcn.checks.network import sized

torch = pytest.importorskip("torch")
from safetensors.torch import load_file  # noqa: E402 (need PyTorch)

from support.torch_oracles import CLASSES, oracle, scores  # noqa: E402

LARGE = [name for name in models.names() if name.endswith(("resnet34", "resnet50", "resnet101"))]


def ours(net, x: np.ndarray) -> np.ndarray:
    with no_grad():
        return net.eval()(x)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in LARGE else ()) for name in models.names()]
)
def test_there_and_back(name, tmp_path):
    module, options = oracle(name)
    x = np.random.default_rng(4).standard_normal((1, 3, *sized(name, (33, 47)))).astype(np.float32)
    right = scores(module, torch.tensor(x)).numpy()
    assert right.std() > 0

    torch.save({"state_dict": module.state_dict(), "epoch": 3}, tmp_path / "theirs.pth")
    done = training.import_weights(
        tmp_path / "theirs.pth", name, tmp_path / "ours.safetensors", options=options, preprocessing="plain"
    )
    assert done.net.config == {"name": name, "num_classes": CLASSES, **options}  # as many as the file scores
    assert not done.report.unfilled
    net, about = training.load_model(tmp_path / "ours.safetensors")
    np.testing.assert_allclose(ours(net, x), right, atol=2e-5 * np.abs(right).max())
    assert (about["preprocessing"]["name"], len(about["classes"])) == ("plain", CLASSES)

    weights.write(tmp_path / "out.safetensors", net.state_dict(), {"from": "minifcn"})
    weights.write(tmp_path / "out.npz", net.state_dict())
    state = {key: torch.zeros_like(tensor) for key, tensor in module.state_dict().items()}
    module.load_state_dict(state)
    for file in ("out.safetensors", "out.npz"):
        back = (
            load_file(tmp_path / file)
            if file.endswith("s")
            else {k: torch.tensor(a) for k, a in np.load(tmp_path / file).items()}
        )
        missing, unexpected = module.load_state_dict(back, strict=False)
        assert not unexpected
        assert all(key.endswith("num_batches_tracked") for key in missing)
        np.testing.assert_array_equal(scores(module, torch.tensor(x)).numpy(), right)

    torch.save(module.state_dict(), tmp_path / "again.pt")
    for file in ("again.pt", "out.npz", "out.safetensors"):
        again = weights.read(tmp_path / file)
        assert all(again[key].tobytes() == array.tobytes() for key, array in net.state_dict().items())


def test_what_is_written(tmp_path):
    arrays = {
        "file": np.arange(6.0).reshape(2, 3).T, "a/b.c": np.array(3, np.int16), "half": np.ones((0, 2), np.float16),
        "bool": np.array([True, False]), "big": np.arange(3, dtype=">f8"),
    }  # fmt: skip
    for name in ("w.npz", "w.safetensors", "W.NPZ"):
        weights.write(tmp_path / name, arrays)
        found = weights.read(tmp_path / name)
        assert found.keys() == arrays.keys()
        for key, array in arrays.items():
            np.testing.assert_array_equal(found[key], array)
            assert found[key].dtype == array.dtype.newbyteorder("=")
    first = (tmp_path / "w.npz").read_bytes()
    weights.write(tmp_path / "w.npz", arrays)
    assert (tmp_path / "w.npz").read_bytes() == first
    weights.write(tmp_path / "w.safetensors", arrays, {"who": "we"})
    assert weights.metadata(tmp_path / "w.safetensors") == {"who": "we"}


@pytest.mark.parametrize(
    ("name", "arrays", "metadata", "said"),
    [
        ("w.pth", {}, None, r"written to \.safetensors and \.npz, not to \.pth"),
        ("w", {}, None, "not to a file without suffix"),
        ("w.npz", {"a": [1.0]}, None, "a must be arrays under texts"),
        ("w.npz", {"a": np.array(["x"])}, None, "a must be arrays under texts, of float16"),
        ("w.safetensors", {"a": np.array([1j])}, None, "a must be arrays"),
        ("w.safetensors", {1: np.ones(1)}, None, "1 must be arrays under texts"),
        ("w.safetensors", {"a": np.ones(1)}, {"n": 3}, "metadata are texts under texts"),
        ("w.npz", {"a": np.ones(1)}, {"n": "3"}, r"go into \.safetensors alone"),
    ],
)
def test_what_cannot_be_written_is_refused_and_nothing_is_left(tmp_path, name, arrays, metadata, said):
    with pytest.raises(ValueError, match=said):
        weights.write(tmp_path / name, arrays, metadata)
    assert not list(tmp_path.iterdir())
