"""The ledger and the coordinate table: the numbers of the paper's networks, and agreement with what really happens."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import minifcn
from minifcn import checks, kernels, models
from minifcn import layers as L
from minifcn.anatomy.standin import Standin
from minifcn.anatomy.trace import trace
from minifcn.layers import initializers

VOC = (1, 3, 375, 500)


@pytest.fixture
def weightless(monkeypatch):
    """Weights that take no memory, so that the full-size networks can be built in a test."""

    def one_number(shape, rng, std):
        return np.lib.stride_tricks.as_strided(np.zeros(1, np.float32), shape, (0,) * len(shape))

    monkeypatch.setattr(initializers, "_normal", one_number)


@pytest.mark.parametrize(
    ("name", "parameters", "trained"),
    [
        ("fcn32s", 136_152_917, 134_346_581),
        ("fcn16s", 134_815_994, 134_357_354),
        ("fcn8s", 134_489_759, 134_362_751),
        ("fcn8s-atonce", 134_489_759, 134_362_751),
    ],
)
def test_parameters_of_the_paper(name, parameters, trained, weightless):
    ledger = checks.ledger(models.build(name), VOC)
    assert (ledger.parameters, ledger.trainable) == (parameters, trained)


def test_cost_of_fcn8s_on_one_picture(weightless):
    ledger = checks.ledger(models.build("fcn8s"), VOC)
    assert ledger.macs / 1e9 == pytest.approx(146, rel=0.01)
    assert ledger.largest_im2col.name == "conv1_2"
    assert ledger.largest_im2col.im2col_bytes / 1e9 == pytest.approx(0.92, abs=0.005)
    text = str(ledger)
    assert "Total params: 134,489,759" in text
    assert "a training step about 0.88 TFLOP" in text
    shapes = {step.name: step.y.shape[2:] for step in ledger.steps}
    assert [shapes[f"pool{i}"] for i in range(1, 6)] == [(287, 349), (144, 175), (72, 88), (36, 44), (18, 22)]
    assert [shapes[name] for name in ("fc6", "upscore2", "upscore_pool4", "upscore8", "crop")] == [
        (12, 16), (26, 34), (54, 70), (440, 568), (375, 500)]  # fmt: skip


def test_costs_of_upsampling(weightless):
    """A matrix product and col2im; zero insertion followed by a dense convolution would be 409 GMAC."""
    step = next(step for step in checks.ledger(models.build("fcn32s"), VOC).steps if step.name == "upscore")
    assert step.macs / 1e9 == pytest.approx(0.35, abs=0.005)
    N, O, OH, OW = step.y.shape
    zero_insertion = N * O * OH * OW * 21 * 64 * 64
    assert zero_insertion / 1e9 == pytest.approx(409, rel=0.01)


def encoder_decoder():
    """The network whose summary is known: VGG16's convolutions, and five steps up with batch norm."""
    layers, C = [], 3
    for counts in ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3):
        for O in counts:
            layers += [L.Conv2d(C, O, 3, padding=1), L.ReLU()]
            C = O
        layers.append(L.MaxPool2d(2))
    for O in (512, 256, 128, 64, 32):
        layers += [L.ConvTranspose2d(C, O, 2, stride=2), L.BatchNorm2d(O), L.ReLU()]
        C = O
    return L.Sequential(*layers, L.Conv2d(C, 21, 1))


def test_the_table_of_the_encoder_decoder(weightless):
    ledger = checks.ledger(encoder_decoder(), (1, 3, 224, 224))
    assert ledger.parameters == ledger.trainable == 16_463_253
    lines = str(ledger).splitlines()
    assert lines[0].split()[:6] == ["Layer", "(type)", "Output", "Shape", "Param", "#"]
    rows = [" ".join(line.split()) for line in lines]
    assert any(row.startswith("0 (Conv2d) [-1, 64, 224, 224] 1,792") for row in rows)
    assert any(row.startswith("31 (ConvTranspose2d) [-1, 512, 14, 14] 1,049,088") for row in rows)
    assert any(row.startswith("32 (BatchNorm2d) [-1, 512, 14, 14] 1,024") for row in rows)
    assert any(row.startswith("46 (Conv2d) [-1, 21, 224, 224] 693") for row in rows)
    assert "Total params: 16,463,253" in rows
    assert "Non-trainable params: 0" in rows
    assert "Input: 1x3x224x224, 0.57 MB" in rows


@pytest.mark.parametrize("name", ["fcn32s", "fcn8s", "fcn-alexnet", "fcn32s-fixed"])
@pytest.mark.parametrize("padding", [1, 100])
def test_shapes_and_kept_bytes_of_a_real_pass(name, padding):
    assert_like_a_real_pass(models.build(name, num_classes=5, width=1 / 32, padding=padding), (2, 3, 67, 90))


