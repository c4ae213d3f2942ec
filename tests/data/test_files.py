"""What counts as a picture, how a line of a list is read and what it names."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minifcn import data
from minifcn.data import files
from minifcn.data.folder import FolderSegmentation
from minifcn.data.idd import IDDSegmentation
from minifcn.data.palette import save_mask
from minifcn.data.voc import VOCSegmentation

MASK = np.array([[0, 1, 2, 255, 0, 0]] * 4)


def add(root: Path, id: str, suffix: str = ".png", mask: str | None = None) -> None:
    """A picture and its mask of labels 0, 1, 2 and void; `mask` is the mask's own id."""
    for folder, name in (("images", f"{id}{suffix}"), ("masks", f"{mask or id}.png")):
        (root / folder / name).parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.full((4, 6, 3), 99, np.uint8))
    image.save(root / "images" / f"{id}{suffix}", {".jfif": "JPEG", ".jpe": "JPEG"}.get(suffix.lower()))
    save_mask(root / "masks" / f"{mask or id}.png", MASK)


@pytest.fixture
def root(tmp_path) -> Path:
    for k in range(6):
        add(tmp_path / "d3", f"p{k}")
    return tmp_path / "d3"


def ids(root: Path, split: str = "all", **options) -> list[str]:
    return FolderSegmentation(root, split, **options).ids


# ---------------------------------------------------------------------------------------------------- what is a picture


@pytest.mark.parametrize(
    "hidden", ["._p0.png", ".p0.png", ".ipynb_checkpoints/p0-checkpoint.png", "deep/.git/p0.png", ".a/b/p0.png"]
)
def test_hidden_files_and_folders_are_no_pictures(root, hidden):
    for folder in ("images", "masks"):
        path = root / folder / hidden
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\0\5\26\7")
    dataset = FolderSegmentation(root, "all")
    assert dataset.ids == [f"p{k}" for k in range(6)]
    assert [note for note in dataset.notes if "left out" in note] == []
    assert [path.name for path in data.named_pictures([root / "images"]).pictures] == [f"p{k}.png" for k in range(6)]


def test_a_set_below_a_hidden_folder_is_as_good_as_any(root, tmp_path):
    (tmp_path / ".cache").mkdir()
    root.rename(tmp_path / ".cache" / "d3")
    assert len(ids(tmp_path / ".cache" / "d3")) == 6


@pytest.mark.parametrize("suffix", [".jpg", ".JPG", ".jpeg", ".jpe", ".jfif", ".gif", ".GIF", ".bmp", ".tiff", ".webp"])
def test_pictures_of_many_kinds_in_any_case(root, suffix):
    add(root, "new", suffix)
    dataset = FolderSegmentation(root, "all")
    assert dataset[dataset.ids.index("new")][0].shape == (4, 6, 3)


def test_what_is_left_out_is_counted(root):
    (root / "images" / "p0.heic").write_bytes(b"")
    (root / "images" / "Thumbs.db").write_bytes(b"")
    (root / "masks" / "p0.json").write_bytes(b"")
    for name in ("orphan", "other"):
        save_mask(root / "masks" / f"{name}.png", MASK)
    notes = data.check(FolderSegmentation(root, "all")).notes
    assert "left out, since they are no pictures by their names: 3 (Thumbs.db, p0.heic, p0.json)" in notes
    assert "masks without a picture: 2 (orphan, other)" in notes
    assert any("3 classes, counted from the masks: write" in note for note in notes)


def test_links_to_folders_are_followed_but_not_in_circles(root, tmp_path):
    for folder in ("images", "masks"):
        elsewhere = tmp_path / "data" / folder
        elsewhere.mkdir(parents=True)
        (root / folder / "p0.png").rename(elsewhere / "q.png")
        os.symlink(elsewhere, root / folder / "train")
        os.symlink(root / folder, elsewhere / "back")
        os.symlink(".", root / folder / "again")
    assert ids(root, "train") == ["train/q"]
    assert ids(root) == ["p1", "p2", "p3", "p4", "p5", "train/q"]


def test_two_links_to_one_folder_are_two_folders(root, tmp_path):
    for folder in ("images", "masks"):
        (tmp_path / "data" / folder).mkdir(parents=True)
        (root / folder / "p0.png").rename(tmp_path / "data" / folder / "q.png")
        for split in ("train", "val"):
            os.symlink(tmp_path / "data" / folder, root / folder / split)
    assert (ids(root, "train"), ids(root, "val")) == (["train/q"], ["val/q"])


