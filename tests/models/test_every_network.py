"""What every network of the catalogue owes: a backward that is its forward read upwards, right gradients, any picture size."""

from __future__ import annotations

import re

import numpy as np
import pytest

import minifcn
from minifcn import layers as L
from minifcn import models
from minifcn.checks.network import along_all, awake, settle, sized
from minifcn.checks.network import narrow as build
from minifcn.checks.subjects import LayerSubject
from minifcn.models.fcn import FCN8s


def variants() -> list:
    """Every network with its defaults, and with each of its switches turned once."""
    found = []
    for name in models.names():
        switches = [option for option, default in models.options(name).items() if isinstance(default, bool)]
        for given in [{}, *({option: not models.options(name)[option]} for option in switches)]:
            found.append(pytest.param(name, given, id="-".join([name, *given])))
    return found


def picture(size: tuple[int, int], batch: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((batch, 3, *size))


def outputs(y) -> tuple:
    """The scores, and what a network may give besides while it is trained."""
    return y if isinstance(y, tuple) else (y,)


def least(name: str) -> int:
    """The side of the smallest square that the network takes; smaller ones it refuses with a sentence."""
    net = build(name).eval()
    for side in (1, 2, 4, 8, 16, 32, 63):
        try:
            with minifcn.no_grad():
                net(picture((side, side)).astype("f"))
            return side
        except ValueError as error:
            if f"{side}x{side}" not in str(error) or "\n" in str(error):
                pytest.fail(f"{name} refuses {side}x{side} without a sentence that names it: {error}")
    pytest.fail(f"{name} does not even take 63x63")


# ------------------------------------------------------------------------------------------------------------- the mirror


def steps(net: L.Layer, x: np.ndarray) -> tuple[list[str], list[str]]:
    """The keys of the leaves in the order of their forwards, and of their backwards."""
    key = {id(layer): key for key, layer in net.named_layers()}
    forwards, backwards = [], []

    class Notes(L.Watcher):
        def forward(self, layer, inputs, outputs):
            forwards.append(key[id(layer)])

        def backward(self, layer, dys, dxs):
            backwards.append(key[id(layer)])

    with L.watching(Notes()):
        ys = outputs(net(x))
        net.backward(*(np.ones_like(y) for y in ys))
    return forwards, backwards


@pytest.mark.parametrize("needs_dx", [True, False])
@pytest.mark.parametrize(("name", "given"), variants())
def test_backward_is_forward_read_upwards(name, given, needs_dx):
    net = awake(name, **given)
    net.needs_dx = needs_dx
    x = picture(sized(name, (33, 47)), batch=2)  # of one picture DeepLab would make one value a channel
    forwards, backwards = steps(net, x)
    leaves = {key for key, layer in net.named_layers() if layer.is_leaf()}
    assert set(forwards) == leaves, "a layer that no forward uses"
    assert backwards == forwards[::-1]
    assert not any(layer.kept() for _, layer in net.named_layers())


def test_the_mirror_shows_two_lines_that_changed_places():
    """The gradients stay right: only the order is not the forward's."""

    class Swapped(FCN8s):
        def backward(self, dy):
            dscore = self.upscore8.backward(self.crop.backward(dy))
            dup, dside = self.join_pool3.backward(dscore)
            dscore = self.upscore_pool4.backward(dup)  # these two
            dpool3 = self.score_pool3.backward(dside)
            dup, dside = self.join_pool4.backward(dscore)
            dpool4, dscore = self.score_pool4.backward(dside), self.upscore2.backward(dup)
            dfc7 = self.score_fr.backward(dscore)
            return self.trunk.backward(dpool3, dpool4, dfc7)

    forwards, backwards = steps(Swapped(4, width=1 / 64, padding=1).to("float64"), picture((33, 47)))
    assert sorted(backwards) == sorted(forwards)
    first = next(place for place, (mine, right) in enumerate(zip(backwards, forwards[::-1], strict=True)) if mine != right)
    assert backwards[first : first + 2] == ["upscore_pool4", "score_pool3"]
    assert backwards != forwards[::-1]


# ------------------------------------------------------------------------------------------------------------- gradients


def check_along(subject: LayerSubject, gradients: dict[str, np.ndarray], dys: tuple, rng: np.random.Generator) -> None:
    """One direction through picture and parameters together: the first of five that no kink of a ReLU crosses.

    Whether one does is decided by rounding, which is another one on another processor.
    """
    tries = (along_all(subject, gradients, dys, rng) for _ in range(5))
    one = next((one for one in tries if one.proves), None)
    assert one is not None, "each of five directions meets a kink"
    assert one.large > one.count / 2, f"only {one.large} of {one.count} gradients are not zero: that proves nothing"
    assert one.agrees, f"{one.mine} is not {one.numeric.value}: gradcheck says where"


@pytest.mark.parametrize(("name", "given"), variants())
def test_the_whole_networks_gradients_are_the_numeric_ones(name, given, rng):
    """Of the picture and of every parameter, with a random gradient for each output; dropout drops the same each time."""
    if name.endswith("101"):
        pytest.skip(
            "a hundred layers deep no step is small enough; it is ResNet-50 with more blocks, and held to torchvision's"
        )
    net = awake(name, **given)
    both = any(True for _ in net.named_buffers()) and not given.get("aux")  # a second head does nothing in evaluation
    side = least(name)
    x = picture(sized(name, (max(20, side), max(33, side))), batch=2)
    settle(net, x)
    for training in (True, False) if both else (True,):
        subject = LayerSubject(net.train(training), (x,), {})
        dys = tuple(rng.standard_normal(y.shape) for y in subject.outputs({}))
        gradients, complaints = subject.gradients(dys)
        assert not complaints
        assert [name for name, gradient in gradients.items() if gradient is None] == []
        for _ in range(3):
            check_along(subject, gradients, dys, rng)


def test_one_wrong_gradient_among_many_is_seen(rng, monkeypatch):
    """One layer of 46 gives a gradient that is off by a thousandth, or wrong at one place."""
    net = awake("unet")
    for wrong in (lambda dweight: 1.001 * dweight, lambda dweight: np.where(np.arange(dweight.size) == 0, 0, dweight.ravel())):
        subject = LayerSubject(net, (picture((20, 33)),), {})
        weight = subject.layer.dec3.conv1.weight
        weight.accumulate = lambda gradient, weight=weight, wrong=wrong: L.Parameter.accumulate(
            weight, wrong(gradient).reshape(gradient.shape)
        )
        dys = tuple(rng.standard_normal(y.shape) for y in subject.outputs({}))
        gradients, _ = subject.gradients(dys)
        with pytest.raises(AssertionError, match="gradcheck says where"):
            check_along(subject, gradients, dys, rng)


# ---------------------------------------------------------------------------------------------------------- any picture


SMALLEST = {"fcn8s": 1, "unet": 16}  # as their modules say


@pytest.mark.parametrize("name", models.names())
def test_any_picture_size_and_batch(name):
    side = least(name)
    assert side == SMALLEST.get(name, side)
    side, segments = least(name), models.entry(name).segments
    assert side <= (32 if segments else 63)
    net = build(name, num_classes=3).eval()
    sizes = [sized(name, size) for size in ((33, 47), (48, 32))]
    for size in [(side, side), (side, side + 15), (max(side, 31), 64), *sizes]:
        for batch in (1, 2):
            x = picture(size, batch).astype("f")
            with minifcn.no_grad():
                y = net(x)
                alone = net(x[:1])
            rounding = 1e-5 * np.abs(y).max()
            np.testing.assert_allclose(y[:1], alone, rtol=1e-4, atol=rounding)  # pictures are alone in their batch
            assert y.shape == ((batch, 3, *size) if segments else (batch, 3))
            assert y.dtype == np.float32


# -------------------------------------------------------------------------------------------------------------- weights


@pytest.mark.parametrize(("name", "given"), variants())
def test_a_state_goes_from_one_network_to_another(name, given):
    one, other = awake(name, **given).eval(), build(name, **given, seed=2).to("float64").eval()
    x = picture(sized(name, (33, 47)))
    with minifcn.no_grad():
        y = one(x)
        assert not np.array_equal(other(x), y)
        other.load_state_dict({key: array.copy() for key, array in one.state_dict().items()})
        np.testing.assert_array_equal(other(x), y)


@pytest.mark.parametrize(("name", "given"), variants())
def test_config_builds_the_same_network_again(name, given):
    net = build(name, **given)
    again = models.build(**net.config)
    assert again.config == net.config
    assert type(again) is type(net)
    assert again.state_dict().keys() == net.state_dict().keys()
    for key, array in net.state_dict().items():
        np.testing.assert_array_equal(again.state_dict()[key], array)


@pytest.mark.parametrize("name", models.names())
def test_one_seed_one_network(name):
    one, same, other = (build(name, seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(np.array_equal(one[key], same[key]) for key in one)
    drawn = [key for key, array in one.items() if array.ndim == 4 and np.unique(array).size > array.size / 2]
    assert drawn
    assert not any(np.array_equal(one[key], other[key]) for key in drawn)


@pytest.mark.parametrize("name", models.names())
def test_layers_do_not_share_first_weights(name):
    """Each is drawn anew: layers of one shape start with different numbers."""
    weights = [
        array for array in build(name).state_dict().values() if array.ndim == 4 and np.unique(array).size > array.size / 2
    ]
    for place, one in enumerate(weights):
        assert not any(one.shape == other.shape and np.array_equal(one, other) for other in weights[:place])


NO_PICTURES = {  # what people bring, and what the sentence must name
    "no batch": (np.zeros((3, 64, 64), "f"), ValueError, "(3, 64, 64)"),
    "one plane": (np.zeros((64, 64), "f"), ValueError, "(64, 64)"),
    "too many axes": (np.zeros((1, 1, 3, 64, 64), "f"), ValueError, "(1, 1, 3, 64, 64)"),
    "an empty batch": (np.zeros((0, 3, 64, 64), "f"), ValueError, "(0, 3, 64, 64)"),
    "bytes": (np.zeros((1, 3, 64, 64), np.uint8), TypeError, "uint8"),
}


@pytest.mark.parametrize("given", NO_PICTURES)
@pytest.mark.parametrize("name", models.names())
def test_what_is_no_batch_of_pictures_is_refused_with_a_sentence(name, given):
    x, error, named = NO_PICTURES[given]
    with pytest.raises(error, match=re.escape(named)) as refused:
        build(name)(x)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize("channels", [3, 2])
def test_channels_of_the_picture_are_found(name, channels):
    with L.initializers.blank():
        assert L.channels_of_picture(build(name, in_channels=channels)) == channels


PARAMETERS = [  # of the papers' width at 21 classes
    ("unet", {}, 31_033_045),
    ("unet", {"batch_norm": True}, 31_044_821),
    ("unet", {"valid": True}, 31_033_045),
    ("encoder-decoder", {}, 16_463_253),
    ("encoder-decoder", {"skips": True}, 16_463_253),
    ("course-baseline", {}, 5_500_245),
    ("rrcnn-fcn", {}, 10_396_117),
    ("segnet-basic", {}, 1_416_725),
    ("r2unet", {}, 39_092_693),
]


@pytest.mark.parametrize(("name", "given", "count"), PARAMETERS)
def test_parameter_counts_of_the_papers(name, given, count):
    with L.initializers.blank():
        net = models.build(name, 21, **given)
    assert sum(parameter.size for parameter in net.parameters()) == count


@pytest.mark.parametrize(
    ("option", "value", "kind"),
    [
        ("batch_norm", "false", "True or False"), ("batch_norm", 0, "True or False"), ("width", "0.5", "a number"),
        ("width", True, "a number"), ("in_channels", 3.0, "an integer"), ("in_channels", True, "an integer"),
        ("num_classes", "21", "an integer"), ("num_classes", 21.0, "an integer"), ("seed", "0", "a whole number from 0 up"),
        ("seed", -1, "a whole number from 0 up"), ("seed", True, "a whole number from 0 up"),
    ],
)  # fmt: skip
def test_an_option_of_another_kind_is_refused(option, value, kind):
    """A text such as "false" would be taken for true."""
    with pytest.raises(ValueError, match=re.escape(f"unet: {option}={value!r} must be {kind}")):
        models.build("unet", **{option: value})


def test_options_may_be_numpys_numbers():
    given = {"width": np.float32(1 / 16), "in_channels": np.int64(3), "batch_norm": np.True_, "seed": None}
    assert models.build("unet", np.int32(3), **given)
    assert models.build("unet", 3, width=1, seed=(1, 2), batch_norm=False)
