"""A number is the sum that is shown, its influence is its derivative, and its gradient the sum over its readers."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from minifcn import functional as F
from minifcn import layers as L
from minifcn import models
from minifcn.checks.network import awake, settle, sized
from minifcn.checks.numeric import Slopes
from minifcn.explore import Trace, local
from minifcn.layers import CrossEntropyLoss

PLACES = 1000  # of every network


@functools.lru_cache(maxsize=1)  # the tests of one network come one after the other
def network(name: str) -> tuple[L.Layer, np.ndarray]:
    """A narrow network in float64 whose weights are all alive, and a picture (1, 3, H, W)."""
    net = awake(name)
    x = np.random.default_rng(0).standard_normal((2, 3, *sized(name, (33, 47))))
    settle(net, x)
    return net, x[:1]


def traced(name: str, dtype: str = "float64") -> Trace:
    net, x = network(name)
    if dtype == "float64":
        return Trace(net, x)
    narrow = awake(name)
    narrow.load_state_dict(net.state_dict())
    return Trace(narrow.to(dtype), x.astype(dtype))


def random_places(trace: Trace, count: int, rng: np.random.Generator, keys: list[str] | None = None) -> list:
    """(key, channel, row, column), each layer as likely as any other."""
    keys = keys or trace.keys[1:]
    chosen = [keys[int(rng.integers(len(keys)))] for _ in range(count)]
    return [(key, *(int(rng.integers(n)) for n in trace.maps(key).shape)) for key in chosen]


def off(sum_) -> float:
    """How far terms and bias are from the number, beside the largest of them."""
    sizes = np.abs(sum_.terms["weight"] * sum_.terms["x"]).max(initial=0), abs(sum_.value), abs(getattr(sum_, "bias", 0.0))
    return abs(sum_.total - sum_.value) / (max(sizes) or 1.0)


def is_in(maps: np.ndarray, term: np.void) -> bool:
    """Whether a term's place is one of the maps'."""
    return all(0 <= term[name] < n for name, n in zip(("channel", "row", "column"), maps.shape, strict=True))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("float32", 1e-5)])
@pytest.mark.parametrize("name", models.names())
def test_terms_and_bias_are_the_number(name, dtype, tolerance, rng):
    trace = traced(name, dtype)
    worst = max(((off(trace.terms(*place)), place) for place in random_places(trace, PLACES, rng)), key=lambda pair: pair[0])
    assert worst[0] <= tolerance, worst


@pytest.mark.parametrize("name", models.names())
def test_weights_of_the_terms_are_the_layers_own_derivatives(name, rng):
    """Each formula beside the layer's backward, which knows nothing of it: another tap with the same sum would show."""
    trace = traced(name)
    for place in random_places(trace, 40, rng):
        step = trace.step(place[0])
        terms = trace.terms(*place).terms
        expected = [np.zeros(x.shape[1:]) for x in step.xs]
        for source, dx in enumerate(local.backward(step, local.seed(step.y, *place[1:]))):
            expected[source] += dx[0]
        found = [np.zeros_like(local.as_maps(x)) for x in step.xs]
        for source, channel, row, column, weight, _ in terms.tolist():
            if 0 <= row < found[source].shape[1] and 0 <= column < found[source].shape[2]:
                found[source][channel, row, column] += weight
        for mine, right in zip(found, expected, strict=True):
            np.testing.assert_allclose(mine.ravel(), right.ravel(), rtol=1e-12, atol=1e-15, err_msg=str(place))


@pytest.mark.parametrize("name", models.names())
def test_influence_is_the_derivative_and_stays_in_its_field(name, rng):
    net, x = network(name)
    trace = traced(name)
    proven = 0
    for key, *at in random_places(trace, 6, rng):
        dx = trace.influence(key, *at)
        assert dx.shape == x.shape
        box = trace.field(key, *at[1:])
        outside = np.ones(x.shape[2:], bool)
        if box:
            outside[max(box.top, 0) : box.bottom + 1, max(box.left, 0) : box.right + 1] = False
        assert not dx[0][:, outside].any(), (key, at, box)
        if proven == 2:
            continue  # a deep network is run some twenty times for each
        v = rng.standard_normal(x.shape)
        slopes = Slopes(lambda x, key=key, at=at: (Trace(net, x).maps(key)[tuple(at)],), x, (np.ones(()),), 1e-7)
        slope = slopes.along(v)
        if not slope.kink:
            scale = float(np.sqrt((dx**2).sum())) or 1.0
            assert slope.agrees(float((dx * v).sum()), 1e-7 * scale), (key, at)
            proven += 1
    assert proven == 2


