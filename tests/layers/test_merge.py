"""Where roads meet: nobody writes over what another road still needs, and nothing is cut that is not there."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import minifcn
from minifcn import functional as F
from minifcn import layers as L
from minifcn.checks import tie_free

SHAPE = (1, 2, 5, 15)  # of 150 numbers

SEVERAL_INPUTS = {
    "Add": (L.Add(), [SHAPE, SHAPE]),
    "Concat of one": (L.Concat(), [SHAPE]),
    "Concat of two": (L.Concat(), [SHAPE, (1, 3, 5, 15)]),
    "Concat of three": (L.Concat(), [(2, 1, 3, 4), (2, 2, 3, 4), (2, 1, 3, 4)]),
    "Join": (L.Join(0), [SHAPE, SHAPE]),
    "Join, side larger": (L.Join(2), [(2, 2, 3, 4), (2, 2, 9, 8)]),
    "Join, up larger": (L.Join(-1), [(2, 2, 5, 6), (2, 2, 4, 3)]),
}


def test_every_layer_of_several_inputs_is_held_to_the_contract():
    """A layer that is new, and takes several floating arrays, belongs into the table above."""
    import inspect

    # beside it: indices, labels, a size
    floating_once = {L.MaxUnpool2d, L.CrossEntropyLoss, L.WithAuxiliary, L.Crop, L.Upsample}
    several = set()
    for cls in vars(L).values():
        if isinstance(cls, type) and issubclass(cls, L.Layer) and cls is not L.Layer:
            parameters = list(inspect.signature(cls.forward).parameters.values())[1:]
            if len(parameters) > 1 or any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
                several.add(cls)
    assert several - floating_once == {type(layer) for layer, _ in SEVERAL_INPUTS.values()}


@pytest.mark.parametrize("name", SEVERAL_INPUTS)
def test_each_road_gets_an_array_of_its_own(name, rng):
    layer, shapes = SEVERAL_INPUTS[name]
    xs = [rng.standard_normal(shape) for shape in shapes]
    y = layer(*xs)
    dxs = layer.backward(rng.standard_normal(y.shape))
    assert [dx.shape for dx in dxs] == shapes
    for one, other in itertools.combinations(dxs, 2):
        assert not np.shares_memory(one, other)
    for dx in dxs:
        assert dx.flags.writeable
    assert not layer.kept()


@pytest.mark.parametrize("name", SEVERAL_INPUTS)
def test_gradients(name, rng):
    layer, shapes = SEVERAL_INPUTS[name]
    report = minifcn.gradcheck(layer, *(rng.standard_normal(shape) for shape in shapes))
    assert report, str(report)


class TwoRoads(L.Layer):
    """x through an in-place ReLU on one road and as it is on the other, and both added."""

    def __init__(self, add: L.Layer):
        super().__init__()
        self.scale, self.relu, self.add = L.Scale(1.0), L.ReLU(inplace=True), add

    def forward(self, x):
        return self.add(self.relu(self.scale(x)), x)

    def backward(self, dy):
        droad, dx = self.add.backward(dy)
        dx += self.scale.backward(self.relu.backward(droad))
        return dx


class CarelessAdd(L.Add):
    """Hands one gradient to both roads."""

    def backward(self, dy):
        self._pop()
        return dy, dy


def places_wrong(add: L.Layer) -> int:
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal(SHAPE), rng.standard_normal(SHAPE)
    net = TwoRoads(add)
    net(x)
    dx = net.backward(dy.copy())
    return int((dx != dy * (1 + (x > 0))).sum())


def test_an_in_place_relu_behind_an_addition_is_right_at_all_places():
    assert places_wrong(L.Add()) == 0
    assert places_wrong(CarelessAdd()) > 50
    assert minifcn.gradcheck(TwoRoads(L.Add()), tie_free(SHAPE))
    assert not minifcn.gradcheck(TwoRoads(CarelessAdd()), tie_free(SHAPE))


@pytest.mark.parametrize("inplace", [True, False])
def test_in_place_relus_on_every_road(inplace, rng):
    """Of a concatenation and of a sum, with a picture that went three ways."""

    class Net(L.Layer):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = (L.Sequential(L.Scale(factor), L.ReLU(inplace)) for factor in (1.0, -1.0, 0.5))
            self.add, self.concat = L.Add(), L.Concat()

        def forward(self, x):
            return self.concat(self.add(self.a(x), self.b(x)), self.c(x))

        def backward(self, dy):
            dsum, dc = self.concat.backward(dy)
            da, db = self.add.backward(dsum)
            dx = self.c.backward(dc)
            dx += self.b.backward(db)
            dx += self.a.backward(da)
            return dx

    report = minifcn.gradcheck(Net(), tie_free((2, 2, 3, 4)))
    assert report, str(report)


def test_join_lays_pixels_where_its_offset_says(rng):
    """side's pixel i + offset lies on up's pixel i; with a negative one, up's pixel i − offset on side's pixel i."""
    up, side = rng.standard_normal((1, 2, 4, 5)), rng.standard_normal((1, 2, 9, 9))
    np.testing.assert_array_equal(L.Join(3)(up, side), up + side[:, :, 3:7, 3:8])
    np.testing.assert_array_equal(L.Join(-2)(side, up), side[:, :, 2:6, 2:7] + up)
    np.testing.assert_array_equal(L.Join(6)(up, side), up[:, :, :3, :3] + side[:, :, 6:, 6:])


def test_what_cannot_be_cut_is_said_where_it_happens(rng):
    with pytest.raises(ValueError, match=r"crop: 6x6 pixels from \(5, 5\) on reach out of a 8x8 map"):
        L.Crop(5)(np.ones((1, 1, 8, 8)), (6, 6))
    with pytest.raises(ValueError, match=r"crop: .* reach out of a 4x4 map"):
        L.Join(4)(np.ones((1, 1, 4, 4)), np.ones((1, 1, 4, 4)))
    refused = {
        "offset=-1": lambda: L.Crop(-1),
        "multiple=0 must be at least 1": lambda: L.PadTo(0),
        "margin=-1 must not be negative": lambda: L.PadTo(4, -1),
    }
    for words, make in refused.items():
        with pytest.raises(ValueError, match=words):
            make()


@pytest.mark.parametrize("size", [(16, 16), (1, 16), (17, 5), (16, 31)])
def test_pad_to_adds_zeros_at_the_end_and_a_crop_undoes_it(size, rng):
    x, pad, crop = rng.standard_normal((2, 3, *size)), L.PadTo(16), L.Crop()
    y = pad(x)
    assert all(n % 16 == 0 and 0 <= n - m < 16 for n, m in zip(y.shape[2:], size, strict=True))
    assert y.sum() == pytest.approx(x.sum())
    np.testing.assert_array_equal(crop(y, size), x)
    dy = rng.standard_normal(x.shape)
    np.testing.assert_array_equal(pad.backward(crop.backward(dy)), dy)
    assert not pad.kept()
    assert minifcn.gradcheck(L.PadTo(4), x[:, :, :5, :6])


def test_pad_to_lays_a_margin_around_and_leaves_a_remainder(rng):
    x, pad = rng.standard_normal((2, 3, 5, 9)), L.PadTo(4, margin=3, remainder=1)
    y = pad(x)
    assert y.shape == (2, 3, 13, 17)  # 5 + 6 = 11, and two more; 9 + 6 = 15, and two more
    np.testing.assert_array_equal(y[:, :, 3:8, 3:12], x)
    assert np.count_nonzero(y) == np.count_nonzero(x)
    dy = rng.standard_normal(y.shape)
    np.testing.assert_array_equal(pad.backward(dy.copy()), dy[:, :, 3:8, 3:12])
    assert pad.coordinates(0).offset == -3
    assert minifcn.gradcheck(pad, x)


def test_a_scale_keeps_the_dtype(rng):
    x = rng.standard_normal(SHAPE)
    for dtype in ("f2", "f4", "f8"):
        scale = L.Scale(0.01)
        assert scale(x.astype(dtype)).dtype == scale.backward(x.astype(dtype)).dtype == np.dtype(dtype)
    assert minifcn.gradcheck(L.Scale(-3), x)
    assert minifcn.gradcheck(L.Identity(), x)


def test_concatenated_channels_come_back_in_their_order():
    parts = [np.full((2, channels, 3, 4), number, "f") for number, channels in enumerate((3, 1, 2))]
    y, cache = F.concat(*parts)
    np.testing.assert_array_equal(y[0, :, 0, 0], [0, 0, 0, 1, 2, 2])
    for part, back in zip(parts, F.concat_backward(y, cache), strict=True):
        np.testing.assert_array_equal(back, part)


def test_in_place_the_sum_is_written_over_the_first(rng):
    a, b = rng.standard_normal((2, *SHAPE))
    expected, unchanged = a + b, b.copy()
    y = L.Add()(a, b, inplace=True)
    assert y is a
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(b, unchanged)
    apart = L.Add()(a, b)
    assert not np.shares_memory(apart, a)
    np.testing.assert_array_equal(apart, expected + b)


def test_without_inplace_both_stay(rng):
    a, b = rng.standard_normal((2, *SHAPE))
    before = a.copy(), b.copy()
    y, _ = F.add(a, b)
    np.testing.assert_array_equal(y, before[0] + before[1])
    np.testing.assert_array_equal(a, before[0])
    np.testing.assert_array_equal(b, before[1])


@pytest.mark.parametrize("b_of", [lambda a: a[:, ::-1], lambda a: a, lambda a: a.transpose(1, 0)])
@pytest.mark.parametrize("shift", [0, 1, -1])
def test_in_place_over_what_it_overlaps(rng, b_of, shift):
    """As if both had been read before: blocks of a large array must not read what another block has written."""
    memory = rng.standard_normal((1026, 1024))
    a = memory[1:-1, :].T[:1024]
    b = b_of(memory[1 + shift : 1025 + shift].T)
    expected = a + b
    np.testing.assert_array_equal(F.add(a, b, inplace=True)[0], expected)


@pytest.mark.parametrize("shift", [1, -1])
@pytest.mark.parametrize("turned", [False, True])
def test_in_place_over_rows_that_another_block_writes(rng, shift, turned):
    memory = rng.standard_normal((1026, 1024))
    a, b = memory[1:-1], memory[1 + shift : 1025 + shift]
    b = b[::-1] if turned else b
    expected = a + b
    np.testing.assert_array_equal(F.add(a, b, inplace=True)[0], expected)


def test_the_copied_gradient_is_in_c_order(rng):
    dy = rng.standard_normal((4, 3, 2, 5)).T
    assert F.add_backward(dy, dy.shape)[1].flags.c_contiguous
