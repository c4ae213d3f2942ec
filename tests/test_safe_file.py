"""Names of outputs: one for each input, on any file system; and folders that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minifcn.safe_file import names_for, put_folder


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["a/cat.jpg", "b/dog.png"], ["cat", "dog"]),
        (["a/img/1.png", "b/img/1.png"], ["a_img_1", "b_img_1"]),
        (["a/1.png", "b/1.jpg"], ["a_1", "b_1"]),
        (["m/x.png", "m/x.jpg"], ["x_png", "x_jpg"]),
        (["m/x.png", "m/X.png"], ["x_1", "X_2"]),
        (["img/1.png", "b/1.png", "img_1.png"], ["{cwd}_img_1", "{cwd}_b_1", "img_1"]),
        (["x.png", "x.jpg", "x_png.png", "x_1.png"], ["{cwd}_x_png", "{cwd}_x_jpg", "x_png", "x_1"]),
    ],
)
def test_names_say_as_much_as_tells_them_apart(files, names, tmp_path, monkeypatch):
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    assert names_for([Path(file) for file in files]) == [name.format(cwd="cwd") for name in names]


_words = st.sampled_from(["a", "b", "A", "a_b", "b_a", "a_1", "png", "é", "e\u0301", "ß", "ss"])
_files = st.builds(lambda folders, stem, suffix: Path("/", *folders, f"{stem}{suffix}"), st.lists(_words, max_size=3), _words,
                   st.sampled_from([".png", ".jpg", ".PNG", ""]))  # fmt: skip


@given(st.lists(_files, max_size=12))
def test_no_two_names_are_one_and_own_names_stay(files):
    names = names_for(files)
    assert len({name.casefold() for name in names}) == len(files)
    for file, name in zip(files, names, strict=True):
        if [other.stem.casefold() for other in files].count(file.stem.casefold()) == 1:
            assert name == file.stem or "\u0301" in file.stem or "é" in file.stem


def test_deep_folders_give_no_name_too_long_for_a_file():
    files = [Path("/", *[f"{'x' * 100}{k}"] * 6, "1.png") for k in "ab"] + [
        Path("/", "y" * 250, k, *["z" * 200] * 2, "2.png") for k in "ab"
    ]
    assert all(len(name) < 250 for name in names_for(files))


@pytest.mark.parametrize(("there", "stays"), [(None, "ours"), ([], "ours"), (["theirs"], "theirs")])
def test_a_folder_gets_its_name_unless_another_process_was_faster(there, stays, tmp_path):
    made, target = tmp_path / "made", tmp_path / "target"
    for folder, names in ((made, ["ours"]), (target, there)):
        if names is not None:
            folder.mkdir()
            for name in names:
                (folder / name).touch()
    put_folder(made, target)
    assert [path.name for path in target.iterdir()] == [stays]


def test_a_folder_does_not_take_the_place_of_a_file(tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "target").touch()
    with pytest.raises(OSError, match="target"):
        put_folder(tmp_path / "made", tmp_path / "target")
