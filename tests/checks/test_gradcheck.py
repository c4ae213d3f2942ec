"""The gradient check itself: what it accepts, what it says, and what it leaves as it was."""

from __future__ import annotations

import copy
import functools
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minifcn
from minifcn import functional as F
from minifcn import layers as L
from minifcn.checks import tie_free
from minifcn.checks.numeric import Slopes


def double(x):
    return 2 * x, None


def gradcheck(*arguments, **options):
    return minifcn.gradcheck(*arguments, **options)


@pytest.fixture
def x(rng):
    return rng.standard_normal((2, 3, 4, 5))


# -------------------------------------------------------------------------------------------------- what is looked up


def test_backward_is_looked_up_when_called(x, monkeypatch):
    assert gradcheck(F.relu, x)
    monkeypatch.setattr("minifcn.functional.activation.relu_backward", lambda dy, cache: dy)
    assert not gradcheck(F.relu, x)
    monkeypatch.undo()
    assert gradcheck(F.relu, x)


def test_backward_of_a_module_of_the_readers_own(x, monkeypatch):
    module = types.ModuleType("readers_lesson")
    exec("def half(x):\n    return x / 2, None\n\ndef half_backward(dy, cache):\n    return dy / 2\n", module.__dict__)
    monkeypatch.setitem(__import__("sys").modules, "readers_lesson", module)
    assert gradcheck(module.half, x)


def test_backward_can_be_given(x):
    assert gradcheck(double, x, backward=lambda dy, cache: 2 * dy)
    assert not gradcheck(double, x, backward=lambda dy, cache: dy)


def test_a_missing_backward_is_named(x):
    with pytest.raises(ValueError, match=r"no double_backward in .*define it beside double, or give backward="):
        gradcheck(double, x)
    with pytest.raises(ValueError, match="there is no partial_backward"):
        gradcheck(functools.partial(double), x)
    assert gradcheck(functools.partial(F.conv2d, stride=2), x, np.ones((2, 3, 2, 2)), backward=F.conv2d_backward)


def test_what_cannot_be_checked_is_refused(x):
    with pytest.raises(ValueError, match="no floating array"):
        gradcheck(F.relu, np.ones((2, 2), int))
    with pytest.raises(TypeError, match=r"Conv2d is a class.*Conv2d\(\.\.\.\)"):
        gradcheck(L.Conv2d, x)
    with pytest.raises(ValueError, match="NaN or infinity"):
        gradcheck(F.relu, np.array([1.0, np.inf]))
    with pytest.raises(TypeError, match=r"must return \(y, cache\)"):
        gradcheck(lambda x: 2 * x, x, backward=lambda dy, cache: 2 * dy)
    with pytest.raises(ValueError, match="another output each time"):
        gradcheck(lambda x: (x + np.random.default_rng().random(), None), x, backward=lambda dy, cache: dy)
    for narrow in ("float32", "float16"):
        with pytest.raises(ValueError, match=f"turns float64 into {narrow}, whose rounding hides a gradient"):
            gradcheck(lambda x, narrow=narrow: ((2 * x).astype(narrow), None), x, backward=lambda dy, cache: 2 * dy)


# ---------------------------------------------------------------------------------------------------- what is checked


def test_every_floating_input_is_checked_by_position_or_by_name(x, rng):
    weight, bias = rng.standard_normal((4, 3, 2, 2)), rng.standard_normal(4)
    for report in (gradcheck(F.conv2d, x, weight, bias, stride=2), gradcheck(F.conv2d, x, weight=weight, bias=bias, stride=2)):
        assert report
        assert [row.name for row in report.rows] == ["x", "weight", "bias"]
    assert [row.name for row in gradcheck(F.conv2d, x, weight).rows] == ["x", "weight"]


def test_statistics_and_class_weights_have_no_gradient(x, rng):
    statistics = np.zeros(3), np.ones(3)
    assert [row.name for row in gradcheck(F.batch_norm, x, *statistics, bias=np.ones(3), training=True).rows] == ["x", "bias"]
    labels = rng.integers(0, 3, (2, 4, 5))
    assert [row.name for row in gradcheck(F.cross_entropy, x, labels, np.ones(3)).rows] == ["scores"]


