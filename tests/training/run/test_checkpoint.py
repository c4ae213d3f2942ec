"""Checkpoints: whole or not at all, and one clear sentence for everything that can be wrong with one."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from minifcn import safe_file
from minifcn.training import Checkpoint, read_checkpoint, read_metadata, write_checkpoint
from minifcn.training.run.checkpoint import check_state


@pytest.fixture
def checkpoint(rng) -> Checkpoint:
    model = {
        "conv.weight": rng.standard_normal((3, 2, 3, 3)).astype(np.float32),
        "norm.count": np.array(7, np.int64),
        "half": rng.standard_normal(5).astype(np.float16),
        "transposed": rng.standard_normal((4, 6)).T,
        "empty": np.zeros((0, 3)),
        "mask": np.array([True, False]),
        "bytes": np.arange(3, dtype=np.uint8),
    }
    optimizer = {"algorithm": "SGD", "conv.weight.step": 3, "conv.weight.momentum_buffer": np.ones((3, 2, 3, 3))}
    return Checkpoint(model, optimizer, {"iteration": 3, "loss": 0.1, "name": "Ünïcode", "none": None})


def test_comes_back_as_it_was(checkpoint, tmp_path):
    path = tmp_path / "last.safetensors"
    write_checkpoint(path, checkpoint)
    found = read_checkpoint(path)
    assert found.metadata == checkpoint.metadata
    for key, array in checkpoint.model.items():
        assert found.model[key].dtype == array.dtype
        np.testing.assert_array_equal(found.model[key], array)
    assert found.optimizer.keys() == checkpoint.optimizer.keys()
    assert found.optimizer["conv.weight.step"] == 3
    np.testing.assert_array_equal(found.optimizer["conv.weight.momentum_buffer"], 1)
    assert os.listdir(tmp_path) == ["last.safetensors"]


def test_the_library_reads_what_we_write(checkpoint, tmp_path):
    path = tmp_path / "last.safetensors"
    write_checkpoint(path, checkpoint)
    found = load_file(path)
    np.testing.assert_array_equal(found["model.transposed"], checkpoint.model["transposed"])
    assert read_metadata(path)["iteration"] == 3
    header = int.from_bytes(path.read_bytes()[:8], "little")
    assert header % 8 == 0


def test_best_is_the_same_file_and_survives_the_next_last(checkpoint, tmp_path):
    last, best = tmp_path / "last.safetensors", tmp_path / "best.safetensors"
    write_checkpoint(last, checkpoint, also=best)
    assert os.path.samefile(last, best)
    checkpoint.metadata["iteration"] = 4
    write_checkpoint(last, checkpoint)
    assert read_metadata(best)["iteration"] == 3
    assert read_metadata(last)["iteration"] == 4


def test_best_gets_its_name_before_last(checkpoint, tmp_path, monkeypatch):
    """Killed between the two, a run resumes before its best validation and finds it again; the other way it is lost."""
    named = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda source, target: named.append(target.name) or replace(source, target))
    write_checkpoint(tmp_path / "last.safetensors", checkpoint, also=tmp_path / "best.safetensors")
    assert named == ["best.safetensors", "last.safetensors"]


def test_best_is_copied_where_there_are_no_hard_links(checkpoint, tmp_path, monkeypatch):
    def no_links(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    last, best = tmp_path / "last.safetensors", tmp_path / "best.safetensors"
    write_checkpoint(last, checkpoint, also=best)
    assert last.read_bytes() == best.read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["best.safetensors", "last.safetensors"]


class _FullDisk:
    """A file on a disk with room for so many bytes."""

    def __init__(self, file, room: int) -> None:
        self.file, self.room = file, room

    def write(self, data) -> int:
        self.room -= memoryview(data).nbytes
        if self.room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self.file.write(data)

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)


@pytest.mark.parametrize("room", [0, 100, 1500])
def test_full_disk_leaves_the_earlier_checkpoint(room, checkpoint, tmp_path, monkeypatch):
    path = tmp_path / "last.safetensors"
    write_checkpoint(path, checkpoint)
    before = path.read_bytes()
    monkeypatch.setattr(safe_file, "open", lambda *a: _FullDisk(open(*a), room), raising=False)  # noqa: SIM115
    checkpoint.metadata["iteration"] = 4
    with pytest.raises(OSError, match=r"last\.safetensors cannot be written: No space left on device"):
        write_checkpoint(path, checkpoint, also=tmp_path / "best.safetensors")
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["last.safetensors"]


def test_a_folder_that_is_none(checkpoint, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot be written: Not a directory"):
        write_checkpoint(tmp_path / "file" / "last.safetensors", checkpoint)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["model", "optimizer"])
def test_nan_is_neither_written(value, where, checkpoint, tmp_path):
    key = "conv.weight" if where == "model" else "conv.weight.momentum_buffer"
    array = getattr(checkpoint, where)[key]
    array[1, 1, 1, 1] = value
    with pytest.raises(ValueError, match=rf"{where}\.{key} hold NaN"):
        write_checkpoint(tmp_path / "last.safetensors", checkpoint)
    assert not os.listdir(tmp_path)


def test_nan_is_nor_read(checkpoint, tmp_path):
    path = tmp_path / "last.safetensors"
    write_checkpoint(path, checkpoint)
    arrays = load_file(path)
    arrays["model.half"][2] = np.nan
    save_file(arrays, path, {"minifcn": json.dumps({"format": 1, "optimizer_scalars": {}})})
    with pytest.raises(ValueError, match=r"model\.half hold NaN"):
        read_checkpoint(path)


def test_large_finite_numbers_are_no_infinity(checkpoint, tmp_path):
    checkpoint.model["large"] = np.full(100, 3e38, np.float32)  # their sum is infinite
    write_checkpoint(tmp_path / "last.safetensors", checkpoint)


@pytest.mark.parametrize("size", [0, 5, 8, 300, 1000, -1])
def test_cut_short(size, checkpoint, tmp_path):
    path = tmp_path / "last.safetensors"
    write_checkpoint(path, checkpoint)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match=r"last\.safetensors cannot be read .* cut short, damaged"):
        read_checkpoint(path)
    with pytest.raises(ValueError, match="cut short"):
        read_metadata(path)


def test_missing_foreign_and_future_files(checkpoint, tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(FileNotFoundError, match=r"x\.safetensors: there is no such file"):
        read_checkpoint(path)
    save_file({"weight": np.ones(2)}, path)
    with pytest.raises(ValueError, match="no checkpoint of minifcn"):
        read_checkpoint(path)
    save_file({"weight": np.ones(2)}, path, {"minifcn": json.dumps({"format": 99, "optimizer_scalars": {}})})
    with pytest.raises(ValueError, match="format 99 and this version of minifcn reads 1"):
        read_checkpoint(path)
    save_file({"weight": np.ones(2)}, path, {"minifcn": "{"})
    with pytest.raises(ValueError, match="damaged"):
        read_checkpoint(path)


def test_another_network_is_named_key_by_key():
    expected = {f"layer{i}.weight": np.zeros(i) for i in range(9)}
    found = {**expected, "layer3.weight": np.zeros(8), "fc6.weight": np.zeros(2)}
    del found["layer1.weight"]
    with pytest.raises(ValueError, match="another network") as error:
        check_state(Path("x"), expected, found)
    for words in ("layer1.weight is missing", "fc6.weight is unknown", "layer3.weight has shape (8,) instead of (3,)"):
        assert words in str(error.value)
    with pytest.raises(ValueError, match="and 4 more"):
        check_state(Path("x"), expected, {})
    check_state(Path("x"), expected, dict(expected))
