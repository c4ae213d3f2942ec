"""Facts by running: a network that nobody told the tables about, because there are none."""

from __future__ import annotations

import copy
import tracemalloc

import numpy as np
import pytest

import minifcn
from minifcn import anatomy, kernels, models
from minifcn import layers as L
from minifcn.anatomy.standin import Standin
from minifcn.anatomy.trace import inference_peak, trace
from minifcn.layers import initializers
from minifcn.models.resnet import BasicBlock


class PixelShuffle(L.Layer):
    """(N, C·r², H, W) -> (N, C, H·r, W·r): changes the size, and keeps its input as one of the tables' victims did."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x):
        (N, C, H, W), r = x.shape, self.factor
        y = x.reshape(N, C // r**2, r, r, H, W).transpose(0, 1, 4, 2, 5, 3).reshape(N, C // r**2, H * r, W * r)
        self._push(x)
        return y * (x.mean() > 0)


class Unpooled(L.Layer):
    """A pooling and the unpooling that takes its switches, and a size known when it is called."""

    def __init__(self, **pooling) -> None:
        super().__init__()
        self.conv, self.pool = L.Conv2d(3, 4, 3, padding=1), L.MaxPool2d(2, 2, return_indices=True)
        self.unpool, self.score = L.MaxUnpool2d(**pooling), L.Conv2d(4, 2, 1)

    def forward(self, x):
        x = self.conv(x)
        pooled, indices = self.pool(x)
        return self.score(self.unpool(pooled, indices, x.shape[2:]))


def test_a_layer_that_nobody_knows_is_right_but_for_where_it_looks(rng):
    net = L.Sequential(L.Conv2d(3, 8, 3, padding=1), PixelShuffle(2), L.ReLU())
    conv, shuffle, relu = trace(net, (2, 3, 5, 7))
    assert shuffle.y.shape == (2, 2, 10, 14)
    assert shuffle.kept == (conv.y.storage,)  # not free
    assert relu.kept == (relu.y.storage,)
    table = anatomy.coordinates(net, (2, 3, 5, 7))
    assert [place.rows is None for place in table.places] == [False, True, True]  # not the identity
    assert not table.aligned
    ledger = anatomy.ledger(net, (2, 3, 5, 7))
    net(rng.standard_normal((2, 3, 5, 7)).astype("f"))
    arrays = {id(array): array for layer in net for array in _arrays(layer.kept())}
    parameters = {id(parameter.data) for parameter in net.parameters()}
    assert ledger.kept_bytes == sum(array.nbytes for key, array in arrays.items() if key not in parameters)


def _arrays(value):
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, (tuple, list)):
        for entry in value:
            yield from _arrays(entry)


def test_summary_and_coordinates_of_max_unpooling():
    shape = (1, 3, 9, 12)
    steps = trace(Unpooled(), shape)
    assert [step.y.shape[2:] for step in steps] == [(9, 12), (4, 6), (9, 12), (9, 12)]
    assert [output.dtype.name for output in steps[1].outputs] == ["float32", "int64"]
    assert "unpool (MaxUnpool2d)" in str(anatomy.ledger(Unpooled(), shape))
    assert anatomy.coordinates(Unpooled(), shape).places[-1].rows is None
    assert anatomy.coordinates(Unpooled(kernel_size=2), shape).aligned  # it knows the pooling that it undoes


@pytest.mark.parametrize("training", [True, False])
def test_tracing_touches_nothing(training, rng):
    net = L.Sequential(L.Conv2d(3, 4, 3), L.BatchNorm2d(4), L.ReLU(), L.Dropout(0.5)).train(training)
    x = rng.standard_normal((2, 3, 9, 9)).astype("f")
    y = net(x)
    net.backward(np.ones_like(y))
    net(x)
    before = {key: array.copy() for key, array in net.state_dict().items()}
    gradients = {key: parameter.grad.copy() for key, parameter in net.named_parameters()}
    state, kept = copy.deepcopy(net[3].rng.bit_generator.state), [len(layer.kept()) for layer in net]
    anatomy.ledger(net, (2, 3, 64, 64))
    anatomy.coordinates(net, (2, 3, 64, 64))
    assert all(np.array_equal(net.state_dict()[key], array) for key, array in before.items())
    assert all(np.array_equal(parameter.grad, gradients[key]) for key, parameter in net.named_parameters())
    assert net[3].rng.bit_generator.state == state
    assert [len(layer.kept()) for layer in net] == kept
    assert net.training == training


def test_a_network_that_is_only_looked_at_is_never_drawn():
    with initializers.blank():
        net = models.build("fcn8s")  # 134 million parameters
    assert not any(any(net.state_dict()[f"{name}.weight"].strides) for name in ("conv1_1", "conv5_3", "fc6", "fc7"))
    tracemalloc.start()
    ledger = anatomy.ledger(net, (1, 3, 375, 500))
    assert tracemalloc.get_traced_memory()[1] < 2**23
    tracemalloc.stop()
    assert (ledger.parameters, ledger.trainable) == (134_489_759, 134_362_751)
    assert round(ledger.macs / 1e9) == 147


@pytest.fixture
def one_thread():
    """Every thread has scratch of its own, which comes on top of what is predicted."""
    before = kernels.get_num_threads()
    kernels.set_num_threads(1)
    yield
    kernels.set_num_threads(before)


@pytest.mark.parametrize(
    ("name", "options", "shape"),
    [
        ("unet", {"width": 1 / 8}, (2, 3, 176, 144)),  # its skips stay alive: 1.56 times what one layer takes
        ("unet", {"width": 1 / 8, "batch_norm": True}, (1, 3, 193, 161)),
        ("fcn8s", {"width": 1 / 8}, (1, 3, 35, 47)),
    ],
)
def test_inference_memory_is_what_is_alive(name, options, shape, one_thread):
    net = models.build(name, 3, **options).eval()
    with minifcn.no_grad():
        for _ in range(2):
            net(np.zeros(shape, np.float32))  # the kernels' scratch is made once and stays
        tracemalloc.start()
        x = np.zeros(shape, np.float32)
        net(x)
        measured = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert inference_peak(net, shape) == pytest.approx(measured, rel=0.1)


def test_what_is_freed_is_not_counted():
    """A chain holds two feature maps at a time, however long it is; a skip holds a third."""
    chain = L.Sequential(*(L.Conv2d(4, 4, 3, padding=1) for _ in range(5)))
    assert inference_peak(chain, (1, 4, 32, 32)) == 3 * 4 * 4 * 32 * 32  # and the caller's picture

    class Skip(L.Layer):
        def __init__(self):
            super().__init__()
            self.first, self.chain, self.add = L.Conv2d(4, 4, 1), chain, L.Add()

        def forward(self, x):
            side = self.first(x)
            return self.add(self.chain(side), side)

    assert inference_peak(Skip(), (1, 4, 32, 32)) == 4 * 4 * 4 * 32 * 32


def test_on_a_gpu_dropout_keeps_no_mask():
    net = L.Sequential(L.Dropout(0.5))
    assert [storage.nbytes for storage in trace(net, (1, 3, 4, 5))[0].kept] == [60]
    on_gpu = Standin((1, 3, 4, 5), np.dtype("f"), device="cuda")
    net(on_gpu)
    assert not [entry for entry in net[0].kept()[0] if isinstance(entry, Standin)]


def test_a_forward_that_asks_for_numbers_says_so():
    class Choosy(L.Layer):
        def forward(self, x):
            return x if x.max() > 0 else -x

    with pytest.raises(TypeError, match="asks for the numbers of its input"):
        trace(Choosy(), (1, 3, 4, 4))


@pytest.mark.parametrize("asked", [
    lambda x: np.max(x) > 3, lambda x: np.all(x > 0), lambda x: np.allclose(x, 0), lambda x: x[x > 0], lambda x: np.nonzero(x),
    lambda x: np.where(x > 0), lambda x: x.nonzero(), lambda x: x.tobytes(), lambda x: np.asarray(x), lambda x: np.array(x),
    lambda x: np.ascontiguousarray(x[:, :1]),
])  # fmt: skip
def test_what_depends_on_numbers_is_refused_and_not_made_up(asked):
    with pytest.raises(TypeError, match="cannot be followed without"):
        bool(asked(STANDIN))


class Own(L.Layer):
    """A convolution, and what a subclass does besides."""

    shape = (1, 3, 4, 5)
    steps: tuple[str, ...] = ("conv", "again")
    shift = L.Scale(2.0)  # of the class: no attribute of its objects

    def __init__(self):
        super().__init__()
        self.conv, self.again, self.late = L.Conv2d(3, 3, 3, padding=1), L.Conv2d(3, 3, 3, padding=1), None

    def forward(self, x):
        return self.again(self.conv(x))


class OfTheClass(Own):
    steps = ("conv", "Scale", "again")

    def forward(self, x):
        return self.again(self.shift(self.conv(x)))


class MadeLate(Own):
    steps = ("conv", "Conv2d")

    def forward(self, x):
        x = self.conv(x)
        if self.late is None:
            self.late = L.Conv2d(x.shape[1], 3, 3, padding=1)
        return self.late(x)


class Stacked(L.Layer):
    def forward(self, arrays):
        self._push(arrays)
        return np.concatenate(arrays, axis=1)


class OfAList(Own):
    steps = ("conv", "stacked", "again")

    def __init__(self):
        super().__init__()
        self.stacked, self.again = Stacked(), L.Conv2d(6, 3, 3, padding=1)

    def forward(self, x):
        return self.again(self.stacked([self.conv(x), x]))


class ByKeyword(Own):
    def forward(self, x):
        return self.again(x=self.conv(x=x))


class Position(L.Layer):
    """Holds what it gives."""

    def __init__(self):
        super().__init__()
        self.value, self.learnt = np.zeros((1, 3, 4, 5), "f"), L.Parameter(np.zeros((1, 3, 4, 5), "f"))

    def forward(self, learnt=False):
        return self.learnt.data if learnt else self.value


class WithoutInput(Own):
    steps = ("position", "conv", "position", "again")

    def __init__(self):
        super().__init__()
        self.position = Position()

    def forward(self, x):
        y = self.position() + x
        y = self.conv(y)
        return self.again(y + self.position(learnt=True))


@pytest.mark.parametrize("kind", [Own, OfTheClass, MadeLate, OfAList, ByKeyword, WithoutInput])
def test_networks_that_do_it_their_own_way_are_followed(kind, rng):
    net = kind()
    ledger = anatomy.ledger(net, Own.shape)
    assert tuple(step.name for step in ledger.steps) == kind.steps
    assert len(anatomy.coordinates(net, Own.shape).places) == len(kind.steps)
    assert not net.late
    assert not any(layer.kept() for layer in (net, *net.__dict__.values()) if isinstance(layer, L.Layer))
    net(rng.standard_normal(Own.shape, np.float32))
    arrays = {id(array): array for _, layer in net.named_layers() for array in _arrays(layer.kept())}
    parameters = {id(parameter.data) for parameter in net.parameters()}
    assert ledger.kept_bytes == sum(array.nbytes for key, array in arrays.items() if key not in parameters)
    assert all(step.y.shape[2:] == Own.shape[2:] for step in ledger.steps)


def test_a_spied_networks_facts_are_its_own_and_nothing_stays_in_it():
    net = L.Sequential(L.Conv2d(3, 4, 3), L.ReLU())
    expected, original, seen = anatomy.ledger(net, Own.shape), net[0].forward, []
    net[0].forward = lambda x: (seen.append(x.shape), original(x))[1]
    spied = anatomy.ledger(net, Own.shape)
    assert seen
    assert (spied.macs, spied.kept_bytes, spied.training_peak) == (expected.macs, expected.kept_bytes, expected.training_peak)
    assert not net[0].kept()


def test_a_network_that_calls_none_of_its_layers_is_said():
    class Idle(Own):
        def forward(self, x):
            return 2 * x

    for look in (anatomy.ledger, anatomy.coordinates):
        with pytest.raises(ValueError, match="Idle calls none of its layers"):
            look(Idle(), Own.shape)


def test_coordinates_are_those_of_evaluation():
    """A head that only training knows is not the output, and one pixel is enough for a batch norm."""
    net = models.build("fcn-resnet50", 3, width=1 / 64, aux=True)
    assert not any(place.name.startswith("aux") for place in anatomy.coordinates(net, (1, 3, 64, 64)).places)
    assert net.training
    anatomy.coordinates(models.build("deeplabv3-resnet50", 3, width=1 / 64), (1, 3, 33, 33))


STANDIN = Standin((2, 3, 4, 5), np.dtype("f"))
REAL = np.zeros((2, 3, 4, 5), "f")
OPERATIONS = {
    "sum": lambda x: x.sum(axis=(0, 2)), "mean of all": lambda x: x.mean(), "keepdims": lambda x: x.max(axis=1, keepdims=True),
    "argmax": lambda x: x.argmax(axis=1), "np.sum": lambda x: np.sum(x, axis=-1), "reduce": lambda x: np.add.reduce(x, axis=1),
    "comparison": lambda x: x > 0, "float64": lambda x: x + np.zeros(5), "python number": lambda x: 2 * x + 1,
    "integer division": lambda x: x.astype("i4") // 2, "matmul": lambda x: np.ones((7, 4), "f") @ x,
    "transposed": lambda x: x.T, "swapped": lambda x: np.swapaxes(x, 1, 2), "split": lambda x: np.split(x, 3, axis=1)[1],
    "stack": lambda x: np.stack([x, x]), "where": lambda x: np.where(x > 0, x, 0), "clip": lambda x: np.clip(x, 0, 1),
    "einsum": lambda x: np.einsum("nchw,kc->nkhw", x, np.ones((6, 3), "f")), "new axis": lambda x: x[:, None, ..., 0],
    "fancy": lambda x: x[:, [0, 2]], "mask": lambda x: x[:, np.array([True, False, True])], "roll": lambda x: np.roll(x, 1, 3),
    "variance": lambda x: np.var(x, axis=0), "pad": lambda x: np.pad(x, ((0, 0), (0, 0), (1, 2), (3, 4))),
    "repeat": lambda x: x.repeat(2, axis=3), "clipped": lambda x: x.clip(0, 1), "running sum": lambda x: x.cumsum(1),
    "real": lambda x: np.fft.fft2(x).real, "take": lambda x: x.take([0, 2], axis=1), "itemsize": lambda x: x * x.itemsize,
    "np.max": lambda x: np.max(x), "rounded": lambda x: x.round(1),
    "reshape": lambda x: x.reshape(2, -1), "like": lambda x: np.zeros_like(x, dtype="f8"), "flip": lambda x: x[..., ::-1],
}  # fmt: skip


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_standin_is_shaped_and_typed_as_the_real_array_is(operation):
    mine, real = OPERATIONS[operation](STANDIN), OPERATIONS[operation](REAL)
    assert (tuple(mine.shape), mine.dtype) == (real.shape, real.dtype)


def test_a_sum_in_place_takes_no_memory():
    a, b = (Standin((2, 3, 4, 5), np.dtype("f")) for _ in range(2))
    over, apart = kernels.shapes.add(a, b, True), kernels.shapes.add(a, b, False)
    assert over.storage is a.storage
    assert apart.storage is not a.storage


def test_a_sum_in_place_sees_what_both_roads_see(rng):
    block = BasicBlock(4, 4, 8, 1, 1, rng)
    block.conv1, block.conv2, block.downsample = L.Conv2d(4, 4, 1), L.Conv2d(4, 8, 1), L.Conv2d(4, 8, 9, 1, 4)
    assert str(anatomy.coordinates(block, (1, 4, 32, 32)).places[-1].rows).endswith("receptive field 9")


def test_a_sum_in_place_is_a_write():
    a, b = (Standin((2, 3, 4, 5), np.dtype("f")) for _ in range(2))
    kernels.shapes.add(a, b, False)
    assert (a.storage.writes, b.storage.writes) == (0, 0)
    kernels.shapes.add(a, b, True)
    assert (a.storage.writes, b.storage.writes) == (1, 0)