def test_options_are_passed_on(x):
    assert gradcheck(F.interpolate, x, size=3, mode="nearest")
    assert "size=3, mode='nearest'" in str(gradcheck(F.interpolate, x, size=3, mode="nearest"))
    with pytest.raises(ValueError, match="bicubic"):
        gradcheck(F.interpolate, x, size=3, mode="bicubic")


def test_float32_inputs_are_checked_in_float64(x):
    report = gradcheck(F.conv2d, x.astype("f"), np.ones((2, 3, 2, 2), "f"))
    assert report
    assert max(row.error for row in report.rows) < 1e-9


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1e3, 1e8])
def test_inputs_of_any_size(scale, x, rng):
    weight = rng.standard_normal((2, 3, 2, 2))
    assert gradcheck(F.conv2d, scale * x, weight)
    assert gradcheck(F.conv2d, scale * x, scale * weight)
    assert gradcheck(F.relu, scale * x)
    assert not gradcheck(F.relu, scale * x, backward=lambda dy, cache: dy)


def test_dy_is_random_and_never_the_input(x):
    """A check whose dy came from the same seed as the reader's x would be blind to batch norm, as one with ones is."""
    seen = []

    def backward(dy, cache):
        seen.append(dy.copy())
        return 2 * dy

    for seed in (0, 1):
        assert gradcheck(double, np.random.default_rng(0).standard_normal((3, 4)), backward=backward, seed=seed)
    assert seen[0].std() > 0.3
    assert not np.allclose(seen[0], seen[1])
    assert not np.allclose(seen[0], np.random.default_rng(0).standard_normal((3, 4)))


# --------------------------------------------------------------------------------------------- what is left as it was


def test_nothing_given_is_changed(x, rng):
    mean, var, generator = np.zeros(3), np.ones(3), np.random.default_rng(5)
    before = x.copy()
    assert gradcheck(F.batch_norm, x, mean, var, training=True)
    assert gradcheck(F.dropout, x, p=0.5, rng=generator)
    assert gradcheck(F.relu, x, inplace=True)
    np.testing.assert_array_equal(x, before)
    assert mean.tolist() == [0, 0, 0]
    assert var.tolist() == [1, 1, 1]
    assert generator.bit_generator.state == np.random.default_rng(5).bit_generator.state


def test_a_layer_is_left_as_it_was(x):
    net = L.Sequential(L.Conv2d(3, 4, 3), L.BatchNorm2d(4), L.ReLU(inplace=True), L.Dropout(0.3))
    net[0].needs_dx = False
    net[0].weight.requires_grad = False
    state = {key: array.copy() for key, array in net.state_dict().items()}
    generator = copy.deepcopy(net[3].rng)
    report = gradcheck(net, x)
    assert report, str(report)
    assert [row.name for row in report.rows] == ["x", "0.weight", "0.bias", "1.weight", "1.bias"]  # frozen ones too
    for key, array in net.state_dict().items():
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, state[key])
    assert all(parameter.grad is None for parameter in net.parameters())
    assert net[3].rng.bit_generator.state == generator.bit_generator.state
    assert not net[0].needs_dx
    assert not net[0].weight.requires_grad
    with pytest.raises(RuntimeError, match="no forward to take back"):
        net.backward(x)


# -------------------------------------------------------------------------------------------------------------- kinks


def test_elements_on_a_kink_are_left_out_and_said(x):
    x[0, 0] = 0
    report = gradcheck(F.relu, x)
    assert report
    assert "20 of 120 elements sit on a kink" in str(report)
    wrong = gradcheck(F.relu, x, backward=lambda dy, cache: dy)
    assert not wrong
    assert wrong["x"].worst.index >= (0, 1)


def test_nothing_but_kinks_is_undecided():
    report = gradcheck(F.relu, np.zeros((2, 3)))
    assert not report
    assert report["x"].verdict == "undecided"
    assert "6 of 6 elements sit on a kink" in str(report)
    halfway = gradcheck(F.relu, np.zeros((2, 3)), backward=lambda dy, cache: dy / 2)  # just what a central difference gives
    assert halfway["x"].verdict == "undecided"


def test_ties_in_a_maximum_are_kinks(rng):
    x = tie_free((1, 2, 4, 6), rng)
    assert not gradcheck(F.max_pool2d, x, 2)["x"].words
    x[0, 0, 0, :2] = 9  # both in the first window, and its largest
    report = gradcheck(F.max_pool2d, x, 2)
    assert report
    assert "2 of 48 elements sit on a kink" in str(report)


