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
    "reshape": lambda x: x.reshape(2, -1), "like": lambda x: np.zeros_like(x, dtype="f8"), "flip": lambda x: x[..., ::-1],
}  # fmt: skip


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_standin_is_shaped_and_typed_as_the_real_array_is(operation):
    mine, real = OPERATIONS[operation](STANDIN), OPERATIONS[operation](REAL)
    assert (tuple(mine.shape), mine.dtype) == (real.shape, real.dtype)
