"""Every row: the two sides compute the same numbers, and one that does not is refused."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from minifcn import functional as F
from minifcn.bench import Contest, Device, layers, run, timing
from minifcn.bench.device import _tf32_switches, _their_settings
from minifcn.bench.layers import CONVOLUTIONS, OTHERS, UPDATE

SIZE, WIDTH = (16, 32), 1 / 64


def test_every_layer_runs_and_agrees_with_pytorch(device):
    results = list(run(layers.contests(device, SIZE, 2, WIDTH), device, 1))
    places = [(result.group, result.name) for result in results]
    assert len(set(places)) == len(places)
    for what in ("forward", "dx", "dweight"):
        names = [name.split()[0] for group, name in places if group == f"{CONVOLUTIONS}, {what}, batch 2"]
        assert names == ["conv1_1", "conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv4_1", "conv4_2", "conv5_1"]
    others = {name for group, name in places if group == f"{OTHERS}, batch 2"}
    for name in ("fc6", "fc7", "deconv k4 s2", "deconv k16 s8"):
        assert {f"{name}, forward", f"{name}, dx", f"{name}, dweight"} <= others
    for name in ("7x7 s2 3->1 @16x32", "1x1 4->1 @4x8", "3x3 s2 2->2 @4x8", "3x3 d2 4->4 @2x4"):
        assert {f"{name}, forward", f"{name}, dx", f"{name}, dweight"} <= others
    for name in ("max pool 2x2", "ReLU", "dropout"):
        assert {f"{name}{where}, {what}" for where in ("", " in cache, 28x28") for what in ("forward", "dx")} <= others
    assert {"batch norm, forward", "batch norm, backward", "cross-entropy, forward", "cross-entropy, both"} <= others
    assert (UPDATE, "SGD, 0.0 M weights") in places
    small = {name for group, name in places if group == "small layers, 1x8x12x16, forward and backward"}
    assert small == {"Conv2d 3x3", "BatchNorm2d", "ReLU", "MaxPool2d 2x2"}
    for result in results:
        assert (result.difference is None) == result.name.startswith("dropout")
        assert result.difference is None or result.difference < 1e-4, result
        assert len(result.timing.ours) == len(result.timing.pytorch) == 1
        assert min(result.timing.ours + result.timing.pytorch) > 0
        assert result.moved > 0


def test_pytorchs_faster_layout_is_timed_and_named(device, monkeypatch):
    """Of both the one that a stopwatch finds faster, and its results are in it; where nobody asks there is only NCHW."""
    torch = pytest.importorskip("torch")
    seconds = {False: 2.0, True: 1.0}  # by whether the result lies channels last

    def compare(side, **options):
        last = side().is_contiguous(memory_format=torch.channels_last)
        return SimpleNamespace(ours=(seconds[last] + 1, seconds[last]))

    monkeypatch.setattr(timing, "compare", compare)
    case = next(case for case in layers.cases((32, 48), 2, 1 / 8) if case.name.startswith("conv2_1"))
    for last in (True, False):
        seconds[True] = 1.0 if last else 3.0
        for contest in list(layers.passes(case, device, np.random.default_rng(0), channels_last=True))[:2]:
            assert contest.name.endswith(" (PyTorch: channels-last)") == last
            assert contest.theirs().is_contiguous(memory_format=torch.channels_last) == last
            np.testing.assert_allclose(contest.ours(), contest.theirs().detach().numpy(), atol=1e-5)
    for contest in layers.passes(case, device, np.random.default_rng(0)):
        assert "channels-last" not in contest.name


def test_each_array_is_counted_once():
    """A convolution moves x, w, b and y whatever it computes; ReLU's and batch norm's gradients another x."""
    device = Device.of("cpu", pytorch=False)
    moved = {contest.name: contest.moved for contest in layers.contests(device, (16, 32), 2, 1 / 64)}
    picture = 4 * 2 * 16 * 32
    assert {moved[f"7x7 s2 3->1 @16x32, {what}"] for what in ("forward", "dx", "dweight")} == {
        3 * picture + 4 * (3 * 49 + 1) + picture // 4
    }
    assert (moved["ReLU, forward"], moved["ReLU, dx"]) == (2 * picture, 3 * picture)
    assert (moved["batch norm, forward"], moved["batch norm, backward"]) == (2 * picture + 8, 3 * picture + 8)
    assert (moved["max pool 2x2, forward"], moved["max pool 2x2, dx"]) == (5 * picture // 4, 5 * picture // 4)
    scores = 21 * picture
    assert (moved["cross-entropy, forward"], moved["cross-entropy, both"]) == (scores + picture // 4, 3 * scores + picture // 4)


def test_the_machines_limits():
    """By a clock that ticks once a call: a second for each product and copy; and the slower of the two is a row's limit."""
    from itertools import count

    from minifcn.bench import limits

    ticks = count()
    found = limits.measure(lambda: float(next(ticks)))
    assert found.macs == limits._ROWS**3
    assert found.bytes == 2 * 4 * limits._FLOATS
    known = limits.Limits(macs=100.0, bytes=10.0)
    assert (known.seconds(200, 10), known.seconds(200, 50), known.seconds(0, 0)) == (2.0, 5.0, None)


def test_no_side_writes_into_the_others_memory(device):
    """Else the two would agree whatever they compute."""
    for contest in layers.contests(device, SIZE, 1, WIDTH):
        mine, yours = contest.ours(), contest.theirs()
        assert not np.shares_memory(mine, yours.detach().numpy()), contest.name