@pytest.mark.parametrize("distance", [1e-3, 1e-5, 1e-7, 1e-9])
def test_a_kink_nearby_neither_fails_nor_hides_anything(distance, x):
    x[0, 0, 0, 0] = distance
    assert gradcheck(F.relu, x)
    assert not gradcheck(F.relu, x, backward=lambda dy, cache: dy)


@pytest.mark.parametrize("distance", [0.0, 1e-9, 1e-4, 1e-3 / 3, 5e-4, 2.0])
def test_slopes_notice_kinks(distance):
    """|x| at a distance from 0. At h/3 above − below alone would be blind: both sides are off by as much for h and h/2."""
    x, v = np.array([distance, np.sqrt(2)]), np.array([1.0, 0.0])
    slope = Slopes(lambda x: (np.abs(x),), x, (np.ones(2),), 1e-6).along(v)  # h is 1e-3
    if distance < 1e-8:
        assert slope.kink
    else:
        assert not slope.kink
        assert slope.value == pytest.approx(1, abs=1e-9)


def test_slopes_are_accurate():
    slope = Slopes(lambda x: (np.exp(x),), np.array([1.0]), (np.ones(1),), 1e-6).along(np.ones(1))
    assert slope.value == pytest.approx(np.e, rel=1e-9)
    assert slope.agrees(np.e, 0)
    assert not slope.agrees(np.e * (1 + 1e-7), 0)
    assert not slope.agrees(np.nan, 1)


@given(st.lists(st.integers(1, 5), max_size=4), st.integers(0, 100))
def test_tie_free_has_neither_ties_nor_zeros(shape, seed):
    numbers = tie_free(tuple(shape), np.random.default_rng(seed))
    assert numbers.shape == tuple(shape)
    assert np.abs(numbers).min() > 0.4 / numbers.size
    assert numbers.size == 1 or np.diff(np.sort(numbers.ravel())).min() > 3.9 / numbers.size
    assert np.abs(numbers).max() <= 2.5


# ------------------------------------------------------------------------------------------------------ what it says


def test_the_table_shows_the_place_and_both_values(x):
    def backward(dy, cache):
        dx = 2 * dy
        dx[1, 2, 3, 4] += 0.5
        return dx

    report = gradcheck(double, x, backward=backward)
    worst = report["x"].worst
    assert worst.index == (1, 2, 3, 4)
    assert worst.mine == pytest.approx(worst.numeric + 0.5, abs=1e-8)
    text = str(report)
    assert "double: NOT right" in text
    assert f"at [1, 2, 3, 4] backward gives {worst.mine:.10g}, the numeric gradient is {worst.numeric:.10g}" in text
    assert "is right but for" in text


DIAGNOSES = {
    "is the numeric gradient times 1/2 (2 is the size of axis 0)": lambda dy, cache: dy,
    "is zero everywhere": lambda dy, cache: 0 * dy,
    "is the numeric gradient times -1": lambda dy, cache: -2 * dy,
    "is the numeric gradient flipped along both of the last two axes": lambda dy, cache: 2 * dy[..., ::-1, ::-1],
    "is the numeric gradient shifted by 1 along axis 3": lambda dy, cache: 2 * np.roll(dy, 1, axis=3),
    "right inside, but wrong within 1 pixel of the border": lambda dy, cache: 2 * dy * np.pad(np.ones((2, 3)), 1),
    "backward returned no gradient": lambda dy, cache: (None,),
    "has shape (2, 3, 4) where its input has (2, 3, 4, 5)": lambda dy, cache: 2 * dy[..., 0],
    "has NaN or infinity at 24 of 120 places, the first at [0, 0, 0, 1]": lambda dy, cache: 2 * dy / np.array([1, 0, 1, 1, 1]),
    "has dtype float32 where its input has float64": lambda dy, cache: (2 * dy).astype("f"),
    "backward changes the dy that it is given": lambda dy, cache: np.multiply(dy, 2, out=dy),
}


@pytest.mark.parametrize("words", DIAGNOSES)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_errors_are_said_in_words(words, x):
    report = gradcheck(double, x, backward=DIAGNOSES[words])
    assert not report
    assert words in str(report)


