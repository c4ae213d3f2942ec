"""Output sizes, and one sentence for everything that does not fit."""

from __future__ import annotations

import pytest
import torch

from minifcn.kernels import Geometry


@pytest.mark.parametrize(
    ("x", "weight", "options"),
    [
        ((2, 3, 7, 9), (4, 3, 3, 2), {}),
        ((1, 4, 10, 11), (6, 2, 3, 3), {"stride": (2, 3), "padding": (1, 0), "dilation": (2, 1), "groups": 2}),
        ((1, 2, 3, 4), (2, 2, 7, 5), {"padding": (2, 1)}),
        ((1, 1, 9, 9), (1, 1, 2, 2), {"stride": 5}),
    ],
)
def test_output_size_is_pytorchs(x, weight, options):
    y = torch.nn.functional.conv2d(torch.zeros(x), torch.zeros(weight), **options)
    assert Geometry.of(x, weight, **options).y_shape == tuple(y.shape)


def test_shapes_come_back():
    geometry = Geometry.of((2, 4, 7, 9), (6, 2, 3, 2), groups=2)
    assert geometry.x_shape == (2, 4, 7, 9)
    assert geometry.weight_shape == (6, 2, 3, 2)
    assert geometry.y_shape == (2, 6, 5, 8)
    assert geometry.macs == 2 * 6 * 5 * 8 * 2 * 3 * 2
    assert hash(geometry) == hash(Geometry.of((2, 4, 7, 9), (6, 2, 3, 2), (1, 1), (0, 0), (1, 1), 2))


def test_mirror_maps_dy_to_dx():
    geometry = Geometry.of((2, 4, 7, 9), (6, 2, 3, 2), 1, (4, 0), (2, 3), 2)
    assert geometry.mirror.x_shape == geometry.y_shape
    assert geometry.mirror.y_shape == geometry.x_shape
    assert geometry.mirror.mirror == geometry


X, W = (1, 4, 8, 8), (6, 4, 3, 3)


@pytest.mark.parametrize(
    ("x", "weight", "options", "error", "says"),
    [
        ((4, 8, 8), W, {}, ValueError, "four axes"),
        (X, (4, 3, 3), {}, ValueError, "four axes"),
        ((0, 4, 8, 8), W, {}, ValueError, "must not be empty"),
        (X, (6, 3, 3, 3), {}, ValueError, "expects 3"),
        (X, W, {"groups": 3}, ValueError, "must divide"),
        (X, W, {"groups": 2}, ValueError, "expects 8"),
        (X, W, {"stride": 0}, ValueError, "stride must be at least 1"),
        (X, W, {"padding": -1}, ValueError, "padding must be at least 0"),
        (X, W, {"dilation": (1, 0)}, ValueError, "dilation must be at least 1"),
        (X, W, {"stride": 1.5}, TypeError, "stride must be one integer or a pair"),
        (X, W, {"padding": (1, 2, 3)}, TypeError, "padding must be one integer or a pair"),
        (X, W, {"padding": "same"}, TypeError, "padding must be one integer or a pair"),
        (X, W, {"groups": True}, TypeError, "groups must be one integer"),
        (X, W, {"dilation": 4}, ValueError, "reaches over 9 pixels of height but the padded input has only 8"),
        ((1, 4, 8, 2), W, {}, ValueError, "reaches over 3 pixels of width but the padded input has only 2"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(x, weight, options, error, says):
    with pytest.raises(error, match=says) as caught:
        Geometry.of(x, weight, **options)
    assert not str(caught.value).endswith(".")  # as everywhere in the package: no capital and no full stop