def test_a_part_of_the_pixels_is_void(device, rng):
    _, both = layers.cross_entropy((1, 5, 20, 30), device, rng)
    dscores = both.ours()
    void = (dscores == 0).all(axis=1)
    assert 0.03 < void.mean() < 0.3


def test_the_full_sizes_are_vggs():
    cases = {case.name.split()[0]: case for case in layers.cases((224, 224), 4)}
    macs = 224 * 224 * 9 * 4
    assert cases["conv1_1"].shapes["weight"] == (64, 3, 3, 3)
    assert cases["conv1_2"].macs == macs * 64 * 64
    assert cases["conv4_2"].macs == macs * 512 * 512 // 64
    assert cases["conv5_1"].shapes["x"] == (4, 512, 14, 14)
    assert cases["fc6"].shapes == {"x": (4, 512, 14, 14), "weight": (4096, 512, 7, 7), "bias": (4096,)}
    assert cases["fc7"].shapes["x"] == (4, 4096, 8, 8)
    names = [case.name for case in layers.cases((224, 224), 4)]
    assert len(names) == len(set(names))
    sizes = {case.name: case.shapes["x"][2:] for case in layers.cases((375, 500), 1)}
    assert (sizes["fc6"], sizes["deconv k4 s2"], sizes["deconv k16 s8"]) == ((18, 22), (26, 34), (54, 70))  # NETWORKS' own


def test_a_picture_too_small_for_vgg_is_refused():
    with pytest.raises(ValueError, match=r"pictures of 16x15 are too small.*at least 16x16"):
        list(layers.cases((16, 15), 1))


@pytest.mark.parametrize("precision", ["tf32", "float32"])
def test_pytorchs_precision_is_set_and_put_back(precision):
    """Without a word of warning, and also where somebody has used the newer of PyTorch's two ways before."""
    torch = pytest.importorskip("torch")
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    places = (matmul, cudnn.conv, cudnn.rnn)
    before = [place.fp32_precision for place in places]
    other = "ieee" if precision == "tf32" else "tf32"
    matmul.fp32_precision = cudnn.conv.fp32_precision = other  # cudnn.rnn differs: reading allow_tf32 would raise
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with _their_settings(Device("cuda", precision, 1, pytorch=True)):
                expected = {"tf32": "tf32", "float32": "ieee"}[precision]
                assert [place.fp32_precision for place in places] == [expected] * 3
                assert cudnn.benchmark
        assert (matmul.fp32_precision, cudnn.conv.fp32_precision) == (other, other)
        assert not cudnn.benchmark
    finally:
        for place, value in zip(places, before, strict=True):
            place.fp32_precision = value


def test_an_older_pytorch_is_told_as_it_understands_it():
    matmul, cudnn = SimpleNamespace(allow_tf32=False), SimpleNamespace(allow_tf32=True)
    old = SimpleNamespace(backends=SimpleNamespace(cuda=SimpleNamespace(matmul=matmul), cudnn=cudnn))
    assert _tf32_switches(old) == ([(matmul, "allow_tf32"), (cudnn, "allow_tf32")], True, False)


WRONG = {
    "conv2d": ("conv1_1", lambda y: y * 1.01),
    "conv2d_backward": ("conv1_1", lambda gradients: tuple(g if g is None else g * 1.01 for g in gradients)),
    "max_pool2d_backward": ("max pool 2x2, dx", lambda dx: dx[:, :, ::-1]),
    "relu_backward": ("ReLU, dx", lambda dx: dx + (dx == 0)),
    "cross_entropy_backward": ("cross-entropy, both", lambda dscores: dscores * 1.01),
}


@pytest.mark.parametrize("function", WRONG)
def test_a_wrong_layer_is_not_timed(function, device, monkeypatch):
    name, spoil = WRONG[function]
    right = getattr(F, function)

    def wrong(*args, **options):
        result = right(*args, **options)
        return (spoil(result[0]), result[1]) if function == "conv2d" else spoil(result)

    monkeypatch.setattr(F, function, wrong)
    with pytest.raises(RuntimeError, match=rf"{name}.*a wrong result is not timed"):
        list(run(layers.contests(device, SIZE, 1, WIDTH), device, 1))


@pytest.mark.parametrize("theirs", [[1.0, np.nan], [[1.0, 2.0]], [1.0, 2.01]])
def test_nan_another_shape_and_a_difference_are_refused(theirs, device):
    torch = pytest.importorskip("torch")
    contest = Contest("a group", "a name", lambda: np.array([1.0, 2.0]), lambda: torch.tensor(theirs, dtype=torch.float64))
    with pytest.raises(RuntimeError, match="a group, a name: ours and PyTorch's results differ by"):
        list(run([contest], device, 1))


def test_without_pytorch_ours_runs_alone(alone):
    results = list(run(layers.contests(alone, SIZE, 1, WIDTH), alone, 2))
    assert len(results) > 40
    assert all(len(r.timing.ours) == 2 and not r.timing.pytorch and r.difference is None for r in results)


def test_both_sides_use_the_same_number_of_threads(monkeypatch):
    torch = pytest.importorskip("torch")
    from threadpoolctl import threadpool_info

    from minifcn import kernels
    from minifcn.bench import Device

    def threads():
        blas = {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}
        return kernels.get_num_threads(), torch.get_num_threads(), *blas

    before = threads()
    for count in (1, 3):
        with Device.of("cpu", threads=count).held():
            assert set(threads()) == {count}
    assert threads() == before