def test_too_few_gradients_are_said(x):
    report = gradcheck(lambda a, b: (a * b, (a, b)), x, x + 1, backward=lambda dy, cache: dy * cache[1])
    assert report["a"].passed
    assert report["b"].words == ("backward returned 1 gradients for 2 floating inputs",)


def test_a_gradient_that_is_really_zero_is_right_and_said(x):
    """The bias of a convolution before a batch norm in training: the mean takes it away again."""
    report = gradcheck(L.Sequential(L.Conv2d(3, 2, 2), L.BatchNorm2d(2)), x)
    assert report
    assert report["0.bias"].words == ("zero, as far as rounding errors let one see",)
    assert not report["0.weight"].words


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda dx: dx / 2, "times 1/2 (2 is the size of axis 0)"),
        (lambda dx: -dx, "times -1"),
        (lambda dx: 0 * dx, "backward's gradient is zero, at 200"),
        (lambda dx: np.maximum(dx, 0), "with its negative values set to 0"),
        (lambda dx: dx[:, :, ::-1].copy(), None),
    ],
)
def test_of_a_large_array_what_depends_on_no_place_is_named(wrong, said):
    x = tie_free((2, 3, 24, 32))
    row = gradcheck(lambda x: (x**2, x), x, backward=lambda dy, x: wrong(2 * x * dy))["x"]
    assert row.verdict == "WRONG"
    assert row.worst is not None
    if said is None:
        assert row.words == ()
    else:
        assert said in row.words[0]
        assert row.words[0].endswith("at 200 places of 4608, drawn at random")


def test_a_large_array_is_checked_by_directions_and_samples():
    x = np.random.default_rng(0).standard_normal((5, 1001))
    assert gradcheck(double, x, backward=lambda dy, cache: 2 * dy)
    assert gradcheck(double, x, backward=lambda dy, cache: dy)["x"].worst is not None

    def one_wrong(dy, cache):
        dx = 2 * dy
        dx[3, 777] += 0.01
        return dx

    assert not gradcheck(double, x, backward=one_wrong)


def test_elements_can_be_asked_for(x):
    calls = []
    gradcheck(lambda x: (calls.append(1), (2 * x, None))[1], x, backward=lambda dy, cache: 2 * dy)
    few = len(calls)
    calls.clear()
    assert gradcheck(lambda x: (calls.append(1), (2 * x, None))[1], x, backward=lambda dy, cache: 2 * dy, elements=True)
    assert len(calls) > few + 4 * x.size


# -------------------------------------------------------------------------------------------------------------- layers


class Scale(L.Layer):
    """y = weight · x, with something wrong on demand."""

    def __init__(self, wrong=""):
        super().__init__()
        self.weight, self.wrong = L.Parameter(np.full((3, 1, 1), 2.0, np.float32)), wrong

    def forward(self, x):
        self._push(x)
        return x * self.weight.data

    def backward(self, dy):
        x = self._pop()
        dweight = (dy * x).sum(axis=(0, 2, 3))[:, None, None]
        if self.wrong == "replaces":
            self.weight.grad = dweight
        elif self.wrong == "drops":
            self.weight.grad = dweight if self.weight.grad is None else None
        elif self.wrong != "forgets":
            self.weight.accumulate(dweight / 2 if self.wrong == "averages" else dweight)
        return dy * self.weight.data


def test_a_layer_of_the_readers_own(x):
    assert gradcheck(Scale(), x)


def test_a_layer_whose_state_moves_with_every_pass_is_put_back(x):
    class Counting(Scale):
        buffers = ("count",)

        def __init__(self):
            super().__init__()
            self.count = np.zeros(1, np.float32)

        def forward(self, x):
            self.count += 1
            return super().forward(x) * self.count

    report = gradcheck(Counting(), x)
    assert report, str(report)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [("replaces", "must add to .grad"), ("drops", "must add to .grad"), ("forgets", "no gradient"), ("averages", "times 1/2")],
)
def test_a_wrong_parameter_gradient_is_named(wrong, words, x):
    report = gradcheck(Scale(wrong), x)
    assert [row.verdict for row in report.rows] == ["right", "WRONG"]
    assert words in str(report)


