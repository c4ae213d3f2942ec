"""Curves in panels."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn.visualize import draw_lines, style
from minifcn.visualize.lines import _spread, _ticks


def lines_of(figure, colour):
    """The (x, y) of the drawn lines of this colour."""
    return [line.get_data() for line in figure.axes[0].lines if line.get_color() == colour and line.get_linestyle() != "None"]


def marks_of(figure, marker):
    return [line.get_data() for line in figure.axes[0].lines if line.get_marker() == marker for _ in line.get_xdata()]


def test_a_curve_goes_from_left_to_right_and_larger_is_higher():
    ((x, y),) = lines_of(draw_lines({"loss": {"a": [3.0, 1.0, 2.0]}}), style.COLOURS[0])
    assert np.all(np.diff(x) > 0)
    assert y[0] < y[2] < y[1]  # rows are counted from the top
    assert np.isclose(x[1], (x[0] + x[2]) / 2)


def test_places_may_be_given_and_lie_to_scale():
    ((x, _),) = lines_of(draw_lines({"iu": {"a": ((0, 10, 40), (0.1, 0.5, 0.9))}}), style.COLOURS[0])
    assert np.isclose((x[1] - x[0]) / (x[2] - x[0]), 0.25)


def test_what_is_above_is_at_the_edge_with_a_triangle_and_nan_ends_a_curve_with_a_cross():
    figure = draw_lines({"loss": {"a": [1.0, 50.0, 2.0, np.nan, np.nan]}}, high=3)
    ((x, y),) = lines_of(figure, style.COLOURS[0])
    assert len(x) == 3  # nothing is drawn of what is no number
    assert y[1] == y.min()
    assert len(marks_of(figure, "^")) == 1
    ((crossed, _),) = marks_of(figure, "X")
    assert crossed == x[-1]


def test_curves_differ_in_colour_and_in_dashes():
    figure = draw_lines({"loss": {name: [1.0, 2.0] for name in "abc"}})
    lines = figure.axes[0].lines
    drawn = [line for line in lines if line.get_color() in style.COLOURS[:3] and line.get_linestyle() != "None"]
    assert len({line.get_linestyle() for line in drawn}) == 3
    assert len({line.get_color() for line in drawn}) == 3


def test_a_level_is_in_every_panel():
    figure = draw_lines({"a": {"x": [1.0, 2.0]}, "b": {"x": [1.0, 2.0]}}, level=("floor", 1.5), high=2)
    dashed = [y for line in figure.axes[0].lines if line.get_color() == style.INK for y in line.get_ydata()]
    assert len(dashed) == 4
    assert len(set(np.round(dashed, 6))) == 1


def test_without_curves_there_is_no_picture():
    with pytest.raises(ValueError, match="at least one panel"):
        draw_lines({"loss": {}})


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 1.6094), (-6, 6), (0, 150), (1, 40), (0, 3.4e38)])
def test_ticks_are_few_and_inside(low, high):
    ticks = _ticks(low, high)
    assert 3 <= len(ticks) <= 6
    assert min(ticks) >= low - 1e-9 * (high - low)
    assert max(ticks) <= high * (1 + 1e-9)


def test_names_do_not_lie_on_each_other():
    places = [y for y, _, _ in _spread([(1.0, "a", "k"), (1.1, "b", "k"), (5.0, "c", "k")], 0.5)]
    assert min(np.diff(places)) >= 0.6
    assert places[2] == 5.0
