"""The pictures that a run leaves, and what it says about where it was made."""

from __future__ import annotations

import errno
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from minifcn.machine import environment
from minifcn.training.run import pictures as report
from minifcn.visualize import curves


def test_a_run_draws_its_curves_and_samples(tiny, tmp_path):
    trainer = tiny.tiny_trainer(tmp_path / "run", 8, samples=2)
    trainer.folder.create()
    trainer.run()
    assert sorted(path.name for path in trainer.folder.samples.iterdir()) == ["0000004.png", "0000008.png"]
    for path in (trainer.folder.curves, trainer.folder.samples / "0000008.png"):
        with Image.open(path) as image:
            assert min(image.size) > 200
    assert trainer.folder.metrics.exists()


def test_pictures_that_cannot_be_written_are_one_sentence(tiny, tmp_path, monkeypatch):
    trainer = tiny.tiny_trainer(tmp_path / "run", 4)
    trainer.folder.create()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(curves, "draw_curves", full)
    with pytest.raises(OSError, match=r"the pictures of .*run cannot be written: No space left"):
        trainer.run()


@pytest.mark.parametrize(("length", "count", "indices"), [(10, 4, [0, 3, 6, 9]), (2, 4, [0, 1]), (5, 1, [0]), (5, 0, [])])
def test_samples_are_spread_over_the_set(length, count, indices):
    assert report.sample_indices(length, count) == indices


def test_commit_of_this_checkout_and_of_no_other(tmp_path, monkeypatch):
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=x", "-c", "user.email=x@y")
        subprocess.run(["git", "-C", tmp_path, *identity, *arguments], check=True, capture_output=True)

    source = tmp_path / "package" / "environment.py"
    source.parent.mkdir()
    source.write_text("")
    monkeypatch.setattr(environment, "__file__", str(source))
    assert environment.git_commit() is None
    git("init")
    (tmp_path / "other").write_text("")
    git("add", "other")
    git("commit", "-m", "a project that this package is installed in, but no part of")
    assert environment.git_commit() is None
    git("add", "package")
    git("commit", "-m", "now it is a part")
    commit = environment.git_commit()
    assert len(commit) == 40
    source.write_text("# changed")
    assert environment.git_commit() == f"{commit}-dirty"


def test_environment_is_all_text():
    found = environment.environment("cpu")
    assert all(isinstance(value, str) and value for value in found.values())
    assert {"minifcn", "python", "numpy", "device"} <= set(found)
    assert Path(environment.__file__).name == "environment.py"