def test_every_input_of_a_layer_is_checked(x, rng):
    labels = rng.integers(0, 3, (2, 4, 5))
    assert [row.name for row in gradcheck(L.CrossEntropyLoss(), x, labels).rows] == ["scores"]
    y, indices = L.MaxPool2d(2, return_indices=True)(x)
    assert gradcheck(L.MaxUnpool2d(), y, indices, output_size=(4, 5))
    assert gradcheck(L.MaxPool2d(2, return_indices=True), tie_free((2, 3, 4, 5)))


class TwoHeads(L.Layer):
    """x -> x² and weight · x, the second one's backward with something wrong on demand."""

    def __init__(self, wrong=""):
        super().__init__()
        self.weight, self.wrong = L.Parameter(np.full(5, 2.0, np.float32)), wrong

    def forward(self, x):
        self._push(x)
        return x * x, np.argmax(x, axis=0), x * self.weight.data

    def backward(self, dsquare, dproduct):
        x = self._pop()
        if self.wrong != "dweight":
            self.weight.accumulate((dproduct * x).sum(axis=(0, 1, 2)))
        else:
            self.weight.accumulate((dsquare * x).sum(axis=(0, 1, 2)))
        return 2 * x * dsquare + (0 if self.wrong == "dx" else dproduct * self.weight.data)


def test_every_output_of_a_layer_gets_a_gradient(x):
    """Indices, which are no floating numbers, get none."""
    report = gradcheck(TwoHeads(), x)
    assert report, str(report)
    assert gradcheck(TwoHeads("dx"), x)["x"].verdict == "WRONG"
    report = gradcheck(TwoHeads("dweight"), x)
    assert [(row.name, row.verdict) for row in report.rows] == [("x", "right"), ("weight", "WRONG")]


def test_a_layer_is_called_through_its_door(x):
    """Its watchers are told, its spies called."""
    net = L.Sequential(L.ReLU(), L.ReLU())
    told = []

    class Watcher(L.Watcher):
        def forward(self, layer, inputs, outputs):
            told.append(layer)

    with L.watching(Watcher()):
        assert gradcheck(net, x)
    assert len(told) > 4
    calls, door = [], L.Sequential.__call__
    layer = type("Counted", (L.Sequential,), {"__call__": lambda self, *xs: calls.append(1) or door(self, *xs)})(L.ReLU())
    assert gradcheck(layer, x)
    assert calls


# ----------------------------------------------------------------------------------------------------- who owns a gradient


class Sum(L.Layer):
    """a + b, with several ways to hand the gradient on."""

    def __init__(self, wrong=""):
        super().__init__()
        self.wrong = wrong

    def forward(self, a, b):
        return a + b

    def backward(self, dy):
        if self.wrong == "the same twice":
            return dy, dy
        if self.wrong == "a view":
            return dy, dy[:]
        if self.wrong == "overlapping":
            room = np.concatenate([dy.ravel(), np.zeros(1)])
            room[:-1] = dy.ravel()
            return room[:-1].reshape(dy.shape), room[:-1].reshape(dy.shape)
        return dy, dy.copy()


@pytest.mark.parametrize("wrong", ["the same twice", "a view", "overlapping"])
def test_two_roads_may_not_share_a_gradient(wrong, x):
    assert gradcheck(Sum(), x, x + 1)
    report = gradcheck(Sum(wrong), x, x + 1)
    assert [row.verdict for row in report.rows] == ["right", "WRONG"]
    assert report["b"].words == (
        "the gradients of a and b share memory: each road needs an array of its own to write over",
    )  # fmt: skip


def test_parts_of_one_array_that_do_not_overlap_may_be_handed_out(x):
    class Halves(L.Layer):
        def forward(self, a, b):
            return np.concatenate([a, b])

        def backward(self, dy):
            return dy[:2], dy[2:]

    assert gradcheck(Halves(), x, x + 1)


def test_a_parameter_may_not_keep_what_is_handed_on(x):
    """Its .grad would change when the layer in front writes over its dy."""

    class Shift(L.Layer):
        def __init__(self, copies):
            super().__init__()
            self.bias, self.copies = L.Parameter(np.ones((2, 3, 4, 5), np.float32)), copies

        def forward(self, x):
            return x + self.bias.data

        def backward(self, dy):
            self.bias.accumulate(dy.copy() if self.copies else dy)
            return dy

    assert gradcheck(Shift(copies=True), x)
    report = gradcheck(Shift(copies=False), x)
    assert [row.verdict for row in report.rows] == ["right", "WRONG"]
    assert "its .grad shares memory with the gradient of x" in str(report)


