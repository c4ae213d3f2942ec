"""The algebra of places: against the numbers of the paper's networks, and against what gradients really reach."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minifcn import functional as F
from minifcn import layers as L
from minifcn.layers.coordinates import Map, chain, crop

VGG = {"conv1_1": Map.conv(3, 1, 100)}  # up to each pool; convolutions 3x3 with padding 1 move nothing
for _stage, _count in enumerate((1, 2, 3, 3, 3), start=1):
    VGG[f"pool{_stage}"] = chain(list(VGG.values())[-1], *[Map.conv(3, 1, 1)] * _count, Map.conv(2, 2))
FC7 = VGG["pool5"].then(Map.conv(7))
UPSCORE2 = FC7.then(Map.deconv(4, 2))
UPSCORE_POOL4 = UPSCORE2.then(Map.deconv(4, 2))
PICTURE = Map()


def test_the_crops_of_the_paper_follow():
    assert crop(FC7.then(Map.deconv(64, 32)), PICTURE) == 19  # FCN-32s
    assert crop(VGG["pool4"], UPSCORE2) == 5
    assert crop(UPSCORE2.then(Map.deconv(32, 16)), PICTURE) == 27  # FCN-16s
    assert crop(VGG["pool3"], UPSCORE_POOL4) == 9
    assert crop(UPSCORE_POOL4.then(Map.deconv(16, 8)), PICTURE) == 31  # FCN-8s


def test_the_crop_of_fcn_alexnet_follows():
    trunk = [Map.conv(11, 4, 100), Map.conv(3, 2), Map.conv(5, 1, 2), Map.conv(3, 2)]
    trunk += [Map.conv(3, 1, 1)] * 3 + [Map.conv(3, 2), Map.conv(6)]
    assert crop(chain(*trunk, Map.deconv(63, 32)), PICTURE) == 18


def test_vgg_sees_404_pixels():
    assert FC7.field == 404
    assert (VGG["pool4"].stride, FC7.stride, UPSCORE_POOL4.stride) == (16, 32, 8)


def test_what_cannot_be_aligned_is_refused():
    with pytest.raises(ValueError, match="stride 16 cannot be aligned with one of stride 32"):
        crop(VGG["pool4"], FC7)
    with pytest.raises(ValueError, match="1/2 pixels apart"):
        crop(PICTURE, Map.conv(2))
    assert crop(Map.crop(3), PICTURE) == -3  # begins 3 pixels later: cut those off the other one


MAPS = st.builds(Map.conv, st.integers(1, 6), st.integers(1, 4), st.integers(0, 5), st.integers(1, 3))


@given(MAPS, MAPS, MAPS)
def test_composition_is_associative_and_the_picture_is_neutral(a, b, c):
    assert a.then(b).then(c) == a.then(b.then(c)) == chain(a, b, c)
    assert PICTURE.then(a) == a.then(PICTURE) == a


@given(st.integers(1, 7), st.integers(1, 4), st.integers(0, 3), st.integers(1, 3))
def test_a_deconvolution_undoes_its_convolution(kernel, stride, padding, dilation):
    there = Map.conv(kernel, stride, padding, dilation).then(Map.deconv(kernel, stride, padding, dilation))
    assert (there.stride, there.offset) == (1, 0)


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(1, 2)), min_size=1, max_size=3))
def test_a_pixel_reads_just_the_window_that_its_map_says(layers):
    """The gradient of one output pixel is not zero exactly on ``field`` pixels around stride·i + offset."""
    H = 60
    x, caches = np.ones((1, 1, H, 1)), []
    for K, S, P, D in layers:
        x, cache = F.conv2d(x, np.ones((1, 1, K, 1)), stride=(S, 1), padding=(P, 0), dilation=(D, 1))
        caches.append(cache)
    place = chain(*(Map.conv(*layer) for layer in layers))
    i = x.shape[2] // 2
    dx = np.zeros_like(x)
    dx[0, 0, i] = 1
    for cache in reversed(caches):
        dx = F.conv2d_backward(dx, cache)[0]
    reached = np.flatnonzero(dx)
    centre, reach = place.stride * i + place.offset, (place.field - 1) / 2
    assert Fraction(int(reached[0] + reached[-1]), 2) == centre
    assert reached[0] == centre - reach
    assert reached[-1] == centre + reach


@given(st.integers(1, 8), st.integers(1, 4), st.integers(0, 3))
def test_a_deconvolution_writes_around_the_place_that_its_map_says(K, S, P):
    """One input pixel is spread symmetrically around the output pixel that looks at it."""
    if 8 * S - 2 * P + K < 4 * S + 1:
        return
    x = np.zeros((1, 1, 9, 1))
    x[0, 0, 4] = 1
    y, _ = F.conv_transpose2d(x, np.ones((1, 1, K, 1)), stride=(S, 1), padding=(P, 0))
    written = np.flatnonzero(y)
    place = Map.deconv(K, S, P)
    middle = Fraction(int(written[0] + written[-1]), 2)
    if written[0] > 0 and written[-1] < y.shape[2] - 1:  # not cut off by the padding
        assert place.stride * middle + place.offset == 4


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_interpolation_keeps_straight_lines_straight_where_its_map_says(factor):
    """Bilinear resizing of x[i] = i is, inside, the place that each output pixel looks at."""
    y, _ = F.interpolate(np.arange(10.0).reshape(1, 1, 10, 1), scale_factor=(factor, 1))
    place = Map.resize(factor)
    inside = slice(factor, -factor)
    expected = [float(place.stride * i + place.offset) for i in range(10 * factor)]
    np.testing.assert_allclose(y.ravel()[inside], expected[inside], rtol=1e-12)


def test_maps_of_layers():
    conv = L.Conv2d(1, 1, (3, 5), stride=(2, 1), padding=(1, 2), dilation=(1, 2))
    assert conv.coordinates(0) == Map.conv(3, 2, 1)
    assert conv.coordinates(1) == Map.conv(5, 1, 2, 2)
    assert L.ConvTranspose2d(1, 1, 4, 2, padding=1).coordinates(0) == Map.deconv(4, 2, 1)
    assert L.MaxPool2d(3, 2, 1, dilation=2).coordinates(0) == Map.conv(3, 2, 1, 2)
    assert L.AvgPool2d((2, 3)).coordinates(1) == Map.conv(3, 3)
    assert L.Upsample(scale_factor=2).coordinates(0) == Map.resize(2)
    assert L.Upsample(size=7).coordinates(0) is None
    assert L.Upsample(scale_factor=2, mode="bilinear", align_corners=True).coordinates(0) is None
    assert L.AdaptiveAvgPool2d(1).coordinates(0) is None
    assert L.ReLU().coordinates(0) == Map()


def test_a_map_prints_as_fractions():
    assert str(VGG["pool1"]) == "stride 2, offset -197/2, receptive field 6"


def test_a_row_with_a_layer_that_says_nothing_of_its_pixels():
    with pytest.raises(ValueError, match="give it coordinates"):
        chain(Map.conv(3), None)
