"""The main path through the command line: train, stop, resume, evaluate, predict; and every way to be told no."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from minifcn.training import RunFolder
from minifcn.training.trainer import Result

from .conftest import NARROW


def test_a_run_folder_holds_what_is_promised(finished):
    names = {path.name for path in finished.iterdir()}
    promised = {"config.toml", "log.csv", "log.jsonl", "last.safetensors", "best.safetensors", "curves.png", "samples"}
    assert promised | {"metrics.json"} <= names
    config = tomllib.loads((finished / "config.toml").read_text())
    assert set(config) == {"data", "network", "optimizer", "training", "environment"}
    assert config["network"]["options"]["width"] == 0.03125
    assert config["network"]["options"]["in_channels"] == 3  # a default that nobody gave
    assert config["optimizer"]["optimizer"] == "adam"  # of the recipe
    assert config["data"]["batch_size"] == 2  # given on the line, which wins over the recipe's 8
    assert config["training"]["epochs"] == 2
    rows = [json.loads(line) for line in (finished / "log.jsonl").read_text().splitlines()]
    assert [row["iteration"] for row in rows if row["event"] == "train"] == [2, 4, 6, 8, 10, 12]
    assert [row["iteration"] for row in rows if row["event"] == "validation"] == [6, 12]
    with Image.open(finished / "curves.png") as picture:
        assert min(picture.size) > 300


def test_a_stopped_run_resumes_bit_for_bit(minifcn, shapes, finished, tmp_path):
    """Ctrl-C at step 5 of 12, then --resume: the same weights and the same log as the run that was never stopped."""
    folder = tmp_path / "run"
    arguments = ["train", "--root", shapes, "--recipe", "scratch", *NARROW, "--epochs", 2, "--log-every", 2, "--out", folder]
    code = (
        "import os, signal, sys\n"
        "from minifcn import cli, training\n"
        "before = training.Trainer.step\n"
        "def step(self, batches):\n"
        "    if self.state.iteration == 4: os.kill(os.getpid(), signal.SIGINT)\n"
        "    return before(self, batches)\n"
        "training.Trainer.step = step\n"
        "cli.main(sys.argv[1:])\n"
    )
    stopped = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True)
    assert stopped.returncode == 130
    assert f"minifcn train --resume {folder}" in stopped.stdout
    assert "stopped after iteration 5 of 12" in stopped.stdout
    resumed = minifcn("train", "--resume", folder)
    assert resumed.status == 0, resumed.err
    straight, again = load_file(finished / "last.safetensors"), load_file(folder / "last.safetensors")
    assert straight.keys() == again.keys()
    for key in straight:
        np.testing.assert_array_equal(straight[key], again[key], err_msg=key)
    logs = [(run / "log.jsonl").read_text().splitlines() for run in (finished, folder)]
    losses = [[json.loads(line).get("loss") for line in log] for log in logs]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("length", [("--epochs", 1), ("--iterations", 11)])
def test_a_run_is_not_made_shorter_than_it_is(minifcn, finished, tmp_path, length):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.is_file() and path.name != ".lock"}
    refused = minifcn("train", "--resume", run, *length)
    assert refused.status == 2
    assert re.search(r"has made 12 iterations already, and (6|11) are fewer: give it more", refused.err)
    assert before == {path.name: path.read_bytes() for path in run.iterdir() if path.is_file() and path.name != ".lock"}


def test_what_is_evaluated_is_written_down_and_does_not_replace_the_runs_own(minifcn, finished, shapes, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(finished, run)
    folders = {
        run: (run,),
        run / "evaluation-last": (run / "last.safetensors",),
        run / "evaluation-shapes-train": (run, "--split", "train"),
        run / "evaluation-last-shapes-train": (
            run / "last.safetensors",
            "--data",
            "shapes",
            "--root",
            shapes,
            "--split",
            "train",
        ),
    }
    for folder, line in folders.items():
        result = minifcn("evaluate", *line)
        assert result.status == 0, result.err
        measured = json.loads((folder / "evaluation.json").read_text())
        assert (measured["weights"], measured["data"], measured["root"]) == (str(line[0]), "shapes", str(shapes))
        assert measured["split"] == ("train" if "train" in folder.name else "val")
        assert measured["pictures"] == (12 if "train" in folder.name else 4)
    assert minifcn("evaluate", run, "--root", shapes, "--split", "val").status == 0  # the run's own, said once more
    assert {path.parent for path in run.rglob("evaluation.json")} == {*folders}


def test_a_data_set_that_has_moved_is_the_runs_own(minifcn, finished, shapes, tmp_path):
    run, moved = tmp_path / "run", tmp_path / "moved"
    shutil.copytree(finished, run)
    config = run / "config.toml"
    config.write_text(config.read_text().replace(str(shapes), str(tmp_path / "gone")))
    shutil.copytree(shapes, moved)
    assert minifcn("evaluate", run, "--root", moved).status == 0
    assert (run / "evaluation.json").exists()


def test_a_second_demo_keeps_the_first(minifcn, finished, shapes, tmp_path, monkeypatch):
    monkeypatch.setattr("minifcn.cli.train.run", lambda plan, folder: Result(1, None, None, None, True, "stopped", 0.0))
    monkeypatch.setattr("minifcn.cli.demo.make_plan", lambda *_, **__: None)
    out = tmp_path / "demo"
    shutil.copytree(shapes, out / "shapes")
    for number in (1, 2):
        shutil.copytree(finished, out / "run")
        (out / "run" / "notes.txt").write_text(str(number))
        result = minifcn("demo", "--out", out)
        assert result.status == 130
        assert f"the run of an earlier demo is kept in {out}/run-{number}" in result.out
    assert [(out / f"run-{number}" / "notes.txt").read_text() for number in (1, 2)] == ["1", "2"]
    assert not (out / "run").exists()
    shutil.copytree(finished, out / "run")
    holder = RunFolder(out / "run")
    holder.lock()
    refused = minifcn("demo", "--out", out)
    holder.unlock()
    assert (refused.status, (out / "run").exists()) == (2, True)
    assert "another process is training" in refused.err


def test_a_demo_does_not_touch_what_is_no_demo(minifcn, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    refused = minifcn("demo", "--out", tmp_path)
    assert refused.status == 2
    assert "is no earlier demo; give another folder with --out" in refused.err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_evaluate_prints_measures_with_their_floor_and_writes_both_files(minifcn, finished, tmp_path):
    result = minifcn("evaluate", finished, "--out", tmp_path)
    assert result.status == 0, result.err
    assert "all background" in result.out
    assert "mean IU" in result.out
    written = json.loads((tmp_path / "evaluation.json").read_text())
    assert written["pictures"] == 4
    assert 0 <= written["mean_iu"] <= 1
    assert written["floor_all_background"]["pixel_accuracy"] > 0.3
    assert set(written["per_class_iu"]) == {"background", "circle", "square", "triangle", "star"}
    with Image.open(tmp_path / "confusion.png") as picture:
        assert min(picture.size) > 200


@pytest.mark.parametrize("size", [(1, 1), (33, 150), (97, 64)])
def test_predict_takes_any_size_and_writes_palette_masks(minifcn, finished, tmp_path, rng, size):
    Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(tmp_path / "mine.png")
    result = minifcn("predict", finished, tmp_path / "mine.png", "--out", tmp_path / "out")
    assert result.status == 0, result.err
    with Image.open(tmp_path / "out" / "masks" / "mine.png") as mask:
        assert (mask.mode, mask.size) == ("P", size[::-1])
        assert np.asarray(mask).max() < 5
    assert (tmp_path / "out" / "overlays" / "mine.png").exists()


def test_predict_that_is_stopped_says_how_far_it_came(finished, shapes, tmp_path):
    code = (
        "import sys\n"
        "from minifcn import cli, training\n"
        "before, pictures = training.predict, []\n"
        "def predict(net, image, *rest):\n"
        "    pictures.append(image)\n"
        "    if len(pictures) == 3: raise KeyboardInterrupt\n"
        "    return before(net, image, *rest)\n"
        "training.predict = predict\n"
        "cli.main(sys.argv[1:])\n"
    )
    line = ["predict", finished, shapes / "JPEGImages", "--out", tmp_path / "seen"]
    stopped = subprocess.run([sys.executable, "-c", code, *map(str, line)], capture_output=True, text=True)
    assert stopped.returncode == 130
    assert f"written: 2 masks and overlays in {tmp_path / 'seen'}, of 16 pictures" in stopped.stdout
    assert len(os.listdir(tmp_path / "seen" / "masks")) == 2


def test_init_from_copies_the_trunk_and_says_so(minifcn, finished, shapes, tmp_path):
    base = ["train", "--root", shapes, "--recipe", "scratch", *NARROW, "--iterations", 1, "--model"]
    result = minifcn(*base, "fcn16s", "--init-from", finished, "--out", tmp_path / "run")
    assert result.status == 0, result.err
    assert "copied" in result.out
    assert "score_pool3" in result.out.split("skipped")[1].split("unfilled")[0]
    refused = minifcn(*base, "fcn16s", "--init-from", finished, "--preprocessing", "caffe", "--out", tmp_path / "other")
    assert refused.status == 2
    assert "add --preprocessing plain" in refused.err
    assert not (tmp_path / "other").exists()


def test_freeze_and_factors_reach_the_optimizer(minifcn, shapes, tmp_path):
    result = minifcn(
        "train", "--root", shapes, "--recipe", "scratch", *NARROW, "--iterations", 1, "--freeze", "conv*",
        "--lr-factor", "score*=10", "--out", tmp_path / "run",
    )  # fmt: skip
    assert result.status == 0, result.err
    assert "frozen: 26 parameters" in result.out


def test_nan_stops_and_keeps_the_last_good_checkpoint(minifcn, shapes, tmp_path):
    folder = tmp_path / "run"
    result = minifcn(
        "train", "--root", shapes, "--recipe", "scratch", *NARROW, "--optimizer", "sgd", "--lr", "1e30", "--clip-norm", "1e30",
        "--schedule", "fixed", "--epochs", 3, "--out", folder,
    )  # fmt: skip
    assert result.status == 2
    assert "diverged at iteration" in result.err
    assert "1e+30" in result.err
    assert "last.safetensors holds iteration 0" in result.err
    assert any(name in result.err for name in ("conv", "fc", "score", "upscore"))
    assert all(np.isfinite(array).all() for array in load_file(folder / "last.safetensors").values())


def refused(result) -> str:
    """The one sentence of a refusal."""
    assert result.status == 2
    assert result.err.startswith("minifcn: ")
    assert result.err.count("\n") == 1
    assert "Traceback" not in result.err
    return result.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--model", "fcn4s"], "unknown model 'fcn4s'"),
        (["--recipe", "magic"], "unknown recipe 'magic'; possible are scratch"),
        (["--optimizer", "lbfgs"], "optimizer is 'lbfgs'; possible are sgd"),
        (["--schedule", "square"], "square"),
        (["--augment", "mosaic"], "augmentation 'mosaic' is not known"),
        (["--preprocessing", "vgg"], "preprocessing 'vgg' is not known"),
        (["--class-weights", "1,2"], "give 5 numbers from 0 to 3.4e+38, one for each of background, circle"),
        (["--lr-factor", "score"], "write layers=factor"),
        (["--freeze", "conv99"], "conv99"),
        (["--val-split", "train"], "12 pictures are both in shapes train and in shapes train"),
        (["--val-split", "test"], "test"),
        (["--data", "coco"], "data set 'coco' is not known"),
        (["--device", "tpu"], "unknown device 'tpu'"),
        (["--model", "vgg16"], "minifcn.models.convolutionalize"),
        (["--batch-size", "0"], "batch_size"),
    ],
)
def test_wrong_options_are_answered_with_one_sentence(minifcn, shapes, tmp_path, options, words):
    result = minifcn("train", "--root", shapes, *NARROW, "--iterations", 1, *options, "--out", tmp_path / "run")
    assert words in refused(result)


def test_a_truncated_picture_is_named(minifcn, shapes, tmp_path):
    root = shutil.copytree(shapes, tmp_path / "shapes")
    broken = sorted((root / "JPEGImages").iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:300])
    result = minifcn("train", "--root", root, "--recipe", "scratch", *NARROW, "--epochs", 1, "--out", tmp_path / "run")
    assert broken.stem in refused(result)
    checked = minifcn("data", "check", "shapes", "--root", root)
    assert checked.status == 2
    assert broken.stem in checked.out


def test_resume_refuses_another_runs_settings_and_a_folder_without_run(minifcn, finished, tmp_path):
    assert "drop --lr" in refused(minifcn("train", "--resume", finished, "--lr", "0.5"))
    assert "does not exist" in refused(minifcn("train", "--resume", tmp_path / "nowhere"))


def test_a_new_run_never_writes_over_an_old_one(minifcn, shapes, finished):
    before = (finished / "last.safetensors").read_bytes()
    result = minifcn("train", "--root", shapes, *NARROW, "--iterations", 1, "--out", finished)
    assert "already holds a run" in refused(result)
    assert (finished / "last.safetensors").read_bytes() == before


def test_a_checkpoint_cut_short_is_refused(minifcn, finished, tmp_path):
    copy = shutil.copytree(finished, tmp_path / "copy")
    for name in ("last", "best"):
        whole = (copy / f"{name}.safetensors").read_bytes()
        (copy / f"{name}.safetensors").write_bytes(whole[: len(whole) // 2])
    assert "last.safetensors" in refused(minifcn("train", "--resume", copy))
    assert "best.safetensors" in refused(minifcn("evaluate", copy))


def test_evaluate_refuses_a_set_with_other_classes(minifcn, finished, voc_root):
    result = minifcn("evaluate", finished, "--data", "voc", "--root", voc_root)
    assert "5 classes and the data set has 21" in refused(result)


def test_predict_names_what_is_not_there(minifcn, finished, tmp_path):
    assert "no such picture" in refused(minifcn("predict", finished, tmp_path / "nothing.jpg"))
    (tmp_path / "empty").mkdir()
    assert "no pictures in" in refused(minifcn("predict", finished, tmp_path / "empty"))


def test_debug_shows_the_traceback(minifcn, tmp_path):
    with pytest.raises(FileNotFoundError):
        minifcn("predict", tmp_path, tmp_path / "nothing.jpg", "--debug")


def test_ctrl_c_outside_of_training_is_one_line(tmp_path, finished, shapes):
    """SIGINT while predicting: status 130, no traceback."""
    code = (
        "import os, signal, sys\n"
        "from minifcn import cli, training\n"
        "training.predict = lambda *a: os.kill(os.getpid(), signal.SIGINT)\n"
        "cli.main(sys.argv[1:])\n"
    )
    arguments = ["predict", finished, shapes / "JPEGImages", "--out", tmp_path / "out"]
    done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, env=os.environ)
    assert done.returncode == 128 + signal.SIGINT
    assert "Traceback" not in done.stderr


def test_a_dry_run_says_what_a_run_takes_and_writes_nothing(minifcn, shapes, tmp_path):
    folder = tmp_path / "run"
    line = ["train", "--root", shapes, "--recipe", "scratch", *NARROW, "--epochs", 2, "--out", folder]
    result = minifcn(*line, "--dry-run")
    assert result.status == 0, result.err
    for words in ("12 iterations", "a validation", "memory of a step", "nothing was written"):
        assert words in result.out
    assert not folder.exists()
    refused = minifcn("train", "--resume", folder, "--dry-run")
    assert (refused.status, refused.err) == (2, "minifcn: --dry-run is for a run that has not begun: drop --resume\n")


def test_pictures_are_learnt_by_heart(minifcn, shapes, tmp_path):
    line = ["train", "--root", shapes, "--recipe", "scratch", *NARROW, "--iterations", 2, "--samples", 0]
    result = minifcn(*line, "--overfit", 2, "--out", tmp_path / "two")
    assert "2 pictures to train on, 2 to validate on" in result.out
    result = minifcn(*line, "--originals", "--validate-on", 1, "--out", tmp_path / "one")
    assert "1 to validate on" in result.out
    refused = minifcn(*line, "--overfit", 10**6, "--out", tmp_path / "many")
    assert refused.status == 2
    assert "1000000 pictures of" in refused.err
    assert not (tmp_path / "many").exists()
    views = ("--flip", "--scales", "0.5,1", "--tile", 32)
    assert minifcn("predict", tmp_path / "two", shapes / "JPEGImages", *views, "--out", tmp_path / "seen").status == 0
    assert minifcn("evaluate", tmp_path / "two", *views).status == 0
    measured = json.loads((tmp_path / "two" / "evaluation.json").read_text())
    assert measured["views"] == {"flip": True, "scales": [0.5, 1.0], "tile": 32}
