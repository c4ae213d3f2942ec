"""The one door of a layer: what it keeps, what it forgets, what it refuses to own."""

from __future__ import annotations

import contextlib
import copy
import inspect
import pickle
import threading
import warnings
from collections import deque

import numpy as np
import pytest

import minifcn
from minifcn import layers as L
from minifcn.kernels import select, threads
from minifcn.kernels.geometry import Geometry
from minifcn.layers.module import is_grad_off

X = np.random.default_rng(1).standard_normal((1, 2, 6, 5)).astype("f")


def conv(rng_seed: int = 0) -> L.Conv2d:
    return L.Conv2d(2, 2, 3, padding=1, rng=np.random.default_rng(rng_seed))


def waiting(net: L.Layer) -> dict[str, int]:
    """How many caches each layer keeps, where there are any."""
    return {key: len(layer.kept()) for key, layer in net.named_layers() if layer.kept()}


class Owner(L.Layer):
    """Has one attribute, ``it``."""

    def __init__(self, it):
        super().__init__()
        self.it = it


# ------------------------------------------------------------------------------------------------- what is lost in a list

HIDDEN = {
    "a list": lambda one: [one],
    "a tuple": lambda one: (1, one),
    "a set": lambda one: {one},
    "a frozen set": lambda one: frozenset([one]),
    "a dict": lambda one: {"a": one},
    "a list in a list": lambda one: [[], [one]],
    "a tuple in a dict": lambda one: {"a": ("b", one)},
    "a dict in a list of tuples": lambda one: [("a", {"b": [one]})],
    "keys": lambda one: {one: "a"},
    "a deque": lambda one: deque([one]),
    "values of a dict": lambda one: {"a": one}.values(),
    "an array of objects": lambda one: np.array([[one, None]]),
}


@pytest.mark.parametrize("what", [L.ReLU, lambda: L.Parameter(np.ones(2))], ids=["layer", "parameter"])
@pytest.mark.parametrize("how", HIDDEN)
def test_layers_in_a_collection_are_refused(how, what):
    with pytest.raises(TypeError, match=r"Owner\.it is a \w+ of layers or parameters.*put them into a Sequential"):
        Owner(HIDDEN[how](what()))


@pytest.mark.parametrize("walk", [
    lambda net: list(net.parameters()), lambda net: net.state_dict(), lambda net: net.train(), lambda net: net.to("float64"),
    lambda net: net.zero_grad(), lambda net: net.freeze(), lambda net: net.reseed(0), lambda net: list(net.named_buffers()),
])  # fmt: skip
def test_a_list_that_was_filled_later_is_refused_by_every_walk(walk):
    net = Owner([])
    for _ in range(3):
        net.it.append(conv())
    for whole in (net, L.Sequential(net)):
        with pytest.raises(TypeError, match=r"Owner\.it is a list of layers"):
            walk(whole)


def test_other_collections_are_welcome():
    around = [1]
    around.append(around)
    for it in ([1, 2], (1, (2, 3)), {"a": [X]}, [], {L.ReLU}, "layers", [L.ReLU], around):
        assert Owner(it).it is it


@pytest.mark.parametrize("value", [L.ReLU(), L.Parameter(np.ones(1))], ids=["layer", "parameter"])
def test_a_missing_super_init_says_so(value):
    class Hasty(L.Layer):
        def __init__(self):
            self.part = value

    with pytest.raises(AttributeError, match=r"Hasty\.part: call super\(\).__init__\(\) first"):
        Hasty()


def test_a_missing_super_init_says_so_when_the_layer_is_used():
    class Hasty(L.Layer):
        def __init__(self):
            self.factor = 2

        def forward(self, x):
            self._push(x)
            return x

    for use in (lambda layer: layer(X), lambda layer: layer.forward(X), lambda layer: layer.kept()):
        with pytest.raises(AttributeError, match=r"Hasty has no attribute '\w+'; its __init__ must call super\(\)"):
            use(Hasty())
    with pytest.raises(AttributeError, match=r"Hasty has no attribute 'factory'$"):
        _ = Hasty().factory


NAMES = sorted({name for name in [*dir(L.Layer), "training", "_stack", "_config"] if not name.startswith("__")})


