"""`minifcn.data` by name: one builder for all sets, and nothing imported before it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

from minifcn import data


def test_names_build_their_sets(voc_tree, tmp_path):
    tree = voc_tree(train=["a"], val=["b"])
    for name in ("voc", "voc2012"):
        assert data.build(name, tree.root.parent, "val").ids == ["b"]
    voc_tree(year="2011", train=["c"])
    assert data.build("voc2011", tree.root.parent).ids == ["c"]
    shapes = data.build("shapes", tmp_path / "shapes", "val", train=2, val=1)
    assert (len(shapes), shapes.num_classes) == (1, 5)
    assert set(data.names()) == {"voc", "voc2012", "voc2011", "idd", "cityscapes", "camvid", "folder", "shapes"}


def test_the_root_defaults_to_data(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    data.build("shapes", train=1, val=1)
    assert (tmp_path / "data" / "shapes" / "JPEGImages").is_dir()
    with pytest.raises(FileNotFoundError, match="in data, data/VOC2012"):
        data.build("voc")


def test_options_reach_the_reader(voc_tree):
    tree = voc_tree(train=["a"])
    tree.list("train", ["a", "lost"])
    assert len(data.build("voc", tree.root, missing="skip")) == 1


def test_unknown_sets_are_refused_with_the_known_ones():
    with pytest.raises(
        ValueError,
        match="data set 'coco' is not known; choose one of voc, voc2012, voc2011, idd, cityscapes, camvid, folder, shapes",
    ):
        data.build("coco")


def test_every_public_name_is_there_and_no_other():
    for name in data.__all__:
        assert getattr(data, name) is not None
    with pytest.raises(AttributeError, match=r"'minifcn\.data' has no attribute 'nothing'"):
        _ = data.nothing


def test_importing_data_does_not_import_pillow():
    code = "import sys, minifcn.data; print(sorted({'PIL', 'scipy', 'matplotlib', 'urllib.request'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