@pytest.mark.parametrize("training", [True, False])
def test_shapes_and_kept_bytes_of_layers_that_no_fcn_has(training):
    net = L.Sequential(
        L.Conv2d(3, 8, (3, 5), stride=(2, 1), dilation=(1, 2), bias=False), L.BatchNorm2d(8), L.ReLU(), L.Dropout(0.3),
        L.ConvTranspose2d(8, 4, 3, stride=2, padding=1, output_padding=1, groups=2), L.ReLU(), L.AvgPool2d(3, 2),
        L.Upsample(scale_factor=2), L.MaxPool2d((3, 2), stride=(1, 2), padding=1), L.Dropout(0.0), L.AdaptiveAvgPool2d((5, 7)),
    )  # fmt: skip
    assert_like_a_real_pass(net.train(training), (2, 3, 31, 40))


def assert_like_a_real_pass(net, shape):
    """The ledger's shapes are those that a real forward makes, its kept bytes what the layers then hold."""
    ledger = checks.ledger(net, shape)
    outputs = []

    def watch(key, layer):
        def forward(*arguments):
            y = type(layer).forward(layer, *arguments)
            outputs.append((key, y.shape))
            return y

        layer.forward = forward

    for key, layer in net.named_layers():
        if not list(layer.children()):
            watch(key, layer)
    net(np.random.default_rng(0).standard_normal(shape).astype("f"))
    assert [(step.name, step.y.shape) for step in ledger.steps] == outputs
    kept = {}
    for _, layer in net.named_layers():
        for array in arrays_in(layer.kept()):
            while isinstance(array.base, np.ndarray):
                array = array.base
            if array.ndim > 2:  # the small matrices of a resize are not worth an entry
                kept[id(array)] = array.nbytes
    for parameter in net.parameters():
        kept.pop(id(parameter.data), None)
    assert ledger.kept_bytes == pytest.approx(sum(kept.values()), rel=0.02)


def arrays_in(value):
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from arrays_in(item)


def test_a_layer_used_twice_has_its_parameters_once():
    class Twice(L.Layer):
        def __init__(self):
            super().__init__()
            self.conv = L.Conv2d(3, 3, 3, padding=1)

        def forward(self, x):
            return self.conv(self.conv(x))

    ledger = checks.ledger(Twice(), (1, 3, 8, 8))
    assert len(ledger.steps) == 2
    assert ledger.parameters == 84
    assert ledger.macs == 2 * 3 * 8 * 8 * 27
    first, second = (line.split() for line in str(ledger).splitlines() if line.startswith("conv"))
    assert ("84" in first, "84" in second) == (True, False)


def test_walking_leaves_the_network_as_it_was(rng):
    net = models.build("fcn8s", width=1 / 64, padding=1)
    before = set(vars(net.conv1_1))
    checks.ledger(net, (1, 3, 40, 40))
    assert set(vars(net.conv1_1)) == before
    x = rng.standard_normal((1, 3, 40, 40)).astype("f")
    with minifcn.no_grad():
        assert net(x).shape == (1, 21, 40, 40)
    with pytest.raises(RuntimeError, match="no forward"):
        net.backward(x)


def test_a_picture_that_does_not_fit_is_refused_with_the_layers_sentence():
    net = L.Sequential(L.Conv2d(3, 2, 5))
    with pytest.raises(ValueError, match="only 4"):
        checks.ledger(net, (1, 3, 4, 9))
    assert "forward" not in vars(net[0])


def test_double_precision_is_followed_through_every_operation():
    """eps, a float64 number of NumPy's, is also one of Python's."""
    net = L.Sequential(L.Conv2d(1, 2, 3), L.BatchNorm2d(2), L.ReLU()).to("float64")
    assert {step.y.dtype for step in trace(net, (1, 1, 9, 9))} == {np.dtype("float64")}


def test_layers_that_nothing_is_known_about_are_run(rng):
    class Double(L.Layer):
        def forward(self, x):
            return np.repeat(x, 2, axis=1)

    class Shift(L.Layer):
        def forward(self, x):
            return x[:, :, 1:, 2:] * 2 + 1

    steps = trace(L.Sequential(Double(), Shift(), L.AdaptiveAvgPool2d((2, 3)), L.Upsample(scale_factor=3)), (2, 3, 8, 9))
    assert [step.y.shape for step in steps] == [(2, 6, 8, 9), (2, 6, 7, 7), (2, 6, 2, 3), (2, 6, 6, 9)]