@pytest.mark.parametrize("name", NAMES)
def test_no_layer_takes_the_name_of_something_that_every_layer_has(name):
    with pytest.raises(ValueError, match=f"'{name}' is a name that every Layer has; call it something else"):
        L.Sequential(**{name: L.ReLU()})
    with pytest.raises(ValueError, match=f"'{name}' is a name"):
        setattr(L.Sequential(), name, L.Parameter(np.ones(1)))


def test_names_that_would_spoil_the_keys_are_refused():
    for name in ("a.b", "", "."):
        with pytest.raises(ValueError, match="cannot name a layer"):
            L.Sequential(**{name: L.ReLU()})
    with pytest.raises(ValueError, match="two layers '0'"):
        L.Sequential(L.ReLU(), **{"0": L.ReLU()})


def test_a_layer_is_no_part_of_itself():
    """Whoever walks would never come to an end."""
    net = L.Sequential(L.Sequential(inner=conv()))
    for below in (net, net[0], net[0].inner):
        with pytest.raises(ValueError, match=r"would make \w+ a part of itself"):
            below.parent = net


def test_a_parameter_or_a_layer_is_not_replaced_by_something_else():
    net = L.Sequential(conv=conv())
    with pytest.raises(TypeError, match=r"Conv2d\.weight is a Parameter and cannot become a ndarray.*write into weight\.data"):
        net.conv.weight = np.ones((2, 2, 3, 3))
    with pytest.raises(TypeError, match=r"Sequential\.conv is a Layer and cannot become a function: assign a Layer or None$"):
        net.conv = lambda x: x
    net.conv.bias = None
    net.conv.weight = L.Parameter(net.conv.weight.data)
    net.conv = L.ReLU()
    assert list(net.parameters()) == []


# --------------------------------------------------------------------------------------------------------------- spies


def test_spies_are_called_and_keep_only_their_own_pair_from_running_in_one_pass(monkeypatch):
    fused, right = [], L.Conv2d.forward_relu
    monkeypatch.setattr(L.Conv2d, "forward_relu", lambda self, x, relu: fused.append(self) or right(self, x, relu))
    for place in (0, 1):
        net = L.Sequential(conv(), L.ReLU(inplace=True), conv(1), L.ReLU(inplace=True))
        expected = net(X)
        fused.clear()
        forward, backward, seen = net[place].forward, net[place].backward, []
        net[place].forward = lambda x, forward=forward, seen=seen: seen.append("forward") or forward(x)
        net[place].backward = lambda dy, backward=backward, seen=seen: seen.append("backward") or backward(dy)
        np.testing.assert_array_equal(net(X), expected)
        assert net.backward(np.ones_like(X)) is not None
        assert seen == ["forward", "backward"]
        assert fused == [net[2]]


def test_a_spy_on_a_whole_network_is_called():
    net, seen = L.Sequential(conv()), []
    net.forward = lambda x: seen.append(x) or 2 * x
    np.testing.assert_array_equal(net(X), 2 * X)
    assert len(seen) == 1


# ---------------------------------------------------------------------------------------------- what a forward leaves behind


class Failing(L.Layer):
    """x -> x, and an error when told to."""

    def __init__(self):
        super().__init__()
        self.fails = False

    def forward(self, x):
        self._push(x)
        if self.fails:
            raise KeyboardInterrupt if self.fails == "interrupted" else ZeroDivisionError
        return x

    def backward(self, dy):
        self._pop()
        return dy


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("fails", "error"), [(True, ZeroDivisionError), ("interrupted", KeyboardInterrupt)])
def test_a_forward_that_fails_leaves_nothing_and_takes_nothing_from_earlier_ones(training, fails, error):
    net = L.Sequential(conv(), L.Sequential(L.ReLU(inplace=True), conv(1)), Failing(), conv(2)).train(training)
    dy = np.ones_like(net(X))
    expected = net.backward(dy.copy())
    net(X)
    before = waiting(net)
    net[2].fails = fails
    with pytest.raises(error):
        net(3 * X)
    assert waiting(net) == before
    net[2].fails = False
    np.testing.assert_array_equal(net.backward(dy.copy()), expected)
    assert waiting(net) == {}
    net[2].fails = fails
    with pytest.raises(error):
        net(X)
    assert waiting(net) == {}