def test_a_layer_may_write_over_its_dy_and_a_function_may_not(x):
    assert gradcheck(L.ReLU(inplace=True), x)
    report = gradcheck(F.relu, x, backward=lambda dy, cache: F.relu_backward(dy, cache, inplace=True))
    assert not report
    assert "backward changes the dy that it is given" in str(report)


# --------------------------------------------------------------------------------------------------------- tied parameters


def tied(how):
    """Two convolutions with one weight."""
    first, second = L.Conv2d(2, 2, 3, padding=1), L.Conv2d(2, 2, 3, padding=1, bias=False)
    if how == "one layer":
        return L.Sequential(first, L.ReLU(), first)
    second.weight = first.weight
    return L.Sequential(first, L.ReLU(), second)


@pytest.mark.parametrize("how", ["one layer", "one parameter"])
def test_tied_parameters_are_moved_together_and_checked_once(how, rng):
    net = tied(how)
    report = gradcheck(net, rng.standard_normal((2, 2, 4, 5)))
    assert report, str(report)
    assert [row.name for row in report.rows] == ["x", "0.weight", "0.bias"]
    assert net[0].weight is net[2].weight


def test_a_tied_parameter_that_misses_one_use_is_wrong(rng):
    class Forgetful(L.Conv2d):
        def backward(self, dy):
            return F.conv2d_backward(dy, self._pop())[0]

    net = L.Sequential(L.Conv2d(2, 2, 3, padding=1), Forgetful(2, 2, 3, padding=1, bias=False))
    net[1].weight = net[0].weight
    report = gradcheck(net, rng.standard_normal((2, 2, 4, 5)))
    assert [(row.name, row.verdict) for row in report.rows] == [("x", "right"), ("0.weight", "WRONG"), ("0.bias", "right")]


def test_what_is_called_rng_but_draws_nothing_is_left_alone(x):
    """A network that keeps something of that name, which a check or a reseeding may not set."""

    class Net(L.Sequential):
        @property
        def rng(self):
            return np.random.default_rng(0)

    net = Net(L.ReLU())
    net.reseed(3)
    assert gradcheck(net, x)


# ---------------------------------------------------------------------------------------------------------- any number of


def test_functions_and_layers_of_any_number_of_inputs(x):
    report = gradcheck(F.concat, x, x + 1, x[:, :1])
    assert report, str(report)
    assert [row.name for row in report.rows] == ["parts[0]", "parts[1]", "parts[2]"]
    report = gradcheck(L.Concat(), x, x + 1)
    assert report, str(report)
    assert [row.name for row in report.rows] == ["parts[0]", "parts[1]"]

    class Product(L.Layer):
        def forward(self, *xs):
            self._push(xs)
            return np.prod(xs, axis=0)

        def backward(self, dy):
            xs = self._pop()
            return tuple(dy * np.prod([*xs[:i], *xs[i + 1 :]], axis=0) for i in range(len(xs)))

    assert gradcheck(Product(), x, x + 1, x - 2)
    wrong = type("Wrong", (Product,), {"backward": lambda self, dy: (*Product.backward(self, dy)[:-1], dy)})
    assert [row.verdict for row in gradcheck(wrong(), x, x + 1, x - 2).rows] == ["right", "right", "WRONG"]


def test_arguments_by_name_behind_any_number_of_others(x):
    def weighted(first, *others, factor, **named):
        return factor * (first + sum(others)) + named["shift"], (factor, len(others))

    def backward(dy, cache):
        return (*[cache[0] * dy] * (1 + cache[1]), dy)

    report = gradcheck(weighted, x, x + 1, x + 2, factor=3, shift=x, backward=backward)
    assert report, str(report)
    assert [row.name for row in report.rows] == ["first", "others[0]", "others[1]", "shift"]


# ------------------------------------------------------------------------------------------------- what cannot be checked


def returning(y):
    return lambda x: (y(x), None)


class Backward(L.Layer):
    """x -> x, with a backward of one's own."""

    def __init__(self, backward, forward=lambda x: 1 * x):
        super().__init__()
        self.own_forward, self.own_backward = forward, backward

    def forward(self, x):
        return self.own_forward(x)

    def backward(self, *dys):
        return self.own_backward(*dys)


