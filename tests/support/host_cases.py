"""What the functions of `kernels/host` are asked, and how far their answers are from the definitions'."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import minifcn.functional  # noqa: F401, it holds the definitions
from minifcn.kernels import dispatch, host, using
from minifcn.kernels.pool_geometry import Windows


def _of_channels(rng: np.random.Generator, dtype: type) -> Iterator[tuple[np.ndarray, ...]]:
    """dy, x, mean, inv_std and scale of a batch norm: few numbers, and channels enough for several blocks."""
    for N, C, L in ((2, 3, 35), (1, 4, 2), (3, 5, 20_011)):
        yield tuple(rng.standard_normal(shape).astype(dtype) for shape in ((N, C, L), (N, C, L), C, C, C))


def _of_pixels(rng: np.random.Generator, dtype: type) -> Iterator[tuple]:
    """scores, labels, class weights, ignore_index and smoothing: pictures in one block, and pixels in several."""
    for (N, C, L), void, smoothing in (
        ((2, 5, 33), 255, 0.0), ((3, 1, 4), 255, 0.1), ((1, 7, 9), None, 0.2), ((2, 3, 100_003), 2, 0.1),
    ):  # fmt: skip
        labels = rng.integers(0, C, (N, L))
        if void is not None:
            labels[rng.random((N, L)) < 0.3] = void
        yield 3 * rng.standard_normal((N, C, L)).astype(dtype), labels, rng.random(C).astype(dtype), void, smoothing


def _of_windows(rng: np.random.Generator, dtype: type) -> Iterator[tuple[np.ndarray, Windows]]:
    """x full of equal values, NaN and −inf, and windows: overlapping, padded, dilated, of more than 256 taps."""
    for shape, options in (
        ((2, 3, 9, 11), (2, None, 0, 1, True)), ((1, 2, 10, 9), ((3, 2), (2, 1), 1, (2, 1), True)),
        ((1, 1, 33, 34), (17, 3, 8, 1, False)), ((3, 7, 120, 110), (3, 2, 1, 1, False)),
    ):  # fmt: skip
        x = np.round(2 * rng.standard_normal(shape)).astype(dtype)
        x[0, 0, 2, 3] = x[0, 0, 3, 2] = np.nan
        x[-1, -1, :6, :6] = -np.inf
        yield x, Windows.of("max_pool2d", shape, *options)


def _of_elements(rng: np.random.Generator, dtype: type) -> Iterator[np.ndarray]:
    """Any shape: a single number, a transposed array, more than a block."""
    for shape in ((), (3, 37), (0, 3), (2, 300_001)):
        yield np.asarray(np.round(rng.standard_normal(shape), 1), dtype).T


def _of_neighbours(rng: np.random.Generator, dtype: type) -> Iterator[tuple]:
    """x and size, alpha, beta, k: one channel, windows wider than there are channels, pixels in several blocks."""
    for shape, options in (
        ((2, 7, 35), (5, 1e-4, 0.75, 1.0)), ((1, 1, 4), (3, 0.5, 0.75, 2.0)), ((2, 3, 9), (8, 2.0, 0.5, 1.0)),
        ((3, 11, 10_007), (4, 0.5, 0.75, 1.0)), ((2, 6, 50), (1, 1.0, 1.25, 0.5)),
    ):  # fmt: skip
        yield rng.standard_normal(shape).astype(dtype), options


def arguments(name: str, dtype: type) -> Iterator[tuple]:
    """Arguments of one function of `kernels.host`."""
    rng = np.random.default_rng(0)
    channels, pixels, windows, elements = (make(rng, dtype) for make in (_of_channels, _of_pixels, _of_windows, _of_elements))
    match name:
        case "channel_sum":
            yield from ((x[..., None],) for _, x, *_ in channels)
        case "channel_statistics":
            yield from ((x + 100,) for _, x, *_ in channels)
        case "normalise":
            yield from ((x, mean, scale, shift) for _, x, mean, scale, bias in channels for shift in (None, bias))
        case "normalise_backward":
            modes = ((True, True), (False, True), (True, False))  # training, needs_dx
            yield from ((*arrays, *mode) for arrays in channels for mode in modes)
        case "log_softmax":
            yield from ((scores,) for scores, *_ in pixels)
        case "pixel_losses":
            yield from pixels
        case "pixel_losses_backward":
            for scores, labels, *rest in pixels:
                _, log_p, pixel_weight = host.pixel_losses(scores, labels, *rest)
                for dlosses in (rng.standard_normal(labels.shape).astype(dtype), np.asarray(0.7, dtype)):
                    yield log_p, dlosses, labels, rest[0], pixel_weight, *rest[1:]
        case "max_pool" | "max_pool_values":
            yield from windows
        case "max_pool_backward":
            for x, of_x in windows:
                y, switches = host.max_pool(x, of_x)
                yield rng.standard_normal(y.shape).astype(dtype), switches, of_x
        case "relu":
            yield from ((x.copy(), inplace) for x in elements for inplace in (False, True))
        case "relu_backward":
            yield from ((x.copy(), x.round().T.reshape(x.shape), inplace) for x in elements for inplace in (False, True))
        case "dropout":
            yield from ((x, rng.integers(0, 2**64, 2, dtype=np.uint64), 7_654_321, dtype(1.8)) for x in elements)
        case "dropout_backward":
            yield from ((x, np.asarray(rng.random(x.shape) < 0.6), dtype(2.5)) for x in elements)
        case "add":
            yield from ((x.copy(), x[::-1].copy() if x.ndim else x + 1, inplace) for x in elements for inplace in (False, True))
        case "copied":
            yield from ((x,) for x in elements)
        case "concat":
            yield from (
                tuple(rng.standard_normal((2, C, 9, 11)).astype(dtype) for C in parts) for parts in ((3,), (1, 4), (5, 2, 3))
            )
            yield tuple(rng.standard_normal((2, C, 200, 300)).astype(dtype) for C in (7, 3))
        case "cut_channels":
            yield from (
                (rng.standard_normal((2, 10, 9, 11)).astype(dtype), channels) for channels in ((10,), (1, 9), (5, 2, 3))
            )
            yield rng.standard_normal((2, 10, 200, 300)).astype(dtype), (7, 3)
        case "local_response":
            yield from ((x, *options) for x, options in _of_neighbours(rng, dtype))
        case "local_response_backward":
            for x, (size, alpha, beta, k) in _of_neighbours(rng, dtype):
                s = host.local_response(x, size, alpha, beta, k)[1]
                yield rng.standard_normal(x.shape).astype(dtype), x, s, size, alpha, beta
        case "product":
            for M, K, P in ((1, 1, 1), (2, 9, 5), (3, 5000, 2), (70, 260, 1000), (900, 3, 130)):
                yield rng.standard_normal((M, K)).astype(dtype), rng.standard_normal((P, K)).astype(dtype).T
        case "separable":
            for N, C, H, W, OH, OW in ((2, 3, 7, 5, 3, 9), (1, 4, 2, 6, 11, 4), (3, 70, 33, 34, 35, 36)):
                yield tuple(rng.standard_normal(shape).astype(dtype) for shape in ((N, C, H, W), (OH, H), (OW, W)))
        case _:
            raise ValueError(f"there are no arguments for {name}")


def difference(name: str, dtype: type) -> float:
    """The largest difference between a function of `kernels.host` and its definition, over all that they return.

    Relative to the largest number of a result, or 1; infinite where shapes, dtypes or the places of NaN differ.
    """
    worst = 0.0
    for given in arguments(name, dtype):
        copies = [argument.copy() if isinstance(argument, np.ndarray) else argument for argument in given]
        fast = getattr(host, name)(*given)
        with using("plain"):  # one definition calls another
            plain = dispatch.definitions[name](*copies)
        pairs = zip(fast, plain, strict=True) if isinstance(plain, tuple) else [(fast, plain)]
        for got, expected in pairs:
            if got is not None or expected is not None:
                worst = max(worst, _relative(np.asarray(got), np.asarray(expected)))
    return worst


def _relative(got: np.ndarray, expected: np.ndarray) -> float:
    if (got.shape, got.dtype) != (expected.shape, expected.dtype) or (np.isnan(got) != np.isnan(expected)).any():
        return np.inf
    apart = ~((got == expected) | np.isnan(got))
    largest = max(1.0, float(abs(expected[np.isfinite(expected)]).max(initial=0)))
    return float(abs(got[apart].astype(float) - expected[apart]).max(initial=0)) / largest