def test_a_link_to_nothing_is_named_and_a_pipe_does_not_hang(root):
    os.symlink("/nowhere", root / "images" / "lost.png")
    os.mkfifo(root / "images" / "pipe.png")
    save_mask(root / "masks" / "lost.png", MASK)
    report = data.check(FolderSegmentation(root, "all"))
    assert len(report.problems) == 1
    assert "lost.png: there is no such file" in report.problems[0]
    assert any("1 (pipe.png)" in note for note in report.notes)


def test_named_pictures_are_all_done_or_refused(root, tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text("")
    found = data.named_pictures([notes, root / "images", root / "images" / "p1.png"])
    assert [path.name for path in found.pictures] == ["notes.txt", *(f"p{k}.png" for k in range(6))]
    with pytest.raises(FileNotFoundError, match=r"no such picture: .*gone\.png"):
        data.named_pictures([root / "images" / "gone.png"])
    with pytest.raises(ValueError, match=r"no pictures in .*d3: possible are \.jpg, "):
        data.named_pictures([root])


def test_hidden_files_are_none_of_idds_and_vocs(tmp_path, voc_tree):
    for name in ("f_image.jpg", "._f_image.jpg", "g_image.JPG", "h_leftImg8bit.txt"):
        path = tmp_path / "leftImg8bit" / "train" / "drive" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    for name in ("f_label.png", "g_label.png"):
        (tmp_path / "gtFine" / "train" / "drive").mkdir(parents=True, exist_ok=True)
        (tmp_path / "gtFine" / "train" / "drive" / name).write_bytes(b"")
    dataset = IDDSegmentation(tmp_path, "train")
    assert dataset.ids == ["drive/f", "drive/g"]
    assert dataset.notes == ["left out, since they are no pictures by their names: 1 (h_leftImg8bit.txt)"]
    tree = voc_tree(train=["a"])
    (tree.lists / "._train.txt").write_bytes(b"\0\5\26\7")
    with pytest.raises(ValueError, match="its lists are train; also"):
        VOCSegmentation(tree.root, "vall")


# -------------------------------------------------------------------------------------------------- a line, and its picture


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfp0\r\np1\r\n",
        "p0\r\np1\r\n".encode("utf-16"),
        "\ufeffp0\np1\n".encode("utf-16-be"),
        b"\xef\xbb\xbf# mine\n\n  p0\t\n\np1",
        b"p0\rp1\r",
        b"\"p0\"\n'p1'\n",
        b"#p2\np0\n##\n# p3\np1\n",
    ],
)
def test_lists_as_windows_and_others_write_them(root, content):
    (root / "train.txt").write_bytes(content)
    assert ids(root, "train") == ["p0", "p1"]


