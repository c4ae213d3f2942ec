"""What the kernels are asked, and the answers, on small ragged shapes: one list for the emulator, its mutants, the sanitizers
and a GPU.

A case is a function of `xp` (CuPy or its stand-in) that yields (what, got, expected, tolerance). Expected comes from NumPy, in
float64; where the tensor cores are used, of operands rounded to TF32 first. Against unrounded ones the difference is 1e-2 and
would prove nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import numpy as np

from minifcn import functional as F
from minifcn.kernels import Geometry, cuda
from minifcn.kernels.convolution import im2col
from minifcn.kernels.cuda import conv, fallback, launch
from minifcn.kernels.cuda.tiles import STRIP_TILES, TILES, WARPGROUP_TILES, AlongRows, Plan, Tile
from minifcn.kernels.pool_geometry import Windows
from minifcn.layers import Parameter
from minifcn.training import optimizers

Answers = Iterator[tuple[str, Any, np.ndarray, float]]

BY_WARPGROUPS = WARPGROUP_TILES + STRIP_TILES
CONFIGURATIONS = [(products, tile) for products, some in TILES.items() for tile in some] + [(1, tile) for tile in BY_WARPGROUPS]
PRODUCTS = (1, 3, 0)  # TF32; float32 on tensor cores; float32 on the ordinary units: tile.cuh
CONVOLUTIONS = {  # x, weight, stride, padding, dilation, groups; pieces that sums are cut into
    "3x2 window, ragged": ((2, 3, 9, 7), (5, 3, 3, 2), 1, 1, 1, 1, 1),
    "many slabs": ((1, 20, 5, 6), (9, 20, 3, 3), 1, 1, 1, 1, 1),
    "stride and dilation": ((1, 8, 9, 8), (33, 8, 3, 3), (2, 1), (0, 1), (1, 2), 1, 2),
    "two groups": ((2, 6, 5, 5), (4, 3, 2, 3), (3, 2), (2, 2), 1, 2, 2),
    "two groups, whole": ((1, 6, 4, 5), (4, 3, 2, 3), 1, 0, 1, 2, 1),
    "1x1": ((2, 5, 4, 5), (70, 5, 1, 1), 1, 0, 1, 1, 1),
    "1x1, no padding": ((2, 16, 3, 5), (24, 8, 1, 1), 1, 0, 1, 2, 1),
    "stride beyond the kernel": ((1, 4, 7, 8), (3, 4, 1, 2), 3, 0, 1, 1, 2),  # phases without a tap
    "upsampling by two": ((1, 4, 8, 10), (6, 4, 4, 4), 2, 1, 1, 1, 1),
    "padding beyond the kernel": ((1, 3, 4, 3), (4, 3, 3, 3), 1, 7, 1, 1, 1),
    "many strips": ((2, 5, 7, 9), (9, 5, 5, 4), 1, (1, 2), (1, 2), 1, 1),  # the last tap 6 pixels from the first
    "strips in pieces": ((2, 72, 4, 20), (66, 36, 2, 3), 1, (0, 1), (2, 1), 2, 3),  # of 4 strips 2, 2 and none
    "longer than a tile": ((1, 4, 2, 131), (4, 4, 1, 3), 1, 0, (1, 4), 1, 1),  # the last tap 8 pixels from the first
    "whole slabs of channels": ((1, 32, 3, 4), (5, 32, 2, 3), 1, (0, 1), 1, 1, 1),
    "more outputs than a tile": ((1, 4, 2, 3), (68, 4, 1, 3), 1, 0, 1, 1, 1),  # than 64, of the lower ones
    "more inputs than a tile": ((1, 68, 2, 3), (4, 68, 1, 3), 1, (0, 1), 1, 1, 1),
    "stride along rows": ((1, 4, 3, 9), (4, 4, 3, 3), (1, 2), 1, 1, 1, 1),
    "taps too far for a strip": ((1, 4, 2, 140), (4, 4, 1, 4), 1, 0, (1, 3), 1, 2),  # the last 9 pixels from the first
    "groups along rows": ((1, 8, 3, 6), (6, 4, 1, 3), 1, (0, 1), 1, 2, 1),
    "in pieces": ((2, 20, 9, 8), (4, 20, 3, 3), 1, 1, 1, 1, 5),  # of 12 slabs 3, 3, 3, 3 and none
}


def draw(*shape: int, dtype: Any = np.float32, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).standard_normal(shape).astype(dtype)


def to_tf32(x: np.ndarray) -> np.ndarray:
    """float32 rounded to TF32 (10 bits of mantissa), ties away from zero, as float64."""
    bits = (np.ascontiguousarray(x).view(np.uint32) + np.uint32(0x1000)) & np.uint32(0xFFFFE000)
    return bits.view(np.float32).astype(np.float64)


# ------------------------------------------------------------------------------------------------------- convolution


@contextlib.contextmanager
def forced(products: int, tile: Tile | None = None, splits: int = 1) -> Iterator[None]:
    """Convolutions multiply by `products` (see tile.cuh), with this tile (the first) and sums in so many pieces.

    dweight, which no warpgroup computes, takes the first tile in the place of a warpgroup's; so does what has no strips.
    """
    tile = tile or TILES[products][0]

    def plan(*sizes: int, warpgroups: bool = False, along_rows: AlongRows | None = None) -> Plan:
        possible = (warpgroups or not tile.WGMMA) and (along_rows or not tile.STRIPS)
        return Plan(tile if possible else TILES[products][0], splits)

    before = cuda.get_precision()
    cuda.set_precision("tf32" if products == 1 else "float32")
    with mock.patch.object(conv, "_products", return_value=products), mock.patch.object(conv, "plan", plan):
        try:
            yield
        finally:
            cuda.set_precision(before)


def convolution(name: str, xp: Any, products: int, tile: Tile | None = None) -> Answers:
    """The three passes of one convolution in float32."""
    x_shape, weight_shape, *options, splits = CONVOLUTIONS[name]
    g = Geometry.of(x_shape, weight_shape, *options)
    x, weight, bias, dy = draw(*x_shape), draw(*weight_shape, seed=1), draw(g.O, seed=2), draw(*g.y_shape, seed=3)
    dev_x, dev_weight, dev_bias, dev_dy = (xp.asarray(array) for array in (x, weight, bias, dy))
    with forced(products, tile, splits):
        got = {
            "y": cuda.forward(dev_x, dev_weight, dev_bias, g),
            "y, ReLU": cuda.forward_relu(dev_x, dev_weight, dev_bias, g),
            "dx": cuda.input_gradient(dev_dy, dev_weight, g),
            "dweight": cuda.weight_gradient(dev_x, dev_dy, g),
        }
        both = dict(zip(("dx", "dweight"), cuda.gradients(dev_x, dev_dy, dev_weight, g), strict=True))
    round_ = to_tf32 if products == 1 else lambda array: array.astype(np.float64)
    x, weight, dy = round_(x), round_(weight), round_(dy)
    no_bias = im2col.forward(x, weight, None, g)
    expected = {
        "y": no_bias + bias[:, None, None],
        "y, ReLU": np.maximum(no_bias + bias[:, None, None], 0),
        "dx": im2col.input_gradient(dy, weight, g),
        "dweight": im2col.weight_gradient(x, dy, g),
    }
    taps = g.KH * g.KW
    terms = {"y": g.C // g.G * taps, "y, ReLU": g.C // g.G * taps, "dx": g.O // g.G * taps, "dweight": g.N * g.OH * g.OW}
    for what, array in got.items():
        yield what, array, expected[what], 1e-6 + 2e-6 * np.sqrt(terms[what])
    y, needs = draw(*g.y_shape, seed=4), (True, True)
    through = np.where(y > 0, draw(*g.y_shape, seed=3), np.float32(0))  # what ReLU lets through
    with forced(products, tile, splits):
        dx, dweight, dbias = cuda.relu_gradients(dev_x, dev_dy, xp.asarray(y), dev_weight, g, needs)
        alone = cuda.gradients(dev_x, xp.asarray(through), dev_weight, g)
    for what, array, same in zip(("dx", "dweight"), (dx, dweight), alone, strict=True):
        yield f"{what} behind ReLU", array - same, np.zeros_like(expected[what]), 0.0
    yield "dbias behind ReLU", dbias, through.sum((0, 2, 3), dtype=np.float64), 1e-5
    for what, array in both.items():
        yield f"{what} of both", array - got[what], np.zeros_like(expected[what]), 0.0


def long_sums(xp: Any) -> Answers:
    """float32 means float32 also where a sum is long and its terms have one sign, so that no error cancels another."""
    x, weight = np.abs(draw(1, 3000, 3, 4)), np.abs(draw(2, 3000, 1, 1, seed=1))
    g = Geometry.of(x.shape, weight.shape)
    expected = im2col.forward(x.astype(np.float64), weight.astype(np.float64), None, g)
    for products in (3, 0):
        with forced(products):
            y = cuda.forward(xp.asarray(x), xp.asarray(weight), None, g)
        yield f"{products} products", y / xp.asarray(expected.astype(np.float32)), np.ones_like(expected), 3e-6


def packing(xp: Any) -> Answers:
    """pack.cu alone, with fewer blocks than tiles: each turns several of them, one after the other."""
    for TP, TR, R, P in ((64, 64, 5, 67), (64, 64, 70, 128), (49, 32, 37, 49), (9, 256, 130, 9), (1, 1024, 6, 1)):
        N, G, R4 = 3, 2, -(-R // 4) * 4
        source, grid = draw(N, G, R, P), (2,)
        packed = xp.empty((G, N, P, R4), np.float32)
        launch.launch("pack.cu", "pack", grid, 256, (xp.asarray(source), packed, N, G, R, P, R4), TF32=1, TP=TP, TR=TR)
        expected = np.zeros((G, N, P, R4))
        expected[..., :R] = to_tf32(source).transpose(1, 0, 3, 2)
        yield f"packed, {TR} x {TP}", packed, expected, 0.0


def behind_relu(xp: Any) -> Answers:
    """relu_pack.cu alone: several chunks of several tiles, more (n, g) than blocks for them, zeros among y; and its sums."""
    for TR, chunks, tiles in ((32, 7, 1), (64, 3, 3)):
        yield from behind_relu_by(xp, TR, chunks, tiles)


def behind_relu_by(xp: Any, TR: int, chunks: int, tiles: int) -> Answers:
    N, G, R, P, R4 = 5, 2, 69, 211, 72
    dy, y = draw(N, G, R, P), np.round(draw(N, G, R, P, seed=1))
    packed, parts = xp.empty((G, N, P, R4), np.float32), xp.empty((N * chunks, G * R), np.float32)
    arguments = (xp.asarray(dy), xp.asarray(y), packed, parts, N, G, R, P, R4, chunks, tiles)
    launch.launch("relu_pack.cu", "relu_pack", (chunks * -(-R4 // TR), 4), 256, arguments, TF32=1, TR=TR)
    through = np.where(y > 0, dy, np.float32(0))
    expected = np.zeros((G, N, P, R4))
    expected[..., :R] = to_tf32(through).transpose(1, 0, 3, 2)
    yield f"packed by {TR}", packed, expected, 0.0
    sums = xp.empty(G * R, np.float32)
    launch.launch("relu_pack.cu", "add_rows", (-(-G * R // 32),), 1024, (parts, sums, N * chunks, G * R), TF32=1, TR=TR)
    yield f"sums by {TR}", sums, through.sum((0, 3), dtype=np.float64).ravel(), 1e-5


def adding(xp: Any) -> Answers:
    """dweight_of_parts alone: narrow and wide, with fewer blocks than output channels and more taps than it turns at a time."""
    for width, taps, C, T in ((32, 64, 37, 67), (256, 4, 258, 5)):
        splits, G, O, O4, C4 = 3, 2, 3, 4, -(-C // 4) * 4
        parts = draw(splits, G, O4, T, C4)
        dweight = xp.empty((G * O, C, T), np.float32)
        arguments = (xp.asarray(parts), dweight, splits, G, O, O4, C, C4, T)
        launch.launch("add_parts.cu", "dweight_of_parts", (-(-C // width), 4), 256, arguments, WIDTH=width, TAPS=taps)
        expected = parts.astype(np.float64).sum(0)[:, :O, :, :C].swapaxes(2, 3).reshape(G * O, C, T)
        yield f"{width} wide", dweight, expected, 1e-5


def by_columns(xp: Any) -> Answers:
    """im2col, col2im and the convolution through them, float64."""
    for name in ("stride and dilation", "two groups", "stride beyond the kernel"):
        x_shape, weight_shape, *options, _ = CONVOLUTIONS[name]
        g = Geometry.of(x_shape, weight_shape, *options)
        x, weight = draw(*x_shape, dtype=np.float64), draw(*weight_shape, dtype=np.float64)
        bias, dy = draw(g.O, dtype=np.float64), draw(*g.y_shape, dtype=np.float64)
        dev_x, dev_weight, dev_bias, dev_dy = (xp.asarray(array) for array in (x, weight, bias, dy))
        yield f"{name}: columns", fallback.im2col(dev_x[0], g), im2col.im2col(x[0], g), 0.0
        yield f"{name}: y", cuda.forward(dev_x, dev_weight, dev_bias, g), im2col.forward(x, weight, bias, g), 1e-12
        yield f"{name}: dx", cuda.input_gradient(dev_dy, dev_weight, g), im2col.input_gradient(dy, weight, g), 1e-12
        yield f"{name}: dweight", cuda.weight_gradient(dev_x, dev_dy, g), im2col.weight_gradient(x, dy, g), 1e-12


# ------------------------------------------------------------------------------------------------------ everything else


def pooling(xp: Any) -> Answers:
    """Max-pooling: overlapping, padded, dilated, ceil mode, equal values, NaN, a window of minus infinity."""
    for dtype, options in (
        (np.float32, {"kernel_size": 2}),
        (np.float32, {"kernel_size": (3, 2), "stride": (2, 1), "padding": 1, "dilation": (2, 1), "ceil_mode": True}),
        (np.float64, {"kernel_size": 17, "stride": 3, "padding": 8, "dilation": 2}),  # 289 taps: switches of 4 bytes
    ):
        x = np.round(draw(2, 3, 33, 34, dtype=dtype) * 2)[..., : 33 if dtype == np.float64 else 9, :]  # many equal values
        x = np.ascontiguousarray(x)
        x[0, 0, 2, 3], x[1, 1, :6, :6] = np.nan, -np.inf
        windows = Windows.of("max_pool2d", x.shape, *(options.get(key, default) for key, default in (
            ("kernel_size", 1), ("stride", None), ("padding", 0), ("dilation", 1), ("ceil_mode", False))))  # fmt: skip
        y, cache = F.max_pool2d(x, **options)
        got_y, switches = cuda.max_pool(xp.asarray(x), windows)
        yield f"{options}: y", got_y, y, 0.0
        yield f"{options}: switches", switches, cache[0], 0.0
        dy = draw(*y.shape, dtype=dtype)
        dx = F.max_pool2d_backward(dy, cache)
        yield f"{options}: dx", cuda.max_pool_backward(xp.asarray(dy), switches, windows), dx, 1e-6


def batch_normalisation(xp: Any) -> Answers:
    """Sums over channels longer than a block takes, and shorter; a mean far from 0; y and dx."""
    for dtype, shape in ((np.float32, (2, 3, 35)), (np.float64, (2, 2, 16_391))):
        x, dy, weight = draw(*shape, dtype=dtype) + 100, draw(*shape, dtype=dtype, seed=1), draw(shape[1], dtype=dtype)
        tolerance, M = (1e-4 if dtype == np.float32 else 1e-9), x.size // shape[1]
        wide = x.astype(np.float64)
        mean, var = wide.mean((0, 2)), wide.var((0, 2))
        inv_std = 1 / np.sqrt(var)
        x_hat = (wide - mean[:, None]) * inv_std[:, None]
        dev = [xp.asarray(array.astype(dtype)) for array in (x, dy, weight, mean, inv_std)]
        got_mean, got_var = cuda.channel_statistics(dev[0])
        yield f"{shape}: mean", got_mean, mean, tolerance
        yield f"{shape}: variance", got_var, var, tolerance
        dbias, dweight = dy.sum((0, 2), dtype=np.float64), (dy * x_hat).sum((0, 2))
        scale = weight * inv_std
        dev_scale = xp.asarray(scale.astype(dtype))
        given = (dev[1], dev[0], dev[3], dev[4], dev_scale)
        got_dx, got_dweight, got_dbias = cuda.normalise_backward(*given, True, True)
        yield f"{shape}: dbias", got_dbias, dbias, 10 * tolerance
        yield f"{shape}: dbias alone", cuda.channel_sum(dev[1]), dbias, 10 * tolerance
        yield f"{shape}: dweight", got_dweight, dweight, 10 * tolerance
        y = (wide - mean[:, None]) * scale[:, None]
        yield f"{shape}: y", cuda.normalise(dev[0], dev[3], dev_scale, dev[2]), y + weight[:, None], tolerance
        yield f"{shape}: y, no shift", cuda.normalise(dev[0], dev[3], dev_scale, None), y, tolerance
        dx = scale[:, None] * (dy - dbias[:, None] / M - x_hat * dweight[:, None] / M)
        yield f"{shape}: dx", got_dx, dx, tolerance
        yield f"{shape}: dx in evaluation", cuda.normalise_backward(*given, False, True)[0], scale[:, None] * dy, tolerance


def loss(xp: Any) -> Answers:
    """Softmax cross-entropy: void, class weights, smoothing, huge scores, labels of several types."""
    for label_type, void, smoothing, scale in ((np.uint8, 255, 0.0, 1), (np.int64, None, 0.2, 1), (np.int32, -1, 0.1, 1000)):
        scores = draw(2, 5, 33, dtype=np.float64) * scale
        labels = np.random.default_rng(4).integers(0, 5, (2, 33)).astype(label_type)
        if void is not None:
            labels[0, :7] = void
        weight, dlosses = np.abs(draw(5, dtype=np.float64)), draw(2, 33, dtype=np.float64)
        losses, cache = F.cross_entropy(scores, labels, weight, void, "none", smoothing)
        dscores = F.cross_entropy_backward(dlosses, cache)
        dev_labels, dev_weight = xp.asarray(labels), xp.asarray(weight)
        got, log_p, pixel_weight = cuda.pixel_losses(xp.asarray(scores), dev_labels, dev_weight, void, smoothing)
        what = f"{np.dtype(label_type)} labels, smoothing {smoothing}"
        yield f"{what}: losses", got, losses, 1e-12 * scale
        yield f"{what}: log p", log_p, F.log_softmax(scores), 1e-12 * scale
        counted = np.ones(labels.shape, bool) if void is None else labels != void
        yield f"{what}: pixel weights", pixel_weight, weight[np.where(counted, labels, 0)] * counted, 0.0
        rest = (dev_labels, dev_weight, pixel_weight, void, smoothing)
        yield f"{what}: dscores", cuda.pixel_losses_backward(log_p, xp.asarray(dlosses), *rest), dscores, 1e-12
        one = xp.asarray(np.float64(0.5))
        halves = F.cross_entropy_backward(np.full_like(losses, 0.5), cache)
        yield f"{what}: dscores of one dloss", cuda.pixel_losses_backward(log_p, one, *rest), halves, 1e-12
    wrong = np.array([[0, 7, 1]], np.uint8)
    got, *_ = cuda.pixel_losses(xp.zeros((1, 2, 3), np.float32), xp.asarray(wrong), xp.ones(2, np.float32), 255, 0.0)
    yield "a label that is no class", got, np.array([[np.log(2), np.nan, np.log(2)]]), 1e-6


def rectifier(xp: Any) -> Answers:
    """ReLU's gradient, also at exactly 0."""
    for dtype in (np.float32, np.float64):
        y, dy = np.maximum(np.round(draw(3, 111, dtype=dtype)), 0), draw(3, 111, dtype=dtype, seed=1)
        for inplace in (False, True):
            got = cuda.relu_backward(xp.asarray(dy), xp.asarray(y), inplace)
            yield f"{np.dtype(dtype)}, in place {inplace}: dx", got, dy * (y > 0), 0.0