def test_a_forward_whose_watcher_fails_leaves_nothing():
    class Angry(L.Watcher):
        def forward(self, layer, inputs, outputs):
            if isinstance(layer, L.MaxPool2d):
                raise ZeroDivisionError

    net = L.Sequential(conv(), L.MaxPool2d(2), conv())
    with pytest.raises(ZeroDivisionError), L.watching(Angry()):
        net(X)
    assert waiting(net) == {}
    net(X)
    assert len(waiting(net)) == 3


def many_layers() -> L.Sequential:
    return L.Sequential(
        conv(), L.BatchNorm2d(2), L.ReLU(inplace=True), L.MaxPool2d(2), L.Sequential(conv(1), L.ReLU(inplace=True)),
        L.Upsample((6, 5)), L.Dropout(0.3),
    )  # fmt: skip


NETWORKS = {
    "many layers": many_layers,
    "fcn8s": lambda: minifcn.models.build("fcn8s", 3, width=1 / 64, padding=1, in_channels=2),
    "unet": lambda: minifcn.models.build("unet", 3, width=1 / 64, batch_norm=True, in_channels=2),
}
PICTURE = np.random.default_rng(0).standard_normal((1, 2, 16, 17)).astype("f")


@pytest.mark.parametrize("name", NETWORKS)
def test_evaluation_without_no_grad_keeps_a_bounded_number_of_passes(name):
    net = NETWORKS[name]().eval()
    net(PICTURE), net(PICTURE)
    twice = waiting(net)
    assert set(twice.values()) == {2}
    for _ in range(10):
        net(PICTURE)
    assert waiting(net) == twice


@pytest.mark.parametrize("older", [0, 1, 2, 3])
def test_in_evaluation_two_forwards_then_two_backwards_are_right(older):
    net = many_layers().eval()
    dys = [np.random.default_rng(seed).standard_normal(X.shape).astype("f") for seed in (3, 4)]

    def gradients(dx):
        found = [dx, *(parameter.grad for parameter in net.parameters())]
        net.zero_grad()
        return found

    expected = []
    for x, dy in zip((X, -2 * X), dys, strict=True):
        net(x)
        expected.append(gradients(net.backward(dy.copy())))
    for _ in range(older):  # which go
        net(X + 1)
    net(X), net(-2 * X)
    for dy, right in reversed(list(zip(dys, expected, strict=True))):
        for mine, one in zip(gradients(net.backward(dy.copy())), right, strict=True):
            np.testing.assert_array_equal(mine, one)
    with pytest.raises(RuntimeError, match="in evaluation only the latest 2 calls are kept"):
        net.backward(dys[0])


def test_training_keeps_as_many_forwards_as_backwards_will_come():
    net = many_layers().train()
    for _ in range(5):
        net(X)
    for _ in range(5):
        net.backward(np.ones_like(X))
    assert waiting(net) == {}


def test_a_layer_used_often_in_one_pass_of_evaluation_keeps_all_of_it():
    class Often(L.Layer):
        def __init__(self):
            super().__init__()
            self.conv = conv()

        def forward(self, x):
            for _ in range(5):
                x = self.conv(x)
            return x

        def backward(self, dy):
            for _ in range(5):
                dy = self.conv.backward(dy)
            return dy

    net = Often().eval()
    for _ in range(4):
        net(X)
    assert waiting(net) == {"conv": 10}
    assert minifcn.gradcheck(net, X)


def test_networks_that_share_a_layer_do_not_drop_each_others_passes():
    shared = conv()
    one, other = L.Sequential(shared, L.ReLU()).eval(), L.Sequential(shared, L.MaxPool2d(2)).eval()
    y = one(X)
    pooled = other(X)
    other.backward(np.ones_like(pooled))
    one.backward(np.ones_like(y))
    assert waiting(one) == waiting(other) == {}


# ----------------------------------------------------------------------------------------------------------- None as a gradient


class Mute(L.Layer):
    """Its forward forgets to return y."""

    def forward(self, x):
        x * 1


