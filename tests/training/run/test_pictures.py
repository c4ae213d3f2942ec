"""The pictures that a run leaves."""

from __future__ import annotations

import errno

import pytest
from PIL import Image

from minifcn.training.run import pictures as report
from minifcn.visualize import curves
from support import tiny


def test_a_run_draws_its_curves_and_samples(tmp_path):
    trainer = tiny.tiny_trainer(tmp_path / "run", 8, samples=2)
    trainer.folder.create()
    trainer.run()
    assert sorted(path.name for path in trainer.folder.samples.iterdir()) == ["0000004.png", "0000008.png"]
    for path in (trainer.folder.curves, trainer.folder.samples / "0000008.png"):
        with Image.open(path) as image:
            assert min(image.size) > 200
    assert trainer.folder.metrics.exists()


def test_pictures_that_cannot_be_written_are_one_sentence(tmp_path, monkeypatch):
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
