"""Weights from files of every kind: the network's part only, nothing executed, and one clear sentence for what is refused."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
from safetensors.numpy import save_file

from minifcn.training import Checkpoint, load_weights, read_metadata, write_checkpoint


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
    with pytest.raises(ValueError, match=r"\.safetensors and \.npz, not from \.h5"):
        load_weights(tmp_path / "w.h5")
    with pytest.raises(FileNotFoundError):
        load_weights(tmp_path / "w.npz")
    with pytest.raises(FileNotFoundError, match=r"neither best\.safetensors nor last\.safetensors"):
        load_weights(tmp_path)
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(ValueError, match="cut short"):
        load_weights(tmp_path / "cut.npz")
