"""The main job on real pictures: VOC's files, palette masks and void, through train, stop, resume, evaluate and predict."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def voc(voc_root, tmp_path_factory):
    """Links to the real pictures with short lists: 12 to train on, 4 to validate on."""
    real = voc_root / "VOC2012"
    root = tmp_path_factory.mktemp("voc") / "VOC2012"
    lists = root / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    for folder in ("JPEGImages", "SegmentationClass"):
        (root / folder).symlink_to(real / folder)
    for split, count in (("train", 12), ("val", 4)):
        ids = (real / "ImageSets" / "Segmentation" / f"{split}.txt").read_text().split()[:count]
        (lists / f"{split}.txt").write_text("\n".join(ids))
    return root


def rows(folder, event):
    lines = map(json.loads, (folder / "log.jsonl").read_text().splitlines())
    return [row for row in lines if row["event"] == event]


def test_train_resume_evaluate_predict(minifcn, voc, tmp_path):
    folder = tmp_path / "run"
    begun = minifcn(
        "train", "--data", "voc", "--root", voc, "--recipe", "scratch", "--width", "0.03125", "--batch-size", 2,
        "--augment", "flip,scale:0.3-0.5,crop:96x128", "--iterations", 12, "--validate-every", 6, "--log-every", 2,
        "--lr", "0.003", "--schedule", "fixed", "--out", folder,
    )  # fmt: skip
    assert begun.status == 0, begun.err
    resumed = minifcn("train", "--resume", folder, "--iterations", 24)
    assert resumed.status == 0, resumed.err
    losses = [row["loss"] for row in rows(folder, "train")]
    assert len(losses) == 12
    assert losses[0] == pytest.approx(np.log(21), rel=0.1)  # the score layers start at zero
    assert np.mean(losses[-3:]) < 0.75 * losses[0]
    assert [row["iteration"] for row in rows(folder, "validation")] == [6, 12, 18, 24]

    evaluated = minifcn("evaluate", folder, "--out", tmp_path)
    assert evaluated.status == 0, evaluated.err
    measured = json.loads((tmp_path / "evaluation.json").read_text())
    best = max(row["mean_iu"] for row in rows(folder, "validation"))
    assert measured["mean_iu"] == pytest.approx(best, abs=1e-6)  # evaluate takes the best checkpoint, of the same pictures
    assert measured["per_class_iu"]["aeroplane"] is None  # does not occur, so it has no IU and is left out of the mean

    picture = next((voc / "JPEGImages").iterdir())
    predicted = minifcn("predict", folder, picture, "--out", tmp_path / "out")
    assert predicted.status == 0, predicted.err
    with Image.open(picture) as image, Image.open(tmp_path / "out" / "masks" / f"{picture.stem}.png") as mask:
        assert (mask.mode, mask.size) == ("P", image.size)


def test_the_full_lists_name_the_pictures_that_are_not_here(minifcn, voc_root, tmp_path):
    full = voc_root / "VOC2012" / "ImageSets" / "full" / "train_full.txt"
    split = shutil.copy(full, tmp_path / "train.txt")
    result = minifcn(
        "train", "--data", "voc", "--root", voc_root, "--train-split", split, "--iterations", 1, "--out", tmp_path / "run"
    )
    assert result.status == 2
    assert full.read_text().split()[0] in result.err
    assert "1024 of the 1464 pictures" in result.err
    assert result.err.count("\n") == 1