@pytest.mark.parametrize("name", models.names())
def test_gradients_are_the_sums_over_their_readers(name, rng):
    trace = traced(name)
    middle = random_places(trace, 1, rng, trace.keys[len(trace.keys) // 2 :])[0]
    for start in (None, middle):
        for place in random_places(trace, 25, rng, trace.keys):
            found = trace.gradient_terms(*place, start=start)
            assert off(found) <= 1e-12, (place, start)
            for term in found.terms[(found.terms["source"] >= 0) & (found.terms["channel"] >= 0)]:
                assert is_in(trace.steps[term["source"]].maps, term), (place, "is read by a place that there is not")


@pytest.mark.parametrize("name", models.names())
def test_a_weights_gradient_is_the_sum_over_its_uses_and_the_numeric_one(name, rng):
    net, x = network(name)
    trace = traced(name)
    kernels = [step.key for step in trace.steps if step.own(L.Conv2d, L.ConvTranspose2d)]
    for _ in range(8):
        step = trace.step(kernels[int(rng.integers(len(kernels)))])
        index = tuple(int(rng.integers(n)) for n in step.layer.weight.shape)
        assert off(trace.weight_gradient(step.key, index)) <= 1e-12, (step.key, index)
    labels, weight, index = trace.scores.argmax(1), dict(net.named_parameters()), (0, 0, 0, 0)
    key = next(key for key in (step.key for step in reversed(trace.steps)) if key in kernels)
    data = weight[f"{key}.weight"].data
    kept, sides, h = data[index], [], 1e-6
    for step in (h, -h):
        data[index] = kept + step
        sides.append(float(CrossEntropyLoss()(Trace(net, x).scores, labels)))
    data[index] = kept
    value = trace.weight_gradient(key, index).value
    assert abs((sides[0] - sides[1]) / (2 * h) - value) <= 1e-7 * max(1, abs(value))


def test_gradients_begun_at_one_number_are_its_influence(rng):
    trace = traced("fcn8s")
    place = ("pool3", 1, 2, 3)
    np.testing.assert_array_equal(trace.gradient("input", start=place), trace.influence(*place)[0])
    assert trace.gradient("pool3", start=place).sum() == 1
    assert not trace.gradient("conv4_1", start=place).any(), "what stands behind the number has no part in it"


def test_each_beginning_has_gradients_of_its_own():
    trace = traced("fcn8s")
    starts = (None, ("pool3", 1, 2, 3), ("pool3", 0, 2, 3), None)
    found = [trace.gradient("conv1_1", start).copy() for start in starts]
    np.testing.assert_array_equal(found[0], found[3])
    assert len({one.tobytes() for one in found}) == 3


def test_one_class_at_one_pixel(rng):
    trace = traced("fcn8s")
    dx = trace.gradient("input", start=(trace.keys[-1], 2, 20, 30))
    net, x = network("fcn8s")
    v, h = rng.standard_normal(x.shape), 1e-7
    numeric = (Trace(net, x + h * v).scores - Trace(net, x - h * v).scores)[0, 2, 20, 30] / (2 * h)
    np.testing.assert_allclose((dx * v[0]).sum(), numeric, rtol=1e-6)


def test_labels_are_what_the_loss_is_held_against(rng):
    net, x = network("fcn8s")
    labels = rng.integers(0, 4, x.shape[2:])
    trace = Trace(net, x, labels)
    criterion = CrossEntropyLoss()
    loss = criterion(trace.scores, labels[None])
    assert trace.gradients().loss == float(loss)
    np.testing.assert_array_equal(trace.gradient(trace.keys[-1]), criterion.backward()[0])


# ----------------------------------------------------------------------------------------------- it leaves the network alone


def test_the_network_is_as_it_was(rng):
    net = L.Sequential(L.Conv2d(3, 4, 3, padding=1, rng=rng), L.BatchNorm2d(4), L.ReLU(inplace=True), L.Dropout())
    net.needs_dx = False
    net[0].requires_grad_(False)
    x = rng.standard_normal((1, 3, 6, 7)).astype("f")
    net.backward(net(x))
    before = [(p.data.copy(), None if p.grad is None else p.grad.copy(), p.requires_grad) for p in net.parameters()]
    state = [net.training, net[2].inplace, net.needs_dx, {k: v.copy() for k, v in net.state_dict().items()}]
    waiting = net(x)
    kept = [len(layer.kept()) for layer in net]
    trace = Trace(net, x)
    trace.influence("1", 0, 0, 0)
    trace.gradients()
    trace.terms("3", 0, 1, 1)
    for (data, grad, learns), p in zip(before, net.parameters(), strict=True):
        np.testing.assert_array_equal(p.data, data)
        assert (p.grad is None) == (grad is None)
        assert p.requires_grad == learns
    assert [net.training, net[2].inplace, net.needs_dx] == state[:3]
    assert [len(layer.kept()) for layer in net] == kept
    net.backward(waiting)


def test_maps_are_those_of_the_layers_even_where_a_relu_writes_over_them(rng):
    conv = L.Conv2d(3, 4, 3, rng=rng)
    x = rng.standard_normal((1, 3, 6, 7)).astype("f")
    trace = Trace(L.Sequential(conv, L.ReLU(inplace=True)), x)
    np.testing.assert_allclose(trace.maps("0"), conv(x)[0], rtol=1e-6)
    assert trace.maps("0").min() < 0
    assert trace.step("1").sources == (1,)


class Shifted(L.Layer):
    """A line of its own in front of a ReLU that writes over what it is given."""

    def __init__(self):
        super().__init__()
        self.relu = L.ReLU(inplace=True)

    def forward(self, x):
        return self.relu(x - 1)

    def backward(self, dy):
        return self.relu.backward(dy)


def test_what_a_relu_was_given_is_what_it_was_given(rng):
    x = rng.standard_normal((1, 1, 4, 5))
    trace = Trace(Shifted(), x)
    np.testing.assert_array_equal(trace.step("relu").xs[0], x - 1)
    np.testing.assert_array_equal(trace.maps("input"), x[0])


# -------------------------------------------------------------------------------------------------- layers of one's own


class Swish(L.Layer):
    """x · sigmoid(x): neither known nor affine."""

    def forward(self, x):
        s = 1 / (1 + np.exp(-x))
        self._push((x, s))
        return x * s

    def backward(self, dy):
        x, s = self._pop()
        return dy * (s + x * s * (1 - s))


class Doubled(L.Layer):
    """2·x + 1, written over x."""

    def forward(self, x):
        x *= 2
        x += 1
        return x

    def backward(self, dy):
        return 2 * dy


class Mine(L.Layer):
    """A line of its own between its layers, one layer used twice, and two roads that meet."""

    def __init__(self, rng):
        super().__init__()
        self.conv = L.Conv2d(3, 3, 3, padding=1, rng=rng)
        self.swish, self.doubled, self.add = Swish(), Doubled(), L.Add()

    def forward(self, x):
        a = self.swish(self.conv(x))
        b = self.doubled(self.conv(a))
        return self.add(-a, b)

    def backward(self, dy):
        da, db = self.add.backward(dy)
        return self.conv.backward(self.swish.backward(self.conv.backward(self.doubled.backward(db)) - da))


@pytest.fixture
def mine(rng) -> Trace:
    return Trace(Mine(rng).to("float64"), rng.standard_normal((1, 3, 6, 7)))


def test_anybodys_layers(mine, rng):
    assert mine.keys == ["input", "conv", "swish", "conv#2", "doubled", "add"]
    assert [step.sources for step in mine.steps] == [(), (0,), (1,), (2,), (3,), (None, 4)]
    for place in random_places(mine, 100, rng):
        assert off(mine.terms(*place)) < 1e-12
    assert not mine.is_sum("swish")
    assert mine.is_sum("doubled")
    assert mine.terms("doubled", 0, 1, 2).bias == 1
    terms, _, _ = mine.terms("doubled", 0, 1, 2)
    assert terms.tolist() == [(0, 0, 1, 2, 2.0, mine.maps("conv#2")[0, 1, 2])]


def test_anybodys_gradients(mine, rng):
    for place in random_places(mine, 60, rng, mine.keys):
        assert off(mine.gradient_terms(*place)) < 1e-12, place
    (term,) = mine.gradient_terms("conv#2", 1, 2, 3).terms
    assert (term["source"], term["weight"]) == (4, 2), "a doubled number counts twice, the constant not at all"


def test_anybodys_influence_is_the_derivative(mine, rng):
    for key, *at in [("conv#2", 1, 2, 3), ("conv", 1, 2, 3), ("add", 2, 0, 6)]:
        dx, v, h = mine.influence(key, *at), rng.standard_normal(mine.x.shape), 1e-6
        high, low = (Trace(mine.net, mine.x + side * v).maps(key)[tuple(at)] for side in (h, -h))
        np.testing.assert_allclose((dx * v).sum(), (high - low) / (2 * h), rtol=1e-7)


def test_a_layer_used_twice_has_a_gradient_for_each_use(mine):
    first, second = mine.gradient("conv"), mine.gradient("conv#2")
    assert not np.allclose(first, second)
    both = mine.weight_gradient("conv", (0, 1, 2, 2))
    assert set(both.terms["source"]) == {1, 3}
    assert off(both) < 1e-12


def test_a_layer_that_is_not_affine_reads_with_one_term(mine):
    found = mine.gradient_terms("conv", 0, 1, 2)
    assert found.terms["channel"].tolist() == [-1]
    assert off(found) < 1e-12


def test_what_a_line_of_the_networks_own_has_read_is_one_term(mine):
    found = mine.gradient_terms("swish", 0, 1, 2)
    assert sorted({*found.terms["source"].tolist()}) == [-2, 3]
    (line,) = found.terms[found.terms["source"] == -2]
    np.testing.assert_allclose(line["x"], -mine.gradient("add")[0, 1, 2], rtol=1e-9)
    assert -2 not in mine.gradient_terms("doubled", 0, 1, 2).terms["source"], "the sum is all of it"


class Forgetful(L.Layer):
    """Arrays between its layers come and go, and Python gives their places in memory, and so their identities, again."""

    def __init__(self):
        super().__init__()
        self.conv = L.Conv2d(1, 1, 1)

    def forward(self, x):
        for _ in range(30):
            x = self.conv(x)
            x = x * 2.0
            x = x + 1.0
        return x


def test_an_array_is_not_taken_for_one_that_is_gone():
    steps = Trace(Forgetful().to("float64"), np.ones((1, 1, 2, 2))).steps
    assert [step.sources for step in steps[1:]] == [(0,), *[(None,)] * 29]


class Turned(L.Conv2d):
    """A convolution with a forward of its own is not taken for one of ours."""

    def forward(self, x):
        return super().forward(x[..., ::-1].copy())[..., ::-1].copy()

    def backward(self, dy):
        return super().backward(dy[..., ::-1].copy())[..., ::-1].copy()


def test_a_subclass_with_a_forward_of_its_own_is_asked_not_presumed(rng):
    trace = Trace(L.Sequential(Turned(2, 3, 3, rng=rng)).to("float64"), rng.standard_normal((1, 2, 5, 6)))
    assert trace.is_sum("0")
    for place in random_places(trace, 50, rng):
        assert off(trace.terms(*place)) < 1e-12


def test_every_kind_of_window(rng):
    """Strides, paddings, dilations and groups that differ along the axes."""
    net = L.Sequential(
        a=L.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(1, 3), groups=2, rng=rng),
        b=L.MaxPool2d((3, 2), stride=(1, 2), padding=(1, 0), ceil_mode=True),
        c=L.ConvTranspose2d(
            6, 4, (3, 4), stride=(2, 3), padding=(1, 0), output_padding=(1, 2), groups=2, dilation=(1, 2), rng=rng
        ),
        d=L.AvgPool2d(2, ceil_mode=True), e=L.LPPool2d(2, 2), f=L.Upsample(scale_factor=1.5, mode="bilinear"),
    ).to("float64")  # fmt: skip
    for layer in (net.a, net.c):
        layer.bias.data[...] = rng.standard_normal(layer.bias.shape)
    trace = Trace(net, rng.standard_normal((1, 4, 11, 9)))
    for place in random_places(trace, 400, rng, trace.keys):
        assert off(trace.terms(*place)) < 1e-12, place
        assert off(trace.gradient_terms(*place)) < 1e-12, place
    for key in "ac":
        for _ in range(40):
            index = tuple(int(rng.integers(n)) for n in trace.step(key).layer.weight.shape)
            assert off(trace.weight_gradient(key, index)) < 1e-12, (key, index)


def test_equal_numbers_in_a_window_and_nan(rng):
    x = np.array([[3.0, 3.0, np.nan, 1.0], [1.0, 3.0, 2.0, np.nan]])[None, None]
    trace = Trace(L.Sequential(L.MaxPool2d(2), L.Conv2d(1, 1, 1)).to("float64"), x)
    _, cache = F.max_pool2d(x, 2)
    for column, right in enumerate(F.max_pool2d_indices(cache)[0, 0, 0]):
        terms = trace.terms("0", 0, 0, column).terms
        (won,) = terms[terms["weight"] == 1]
        assert (won["row"], won["column"]) == divmod(int(right), 4)


# ------------------------------------------------------------------------------------------------------------ deconvolution


@pytest.mark.parametrize(
    ("kernel", "options"),
    [
        (4, {"stride": 2, "padding": 1}), (3, {"stride": 2, "padding": 1, "output_padding": 1}), (2, {"stride": 3}), (5, {}),
        ((4, 3), {"stride": (2, 3), "padding": (0, 1), "output_padding": (1, 0), "groups": 2}),
        (4, {"stride": 3, "dilation": 2, "padding": 1}),
        (3, {"stride": 2, "dilation": 3, "padding": 2, "output_padding": 2}),
        (3, {"stride": 1, "padding": 3, "dilation": 2}),
    ],
)  # fmt: skip
def test_three_views_of_a_deconvolution_agree(kernel, options, rng):
    net = L.Sequential(L.ConvTranspose2d(4, 6, kernel, rng=rng, **options)).to("float64")
    trace = Trace(net, rng.standard_normal((1, 4, 5, 6)))
    for channel, row, column in np.ndindex(trace.maps("0").shape):
        views = trace.three_views("0", channel, row, column)
        right = trace.maps("0")[channel, row, column]
        for terms in views:
            np.testing.assert_allclose((terms["weight"] * terms["x"]).sum(), right, rtol=1e-12, atol=1e-12)
        assert all(is_in(trace.maps("input"), term) for term in trace.terms("0", channel, row, column).terms)
        at = list(zip(*(views.zeros[name].tolist() for name in ("channel", "row", "column")), strict=True))
        assert at == sorted(at), "the turned kernel lies on the stretched input in its order"
        assert len(views.stamps) <= len(views.phases) <= len(views.zeros)
        assert np.count_nonzero(views.zeros["x"]) == len(views.stamps) == np.count_nonzero(views.phases["x"])


def test_four_steps_of_a_batch_norm(rng):
    net = L.Sequential(L.BatchNorm2d(3)).to("float64")
    net[0].running_mean[...], net[0].running_var[...] = rng.standard_normal(3), rng.uniform(0.5, 2, 3)
    net[0].weight.data[...], net[0].bias.data[...] = rng.standard_normal((2, 3))
    trace = Trace(net, rng.standard_normal((1, 3, 4, 5)))
    four = trace.batch_norm("0", 2, 3, 4)
    assert four.x == trace.maps("input")[2, 3, 4]
    np.testing.assert_allclose(four.y, trace.maps("0")[2, 3, 4], rtol=1e-14)
    np.testing.assert_allclose(
        four.centred / four.deviation, (four.x - net[0].running_mean[2]) / np.sqrt(net[0].running_var[2] + 1e-5)
    )


# ---------------------------------------------------------------------------------------------------------- what is refused


def test_what_is_refused(mine, rng):
    with pytest.raises(ValueError, match=r"no layer 'nothing' in this pass; there are input, conv, swish"):
        mine.terms("nothing", 0, 0, 0)
    with pytest.raises(ValueError, match=r"conv has 3 channels of 6x7, and no place \(0, 6, 0\)"):
        mine.influence("conv", 0, 6, 0)
    with pytest.raises(ValueError, match="give one picture"):
        Trace(mine.net, rng.standard_normal((2, 3, 6, 7)))
    with pytest.raises(ValueError, match="swish is a Swish"):
        mine.weight_gradient("swish", (0, 0, 0, 0))
    with pytest.raises(ValueError, match="no place"):
        mine.weight_gradient("conv", (0, 0, 0, 3))
    with pytest.raises(ValueError, match="no BatchNorm2d"):
        mine.batch_norm("conv", 0, 0, 0)
    with pytest.raises(ValueError, match="no ConvTranspose2d"):
        mine.three_views("conv", 0, 0, 0)


def test_a_pass_that_does_not_fit_is_refused_before_it_runs(monkeypatch, rng):
    from minifcn.machine import facts

    monkeypatch.setattr(facts, "memory", lambda: (2**20, 2**20))
    net = L.Sequential(L.Conv2d(3, 64, 3, padding=1))
    monkeypatch.setattr(Trace, "_follow", lambda _: pytest.fail("it ran"))
    with pytest.raises(ValueError, match=r"exploring a picture of 400x300 takes .* GB of memory"):
        Trace(net, np.zeros((1, 3, 400, 300), np.float32))


def test_a_network_whose_backward_keeps_the_pictures_gradient(rng):
    class Silent(Mine):
        def backward(self, dy):
            super().backward(dy)

    with pytest.raises(ValueError, match="the backward of Silent returns no gradient of the picture"):
        Trace(Silent(rng).to("float64"), rng.standard_normal((1, 3, 6, 7))).influence("conv", 0, 0, 0)