@pytest.mark.parametrize("watchers", [(), (L.Watcher(),)])
@pytest.mark.parametrize("behind", [[], [L.ReLU()], [conv()], [L.BatchNorm2d(2)], [L.Sequential(L.MaxPool2d(2))]])
def test_a_forward_that_forgets_to_return_y_is_named(behind, watchers):
    net = L.Sequential(conv(), Mute(), *behind)
    with contextlib.ExitStack() as stack:
        for watcher in watchers:
            stack.enter_context(L.watching(watcher))
        with pytest.raises(TypeError, match=r"Mute\.forward returned None: end it with `return y`"):
            net(X)
    assert waiting(net) == {}


class Careless(L.Layer):
    """Its backward forgets to return dx."""

    def forward(self, x):
        return x

    def backward(self, dy):
        dy * 1


@pytest.mark.parametrize("front", [L.ReLU(), L.PadTo(2), conv(), L.BatchNorm2d(2), L.MaxPool2d(2)])
def test_a_backward_that_forgets_to_return_dx_is_noticed_by_the_layer_in_front(front):
    net = L.Sequential(front, Careless())
    y = net(X)
    with pytest.raises(
        TypeError, match=rf"{type(front).__name__}\.backward got None instead of a gradient: the layer behind it must return"
    ):
        net.backward(y)


def test_a_first_layer_that_learns_is_not_passed_by():
    """needs_dx is off, but its parameters need a gradient: None is a mistake all the same."""
    net = L.Sequential(conv(), Careless())
    net.needs_dx = False
    with pytest.raises(TypeError, match=r"Conv2d\.backward got None"):
        net.backward(net(X))


NOTHING_TO_LEARN = [
    L.PadTo(4), L.Scale(2), L.Identity(), L.Sequential(L.PadTo(4), L.ReLU()), L.BatchNorm2d(2, affine=False),
]  # fmt: skip


@pytest.mark.parametrize("first", NOTHING_TO_LEARN, ids=repr)
def test_in_front_of_all_that_learns_nothing_is_computed_and_nothing_left(first, monkeypatch):
    net = L.Sequential(first, conv(), conv(1))
    net.needs_dx = False
    asked, right = [], minifcn.functional.conv2d_backward
    monkeypatch.setattr(
        minifcn.functional, "conv2d_backward", lambda dy, cache, needs: asked.append(needs[0]) or right(dy, cache, needs)
    )
    assert net.backward(net(X)) is None
    assert asked == [True, False]
    assert waiting(net) == {}
    assert not net.needs_dx
    assert all(parameter.grad is not None for parameter in net.parameters())
    net.needs_dx = True
    assert net.backward(net(X)).shape == X.shape
    assert asked[2:] == [True, True]


def test_a_batch_norm_in_front_computes_no_gradient_of_the_picture():
    net = L.Sequential(L.BatchNorm2d(2), conv())
    net.needs_dx = False
    assert net[1].needs_dx  # the batch norm's weight and bias need it
    assert net.backward(net(X)) is None
    mine = [parameter.grad for parameter in net.parameters()]
    net.zero_grad()
    net.needs_dx = True
    net(X)
    assert net.backward(net(X)) is not None
    for parameter, grad in zip(net.parameters(), mine, strict=True):
        np.testing.assert_allclose(parameter.grad, grad, rtol=1e-4, atol=1e-4)


def test_a_first_layer_that_is_used_again_hands_the_later_uses_gradient_on():
    first = conv()
    net = L.Sequential(first, L.ReLU(), first).to("float64")
    net.needs_dx = False
    x = X.astype("float64")
    net(x)
    net.backward(np.ones_like(x))
    mine = first.weight.grad
    apart = L.Sequential(*(copy.deepcopy(layer) for layer in net))
    apart.zero_grad()
    apart(x)
    apart.backward(np.ones_like(x))
    np.testing.assert_allclose(mine, apart[0].weight.grad + apart[2].weight.grad)


