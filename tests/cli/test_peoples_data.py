"""What people bring to the commands: names in any script, pictures that cannot be read, pipes that close, data that moved."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from minifcn import data, training
from minifcn.cli.screen import console, printable
from minifcn.cli.screen import table as print_table

from .conftest import NARROW
from .test_train_and_use import refused


def save(path, side=40, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side + 8, 3), np.uint8)
    Image.fromarray(pixels).save(path, format="PNG" if path.suffix == ".png" else "JPEG")
    return path


def folder_of(root, classes=("background", "cat", "dog"), count=6, name="p{}"):
    """A folder of pictures with squares on them."""
    rng = np.random.default_rng(0)
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    for index in range(count):
        labels = np.zeros((40, 48), np.uint8)
        for label in range(1, len(classes)):
            y, x = rng.integers(0, 24), rng.integers(0, 32)
            labels[y : y + 16, x : x + 16] = label
        pixels = labels[..., None] * 80 + rng.normal(40, 15, (40, 48, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / "images" / f"{name.format(index)}.png")
        data.save_mask(root / "masks" / f"{name.format(index)}.png", labels)
    (root / "classes.txt").write_text("\n".join(classes))
    return root


TRAIN = ("train", "--data", "folder", "--recipe", "scratch", *NARROW)


def run_outside(*arguments, **options):
    """The command in a process of its own."""
    command = [sys.executable, "-m", "minifcn", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=120, **options)


# --------------------------------------------------------------------------------------------------------- predicting


def test_predict_writes_a_mask_for_every_picture_whatever_their_names(minifcn, finished, tmp_path):
    save(tmp_path / "a" / "img" / "1.png")
    save(tmp_path / "b" / "img" / "1.png")
    save(tmp_path / "c" / "x.png")
    save(tmp_path / "c" / "x.jpg")
    save(tmp_path / "c" / "img_1.png")
    folders = [tmp_path / "a" / "img", tmp_path / "b" / "img", tmp_path / "c"]
    result = minifcn("predict", finished, *folders, "--out", tmp_path / "out")
    assert result.status == 0, result.err
    assert "written: 5 masks" in result.out
    assert len(os.listdir(tmp_path / "out" / "masks")) == 5
    assert len(os.listdir(tmp_path / "out" / "overlays")) == 5


def test_predict_goes_on_after_a_picture_that_cannot_be_read(minifcn, finished, tmp_path):
    for index in range(4):
        save(tmp_path / "in" / f"{index}.png", seed=index)
    broken = tmp_path / "in" / "1.png"
    broken.write_bytes(broken.read_bytes()[:200])
    (tmp_path / "in" / "2.png").write_text("not a picture")
    (tmp_path / "in" / "notes.md").write_text("")
    (tmp_path / "in" / "._0.png").write_bytes(b"\0\5\26\7")
    result = minifcn("predict", finished, tmp_path / "in", "--out", tmp_path / "out")
    sentence = refused(result)
    assert "2 of 4 pictures have no mask" in sentence
    assert str(broken) in sentence
    assert f"{broken}: the picture cannot be decoded" in result.out
    assert "left out, since they are no pictures by their names: 1 (notes.md)" in result.out
    assert "written: 2 masks" in result.out
    assert sorted(os.listdir(tmp_path / "out" / "masks")) == ["0.png", "3.png"]


def test_a_picture_that_does_not_fit_into_memory_is_named(minifcn, finished, tmp_path, monkeypatch):
    def predict(net, image, preprocessing, views):
        if image.shape[0] > 50:
            raise MemoryError
        return np.zeros(image.shape[:2], np.uint8)

    monkeypatch.setattr(training, "predict", predict)
    large, small = save(tmp_path / "large.png", 60), save(tmp_path / "small.png")
    result = minifcn("predict", finished, large, small, "--out", tmp_path / "out")
    assert "1 of 2" in refused(result)
    assert f"{large}: not enough memory for a picture of 60x68: give a --tile, or make a smaller copy" in result.out
    assert "--width" not in result.out + result.err
    assert os.listdir(tmp_path / "out" / "masks") == ["small.png"]


# ------------------------------------------------------------------------------------------------- sets that teach nothing


def test_masks_without_two_classes_are_refused_by_every_command(minifcn, tmp_path):
    root = folder_of(tmp_path / "set", ("background", "cat"))
    for mask in (root / "masks").iterdir():
        Image.fromarray((np.asarray(Image.open(mask)) > 0).astype(np.uint8) * 255).save(mask)
    for command in (["data", "check"], ["data", "stats"]):
        result = minifcn(*command, "folder", "--root", root)
        assert result.status == 2
        assert "if 255 marks your object" in result.out + result.err
    assert "if 255 marks your object" in refused(minifcn(*TRAIN, "--root", root, "--iterations", 1, "--out", tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_evaluate_refuses_a_set_that_measures_nothing(minifcn, tmp_path):
    root = folder_of(tmp_path / "set")
    assert minifcn(*TRAIN, "--root", root, "--iterations", 1, "--out", tmp_path / "run").status == 0
    for mask in (root / "masks").iterdir():
        data.save_mask(mask, np.zeros((40, 48), np.uint8))
    assert "only the label 0" in refused(minifcn("evaluate", tmp_path / "run", "--split", "all"))


def test_notes_and_the_splits_of_a_check(minifcn, tmp_path):
    root = folder_of(tmp_path / "set")
    (root / "images" / "movie.mp4").write_text("")
    (root / "classes.txt").unlink()
    for splits in ("train, val", "train,val,", "train"):
        result = minifcn("data", "check", "folder", "--root", root, "--splits", splits)
        assert result.status == 0, result.err
        assert "3 classes, counted from the masks" in result.out
        assert "1 (movie.mp4)" in result.out
    assert "problems" in result.out
    assert "write the names of splits" in refused(minifcn("data", "check", "folder", "--root", root, "--splits", " ,"))
    started = minifcn(*TRAIN, "--root", root, "--iterations", 1, "--out", tmp_path / "run")
    assert started.out.count("movie.mp4") == 1
    assert "movie.mp4" in minifcn("evaluate", tmp_path / "run").out


# ---------------------------------------------------------------------------------------------------- data that moved


def test_a_run_goes_on_from_another_folder_and_after_its_data_moved(minifcn, tmp_path, monkeypatch):
    root = folder_of(tmp_path / "set", count=8)
    monkeypatch.chdir(tmp_path)
    for run in ("straight", "run"):
        assert minifcn(*TRAIN, "--root", "set", "--iterations", 4, "--schedule", "fixed", "--out", run).status == 0
    assert minifcn("train", "--resume", "straight", "--iterations", 8).status == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert minifcn("train", "--resume", "../run", "--iterations", 6).status == 0
    root.rename(tmp_path / "moved")
    assert "say where it lies now with --root" in refused(minifcn("train", "--resume", "../run", "--iterations", 8))
    moved = minifcn("train", "--resume", "../run", "--iterations", 8, "--root", "../moved", "--device", "cpu")
    assert moved.status == 0, moved.err
    first, second = (load_file(tmp_path / run / "last.safetensors") for run in ("straight", "run"))
    for key, array in first.items():
        np.testing.assert_array_equal(array, second[key], err_msg=key)
    assert str(tmp_path / "moved") in (tmp_path / "run" / "config.toml").read_text()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda root: (root / "train.txt").write_text("p0\np1\np2\np9"), "the pictures to train on are not those"),
        (lambda root: (root / "val.txt").write_text("p5"), "the pictures to validate on are not those"),
        (lambda root: (root / "classes.txt").write_text("background\ncat\ncow"), "classes is"),
    ],
)
def test_a_run_does_not_go_on_with_other_pictures(minifcn, tmp_path, change, words):
    root = folder_of(tmp_path / "set", count=10)
    (root / "train.txt").write_text("p0\np1\np2\np3")
    (root / "val.txt").write_text("p4")
    assert minifcn(*TRAIN, "--root", root, "--iterations", 1, "--out", tmp_path / "run").status == 0
    before = (tmp_path / "run" / "log.jsonl").read_bytes()
    change(root)
    assert words in refused(minifcn("train", "--resume", tmp_path / "run", "--iterations", 2))
    assert (tmp_path / "run" / "log.jsonl").read_bytes() == before


def test_no_new_shapes_are_drawn_for_an_old_run(minifcn, finished, shapes, tmp_path, monkeypatch):
    run = shutil.copytree(finished, tmp_path / "run")
    config = run / "config.toml"
    config.write_text(config.read_text().replace(str(shapes), "data/shapes"))  # as 0.1 wrote it
    monkeypatch.chdir(tmp_path)
    for command in (["evaluate", run], ["train", "--resume", run, "--iterations", 14]):
        assert "the data set shapes is not there" in refused(minifcn(*command))
        assert not (tmp_path / "data").exists()
        assert minifcn(*command, "--root", shapes).status == 0


# --------------------------------------------------------------------------------------------- text from outside is text

NAMES = ("background", "grass [dry]", "car [/b]", ":smile: [red]$\\frac$")


def test_names_are_no_markup(minifcn, tmp_path):
    root = folder_of(tmp_path / "set [bold][/x]", NAMES)
    run = tmp_path / "run [link]"
    results = [
        minifcn("data", "stats", "folder", "--root", root, "--split", "all"),
        minifcn(*TRAIN, "--root", root, "--iterations", 1, "--out", run),
        minifcn("evaluate", run),
    ]
    for result in results:
        assert result.status == 0, result.err
        assert all(word in result.out for name in NAMES for word in name.split())
    assert (run / "confusion.png").exists()
    (root / "images" / "p0.png").write_text("")
    checked = minifcn("data", "check", "folder", "--root", root, "--splits", "all")
    assert "set [bold][/x]/images/p0.png" in checked.out
    assert "[bold][/x]" in checked.out.split("images")[0]
    assert f"{run}" in minifcn("predict", run, root / "images" / "p1.png", "--out", run / "[out]").out


def test_no_name_steers_the_terminal(minifcn, finished, tmp_path):
    result = minifcn("predict", finished, save(tmp_path / "a\x1b[31m\n\u202e.png"), "--out", tmp_path / "out")
    assert result.status == 0, result.err
    assert "\x1b" not in result.out
    assert "a\\x1b[31m" in result.out
    assert printable("caf\udce9\r") == "caf\\udce9\\r"


@pytest.mark.parametrize("columns", [1, 20, 40, 80])
def test_no_column_vanishes_on_a_narrow_terminal(monkeypatch, columns):
    out = io.StringIO()
    monkeypatch.setattr(console, "_file", out)
    monkeypatch.setattr(console, "_width", columns)
    print_table("by class", ("class", "IU %", "all background %", "pixels"), [("aeroplane", "85.1", "-", "12,345")])
    assert "aeroplane" in out.getvalue()
    assert "12,345" in out.getvalue()


def test_every_encoding_and_no_encoding(tmp_path):
    """A Windows pipe, and a picture whose name is no UTF-8, through every command."""
    names = ("background", "猫", "пёс")
    root = folder_of(tmp_path / os.fsdecode(b"caf\xe9 \xe7\x8c\xab"), names, name=os.fsdecode(b"\xe9 {}"))
    run = tmp_path / os.fsdecode(b"r\xe9")
    for encoding in ("cp1252", "utf-8"):
        environment = {**os.environ, "PYTHONIOENCODING": encoding}
        for command in (
            ["data", "check", "folder", "--root", root], ["data", "stats", "folder", "--root", root],
            [*TRAIN, "--root", root, "--iterations", 1, "--out", run], ["train", "--resume", run, "--iterations", 2],
            ["evaluate", run], ["predict", run, root / "images", "--out", run / "out"],
        ):  # fmt: skip
            done = run_outside(*command, env=environment)
            assert done.returncode == 0, done.stderr
        assert set(json.loads((run / "evaluation.json").read_text())["per_class_iu"]) == set(names)
        assert len(os.listdir(run / "out" / "masks")) == 6
        shutil.rmtree(run)


def test_a_pipe_that_closes_stops_no_work(finished, shapes, tmp_path):
    run = shutil.copytree(finished, tmp_path / "run")
    commands = [
        ["evaluate", run, "--out", tmp_path / "e"], ["train", "--resume", run, "--iterations", "14", "--log-every", "1"],
        ["predict", run, shapes / "JPEGImages", "--out", tmp_path / "p"],
    ]  # fmt: skip
    for command in commands:
        reading, writing = os.pipe()
        os.close(reading)
        command = [sys.executable, "-m", "minifcn", *map(str, command)]
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=120)
        os.close(writing)
        assert (done.returncode, done.stderr) == (0, "")
    assert {"evaluation.json", "confusion.png"} == set(os.listdir(tmp_path / "e"))
    assert training.read_metadata(run / "last.safetensors")["iteration"] == 14
    assert len(os.listdir(tmp_path / "p" / "masks")) == 16
    closed = subprocess.run(["sh", "-c", f"{sys.executable} -m minifcn version >&-"], stderr=subprocess.PIPE)
    assert (closed.returncode, closed.stderr) == (0, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full")
def test_output_that_cannot_be_written_is_said_after_the_work(finished, tmp_path):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "minifcn", "evaluate", str(finished), "--out", str(tmp_path)]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "its output could not be written: No space left on device" in done.stderr
    assert (tmp_path / "evaluation.json").exists()


# ------------------------------------------------------------------------------------------------ results before pictures


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "nonsense"])
def test_a_notebooks_backend_stops_nothing(finished, shapes, tmp_path, backend):
    environment = {**os.environ, "MPLBACKEND": backend}
    train = ["train", "--root", shapes, "--recipe", "scratch", *NARROW, "--iterations", 1, "--out", tmp_path / "run"]
    for command in (train, ["evaluate", finished, "--out", tmp_path / "e"], ["bench", "ladder", "--help"]):
        done = run_outside(*command, env=environment)
        assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "run" / "curves.png").exists()
    assert (tmp_path / "e" / "confusion.png").exists()
    code = "import minifcn.bench.plot"
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0


def test_measures_are_written_before_anything_is_drawn_or_printed(minifcn, finished, tmp_path, monkeypatch):
    def fail(*_):
        assert (tmp_path / "evaluation.json").exists()
        raise RuntimeError("no font")

    monkeypatch.setattr("minifcn.visualize.draw_confusion", fail, raising=False)
    result = minifcn("evaluate", finished, "--out", tmp_path)
    assert result.status == 0, result.err
    assert "mean IU" in result.out
    monkeypatch.setattr("minifcn.cli.screen.print_evaluation", fail)
    assert minifcn("evaluate", finished, "--out", tmp_path).status == 2
