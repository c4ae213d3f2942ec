"""Every network of the catalogue through the commands, narrow, one step: a later one is included without a word."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from minifcn import models

SEGMENTING = [name for name in models.names() if models.entry(name).segments]


@pytest.mark.parametrize("name", SEGMENTING)
def test_it_trains_and_is_used(minifcn, shapes, tmp_path, name):
    run, picture = tmp_path / "run", next((shapes / "JPEGImages").glob("*.jpg"))
    result = minifcn("train", "--model", name, "--root", shapes, "--recipe", "scratch", "--width", 0.03125, "--batch-size", 2,
                     "--iterations", 1, "--samples", 0, "--out", run)  # fmt: skip
    assert result.status == 0, result.err
    result = minifcn("predict", run, picture, "--out", tmp_path / "predicted")
    assert result.status == 0, result.err
    with Image.open(picture) as before, Image.open(tmp_path / "predicted" / "masks" / f"{picture.stem}.png") as mask:
        assert mask.size == before.size
        assert np.asarray(mask).max() < 5
    assert minifcn("evaluate", run).status == 0
    assert json.loads((run / "evaluation.json").read_text())["pictures"] == 4


@pytest.mark.parametrize("name", SEGMENTING)
def test_it_is_looked_at(minifcn, name):
    narrow = ("--width", 0.03125, "--size", "40x48")
    summary = minifcn("summary", name, *narrow, "--measure")
    assert summary.status == 0, summary.err
    assert "Predicted peak" in summary.out
    assert "measured:" in summary.out
    coordinates = minifcn("coordinates", name, *narrow)
    assert coordinates.status == 0, coordinates.err
    assert "receptive field" in coordinates.out


@pytest.mark.parametrize("name", ["vgg16", "resnet18"])
def test_what_segments_nothing_is_not_trained(minifcn, shapes, tmp_path, name):
    result = minifcn("train", "--model", name, "--root", shapes, "--out", tmp_path / "run")
    assert result.status == 2
    assert "convolutionalize" in result.err
    assert result.err.count("\n") == 1


# ------------------------------------------------------------------------------------------------ one value a channel

DEEPLAB = ("--model", "deeplabv3-resnet50", "--recipe", "scratch", "--width", 0.03125, "--samples", 0)


def test_batches_of_one_picture_are_refused_before_the_first_step(minifcn, shapes, tmp_path):
    result = minifcn("train", *DEEPLAB, "--root", shapes, "--batch-size", 1, "--iterations", 1, "--out", tmp_path / "run")
    assert result.status == 2
    assert "--batch-size" in result.err
    assert "--freeze classifier.0.convs.4.2" in result.err
    assert result.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_frozen_statistics_are_a_cure(minifcn, shapes, tmp_path):
    result = minifcn("train", *DEEPLAB, "--root", shapes, "--batch-size", 1, "--freeze", "classifier.0.convs.4.2",
                     "--iterations", 1, "--out", tmp_path / "run")  # fmt: skip
    assert result.status == 0, result.err


def test_a_last_batch_of_one_picture_joins_the_one_before_it_and_resumes(minifcn, shapes, tmp_path):
    """Twelve pictures in batches of eleven are one batch; in a run that is stopped between its epochs, too."""
    arguments = ("train", *DEEPLAB, "--root", shapes, "--batch-size", 11, "--log-every", 1)
    straight = minifcn(*arguments, "--epochs", 2, "--out", tmp_path / "straight")
    assert straight.status == 0, straight.err
    assert "the last batch of an epoch, one picture" in straight.out
    assert "iterations 0 to 2" in straight.out
    assert minifcn(*arguments, "--iterations", 1, "--out", tmp_path / "stopped").status == 0
    resumed = minifcn("train", "--resume", tmp_path / "stopped", "--iterations", 2)
    assert resumed.status == 0, resumed.err
    logs = [(tmp_path / run / "log.jsonl").read_text().splitlines() for run in ("straight", "stopped")]
    rows = [[row for row in map(json.loads, log) if row["event"] == "train"] for log in logs]
    assert [row["epoch"] for row in rows[0]] == [1.0, 2.0]
    assert rows[0][0]["loss"] == rows[1][0]["loss"]


def test_a_map_of_one_pixel_counts_too(minifcn, shapes, tmp_path):
    """The course's baseline halves five times: a crop of 32x32 leaves one pixel, one of 40x40 four."""
    given = ("train", "--model", "course-baseline", "--recipe", "scratch", "--width", 0.03125, "--root", shapes, "--samples", 0,
             "--batch-size", 1, "--iterations", 1)  # fmt: skip
    refused = minifcn(*given, "--augment", "crop:32x32", "--out", tmp_path / "small")
    assert refused.status == 2
    assert "one value a channel" in refused.err
    assert minifcn(*given, "--augment", "crop:40x40", "--out", tmp_path / "large").status == 0