def test_standins_follow_slices_sums_padding_and_concatenation():
    x = trace(L.Sequential(L.Conv2d(1, 2, 3)), (1, 1, 9, 9))[0].y
    assert isinstance(x, Standin)
    assert [place.offset for place in x.places] == [1, 1]
    cut = x[:, :, 2:5, 1:]
    assert (cut.shape, [place.offset for place in cut.places], cut.storage) == ((1, 2, 3, 6), [3, 2], x.storage)
    padded = np.pad(cut, ((0, 0), (0, 0), (2, 0), (1, 1)))
    assert (padded.shape, [place.offset for place in padded.places]) == ((1, 2, 5, 8), [1, 1])
    both = np.concatenate([x, x], axis=1)
    assert (both.shape, both.places, both.apart) == ((1, 4, 7, 7), x.places, None)
    assert (x + 2 * x).apart is None
    assert (x[:, :, 1:] + x[:, :, :-1]).apart is not None
    assert x[..., ::2].places is None
    assert np.linalg.norm(x, axis=1).shape == (1, 7, 7)  # what nobody thought of is left to NumPy
    with pytest.raises(TypeError, match="asks for the numbers"):
        float(x[0, 0, 0, 0])


# --------------------------------------------------------------------------------------------------------- coordinates


@pytest.mark.parametrize(
    ("name", "crops"),
    [("fcn32s", [19]), ("fcn16s", [5, 27]), ("fcn8s", [5, 9, 31]), ("fcn8s-atonce", [5, 9, 31]), ("fcn-alexnet", [18])],
)
def test_crops_of_the_paper(name, crops):
    table = checks.coordinates(models.build(name, width=1 / 64), VOC)
    assert list(table.crops.values()) == crops
    assert table.aligned
    assert "stride 1, offset 0" in str(table)


@pytest.mark.parametrize("name", [name for name in models.names() if "padding" in models.options(name)])
@pytest.mark.parametrize("padding", [1, 2, 30, 100])
def test_every_network_ends_on_the_pictures_pixels(name, padding):
    table = checks.coordinates(models.build(name, width=1 / 64, padding=padding), (1, 3, 130, 97))
    assert table.aligned, str(table)


def test_a_crop_off_by_one_is_noticed():
    net = models.build("fcn8s", width=1 / 64)
    net.crop.offset += 1
    assert not checks.coordinates(net, VOC).aligned
    net.crop.offset -= 1
    net.join_pool4.crop_side.offset -= 1
    table = checks.coordinates(net, VOC)
    assert not table.aligned
    assert table.apart == ["join_pool4.add puts together pixels at 16·i − 23/2 and pixels at 16·i − 55/2."]


def test_unknown_places_are_question_marks():
    table = checks.coordinates(L.Sequential(L.Conv2d(3, 1, (3, 5)), L.AdaptiveAvgPool2d(2)), (1, 3, 9, 9))
    assert not table.aligned
    lines = [" ".join(line.split()) for line in str(table).splitlines()]
    assert "0 (Conv2d) 7×5 1 1 × 2 3 × 5" in lines
    assert "1 (AdaptiveAvgPool2d) 2×2 ? ? ?" in lines


def test_measured_memory_is_at_least_what_must_be_there():
    net = models.build("fcn32s", num_classes=3, width=1 / 32, padding=1)
    shape = (1, 3, 96, 96)
    peak = checks.training_step_peak(net, shape, 3)
    ledger = checks.ledger(net, shape)
    assert peak > ledger.parameter_bytes + ledger.kept_bytes
    assert all(parameter.grad is None for parameter in net.parameters())


@pytest.fixture
def one_thread():
    """Each thread of the kernels has scratch of its own, so their number moves what is measured."""
    before = kernels.get_num_threads()
    kernels.set_num_threads(1)
    yield
    kernels.set_num_threads(before)


def test_predicted_memory_is_near_the_measured(one_thread):
    net = models.build("fcn8s", width=1 / 4, padding=1)
    shape = (1, 3, 190, 260)
    checks.training_step_peak(net, shape, 21)  # the scratch is made once and stays
    measured = checks.training_step_peak(net, shape, 21)
    assert checks.ledger(net, shape).training_peak == pytest.approx(measured, rel=0.1)


def test_measuring_leaves_the_callers_own_tracing_on(one_thread):
    net, shape = models.build("fcn32s", num_classes=3, width=1 / 32, padding=1), (1, 3, 96, 96)
    checks.training_step_peak(net, shape, 3)  # the scratch is made once and stays
    alone = checks.training_step_peak(net, shape, 3)
    assert not tracemalloc.is_tracing()
    tracemalloc.start()
    try:
        kept = np.zeros(100_000_000, np.uint8)  # the caller's, and no part of the step
        del kept
        kept = np.zeros(50_000_000, np.uint8)
        assert checks.training_step_peak(net, shape, 3) == pytest.approx(alone, rel=0.02)
        assert tracemalloc.get_traced_memory()[0] >= kept.nbytes
    finally:
        tracemalloc.stop()
