"""float16, whose largest number is 65504, and a NumPy that was told to raise: sums that are no one's mistake come out right."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn import functional as F
from minifcn import kernels, layers
from minifcn.functional.reduce import channel_sum

torch = pytest.importorskip("torch")

RUNGS = ("plain", None)  # the definitions, and what the host runs in their place


@pytest.fixture(params=RUNGS, ids=["plain", "host"])
def rung(request):
    if request.param is None:
        yield
    else:
        with kernels.using(request.param):
            yield


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_of_large_pictures_in_float16(rung, rng, training):
    x = (rng.normal(3, 1, (1, 2, 300, 300))).astype(np.float16)
    dy = rng.normal(0.5, 1, x.shape).astype(np.float16)
    weight, bias, running = np.array([1, 2], np.float16), np.array([0, 1], np.float16), np.array([3, 3], np.float16)
    mean, var = running.copy(), running.copy()
    y, cache = F.batch_norm(x, mean, var, weight, bias, training)
    dx, dweight, dbias = F.batch_norm_backward(dy, cache)
    X, W, B = (torch.tensor(a.astype(np.float64), requires_grad=True) for a in (x, weight, bias))
    M, V = torch.tensor(running.astype(np.float64)), torch.tensor(running.astype(np.float64))
    Y = torch.nn.functional.batch_norm(X, M, V, W, B, training)
    Y.backward(torch.tensor(dy.astype(np.float64)))
    for ours, theirs in ((y, Y), (dx, X.grad), (dweight, W.grad), (dbias, B.grad), (mean, M), (var, V)):
        assert ours.dtype == np.float16
        np.testing.assert_allclose(ours.astype(float), theirs.detach().numpy(), rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_cross_entropy_of_large_pictures_in_float16(rung, rng, reduction):
    scores = rng.normal(0, 0.1, (1, 3, 300, 300)).astype(np.float16)
    labels = rng.integers(0, 3, (1, 300, 300))
    loss, cache = F.cross_entropy(scores, labels, reduction=reduction)
    dscores = F.cross_entropy_backward(1.0, cache)
    exact, exact_cache = F.cross_entropy(scores.astype(np.float64), labels, reduction=reduction)
    assert (loss.dtype, dscores.dtype) == (np.float32, np.float16)  # a sum over pixels is beyond float16
    np.testing.assert_allclose(float(loss), float(exact), rtol=2e-3)
    np.testing.assert_allclose(dscores.astype(float), F.cross_entropy_backward(1.0, exact_cache), rtol=1e-2, atol=1e-6)


def test_sums_over_channels_in_float16(rung):
    x = np.full((2, 3, 200, 200), 0.5, np.float16)
    assert channel_sum(x).dtype == np.float16
    assert channel_sum(x).tolist() == [40000.0] * 3
    x[:, :, :100] = -0.5
    x[:, :, 50:100] = 2
    assert channel_sum(np.concatenate([x, -x]) * 8).tolist() == [0.0] * 3


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_no_certain_answer_raises_where_numpy_was_told_to(rung, dtype, smoothing):
    scores = np.zeros((1, 3, 2, 2), dtype)
    scores[:, 0] = np.array([[80, 800], [104, 30000]], dtype)
    labels = np.array([[[0, 0], [0, 255]]])
    with np.errstate(all="raise"):
        assert F.log_softmax(scores).shape == scores.shape
        assert F.softmax(scores).sum() == 4
        loss, cache = F.cross_entropy(scores, labels, label_smoothing=smoothing)
        assert np.isfinite(F.cross_entropy_backward(1.0, cache)).all()
    assert np.isfinite(loss)


class Counting(layers.Layer):
    buffers = ("count", "mean")

    def __init__(self) -> None:
        super().__init__()
        self.count, self.mean = np.array(7, np.int64), np.ones(3, np.float32)

    def forward(self, x):
        return x

    def backward(self, dy):
        return dy


def test_whole_numbers_stay_whole():
    net = layers.Sequential(Counting(), layers.BatchNorm2d(2)).to("float64")
    assert net[0].count.dtype == np.int64
    floating = {key: array.dtype for key, array in net.state_dict().items() if not key.endswith(("count", "tracked"))}
    assert set(floating.values()) == {np.dtype(float)}