def same(dy, cache=None):
    return dy


torch = pytest.importorskip("torch")
X = np.random.default_rng(0).standard_normal((2, 3))

UNCHECKABLE = {
    "a float as y": (
        lambda: gradcheck(returning(lambda x: float(x.sum())), X, backward=same), "returns a float as y; it must"),
    "whole numbers as y": (
        lambda: gradcheck(returning(lambda x: x.astype(int)), X, backward=same), "returns an array of int64 as y"),
    "two ys": (
        lambda: gradcheck(returning(lambda x: (x, x)), X, backward=same), r"a tuple of 2 as y.*return one array, or"),
    "a list of ys": (lambda: gradcheck(returning(lambda x: [x]), X, backward=same), "returns a list of 1 as y"),
    "a tensor as y": (lambda: gradcheck(returning(torch.tensor), X, backward=same), "returns a torch Tensor as y"),
    "a tensor as x": (
        lambda: gradcheck(F.relu, torch.ones(2, 3)), "x of relu is a torch Tensor; give NumPy or CuPy arrays"),
    "a tensor for a layer": (lambda: gradcheck(L.ReLU(), torch.ones(2, 3)), "x of ReLU is a torch Tensor"),
    "a list of arrays": (
        lambda: gradcheck(lambda xs: (xs[0], None), [X, X], backward=same), "is a list of arrays, which would not"),
    "a dict of arrays": (lambda: gradcheck(lambda xs: (xs["a"], None), {"a": X}, backward=same), "is a dict of arrays"),
    "gradients as a dict": (
        lambda: gradcheck(double, X, backward=lambda dy, cache: {"x": 2 * dy}), "double's backward returns a dict; let"),
    "a gradient that is a tensor": (
        lambda: gradcheck(double, X, backward=lambda dy, cache: torch.tensor(2 * dy)), "returns a torch Tensor"),
    "a gradient that is a float": (lambda: gradcheck(double, X, backward=lambda dy, cache: 2.0), "returns a float"),
    "a layer's gradients in a list": (
        lambda: gradcheck(Backward(lambda dy: [dy]), X), "backward returns a list; let it return an array, or"),
    "a layer's gradients in a dict": (lambda: gradcheck(Backward(lambda dy: {"x": dy}), X), "backward returns a dict"),
    "a layer that returns a list": (lambda: gradcheck(Backward(same, lambda x: [x]), X), "Backward returns a list; let it"),
    "a layer that returns None": (lambda: gradcheck(Backward(same, lambda x: None), X), "Backward.forward returned None"),
    "a layer that returns a float": (lambda: gradcheck(Backward(same, lambda x: float(x[0, 0])), X), "returns a float"),
    "a layer of whole numbers": (
        lambda: gradcheck(Backward(same, lambda x: (x > 0, x.astype(int))), X), "bool and int64, of which nothing is floating"),
    "no layer": (
        lambda: gradcheck(types.SimpleNamespace(forward=same, backward=same), X), "has forward and backward but is no"),
}  # fmt: skip


@pytest.mark.parametrize("what", UNCHECKABLE)
def test_what_is_no_array_is_refused_with_a_sentence(what):
    check, words = UNCHECKABLE[what]
    with pytest.raises(TypeError, match=words) as refusal:
        check()
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("subject", [F.relu, L.ReLU(), L.Conv2d(3, 2, 1)])
def test_an_empty_array_is_refused(subject):
    with pytest.raises(ValueError, match=r"x of \w+ has shape \(0, 3, 2, 2\), which is empty"):
        gradcheck(subject, np.ones((0, 3, 2, 2)))


def test_a_layer_that_draws_by_itself_is_told_how_to_repeat(x):
    generator = np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"another output each time; let it draw from self\.rng, and say draws = True"):
        gradcheck(Backward(same, lambda x: x + generator.random()), x)


def test_too_many_gradients_are_said(x):
    report = gradcheck(double, x, backward=lambda dy, cache: (2 * dy, dy, dy))
    assert report["x"].words == ("backward returned 3 gradients for 1 floating inputs",)
    report = gradcheck(Backward(lambda dy: (dy, dy.copy())), x)
    assert report["x"].words == ("backward returned 2 gradients for 1 floating inputs",)
    assert gradcheck(F.batch_norm, x, None, None, training=True)  # (dx, None, None)
