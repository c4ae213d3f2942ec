"""Curves: what is drawn is what the log says."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from minifcn.visualize import curves, draw_curves


def rows(offset: float = 0.0) -> list[dict]:
    train = [{"iteration": i, "loss": 3.0 / i + offset, "lr": 0.1 * (1 - i / 41)} for i in range(1, 41)]
    measures = {"pixel_accuracy": 0.8, "mean_accuracy": 0.6, "mean_iu": 0.5, "frequency_weighted_iu": 0.7}
    floor = {"pixel_accuracy": 0.7, "mean_accuracy": 0.05, "mean_iu": 0.035, "frequency_weighted_iu": 0.5}
    validations = [
        {"iteration": i, "validation_loss": 4.0 / i, "floor_all_background": floor}
        | {name: value * i / 40 for name, value in measures.items()}
        for i in (10, 20, 30, 40)
    ]
    return train + validations


@pytest.fixture
def drawn(monkeypatch):
    """The figure that the last call would have saved."""
    figures = []
    monkeypatch.setattr(curves, "save", lambda figure, path: figures.append(figure))
    return figures


def test_each_panel_holds_its_own_numbers(drawn, tmp_path):
    draw_curves({"one": rows(), "two": rows(1.0)}, tmp_path / "c.png")
    loss, pixel, iu, rate, accuracy, weighted = drawn[0].axes
    assert [len(axes.lines) for axes in (loss, pixel, iu, rate, accuracy, weighted)] == [4, 3, 3, 2, 3, 3]
    np.testing.assert_allclose(loss.lines[2].get_ydata(), [3.0 / i + 1 for i in range(1, 41)])
    np.testing.assert_allclose(loss.lines[1].get_ydata(), [4.0 / i for i in (10, 20, 30, 40)])
    np.testing.assert_allclose(loss.lines[1].get_xdata(), [10, 20, 30, 40])
    for axes, value in ((pixel, 0.8), (iu, 0.5), (accuracy, 0.6), (weighted, 0.7)):
        np.testing.assert_allclose(axes.lines[0].get_ydata()[-1], value)
    np.testing.assert_allclose(iu.lines[2].get_ydata(), 0.035)  # the floor
    np.testing.assert_allclose(rate.lines[0].get_ydata()[0], 0.1 * 40 / 41)


@pytest.mark.parametrize(("classes", "label"), [(("drivable", "sky"), "all drivable"), ((), "all background")])
def test_the_floor_has_the_first_classs_name(drawn, tmp_path, classes, label):
    logs = [row | {"per_class_iu": dict.fromkeys(classes, 0.5)} for row in rows()]
    draw_curves({"run": logs}, tmp_path / "c.png")
    assert [text.get_text() for text in drawn[0].axes[2].texts] == [label]


def test_runs_differ_in_colour_dashes_and_markers(drawn, tmp_path):
    draw_curves({str(i): rows(i) for i in range(4)}, tmp_path / "c.png")
    lines = drawn[0].axes[2].lines[:4]
    for look in ("get_color", "get_linestyle", "get_marker"):
        assert len({getattr(line, look)() for line in lines}) == 4, look
    assert [text.get_text() for text in drawn[0].legends[0].get_texts()] == ["0", "1", "2", "3"]


def test_a_rate_in_steps_is_logarithmic_a_smooth_one_is_not(drawn, tmp_path):
    steps = [{"iteration": i, "loss": 1.0, "lr": 0.1 ** (1 + i // 10)} for i in range(1, 40)]
    smooth = [{"iteration": i, "loss": 1.0, "lr": 0.1 * (1 - i / 41) ** 0.9} for i in range(1, 41)]
    for name, scale in ((steps, "log"), (smooth, "linear")):
        draw_curves({"run": name}, tmp_path / "c.png")
        assert drawn[-1].axes[3].get_yscale() == scale


@pytest.mark.parametrize("some", [[], rows()[:1], rows()[-1:], [{"iteration": 3, "mean_iu": None, "loss": None}]])
def test_short_logs_are_drawn_too(some, tmp_path):
    draw_curves({"run": some}, tmp_path / "c.png")
    with Image.open(tmp_path / "c.png") as image:
        assert image.size[0] > 1000


def test_the_callers_matplotlib_is_left_alone(tmp_path):
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    draw_curves({"run": rows()}, tmp_path / "c.png")
    assert dict(mpl.rcParams) == before
