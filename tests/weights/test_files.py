"""Weights from files of every kind: the network's part only, nothing executed, and one clear sentence for what is refused."""

from __future__ import annotations

import json
import os
import pickle

import numpy as np
import pytest
from safetensors.numpy import save_file

from minifcn.layers import Conv2d
from minifcn.training import Checkpoint, load_weights, read_metadata, write_checkpoint
from minifcn.weights import write


def test_weights_of_all_kinds(tmp_path):
    weights = {"a.weight": np.arange(6.0).reshape(2, 3), "b": np.array(2.0)}
    np.savez(tmp_path / "w.npz", **weights)
    save_file(weights, tmp_path / "w.safetensors")
    for name in ("w.npz", "w.safetensors"):
        found = load_weights(tmp_path / name)
        assert found.keys() == weights.keys()
        np.testing.assert_array_equal(found["a.weight"], weights["a.weight"])
    write_checkpoint(tmp_path / "last.safetensors", Checkpoint(weights, {"a.weight.momentum_buffer": np.ones(3)}, {}))
    assert load_weights(tmp_path / "last.safetensors").keys() == weights.keys()
    assert load_weights(tmp_path).keys() == weights.keys()  # a run folder
    assert read_metadata(tmp_path / "w.npz") == {}
    assert read_metadata(tmp_path / "w.safetensors") == {}


class _Bomb:
    def __reduce__(self):
        return (os.mkdir, ("exploded",))


def test_nothing_in_a_file_is_executed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "w.npz", bomb=np.array([_Bomb()], object))
    with pytest.raises(ValueError, match=r"w\.npz cannot be read .* pickled"):
        load_weights(tmp_path / "w.npz")
    (tmp_path / "v.npz").write_bytes(pickle.dumps(_Bomb()))
    with pytest.raises(ValueError, match=r"v\.npz cannot be read"):
        load_weights(tmp_path / "v.npz")
    assert not (tmp_path / "exploded").exists()


def test_other_weight_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\.safetensors, \.npz, .*\.caffemodel, not from \.h5"):
        load_weights(tmp_path / "w.h5")
    with pytest.raises(FileNotFoundError):
        load_weights(tmp_path / "w.npz")
    with pytest.raises(FileNotFoundError, match=r"neither best\.safetensors nor last\.safetensors"):
        load_weights(tmp_path)
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(ValueError, match="cut short"):
        load_weights(tmp_path / "cut.npz")


@pytest.mark.parametrize("given", [Conv2d(1, 1, 1), [np.ones(2)], np.ones(2)])
def test_what_is_no_mapping_is_not_written(tmp_path, given):
    for name in ("w.npz", "w.safetensors"):
        with pytest.raises(TypeError, match=rf"net\.state_dict\(\), not a {type(given).__name__}$"):
            write(tmp_path / name, given)
    assert not any(tmp_path.iterdir())


def _write(path, dtype: str, shape: list[int], content: bytes) -> None:
    """A safetensors file of a float32 and an array of any dtype."""
    header = {
        "a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]},
        "b": {"dtype": dtype, "shape": shape, "data_offsets": [8, 8 + len(content)]},
    }
    encoded = json.dumps(header).encode()
    path.write_bytes(len(encoded).to_bytes(8, "little") + encoded + np.array([1, 2], "<f4").tobytes() + content)


@pytest.mark.parametrize("shape", [[6], [2, 3], [], [0]])
def test_bfloat16_is_widened(tmp_path, rng, shape):
    torch = pytest.importorskip("torch")
    values = torch.tensor(rng.normal(0, 1e3, shape), dtype=torch.bfloat16)
    _write(tmp_path / "w.SafeTensors", "BF16", shape, values.contiguous().view(torch.int16).numpy().tobytes())
    weights = load_weights(tmp_path / "w.SafeTensors")
    assert list(weights) == ["a", "b"]
    assert weights["b"].dtype == np.float32
    np.testing.assert_array_equal(weights["b"], values.float().numpy())
    np.testing.assert_array_equal(weights["a"], [1, 2])


@pytest.mark.parametrize("dtype", ["F8_E4M3", "F8_E5M2", "F8_E8M0", "C64"])
def test_dtypes_that_numpy_lacks_are_refused(tmp_path, dtype):
    _write(tmp_path / "w.safetensors", dtype, [2], bytes(16 if dtype == "C64" else 2))
    said = rf"w\.safetensors: b has dtype {dtype}, .* convert it to F32 first"
    if dtype in ("F8_E8M0", "C64"):  # safetensors before 0.7 do not know them, and take the file for a damaged one
        said += r"|w\.safetensors cannot be read \(Error while deserializing header"
    with pytest.raises(ValueError, match=said):
        load_weights(tmp_path / "w.safetensors")


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([1j]), np.zeros(2, "V2")])
def test_npz_in_any_case_of_numbers_only(tmp_path, array):
    np.savez(tmp_path / "w.npz", a=np.ones(2))
    (tmp_path / "w.npz").rename(tmp_path / "W.NPZ")
    assert load_weights(tmp_path / "W.NPZ")["a"].tolist() == [1, 1]
    np.savez(tmp_path / "x.npz", a=array)
    with pytest.raises(ValueError, match=r"x\.npz has .a\.npy. of dtype .*: convert it to float32"):
        load_weights(tmp_path / "x.npz")