@pytest.mark.parametrize("name", ["fcn8s", "unet"])
def test_needs_dx_of_networks(name):
    net = minifcn.models.build(name, 3, width=1 / 64, in_channels=2)
    x = np.random.default_rng(0).standard_normal((1, 2, 17, 16)).astype("f")
    first = net.conv1_1 if name == "fcn8s" else net.enc1.conv1
    assert not net.needs_dx
    assert not first.needs_dx
    assert net.backward(net(x)) is None
    assert waiting(net) == {}
    net.needs_dx = True
    assert net.needs_dx
    assert first.needs_dx
    assert net.backward(net(x)).shape == x.shape
    whole = L.Sequential(net, L.ReLU())
    assert whole.needs_dx
    whole.needs_dx = False
    assert not first.needs_dx


# -------------------------------------------------------------------------------------------------------------- contexts


def test_pool_workers_see_the_callers_contexts():
    """no_grad and kernels.using are seen alike, and a layer that runs in a worker keeps nothing."""
    net, seen = conv(), []

    both_are_here = threading.Barrier(2, timeout=10)

    def task(index):
        if index < 2:
            both_are_here.wait()  # two threads, then: the caller's own and a worker
        seen.append((is_grad_off(), select.choose("forward", geometry), threading.get_ident()))
        net(X)

    geometry = Geometry.of(X.shape, net.weight.shape, 1, 1, 1, 1)
    before = threads.get_num_threads()
    threads.set_num_threads(2)
    try:
        with minifcn.no_grad(), minifcn.kernels.using("taps"):
            threads.parallel_for(task, 12)
        assert {(off, rung) for off, rung, _ in seen} == {(True, "taps")}
        assert len({thread for *_, thread in seen}) == 2
        assert net.kept() == []
        seen.clear()
        threads.parallel_for(lambda index: seen.append(is_grad_off()), 6)
        assert seen == [False] * 6
    finally:
        threads.set_num_threads(before)


def test_no_grad_ends_with_an_exception():
    with pytest.raises(ZeroDivisionError), minifcn.no_grad():
        raise ZeroDivisionError
    assert not is_grad_off()
    with minifcn.no_grad(), minifcn.no_grad():
        pass
    assert not is_grad_off()


# -------------------------------------------------------------------------------------------------- frozen, copied, pickled


@pytest.mark.parametrize("fails", [False, True])
def test_evaluating_gives_each_layer_its_own_mode_back(fails):
    net = L.Sequential(conv(), L.Sequential(L.BatchNorm2d(2), L.Dropout()), L.BatchNorm2d(2))
    net[1][0].eval()
    net[2].freeze()
    before = {key: layer.training for key, layer in net.named_layers()}
    assert set(before.values()) == {True, False}
    with pytest.raises(ZeroDivisionError) if fails else contextlib.nullcontext(), L.evaluating(net):
        net(X)
        assert not any(layer.training for _, layer in net.named_layers())
        if fails:
            raise ZeroDivisionError
    assert {key: layer.training for key, layer in net.named_layers()} == before
    assert not is_grad_off()
    assert not waiting(net)


def test_what_is_frozen_stays_in_evaluation_and_learns_nothing():
    net = many_layers()
    assert net[1].freeze() is net[1]
    net[4].freeze()
    net.train()
    assert [layer.training for layer in net] == [True, False, True, True, False, True, True]
    assert not any(layer.training for layer in net[4])
    mean = net[1].running_mean.copy()
    net.backward(net(X))
    np.testing.assert_array_equal(net[1].running_mean, mean)
    assert [key for key, parameter in net.named_parameters() if parameter.grad is not None] == ["0.weight", "0.bias"]
    net.freeze(False).train()
    net.backward(net(X))
    assert not np.array_equal(net[1].running_mean, mean)
    assert all(parameter.grad is not None for parameter in net.parameters())
    assert net.requires_grad_(False) is net
    assert not any(parameter.requires_grad for parameter in net.parameters())
    assert net.training  # requires_grad_ freezes parameters only


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))], ids=["deepcopy", "pickle"])
@pytest.mark.parametrize("name", NETWORKS)
def test_copies_are_equal_and_apart(copied, name):
    net = NETWORKS[name]()
    net.needs_dx = True
    net.reseed(5)
    other = copied(net)
    assert repr(other) == repr(net)
    assert other.config == net.config
    for key, array in net.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[key], array)
        assert not np.shares_memory(other.state_dict()[key], array)
    y = net(PICTURE)
    np.testing.assert_array_equal(other(PICTURE), y)
    half_way = copied(net)  # with the caches of a forward that waits for its backward
    np.testing.assert_array_equal(half_way.backward(np.ones_like(y)), net.backward(np.ones_like(y)))