def test_classes_as_notepad_writes_them(root):
    (root / "classes.txt").write_bytes("\ufeffground\r\ngras é\r\nsky\r\n".encode())
    assert FolderSegmentation(root, "all").classes == ("ground", "gras é", "sky")
    (root / "classes.txt").write_bytes("ground\ngras é\nsky\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"classes\.txt: class 'gras .*save the file as UTF-8"):
        FolderSegmentation(root, "all")


@pytest.mark.parametrize(
    "line",
    [
        "p0", "p0.png", "p0.PNG", "p0.jpg", "images/p0.png", "./images/p0.png", "d3/images/p0", "/images/p0.png", "./p0.png",
        "images\\p0.png", "C:\\data\\d3\\images\\p0.JPG", "/home/somebody/d3/images/p0.png",
        '"images/p0.png"', "{root}/images/p0.png",
        "images/p0.png masks/p0.png", "p0.png\tp0.png", "images/p0.jpg,masks/p0.png", "images\\p0.png ; masks\\p0.png",
        '"images/p0.png" "masks/p0.png"', "{root}/images/p0.png {root}/masks/p0.png",
    ],
)  # fmt: skip
def test_a_line_names_its_picture_in_many_ways(root, line):
    (root / "train.txt").write_text(line.format(root=root) + "\n")
    dataset = FolderSegmentation(root, "train")
    assert [sample[1:] for sample in dataset.samples] == [(root / "images" / "p0.png", root / "masks" / "p0.png")]
    assert dataset.ids == ["p0"]


def test_names_with_blanks_signs_and_folders(root):
    for id in ("my cat.v2", "#1", "# 2", "a,b", "images/deep", "back\\slash"):
        add(root, id)
    lines = ["my cat.v2", "my cat.v2.png my cat.v2.png", "#1", "# 2", "# 3", "a,b", "images/deep", "back\\slash"]
    (root / "train.txt").write_text("\n".join(lines))
    assert ids(root, "train") == ["my cat.v2", "my cat.v2", "#1", "# 2", "a,b", "images/deep", "back\\slash"]


def test_a_line_may_pair_a_picture_with_a_mask_of_another_name(root):
    add(root, "photo", mask="photo_label")
    (root / "train.txt").write_text("images/photo.png masks/photo_label.png\n")
    dataset = FolderSegmentation(root, "train")
    assert (dataset.ids, dataset.samples[0].label.name) == (["photo"], "photo_label.png")
    assert not any("masks without" in note for note in dataset.notes)


@pytest.mark.parametrize("line", ["images/p9.png", "val/p0", "images/p0.png masks/p9.png"])
def test_a_line_that_names_nothing_is_named_with_what_is_there(root, line):
    (root / "train.txt").write_text(f"p0\n{line}\n")
    with pytest.raises(FileNotFoundError) as raised:
        ids(root, "train")
    assert f"1 of the 2 pictures of {root / 'train.txt'} lack" in str(raised.value)
    assert files.without_suffix(line) in str(raised.value)
    assert ids(root, "train", missing="skip") == ["p0"]


def test_what_lies_where_a_file_is_missing_is_named(root):
    (root / "masks" / "p0.png").rename(root / "masks" / "p0.jpg")
    with pytest.raises(FileNotFoundError, match=r"misses its mask, .*p0\.png \(its folder holds p0\.jpg"):
        ids(root)


@pytest.mark.parametrize("suffix", [".png", ".JPG", ".jpeg"])
@pytest.mark.parametrize(
    "line", ["{id}", "{id}.png", "{id}.JPG", "JPEGImages/{id}.jpg", "/JPEGImages/{id}.jpg /x/{id}.png", "{id} 1"]
)
def test_vocs_pictures_may_have_other_suffixes(voc_tree, suffix, line):
    tree = voc_tree(train=["a1"])
    tree.add("#b")
    for id in ("a1", "#b"):
        (tree.root / "JPEGImages" / f"{id}.jpg").rename(tree.root / "JPEGImages" / f"{id}{suffix}")
    (tree.lists / "train.txt").write_text("# a comment\n" + "".join(line.format(id=id) + "\n" for id in ("a1", "#b")))
    dataset = VOCSegmentation(tree.root)
    assert dataset.ids == ["a1", "#b"]
    assert dataset[1][0].shape == (11, 17, 3)


# ----------------------------------------------------------------------------------------------------------- odd names


def test_names_in_no_encoding_can_be_split_and_listed(root):
    for folder in ("images", "masks"):
        os.rename(root / folder / "p0.png", os.fsencode(root / folder) + b"/caf\xe9.png")
    assert sorted(ids(root, "train") + ids(root, "val")) == sorted(ids(root))
    (root / "train.txt").write_bytes(b"caf\xe9.png\n")
    dataset = FolderSegmentation(root, "train")
    assert dataset[0][0].shape == (4, 6, 3)
    assert data.fingerprint(dataset)


@pytest.mark.parametrize("forms", [("NFD", "NFC", "NFC"), ("NFC", "NFD", "NFC"), ("NFD", "NFD", "NFD"), ("NFC", "NFC", "NFD")])
def test_letters_and_their_accents_may_be_apart(root, forms):
    picture, mask, line = (unicodedata.normalize(form, "Müllertür") for form in forms)
    add(root, picture, mask=mask)
    (root / "train.txt").write_text(line, encoding="utf-8")
    assert ids(root, "train") == ["Müllertür"]
    assert "Müllertür" in ids(root)


def test_a_fingerprint_is_of_what_not_of_where(root, tmp_path):
    before = data.fingerprint(FolderSegmentation(root, "all"))
    root.rename(tmp_path / "moved")
    assert data.fingerprint(FolderSegmentation(tmp_path / "moved", "all")) == before
    add(tmp_path / "moved", "p6")
    assert data.fingerprint(FolderSegmentation(tmp_path / "moved", "all")) != before
