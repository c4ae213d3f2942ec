"""The confusion matrix's picture."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn.visualize import confusion, draw_confusion


@pytest.fixture
def drawn(monkeypatch):
    figures = []
    monkeypatch.setattr(confusion, "save", lambda figure, path: figures.append(figure))
    return figures


def test_shows_shares_of_the_true_class(drawn, tmp_path):
    counts = np.array([[6, 2, 0], [0, 0, 0], [1, 300, 699]])
    draw_confusion(counts, ("sky", "road", "car"), tmp_path / "x.png")
    axes = drawn[0].axes[0]
    shares = np.ma.filled(axes.images[0].get_array().astype(float), np.nan)
    np.testing.assert_allclose(shares, [[0.75, 0.25, 0], [np.nan] * 3, [0.001, 0.3, 0.699]])
    texts = {(int(text.get_position()[1]), int(text.get_position()[0])): text.get_text() for text in axes.texts}
    assert texts == {(0, 0): "75", (0, 1): "25", (2, 1): "30", (2, 2): "70"}  # row: truth; column: prediction
    assert [label.get_text() for label in axes.get_yticklabels()] == ["sky", "road", "car"]
    assert len(axes.patches) == 1  # the class that does not occur is hatched


def test_many_classes_have_no_numbers(drawn, tmp_path):
    draw_confusion(np.eye(30), [str(i) for i in range(30)], tmp_path / "x.png")
    assert not drawn[0].axes[0].texts


def test_names_and_counts_must_agree(tmp_path):
    with pytest.raises(ValueError, match=r"\(3, 3\); 2 class names"):
        draw_confusion(np.eye(3), ("a", "b"), tmp_path / "x.png")


def test_writes_a_picture(tmp_path):
    draw_confusion(np.eye(2), ("a", "b"), tmp_path / "x.png")
    assert (tmp_path / "x.png").read_bytes()[:4] == b"\x89PNG"
