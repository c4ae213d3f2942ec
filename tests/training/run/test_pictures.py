"""The pictures that a run leaves."""

from __future__ import annotations

import errno
import os

import pytest
from PIL import Image

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


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), ValueError("Unknown\nsymbol"), KeyError("x")])
def test_pictures_that_cannot_be_drawn_cost_a_sentence_and_no_step(tmp_path, monkeypatch, caplog, error):
    trainer = tiny.tiny_trainer(tmp_path / "run", 8, samples=2)
    trainer.folder.create()

    def fail(*_):
        raise error

    monkeypatch.setattr(curves, "draw_curves", fail)
    monkeypatch.setattr("minifcn.visualize.overlays.sample_sheet", fail)
    assert trainer.run().iteration == 8
    assert [record.getMessage().split(" could not")[0] for record in caplog.records] == [
        f"samples of validations in {trainer.folder.samples}", str(trainer.folder.curves),
    ]  # fmt: skip
    assert not any("\n" in record.getMessage() for record in caplog.records)
    assert trainer.folder.metrics.exists()
    assert os.listdir(trainer.folder.samples) == []
