"""One sentence, and no file, where something is wrong with what was asked for."""

from __future__ import annotations

import sys

import pytest

from minifcn import export, models
from minifcn import layers as L
from minifcn.data import Preprocessing
from minifcn.layers import initializers


def net():
    return L.Sequential(L.Conv2d(3, 2, 1))


class Negative(L.Layer):
    def forward(self, x):
        return -x


def wide():
    with initializers.blank():
        return models.build("fcn8s", width=3)


BAD = {
    "net.txt: the name of an ONNX file ends in .onnx": lambda folder: export.onnx(net(), folder / "net.txt"),
    "net: the name": lambda folder: export.onnx(net(), folder / "net"),
    "U-Net takes pictures from 16x16 up; 15x40 is too small": lambda folder: export.onnx(
        models.build("unet", width=0.03125), folder / "net.onnx", size=(15, 40)
    ),
    "size must be at least 1": lambda folder: export.onnx(net(), folder / "net.onnx", size=(0, 4)),
    "nobody said with which preprocessing": lambda folder: export.onnx(net(), folder / "net.onnx", pictures=True),
    "the network takes 4: prepare": lambda folder: export.onnx(
        L.Sequential(L.Conv2d(4, 2, 1)), folder / "net.onnx", preprocessing=Preprocessing(), pictures=True
    ),
    "the weights take 4.8 GB and an ONNX file holds 2 GB": lambda folder: export.onnx(wide(), folder / "net.onnx"),
}  # fmt: skip


@pytest.mark.parametrize("sentence", BAD)
def test_it_is_said_in_a_sentence(sentence, tmp_path):
    with pytest.raises(ValueError, match=sentence) as error:
        BAD[sentence](tmp_path)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_without_the_package(monkeypatch, tmp_path):
    for name in ("onnx", "onnx.checker", "onnx.helper"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match=r"pip install 'minifcn\[export\]'"):
        export.onnx(net(), tmp_path / "net.onnx")
    assert not list(tmp_path.iterdir())


def test_an_earlier_file_survives(tmp_path):
    path = tmp_path / "net.onnx"
    export.onnx(net(), path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="has no form"):
        export.onnx(L.Sequential(L.Conv2d(3, 2, 1), Negative()), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["net.onnx"]


def test_a_place_that_cannot_be_written_to(tmp_path):
    (tmp_path / "net.onnx").mkdir()
    for path in (tmp_path / "net.onnx", tmp_path / "nowhere" / "net.onnx"):
        with pytest.raises(OSError, match="cannot be written"):
            export.onnx(net(), path)
    assert [file.name for file in tmp_path.iterdir()] == ["net.onnx"]
