"""The box of a receptive field: exactly the pixels that can reach a number, where every layer says where it looks."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn import layers as L
from minifcn.explore import Trace
from minifcn.explore.fields import places_of


class TwoRoads(L.Layer):
    """The short road is walked first, the long one later; or, ``turned``, the other way round."""

    def __init__(self, turned: bool):
        super().__init__()
        self.short, self.long, self.add, self.turned = L.Conv2d(1, 1, 1), L.Conv2d(1, 1, 5, padding=2), L.Add(), turned

    def forward(self, x):
        if self.turned:
            long = self.long(x)
            return self.add(self.short(x), long)
        return self.add(self.short(x), self.long(x))

    def backward(self, dy):
        dshort, dlong = self.add.backward(dy)
        return self.short.backward(dshort) + self.long.backward(dlong)


NETS = {
    "convolutions": (L.Conv2d(1, 1, 3, padding=1), L.Conv2d(1, 1, (3, 5), stride=(2, 1), padding=(0, 2), dilation=(2, 1))),
    "pooling": (L.Conv2d(1, 1, 3), L.AvgPool2d(2), L.AvgPool2d(3, stride=2, padding=1)),
    "roads": (TwoRoads(False),),
    "turned roads": (TwoRoads(True), L.Crop(2)),
    "frames": (L.PadTo(8, margin=3), L.Conv2d(1, 1, 3)),
    "a mean of all": (L.Conv2d(1, 1, 3), L.AdaptiveAvgPool2d(2)),
}


def of(layers: tuple) -> Trace:
    """All weights and pixels are positive, so that nothing cancels."""
    net = Chain(*layers).to("float64")
    for parameter in net.parameters():
        parameter.data[...] = 1
    return Trace(net, np.ones((1, 1, 17, 19)))


class Chain(L.Sequential):
    """A Sequential that gives a crop its size."""

    def forward(self, x):
        for layer in self:
            x = layer(x, (9, 10)) if isinstance(layer, L.Crop) else layer(x)
        return x


@pytest.mark.parametrize("name", [name for name in NETS if name != "a mean of all"])
def test_the_box_is_the_reach_of_the_influence(name):
    trace = of(NETS[name])
    key = trace.keys[-1]
    _, H, W = trace.maps(key).shape
    for row, column in np.ndindex(H, W):
        rows, columns = np.nonzero(trace.influence(key, 0, row, column)[0, 0])
        box = trace.field(key, row, column)
        inside = box and box.within((17, 19))
        assert inside == ((rows.min(), columns.min(), rows.max(), columns.max()) if rows.size else None), (row, column)


def test_who_does_not_say_reads_all():
    trace = of(NETS["a mean of all"])
    assert trace.field("1", 0, 1) == (0, 0, 16, 18)
    assert trace.field("0", 2, 3) == (2, 3, 4, 5)
    assert trace.field("input", 2, 3) == (2, 3, 2, 3)


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(4, 2, 1), (4, 2, 0), (3, 2, 1), (16, 8, 0), (2, 3, 0), (5, 3, 2)])
def test_a_deconvolutions_box_holds_its_phase_and_at_most_one_pixel_more(kernel, stride, padding):
    trace = of((L.ConvTranspose2d(1, 1, kernel, stride=stride, padding=padding),))
    _, H, W = trace.maps("0").shape
    for row, column in ((H // 2 + at, W // 3 + at) for at in range(stride)):
        rows, columns = np.nonzero(trace.influence("0", 0, row, column)[0, 0])
        box = trace.field("0", row, column)
        for places, low, high in ((rows, box.top, box.bottom), (columns, box.left, box.right)):
            if places.size:
                assert low <= places.min() <= low + 1
                assert high - 1 <= places.max() <= high


@pytest.mark.parametrize("turned", [False, True])
def test_where_roads_meet_the_larger_field_counts(turned):
    places = places_of(of((TwoRoads(turned),)).steps)
    assert [str(place[0]) for place in places[1:]] == [
        "stride 1, offset 0, receptive field " + field for field in (("5", "1", "5") if turned else ("1", "5", "5"))
    ]
