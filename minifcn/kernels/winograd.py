"""Rung `winograd`: a 3x3 convolution with 4 times fewer multiplications (Lavin & Gray, CVPR 2016).

The input is cut into overlapping tiles of (m+2) x (m+2) pixels, each of which gives m x m pixels of output. Tiles and
kernels are transformed by fixed matrices; there, convolution is one product for each of the (m+2)^2 entries:

    V = B^T d B        U = G g G^T        M[i] = V[i] @ U[i]        y = A^T M A

With the Kronecker products of B^T, G and A^T, each transform is itself a matrix product. Pixels are held channels-last
here: a tile is then (m+2) runs of (m+2)*C numbers, and everything after the first copy runs along memory.

    forward           as above
    input_gradient    the same of dy, with the kernels turned by 180 degrees and their channel axes exchanged
    weight_gradient   the forward's adjoint by the chain rule: dM = A dy A^T, dU[i] = dM[i]^T @ V[i], dweight = G^T dU G

Cost: (m+2)^2/(9 m^2) of the multiply-adds: 4/9 for F(2x2, 3x3), 1/4 for F(4x4, 3x3), and two transforms of about
(m+2)^4 and m^2 (m+2)^2 a tile and channel. Rounding grows with m: on numbers of unit variance the largest error,
relative to the standard deviation of the result, is below 2e-5 for m = 2 and 4e-4 for m = 4 (direct: 1e-5); a test
holds them to it. So: float32 only, never in a gradient check.

NumPy only. Run it: `minifcn bench --ladder`, or `with kernels.using("winograd"): ...`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minifcn.kernels.costs import nanoseconds
from minifcn.kernels.geometry import Geometry
from minifcn.kernels.parallel import parallel_for
from minifcn.kernels.scratch import SHARED, odd_lines, scratch, scratch_bytes
from minifcn.kernels.windows import Strip, even_parts, length, read, strips

_LIGHT = 5 << 20  # bytes of transformed weights up to which every task reads all of them
_TASK = 15 << 19  # bytes of transformed tiles and products that one task works on
_OUTPUTS = 64  # output channels in one task where the weights are heavy


class Winograd:
    """The matrices of F(m x m, 3 x 3), as Kronecker products: one product transforms all entries of a tile at once."""

    def __init__(self, BT: Any, G: Any, AT: Any) -> None:
        BT, G, AT = (np.array(matrix, np.float64) for matrix in (BT, G, AT))
        self.m, self.n = AT.shape  # output and input side of a tile
        self.name = f"F{self.m}"
        self.tile = self._kron(BT)  # (n², n²): V = tile @ d
        self.kernel = self._kron(G)  # (n², 9): U = kernel @ g
        self.kernel_adjoint = np.ascontiguousarray(self.kernel.T)  # (9, n²): dg = kernel_adjoint @ dU
        self.output = self._kron(AT)  # (m², n²): y = output @ M
        self.output_adjoint = np.ascontiguousarray(self.output.T)  # (n², m²): dM = output_adjoint @ dy

    @staticmethod
    def _kron(matrix: np.ndarray) -> np.ndarray:
        return np.kron(matrix, matrix).astype(np.float32)


F2 = Winograd(
    BT=[[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]],
    G=[[1, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, -1 / 2, 1 / 2], [0, 0, 1]],
    AT=[[1, 1, 1, 0], [0, 1, -1, -1]],
)
F4 = Winograd(
    BT=[
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    G=[
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ],
    AT=[[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]],
)


def covers(geometry: Geometry, dtype: Any) -> bool:
    """3x3 kernels of stride 1, without dilation or groups, in float32."""
    g = geometry
    return (g.KH, g.KW, g.SH, g.SW, g.DH, g.DW, g.G) == (3, 3, 1, 1, 1, 1, 1) and np.dtype(dtype) == np.float32


def _fastest(what: str, geometry: Geometry) -> Winograd:
    return min((F2, F4), key=lambda method: nanoseconds(what, method.name, geometry))


# ------------------------------------------------------------------------------------- forward and input gradient


def forward(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, geometry: Geometry, method: Winograd | None = None
) -> np.ndarray:
    """y (N, O, OH, OW) of x (N, C, H, W), weight (O, C, 3, 3) and bias (O,) or None."""
    return _convolve(x, weight.transpose(2, 3, 1, 0), bias, geometry, method or _fastest("forward", geometry))


def input_gradient(dy: np.ndarray, weight: np.ndarray, geometry: Geometry, method: Winograd | None = None) -> np.ndarray:
    """dx (N, C, H, W) of dy (N, O, OH, OW) and weight (O, C, 3, 3)."""
    turned = weight[:, :, ::-1, ::-1].transpose(2, 3, 0, 1)  # (3, 3, O, C)
    return _convolve(dy, turned, None, geometry.mirror, method or _fastest("input_gradient", geometry))


def _convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, g: Geometry, f: Winograd) -> np.ndarray:
    """The convolution of x (N, C, H, W) with weight (3, 3, C, O)."""
    y = np.empty(g.y_shape, np.float32)
    run = _all_weights_a_task if 4 * f.n**2 * g.C * g.O <= _LIGHT else _some_weights_a_task
    run(x, weight, bias, g, f, y)
    return y


def _all_weights_a_task(x: np.ndarray, weight: np.ndarray, bias: Any, g: Geometry, f: Winograd, y: np.ndarray) -> None:
    """Few weights: they are transformed once, and each task takes a strip of tiles all the way from x to y."""
    places = _tile_strips(g, f, _tiles_a_task(g, f, g.tasks))
    U, taps = scratch(np.float32, (f.n**2, g.C, g.O), (g.C, 9, g.O), shared=True)
    parallel_for(lambda _: _transform_kernels(weight, f, taps, U), 1)

    def shapes(strip: Strip) -> list[tuple[int, ...]]:
        T = strip.pixels
        return [(f.n**2, T, g.C), (f.n**2, T, g.O), *_tile_shapes(strip, g.C, f.n, f.m), *_output_shapes(strip, g.O, f)]

    def task(index: int) -> None:
        strip = places[index]
        V, M, patch, pixels, tiles, products, image = scratch(np.float32, *shapes(strip))
        _transform_tiles(x, strip, -g.PH, -g.PW, f.m, f.tile, V, (patch, pixels, tiles))
        np.matmul(V, U, out=M)  # (n², T, O) = (n², T, C) @ (n², C, O)
        _transform_output(M, bias, strip, f, y, (products, image))

    parallel_for(task, len(places), scratch_bytes(np.float32, *shapes(places[0])))


def _some_weights_a_task(x: np.ndarray, weight: np.ndarray, bias: Any, g: Geometry, f: Winograd, y: np.ndarray) -> None:
    """Many weights: as many tiles as fit are transformed once, and each task takes them to some output channels."""
    inputs, outputs = even_parts(g.C, 64), even_parts(g.O, _OUTPUTS)
    for strip in _tile_strips(g, f, SHARED // (4 * f.n**2 * g.C)):
        (V,) = scratch(np.float32, (f.n**2, strip.pixels, g.C), shared=True)
        _transform_all_tiles(x, inputs, strip, g, f, V)

        def shapes(part: slice, strip: Strip = strip) -> list[tuple[int, ...]]:
            O = length(part)
            own = [(f.n**2, g.C, O), (g.C, 9, O), (f.n**2, strip.pixels, O)]
            return own + _output_shapes(strip, O, f)

        def task(index: int, strip: Strip = strip, V: np.ndarray = V) -> None:
            part = outputs[index]
            U, taps, M, products, image = scratch(np.float32, *shapes(part, strip))
            _transform_kernels(weight[..., part], f, taps, U)
            np.matmul(V, U, out=M)  # (n², T, O') = (n², T, C) @ (n², C, O')
            _transform_output(M, None if bias is None else bias[part], strip, f, y[:, part], (products, image))

        parallel_for(task, len(outputs), scratch_bytes(np.float32, *shapes(outputs[0])))


# ----------------------------------------------------------------------------------------------------- weight gradient


def weight_gradient(x: np.ndarray, dy: np.ndarray, geometry: Geometry, method: Winograd | None = None) -> np.ndarray:
    """dweight (O, C, 3, 3) of x (N, C, H, W) and dy (N, O, OH, OW)."""
    g, f = geometry, method or _fastest("weight_gradient", geometry)
    run = _dweight_by_tiles if 4 * f.n**2 * g.C * g.O <= _LIGHT else _dweight_by_outputs
    return run(x, dy, g, f).reshape(g.weight_shape)


def _dweight_by_tiles(x: np.ndarray, dy: np.ndarray, g: Geometry, f: Winograd) -> np.ndarray:
    """Few weights: each task adds up dU over the strips of its lane; the lanes are added in order."""
    tasks = -(-g.tasks // 2)  # each ends by transforming dU back: not more of them than needed
    places = _tile_strips(g, f, _tiles_a_task(g, f, tasks))
    lanes = even_parts(len(places), -(-len(places) // tasks))
    partial = np.empty((len(lanes), g.O, 9, g.C), np.float32)

    def shapes(strip: Strip) -> list[tuple[int, ...]]:
        own = [(f.n**2, g.O, g.C), (f.n**2, g.O, g.C), (f.n**2, strip.pixels, g.C), (f.n**2, strip.pixels, g.O)]
        return own + _tile_shapes(strip, max(g.C, g.O), f.n, f.m)

    def task(lane: int) -> None:
        for index in range(lanes[lane].start, lanes[lane].stop):
            strip = places[index]
            dU, product, V, dM, *_ = scratch(np.float32, *shapes(places[0]))
            V, dM = V[:, : strip.pixels], dM[:, : strip.pixels]
            buffers = scratch(np.float32, *shapes(places[0]))[4:]
            _transform_tiles(x, strip, -g.PH, -g.PW, f.m, f.tile, V, buffers)
            _transform_tiles(dy, strip, 0, 0, f.m, f.output_adjoint, dM, buffers)
            first = index == lanes[lane].start
            # (n², O, C) = (n², O, T) @ (n², T, C)
            np.matmul(dM.transpose(0, 2, 1), V, out=dU if first else product)
            if not first:
                dU += product
        np.matmul(f.kernel_adjoint, dU.transpose(1, 0, 2), out=partial[lane])  # (O, 9, C) = (9, n²) @ (O, n², C)

    parallel_for(task, len(lanes), scratch_bytes(np.float32, *shapes(places[0])))
    total = partial[0]
    for part in partial[1:]:
        total += part
    return np.ascontiguousarray(total.transpose(0, 2, 1))  # (O, C, 9)


def _dweight_by_outputs(x: np.ndarray, dy: np.ndarray, g: Geometry, f: Winograd) -> np.ndarray:
    """Many weights: as many tiles as fit are transformed once, and each task makes the weights of some outputs."""
    dweight = np.zeros((g.O, g.C, 9), np.float32)
    inputs, outputs = even_parts(g.C, 64), even_parts(g.O, _OUTPUTS)
    for strip in _tile_strips(g, f, SHARED // (4 * f.n**2 * g.C)):
        (V,) = scratch(np.float32, (f.n**2, strip.pixels, g.C), shared=True)
        _transform_all_tiles(x, inputs, strip, g, f, V)

        def shapes(part: slice, strip: Strip = strip) -> list[tuple[int, ...]]:
            O = length(part)
            own = [(f.n**2, strip.pixels, O), (f.n**2, O, g.C), (O, 9, g.C)]
            return own + _tile_shapes(strip, O, f.m, f.m)

        def task(index: int, strip: Strip = strip, V: np.ndarray = V) -> None:
            part = outputs[index]
            dM, dU, product, *buffers = scratch(np.float32, *shapes(part, strip))
            _transform_tiles(dy[:, part], strip, 0, 0, f.m, f.output_adjoint, dM, buffers)
            np.matmul(dM.transpose(0, 2, 1), V, out=dU)  # (n², O', C) = (n², O', T) @ (n², T, C)
            np.matmul(f.kernel_adjoint, dU.transpose(1, 0, 2), out=product)  # (O', 9, C) = (9, n²) @ (O', n², C)
            dweight[part] += product.transpose(0, 2, 1)

        parallel_for(task, len(outputs), scratch_bytes(np.float32, *shapes(outputs[0])))
    return dweight


# ---------------------------------------------------------------------------------------------------------- transforms


def _tiles_a_task(g: Geometry, f: Winograd, tasks: int) -> int:
    """As many as fit in cache; fewer where that leaves threads without work, but 64 for the product's sake."""
    tiles = g.N * -(-g.OH // f.m) * -(-g.OW // f.m)
    return min(_TASK // (4 * f.n**2 * (g.C + g.O)), max(64, -(-tiles // tasks)))


def _tile_strips(g: Geometry, f: Winograd, most: int) -> list[Strip]:
    """The output, cut into m x m tiles, cut into strips of at most `most` tiles."""
    return strips(g.N, -(-g.OH // f.m), -(-g.OW // f.m), max(1, most))


def _tile_shapes(strip: Strip, C: int, side: int, step: int) -> list[tuple[int, ...]]:
    """Working memory of `_transform_tiles`: tiles of side x side pixels, `step` apart."""
    N, TH, TW = strip.shape
    height, width = (TH - 1) * step + side, (TW - 1) * step + side
    return [(C, odd_lines(N * height * width)), (N, height, width, C), (N, TH, TW, side, side * C)]


def _transform_tiles(source, strip: Strip, top: int, left: int, step: int, matrix, out: np.ndarray, buffers) -> None:
    """out (n², T, C) = matrix (n², side²) @ the tiles of a strip of `source` (N, C, H, W); tile 0 begins at top, left."""
    C = source.shape[1]
    side = int(matrix.shape[1] ** 0.5)
    shapes = _tile_shapes(strip, C, side, step)
    patch, pixels, tiles = (
        buffer.reshape(-1)[: int(np.prod(shape))].reshape(shape) for buffer, shape in zip(buffers, shapes, strict=True)
    )
    N, height, width, _ = pixels.shape
    patch = patch[:, : N * height * width].reshape(C, N, height, width)
    rows, columns = top + strip.rows.start * step, left + strip.columns.start * step
    read(source[strip.pictures].transpose(1, 0, 2, 3), rows, columns, patch)
    np.copyto(pixels, patch.transpose(1, 2, 3, 0))
    picture, row, column, channel = pixels.strides
    view = np.lib.stride_tricks.as_strided(
        pixels, tiles.shape, (picture, row * step, column * step, row, channel)
    )  # (N, TH, TW, side, side·C): rows of a tile
    np.copyto(tiles, view)
    # (T, n², C) = (n², side²) @ (T, side², C)
    np.matmul(matrix, tiles.reshape(-1, side * side, C), out=out.transpose(1, 0, 2))


def _transform_all_tiles(x: np.ndarray, inputs: list[slice], strip: Strip, g: Geometry, f: Winograd, V: np.ndarray) -> None:
    """V (n², T, C) of one strip, on all threads: each takes some channels."""
    shapes = _tile_shapes(strip, length(inputs[0]), f.n, f.m)

    def task(index: int) -> None:
        part = inputs[index]
        buffers = scratch(np.float32, *shapes)
        _transform_tiles(x[:, part], strip, -g.PH, -g.PW, f.m, f.tile, V[:, :, part], buffers)

    parallel_for(task, len(inputs), scratch_bytes(np.float32, *shapes))


def _transform_kernels(weight: np.ndarray, f: Winograd, taps: np.ndarray, U: np.ndarray) -> None:
    """U (n², C, O) of weight (3, 3, C, O), which is a view and copied first, to taps (C, 9, O)."""
    np.copyto(taps.reshape(-1, 3, 3, taps.shape[2]), weight.transpose(2, 0, 1, 3))
    np.matmul(f.kernel, taps, out=U.transpose(1, 0, 2))  # (C, n², O) = (n², 9) @ (C, 9, O)


def _output_shapes(strip: Strip, O: int, f: Winograd) -> list[tuple[int, ...]]:
    """Working memory of `_transform_output`."""
    N, TH, TW = strip.shape
    return [(strip.pixels, f.m**2, O), (N, TH, f.m, TW, f.m, odd_lines(O))]


def _transform_output(M: np.ndarray, bias, strip: Strip, f: Winograd, y: np.ndarray, buffers) -> None:
    """Writes the m x m pixels of each tile of M (n², T, O), and the bias, into y (N, O, OH, OW)."""
    products, image = buffers
    N, TH, TW = strip.shape
    image = image[..., : M.shape[2]]  # (N, TH, m, TW, m, O)
    # (T, m², O) = (m², n²) @ (T, n², O)
    np.matmul(f.output, M.transpose(1, 0, 2), out=products)
    np.copyto(image, products.reshape(N, TH, TW, f.m, f.m, -1).transpose(0, 1, 3, 2, 4, 5))
    if bias is not None:
        image += bias
    place = y[strip.pictures, :, f.m * strip.rows.start : f.m * strip.rows.stop,
              f.m * strip.columns.start : f.m * strip.columns.stop]  # fmt: skip
    image = image.reshape(N, TH * f.m, TW * f.m, -1)[:, : place.shape[2], : place.shape[3]]  # (N, OH', OW', O)
    np.copyto(place, image.transpose(0, 3, 1, 2))