def dropping(xp: Any) -> Answers:
    """Dropout by NumPy's own numbers, bit for bit: one of them equal to p, all dropped, NaN dropped, sizes of any end."""
    key = np.random.default_rng(11).integers(0, 2**64, 2, dtype=np.uint64)
    for dtype, shape in ((np.float32, (3, 5, 7, 23)), (np.float64, (2, 9)), (np.float32, ()), (np.float32, (0, 4))):
        x, dy = draw(*shape, dtype=dtype), draw(*shape, dtype=dtype, seed=1)
        u = np.asarray(np.random.Generator(np.random.Philox(key=key)).random(shape, dtype=np.float32))
        x[u < np.float32(0.05)] = np.nan
        x[u < np.float32(0.02)] = np.inf
        for p in (0.1, float(u.flat[u.size // 2]) if u.size else 0.5, 1.0):
            scale = dtype(1 / (1 - p) if p < 1 else 0)
            threshold = int(np.ceil(np.float64(np.float32(p)) * 2**24))
            y, mask = cuda.dropout(xp.asarray(x), key, threshold, scale)
            what = f"{np.dtype(dtype)} {shape}, p={p}"
            yield f"{what}: y", y, np.where(u >= np.float32(p), x, dtype(0)) * scale, 0.0
            dx = np.where(u >= np.float32(p), dy, dtype(0)) * scale
            yield f"{what}: dx", cuda.dropout_backward(xp.asarray(dy), mask, scale), dx, 0.0
    x = draw(6, 70)
    kept = np.random.Generator(np.random.Philox(key=key)).random((70, 6), dtype=np.float32) >= 0.5
    yield "not contiguous", cuda.dropout(xp.asarray(x).T, key, 1 << 23, np.float32(2))[0], x.T * 2 * kept, 0.0


def updates(xp: Any) -> Answers:
    """Three steps of each optimizer, against the same optimizer on NumPy."""
    for dtype, tolerance in ((np.float32, 1e-5), (np.float64, 1e-12)):
        for rule, options in (
            (optimizers.SGD, {"lr": 0.1, "weight_decay": 0.2}),
            (optimizers.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.2}),
            (optimizers.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
            (optimizers.Adam, {"lr": 0.1, "weight_decay": 0.2}),
            (optimizers.AdamW, {"lr": 0.1, "weight_decay": 0.2, "betas": (0.8, 0.95)}),
        ):
            parameter = Parameter(draw(7, 43, dtype=dtype))
            w = xp.asarray(parameter.data)
            optimizer, averages = rule([parameter], **options), [xp.zeros(w.shape, dtype), xp.zeros(w.shape, dtype)]
            for step in range(1, 4):
                parameter.grad = draw(7, 43, dtype=dtype, seed=step)
                optimizer.step()
                update(optimizer, step, w, xp.asarray(parameter.grad), averages)
                yield f"{rule.__name__} {options} step {step}", w, parameter.data.copy(), tolerance


def update(optimizer: Any, step: int, w: Any, dw: Any, averages: list[Any]) -> None:
    """One step by the kernels, with an optimizer's options."""
    group = optimizer.param_groups[0]
    lr, decay = group["lr"], group["weight_decay"]
    if isinstance(optimizer, optimizers.Adam):
        cuda.adam(w, dw, *averages, lr, group["betas"], group["eps"], decay, step, optimizer.decoupled)
        return
    into = 1.0 if step == 1 else 1.0 - group["dampening"]
    momentum = averages[0] if group["momentum"] else None
    cuda.sgd(w, dw, momentum, lr, group["momentum"], decay, into, group["nesterov"])


def gradient_length(xp: Any) -> Answers:
    """Σ d² of a few numbers and of more than the blocks take at once, and shrinking, by 1 and by less."""
    for dtype, size, tolerance in ((np.float32, 7, 1e-6), (np.float32, 263_001, 1e-6), (np.float64, 513, 1e-14)):
        d = draw(size, dtype=dtype)
        squares = (d.astype(np.float64) ** 2).sum()
        yield f"{size}: squares", cuda.squares(xp.asarray(d)).sum() / squares, np.ones(()), tolerance
        for factor in (1.0, 0.3):
            on_device = xp.asarray(d)
            cuda.shrink(on_device, xp.asarray(np.array(factor, dtype)))
            yield f"{size}: times {factor}", on_device, d * dtype(factor), 0.0


OTHERS: dict[str, Callable[[Any], Answers]] = {
    "packing": packing, "behind ReLU": behind_relu, "adding": adding, "long sums": long_sums, "by columns": by_columns,
    "pooling": pooling, "batch normalisation": batch_normalisation, "loss": loss, "rectifier": rectifier, "dropout": dropping,
    "updates": updates, "length of the gradients": gradient_length,
}  # fmt: skip


def check(answers: Answers, slack: float = 1.0) -> None:
    """Compares every answer; NaN is expected just where it is expected. Raises AssertionError naming the first wrong one.

    `slack` widens the tolerances, for hardware whose tensor cores add up with fewer digits than float32 has.
    """
    for what, got, expected, tolerance in answers:
        np.testing.assert_allclose(got.get(), expected, rtol=0, atol=tolerance * slack, err_msg=what)


def tile_name(products: int, tile: Tile) -> str:
    """A configuration in words, for the names of tests."""
    words = {" by warpgroups": tile.WGMMA, " along rows": tile.STRIPS, " in pairs": tile.PAIRED}
    return f"{products} products-{tile.BM}x{tile.BN}" + "".join(word for word, holds in words.items() if holds)
