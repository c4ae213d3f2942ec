"""The graph of a forward pass: which array went where, and what sizes were computed from."""

from __future__ import annotations

import pytest

from minifcn import layers as L
from minifcn import models
from minifcn.anatomy.trace import Ref, graph
from minifcn.layers.lengths import Length


class Net(L.Layer):
    """Layers by the names of the arguments, and a forward that is given."""

    def __init__(self, forward, **layers):
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.written = forward

    def forward(self, x):
        return self.written(self, x)


def test_arrays_go_by_numbers():
    net = Net(lambda net, x: net.add(net.relu(y := net.conv(x)), y), conv=L.Conv2d(3, 3, 1), relu=L.ReLU(), add=L.Add())
    seen = graph(net, (2, 3, 5, 6))
    assert [(step.name, step.given, step.made) for step in seen.steps] == [
        ("conv", (Ref(0),), (1,)), ("relu", (Ref(1),), (2,)), ("add", (Ref(2), Ref(1)), (3,)),
    ]  # fmt: skip
    assert seen.returned == Ref(3)
    assert [array.shape for array in seen.arrays] == [(2, 3, 5, 6)] * 4


def test_sizes_say_which_array_they_were_read_from():
    def cropped(net, x):
        return net.crop(net.up(net.pool(x)), (x.shape[2] - 1, 6))

    net = Net(cropped, pool=L.MaxPool2d(2), up=L.Upsample(scale_factor=2), crop=L.Crop())
    (_, (height, width)) = graph(net, (1, 2, 9, 8)).steps[-1].given
    assert (height, height.term) == (8, ("-", ("size", 0, 2), 1))
    assert type(width) is int


def test_shapes_are_plain_inside_of_layers_and_behind_the_pass():
    inside = []

    class Looking(L.Layer):
        def forward(self, x):
            inside.extend(map(type, x.shape))
            return x * 2

    between = []
    net = Net(
        lambda net, x: between.extend(map(type, x.shape)) or net.look(net.conv(x)), conv=L.Conv2d(1, 2, 3), look=Looking()
    )
    seen = graph(net, (1, 1, 7, 8))
    assert set(inside) == {int}
    assert set(between) == {Length}
    assert {type(n) for array in seen.arrays for n in array.shape} == {int}


def test_sizes_that_are_compared_between_layers_are_noted():
    def decide(net, x):
        y = net.pool(x)
        return net.crop(x, y.shape[2:]) if min(y.shape[2:]) < x.shape[2] else y

    deciding = Net(decide, pool=L.MaxPool2d(2), crop=L.Crop())
    assert graph(deciding, (1, 1, 8, 9)).compared
    for name in ("fcn8s", "segnet-basic", "deeplabv3-resnet50"):  # their layers look at the sizes that they are called with
        assert not graph(models.build(name, 2, width=1 / 32), (1, 3, 40, 41), evaluating=True).compared


@pytest.mark.parametrize("forward", [
    lambda net, x: net.relu(net.conv(x) + 1),
    lambda net, x: net.relu(net.conv(x)[:, :1]),
    lambda net, x: net.relu(net.conv.weight.data),
], ids=["sum", "slice", "weight"])  # fmt: skip
def test_what_no_layer_gave_has_no_number(forward):
    net = Net(forward, conv=L.Conv2d(1, 2, 1), relu=L.ReLU())
    assert graph(net, (1, 1, 4, 4)).steps[-1].given == (Ref(None),)


def _add_in_place(net, x):
    y = net.conv(x)
    y += 1
    return net.relu(y)


def _write(net, x):
    y = net.conv(x)
    y[:, 0] = 0
    return net.relu(y)


def _read_what_a_layer_wrote_over(net, x):
    y = net.conv(x)
    net.in_place(net.crop(y, (2, 2)))  # a view of y
    return net.relu(y)


@pytest.mark.parametrize("forward", [_add_in_place, _write, _read_what_a_layer_wrote_over])
def test_what_was_written_over_has_no_number(forward):
    net = Net(forward, conv=L.Conv2d(1, 2, 1), relu=L.ReLU(), in_place=L.ReLU(inplace=True), crop=L.Crop())
    assert graph(net, (1, 1, 4, 4)).steps[-1].given == (Ref(None),)


def test_a_layer_in_place_gives_the_array_another_number():
    net = Net(
        lambda net, x: net.add(net.relu(y := net.conv(x)), y), conv=L.Conv2d(1, 2, 1), relu=L.ReLU(inplace=True), add=L.Add()
    )
    assert graph(net, (1, 1, 4, 4)).steps[-1].given == (Ref(2), Ref(2))


def test_a_picture_that_needs_no_padding_stays_another_array():
    """Else a crop to the picture's size would read it from the picture for one size and from what was padded for another."""
    net = models.build("unet", 2, width=0.03125)
    for H in (47, 48):
        (_, (height, _)) = graph(net, (1, 3, H, 48), evaluating=True).steps[-1].given
        assert height.term == ("size", 0, 2)