def test_many_forwards_that_nobody_takes_back_are_said_once():
    """A criterion is seldom put into evaluation: a validation loop outside of no_grad() would fill the memory unsaid."""
    criterion = L.CrossEntropyLoss()
    scores, labels = np.zeros((1, 2, 1, 1)), np.zeros((1, 1, 1), int)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(255):
            criterion(scores, labels)
    with pytest.warns(UserWarning, match="256 forwards of a CrossEntropyLoss wait.*no_grad"):
        criterion(scores, labels)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        criterion(scores, labels)


# ------------------------------------------------------------------------------------------------------------------- repr

LAYERS = [
    L.AdaptiveAvgPool2d((2, 3)), L.AvgPool2d((2, 3), 1, (1, 0), True, False), L.BatchNorm2d(3, 1e-3, 0.2, False), L.Concat(),
    L.BatchNorm2d(2), L.Conv2d(4, 6, (3, 2), (1, 2), 1, (2, 1), 2, False), L.Conv2d(1, 1, 1), L.Add(), L.Identity(),
    L.ConvTranspose2d(4, 6, (3, 2), 2, 1, (1, 0), 2, False, 2), L.ConvTranspose2d(1, 1, 2), L.Crop(3), L.Crop(),
    L.CrossEntropyLoss([1.0, 0.5], None, "sum", 0.1), L.CrossEntropyLoss(np.array([1, 2], np.float32)), L.CrossEntropyLoss(),
    L.Dropout(0.25), L.Dropout(), L.MaxPool2d((2, 3), (1, 2), 1, (2, 1), True, True), L.MaxPool2d(2), L.MaxUnpool2d(2, 3, 1),
    L.MaxUnpool2d(), L.PadTo(16), L.PadTo(16, 92, 12), L.ReLU(True), L.ReLU(),
    L.Scale(0.01), L.Upsample((3, 4), None, "bilinear", True),
    L.Upsample(scale_factor=2.5), L.Conv2d(np.int64(2), 3, np.int32(1)), L.Scale(np.float32(0.5)), L.ReLU(np.bool_(True)),
    L.ReLU(np.bool_(False)),
    L.Flatten(), L.Linear(4, 6, False), L.Linear(1, 1), L.LocalResponseNorm(5, 0.5, 1.0, 2.0), L.LocalResponseNorm(3),
]  # fmt: skip


def others() -> list[L.Layer]:
    """One of each class that is not shown above, made with 2 for all that it must be given; those made of layers left out."""
    classes = {cls for cls in vars(L).values() if isinstance(cls, type) and issubclass(cls, L.Layer)}
    classes -= {type(layer) for layer in LAYERS} | {L.Layer, L.Sequential, L.Join}
    made = []
    for cls in sorted(classes, key=lambda cls: cls.__name__):
        parameters = inspect.signature(cls).parameters.values()
        made.append(cls(*(2 for parameter in parameters if parameter.default is parameter.empty)))
    return [layer for layer in made if not any(layer.children())]


@pytest.mark.parametrize("layer", [*LAYERS, *others()], ids=repr)
def test_repr_makes_an_equal_layer_again(layer):
    again = eval(repr(layer), {name: getattr(L, name) for name in L.__all__})
    assert type(again) is type(layer)
    assert repr(again) == repr(layer)
    mine, others = vars(layer), vars(again)
    assert mine.keys() == others.keys()
    for name, value in mine.items():
        if name == "rng":
            continue
        if isinstance(value, L.Parameter):
            assert others[name].shape == value.shape
        else:
            np.testing.assert_array_equal(others[name], value, err_msg=name)


def test_an_argument_named_as_a_method_does_not_spoil_repr():
    class Named(L.Layer):
        def __init__(self, forward=None, train=3):
            super().__init__()

    assert repr(Named()) == "Named()"
