"""What each operation must be, said without PyTorch: definitions, invariants, and numbers that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minifcn import functional as F
from minifcn import kernels
from minifcn.checks.cases import make


@pytest.fixture(scope="module", params=[None, "plain"], ids=["fast", "plain"], autouse=True)
def kernel(request):
    """All of this holds for the definitions, and for what runs in their place."""
    with kernels.using(request.param):
        yield


def drawn(data, function):
    return make(function, lambda low, high: data.draw(st.integers(low, high)))


# ------------------------------------------------------------------------------------------------------- convolutions


def test_convolution_is_correlation():
    x = np.arange(12.0).reshape(1, 1, 3, 4)
    weight = np.array([[[[1.0, 10.0], [100.0, 1000.0]]]])
    y, _ = F.conv2d(x, weight, np.array([0.5]))
    assert y[0, 0, 0, 0] == 0 * 1 + 1 * 10 + 4 * 100 + 5 * 1000 + 0.5
    assert y.shape == (1, 1, 2, 3)


@given(data=st.data())
def test_transposed_convolution_is_the_adjoint(data):
    """<conv x, y> = <x, deconv y>, for any geometry in which the sizes come out even."""
    case = drawn(data, "conv2d")
    x, weight, options = case.inputs["x"], case.inputs["weight"], case.options
    y, _ = F.conv2d(x, weight, **options)
    v = np.random.default_rng(7).standard_normal(y.shape)
    used = [(n + 2 * p - d * (k - 1) - 1) % s for n, p, d, k, s in zip(
        x.shape[2:], options["padding"], options["dilation"], weight.shape[2:], options["stride"], strict=True)]  # fmt: skip
    back, _ = F.conv_transpose2d(v, weight, output_padding=tuple(used), **options)
    assert back.shape == x.shape
    np.testing.assert_allclose((y * v).sum(), (x * back).sum(), rtol=1e-12, atol=1e-12 * np.abs(y * v).sum())


@given(data=st.data())
def test_transposed_convolution_is_zero_insertion_then_convolution(data):
    """The definition: S − 1 zeros between pixels, the kernel flipped and its channels swapped, padding D(K − 1) − P."""
    case = drawn(data, "conv_transpose2d")
    x, weight, bias = case.inputs["x"], case.inputs["weight"], case.inputs.get("bias")
    (SH, SW), (PH, PW), (DH, DW) = (case.options[name] for name in ("stride", "padding", "dilation"))
    (OPH, OPW), G = case.options["output_padding"], case.options["groups"]
    N, C, H, W = x.shape
    _, OG, KH, KW = weight.shape
    top, left = DH * (KH - 1), DW * (KW - 1)
    spread = np.zeros((N, C, (H - 1) * SH + 1 + 2 * top + OPH, (W - 1) * SW + 1 + 2 * left + OPW))
    spread[:, :, top : top + (H - 1) * SH + 1 : SH, left : left + (W - 1) * SW + 1 : SW] = x
    flipped = weight[:, :, ::-1, ::-1].reshape(G, C // G, OG, KH, KW).swapaxes(1, 2)  # (G, O/G, C/G, KH, KW)
    y, _ = F.conv2d(spread, flipped.reshape(G * OG, C // G, KH, KW), bias, dilation=(DH, DW), groups=G)
    y = y[:, :, PH : y.shape[2] - PH, PW : y.shape[3] - PW]
    np.testing.assert_allclose(F.conv_transpose2d(x, weight, bias, **case.options)[0], y, rtol=1e-10, atol=1e-12)


def test_groups_are_separate_convolutions(rng):
    x, weight = rng.standard_normal((2, 6, 5, 4)), rng.standard_normal((4, 3, 3, 3))
    y, _ = F.conv2d(x, weight, groups=2)
    apart = [F.conv2d(x[:, 3 * g : 3 * g + 3], weight[2 * g : 2 * g + 2])[0] for g in (0, 1)]
    np.testing.assert_allclose(y, np.concatenate(apart, axis=1), rtol=1e-12)


def test_dbias_is_none_without_bias(rng):
    x = rng.standard_normal((1, 2, 4, 4))
    for forward, backward in ((F.conv2d, F.conv2d_backward), (F.conv_transpose2d, F.conv_transpose2d_backward)):
        y, cache = forward(x, rng.standard_normal((2, 2, 3, 3)))
        assert backward(y, cache)[2] is None


# ------------------------------------------------------------------------------------------------------------ poolings


def test_the_first_of_equal_values_wins():
    _, cache = F.max_pool2d(np.zeros((1, 1, 2, 4)), 2)
    assert F.max_pool2d_indices(cache).tolist() == [[[[0, 2]]]]
    assert F.max_pool2d_backward(np.array([[[[1.0, 2.0]]]]), cache).tolist() == [[[[1, 0, 2, 0], [0, 0, 0, 0]]]]


def test_nan_wins_as_in_pytorch():
    torch = pytest.importorskip("torch")
    x = np.arange(36.0).reshape(1, 1, 6, 6)
    x[0, 0, 1, 1] = x[0, 0, 4, 2] = x[0, 0, 4, 3] = np.nan
    theirs, indices = torch.nn.functional.max_pool2d(torch.tensor(x), 3, 2, 1, return_indices=True)
    y, cache = F.max_pool2d(x, 3, 2, 1)
    np.testing.assert_array_equal(y, theirs.numpy())
    np.testing.assert_array_equal(F.max_pool2d_indices(cache), indices.numpy())


def test_padding_never_wins():
    y, cache = F.max_pool2d(np.full((1, 1, 3, 3), -5.0), 3, stride=1, padding=1)
    assert (y == -5).all()
    assert F.max_pool2d_backward(np.ones_like(y), cache).sum() == 9


def test_infinities_pool_like_numbers():
    x = np.full((1, 1, 4, 4), -np.inf)
    y, cache = F.max_pool2d(x, 2)
    assert (y == -np.inf).all()
    assert F.max_pool2d_backward(np.ones_like(y), cache)[0, 0, ::2, ::2].tolist() == [[1, 1], [1, 1]]


def test_unpooling_puts_values_back(rng):
    x = rng.standard_normal((2, 3, 5, 7))
    y, cache = F.max_pool2d(x, 2, ceil_mode=True)
    back, _ = F.max_unpool2d(y, F.max_pool2d_indices(cache), x.shape[2:])
    assert (back[back != 0] == x[back != 0]).all()
    assert np.count_nonzero(back) == y.size


def test_averages_of_a_constant_are_constant():
    x = np.full((1, 2, 7, 5), 3.0)
    for y, _ in (F.avg_pool2d(x, 3, 2, 1, ceil_mode=True, count_include_pad=False), F.adaptive_avg_pool2d(x, (4, 9))):
        np.testing.assert_allclose(y, 3, rtol=1e-14)
    assert F.avg_pool2d(x, 3, 2, 1)[0][0, 0, 0, 0] == pytest.approx(3 * 4 / 9)


# ------------------------------------------------------------------------------------------------------------ pointwise


def test_relu_has_no_gradient_at_zero():
    y, cache = F.relu(np.array([-1.0, 0.0, 2.0]))
    assert y.tolist() == [0, 0, 2]
    assert F.relu_backward(np.array([5.0, 5.0, 5.0]), cache).tolist() == [0, 0, 5]


def test_relu_inplace_writes_over_its_input():
    x = np.array([-1.0, 2.0])
    y, _ = F.relu(x, inplace=True)
    assert y is x
    assert x.tolist() == [0, 2]


def test_batch_norm_normalises_and_follows_the_statistics(rng):
    x = 5 + 3 * rng.standard_normal((4, 2, 6, 5))
    mean, var = np.zeros(2), np.ones(2)
    y, _ = F.batch_norm(x, mean, var, training=True, momentum=0.25)
    np.testing.assert_allclose(y.mean(axis=(0, 2, 3)), 0, atol=1e-12)
    np.testing.assert_allclose(y.var(axis=(0, 2, 3)), 1, rtol=1e-5)
    np.testing.assert_allclose(mean, 0.25 * x.mean(axis=(0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(var, 0.75 + 0.25 * x.var(axis=(0, 2, 3), ddof=1), rtol=1e-12)
    F.batch_norm(x, mean_before := mean.copy(), var, training=False)
    np.testing.assert_array_equal(mean_before, mean)


def test_batch_norm_backward_belongs_to_the_statistics_of_its_own_forward(rng):
    """In evaluation the running statistics may move on before backward: the gradient is that of the forward."""
    x, mean, var = rng.standard_normal((2, 3, 4, 4)), rng.standard_normal(3), np.array([1.0, 4.0, 9.0])
    dy, weight = rng.standard_normal(x.shape), np.ones(3)
    right = F.batch_norm_backward(dy, F.batch_norm(x, mean, var, weight)[1])
    _, cache = F.batch_norm(x, mean, var, weight)
    mean += 7
    var *= 100
    for gradient, expected in zip(F.batch_norm_backward(dy, cache)[:2], right[:2], strict=True):
        np.testing.assert_array_equal(gradient, expected)


def test_batch_norm_of_a_large_mean_keeps_its_digits():
    """Two passes over x: the one-pass formula mean(x²) − mean(x)² would lose all digits here in float32."""
    x = (1000 + np.random.default_rng(0).standard_normal((4, 1, 16, 16))).astype("f")
    y, _ = F.batch_norm(x, None, None, training=True)
    assert abs(y.std() - 1) < 1e-3


def test_dropout_drops_elements_and_keeps_the_mean():
    x = np.ones((4, 8, 50, 50))
    y, cache = F.dropout(x, 0.25, rng=np.random.default_rng(0))
    assert set(np.unique(y)) == {0, 1 / 0.75}
    assert abs(y.mean() - 1) < 0.01
    kept = (y > 0).mean(axis=(2, 3))
    assert ((kept > 0.6) & (kept < 0.9)).all()  # no channel is dropped whole
    np.testing.assert_array_equal(F.dropout_backward(x, cache), y)
    np.testing.assert_array_equal(F.dropout(x, 0.25, rng=np.random.default_rng(0))[0], y)


@pytest.mark.parametrize("shape", [(), (0, 3), (3, 37), (2, (1 << 16) + 5)])  # the last is drawn by several threads
@pytest.mark.parametrize("dtype", ["float32", "float64", "longdouble"])
def test_dropouts_mask_is_that_of_numpys_philox(shape, dtype):
    """Also at a p that one of the numbers equals, and at one that float32 rounds to 1."""
    x = np.asarray(np.random.default_rng(3).standard_normal(shape)).astype(dtype)
    key = np.random.default_rng(5).integers(0, 2**64, 2, dtype=np.uint64)
    u = np.asarray(np.random.Generator(np.random.Philox(key=key)).random(shape, dtype=np.float32))
    x[u < 0.01] = np.inf
    for p in (0.1, 0.9, 2.0**-24, 1 - 2.0**-25, float(u.flat[u.size // 2]) if u.size else 0.5):
        y, cache = F.dropout(x, p, rng=np.random.default_rng(5))
        np.testing.assert_array_equal(y, np.where(u >= np.float32(p), x, 0) * x.dtype.type(1 / (1 - p)))
        np.testing.assert_array_equal(F.dropout_backward(x, cache), y)


def test_dropout_of_arrays_that_are_not_contiguous():
    x = np.arange(1.0, 601).reshape(20, 30)
    for view in (x.T, x[::2, 1::3], x[::-1]):
        y, cache = F.dropout(view, 0.4, rng=np.random.default_rng(1))
        same, _ = F.dropout(view.copy(), 0.4, rng=np.random.default_rng(1))
        np.testing.assert_array_equal(y, same)
        np.testing.assert_array_equal(F.dropout_backward(view, cache), y)


def test_dropouts_mask_does_not_depend_on_the_threads():
    x, before, masks = np.ones((5, 1 << 15), np.float32), kernels.get_num_threads(), []
    try:
        for threads in (1, 3):
            kernels.set_num_threads(threads)
            masks.append(F.dropout(x, 0.5, rng=np.random.default_rng(1))[0])
    finally:
        kernels.set_num_threads(before)
    np.testing.assert_array_equal(*masks)


def test_dropout_at_its_ends_and_in_evaluation():
    x = np.array([1.0, np.inf, -2.0])
    assert F.dropout(x, 1.0)[0].tolist() == [0, 0, 0]
    assert F.dropout(x, 0.0)[0].tolist() == x.tolist()
    y, cache = F.dropout(x, 0.9, training=False)
    assert y.tolist() == x.tolist()
    assert F.dropout_backward(x, cache).tolist() == x.tolist()


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_resizing_keeps_constants_and_hands_back_the_whole_gradient(mode, rng):
    x = np.full((1, 2, 5, 7), 3.0)
    y, cache = F.interpolate(x, size=(8, 4), mode=mode)
    np.testing.assert_allclose(y, 3, rtol=1e-14)
    dy = rng.standard_normal(y.shape)
    np.testing.assert_allclose(F.interpolate_backward(dy, cache).sum(), dy.sum(), rtol=1e-10)


def test_align_corners_keeps_the_corners(rng):
    x = rng.standard_normal((1, 1, 4, 5))
    y, _ = F.interpolate(x, size=(7, 9), align_corners=True)
    np.testing.assert_allclose(y[..., ::6, ::8], x[..., ::3, ::4], rtol=1e-12)
    np.testing.assert_allclose(y[0, 0, ::2, ::2], x[0, 0], rtol=1e-12)


# ---------------------------------------------------------------------------------------------------------------- loss


def test_zero_scores_cost_ln_classes():
    loss, _ = F.cross_entropy(np.zeros((1, 21, 3, 3)), np.zeros((1, 3, 3), np.uint8))
    assert loss == pytest.approx(3.0445, abs=5e-5)


def test_void_neither_costs_nor_teaches(rng):
    scores, labels = rng.standard_normal((2, 5, 4, 3)), rng.integers(0, 5, (2, 4, 3)).astype(np.uint8)
    void = rng.random(labels.shape) < 0.4
    labels[void] = 255
    loss, cache = F.cross_entropy(scores, labels)
    dscores = F.cross_entropy_backward(1.0, cache)
    assert not dscores.transpose(0, 2, 3, 1)[void].any()
    scores.transpose(0, 2, 3, 1)[void] += 100
    assert F.cross_entropy(scores, labels)[0] == pytest.approx(loss, rel=1e-12)
    kept = scores.transpose(0, 2, 3, 1)[~void]  # the mean is over what is left
    assert F.cross_entropy(kept, labels[~void])[0] == pytest.approx(loss, rel=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_void_alone_costs_nothing(reduction):
    loss, cache = F.cross_entropy(np.ones((1, 3, 2, 2)), np.full((1, 2, 2), 255), reduction=reduction)
    assert loss == 0
    assert not F.cross_entropy_backward(1.0, cache).any()


def test_huge_scores_do_not_overflow():
    scores = np.array([[1e4, -1e4, 0.0], [-1e30, 1e30, 0.0]])
    loss, cache = F.cross_entropy(scores, np.array([0, 0]), reduction="none")
    assert loss.tolist() == [0, 2e30]
    assert np.isfinite(F.cross_entropy_backward(np.ones(2), cache)).all()


def test_gradients_of_a_pixel_sum_to_zero(rng):
    scores, labels = rng.standard_normal((2, 4, 3, 3)), rng.integers(0, 4, (2, 3, 3))
    _, cache = F.cross_entropy(scores, labels, rng.uniform(1, 2, 4), label_smoothing=0.2)
    np.testing.assert_allclose(F.cross_entropy_backward(1.0, cache).sum(axis=1), 0, atol=1e-15)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int32", "int64"])
def test_labels_of_any_integer_dtype(dtype, rng):
    scores, labels = rng.standard_normal((1, 3, 4, 4)), rng.integers(0, 3, (1, 4, 4))
    right = F.cross_entropy(scores, labels)
    mine = F.cross_entropy(scores, labels.astype(dtype))
    assert mine[0] == right[0]
    np.testing.assert_array_equal(F.cross_entropy_backward(1.0, mine[1]), F.cross_entropy_backward(1.0, right[1]))


def test_softmax_sums_to_one(rng):
    p = F.softmax(50 * rng.standard_normal((2, 6, 3, 3)))
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(np.exp(F.log_softmax(np.log(p))), p, rtol=1e-10)
