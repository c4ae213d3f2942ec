"""Rung `winograd`: a 3x3 convolution with 4 times fewer multiplications (Lavin & Gray, CVPR 2016).

The input is cut into overlapping tiles of n x n pixels, n = m + 2, each of which gives m x m pixels of output. Tiles and
kernels are transformed by fixed matrices; there, convolution is one product for each of the n^2 entries of a tile:

    V = B^T d B        U = G g G^T        M[i] = V[i] @ U[i]        y = A^T M A

With the Kronecker products of B^T, G and A^T, each transform is itself a matrix product. Pixels are held channels-last
here: a tile is then n runs of n*C numbers, and everything after the first copy runs along memory.

    forward           as above
    input_gradient    the same of dy, with the kernels turned by 180 degrees and their channel axes exchanged
    weight_gradient   the forward's adjoint, by the chain rule: dM = A dy A^T, dU[i] = dM[i]^T @ V[i], dg = G^T dU G

Cost: n^2/(9 m^2) of the multiply-adds, which is 4/9 for F(2x2, 3x3) and 1/4 for F(4x4, 3x3), and n^4 + n^2 m^2 more for
each tile and channel in the transforms. Memory: V and M of a strip of tiles, in cache. Rounding grows with m: on numbers
of unit variance the largest error, relative to the standard deviation of the result, is below 2e-5 for m = 2 and 4e-4
for m = 4 (direct: 1e-5); a test holds them to it. So: float32 only, never in a gradient check.

NumPy only. Run it: `minifcn bench ladder`, or `with kernels.using("winograd"): ...`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minifcn.kernels.convolution.costs import winograd_method
from minifcn.kernels.convolution.cuts import Strip, even_parts, length, strips
from minifcn.kernels.convolution.windows import read
from minifcn.kernels.geometry import Geometry
from minifcn.kernels.host.relu import clamp
from minifcn.kernels.scratch import SHARED, odd_lines, workspace
from minifcn.kernels.threads import parallel_for

_LIGHT = 5 << 20  # bytes of transformed weights up to which every task reads all of them
_TILES = 64  # that a task has at least, for its products' sake; half of them where there is no second task otherwise
_TASK = 15 << 19  # bytes of transformed tiles and products that one task works on


class Winograd:
    """F(m x m, 3 x 3): its matrices, as Kronecker products, and the transforms that they make.

    T counts the tiles of a strip, whose rows and columns are those of tiles, not of pixels.
    """

    def __init__(self, BT: Any, G: Any, AT: Any) -> None:
        BT, G, AT = (np.array(matrix, np.float64) for matrix in (BT, G, AT))
        self.m, self.n = AT.shape  # output and input side of a tile
        self.name = f"F{self.m}"
        self.BB, self.GG, self.AA = (np.kron(one, one).astype(np.float32) for one in (BT, G, AT))

    def transform_input(self, x: np.ndarray, strip: Strip, g: Geometry, V: np.ndarray) -> None:
        """V (n², T, C) = B^T d B for the n x n tiles d of a strip of x (N, C, H, W), which overlap by two pixels."""
        self._transform_tiles(x, strip, -g.PH, -g.PW, self.n, self.BB, V)

    def transform_output_gradient(self, dy: np.ndarray, strip: Strip, dM: np.ndarray) -> None:
        """dM (n², T, O) = A dy A^T for the m x m tiles of a strip of dy (N, O, OH, OW)."""
        self._transform_tiles(dy, strip, 0, 0, self.m, self.AA.T, dM)

    def _transform_tiles(
        self, source: np.ndarray, strip: Strip, top: int, left: int, side: int, matrix: np.ndarray, out: np.ndarray
    ) -> None:
        """out (n², T, C) = matrix (n², side²) @ tiles of side x side pixels, m apart; tile (0, 0) begins at top, left."""
        m, C, (N, TH, TW) = self.m, source.shape[1], strip.shape
        height, width = (TH - 1) * m + side, (TW - 1) * m + side
        with workspace(np.float32) as new:
            patch = new(C, odd_lines(N * height * width))[:, : N * height * width].reshape(C, N, height, width)
            pictures = source[strip.pictures].transpose(1, 0, 2, 3)  # (C, N, H, W)
            read(pictures, top + strip.rows.start * m, left + strip.columns.start * m, patch)
            pixels = new(N, height, width, C)
            np.copyto(pixels, patch.transpose(1, 2, 3, 0))
            tiles = new(N, TH, TW, side, side * C)  # a row of a tile is side·C numbers in one run
            picture, row, column, channel = pixels.strides
            overlapping = (picture, row * m, column * m, row, channel)
            np.copyto(tiles, np.lib.stride_tricks.as_strided(pixels, tiles.shape, overlapping))
            # (T, n², C) = (n², side²) @ (T, side², C)
            np.matmul(matrix, tiles.reshape(-1, side * side, C), out=out.transpose(1, 0, 2))

    def transform_kernels(self, weight: np.ndarray, U: np.ndarray) -> None:
        """U (n², C, O) = G g G^T for the kernels g of weight (3, 3, C, O)."""
        with workspace(np.float32) as new:
            taps = new(U.shape[1], 9, U.shape[2])  # (C, 9, O)
            np.copyto(taps.reshape(-1, 3, 3, U.shape[2]), weight.transpose(2, 0, 1, 3))
            np.matmul(self.GG, taps, out=U.transpose(1, 0, 2))  # (C, n², O) = (n², 9) @ (C, 9, O)

    def transform_kernel_gradient(self, dU: np.ndarray, dtaps: np.ndarray) -> None:
        """dtaps (O, 9, C) = G^T dU G for dU (n², O, C)."""
        np.matmul(self.GG.T, dU.transpose(1, 0, 2), out=dtaps)  # (O, 9, C) = (9, n²) @ (O, n², C)

    def transform_output(self, M: np.ndarray, bias: np.ndarray, relu: bool, strip: Strip, y: np.ndarray) -> None:
        """Writes A^T M A + bias, the m x m pixels of each tile of M (n², T, O), into a strip of y (N, O, OH, OW); with ``relu``
        what is at least 0."""
        m, O, (N, TH, TW) = self.m, M.shape[2], strip.shape
        with workspace(np.float32) as new:
            products = new(M.shape[1], m * m, O)
            np.matmul(self.AA, M.transpose(1, 0, 2), out=products)  # (T, m², O) = (m², n²) @ (T, n², O)
            image = new(N, TH, m, TW, m, odd_lines(O))[..., :O]
            np.add(products.reshape(N, TH, TW, m, m, O).transpose(0, 1, 3, 2, 4, 5), bias, out=image)
            if relu:
                clamp(image)
            place = y[strip.pictures, :, m * strip.rows.start : m * strip.rows.stop]  # less where the last tiles stick out
            place = place[..., m * strip.columns.start : m * strip.columns.stop]  # (N, O, OH', OW')
            image = image.reshape(N, TH * m, TW * m, O)[:, : place.shape[2], : place.shape[3]]  # (N, OH', OW', O)
            np.copyto(place, image.transpose(0, 3, 1, 2))


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


def forward(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, geometry: Geometry, method: Winograd | None = None
) -> np.ndarray:
    """y (N, O, OH, OW) of x (N, C, H, W), weight (O, C, 3, 3) and bias (O,) or None; `method` F2 or F4, else by shape."""
    return _convolve(x, weight.transpose(2, 3, 1, 0), bias, False, geometry, method or _by_shape("forward", geometry))


def forward_relu(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, geometry: Geometry, method: Winograd | None = None
) -> np.ndarray:
    """max(forward, 0), each tile while it is in cache."""
    return _convolve(x, weight.transpose(2, 3, 1, 0), bias, True, geometry, method or _by_shape("forward", geometry))


def input_gradient(dy: np.ndarray, weight: np.ndarray, geometry: Geometry, method: Winograd | None = None) -> np.ndarray:
    """dx (N, C, H, W) of dy (N, O, OH, OW) and weight (O, C, 3, 3)."""
    turned = weight[:, :, ::-1, ::-1].transpose(2, 3, 0, 1)  # (3, 3, O, C)
    return _convolve(dy, turned, None, False, geometry.mirror, method or _by_shape("input_gradient", geometry))


def weight_gradient(x: np.ndarray, dy: np.ndarray, geometry: Geometry, method: Winograd | None = None) -> np.ndarray:
    """dweight (O, C, 3, 3) of x (N, C, H, W) and dy (N, O, OH, OW)."""
    f = method or _by_shape("weight_gradient", geometry)
    run = _dweight_by_tiles if _has_few_weights(geometry, f) else _dweight_by_outputs
    return run(x, dy, geometry, f).reshape(geometry.weight_shape)


def _by_shape(what: str, geometry: Geometry) -> Winograd:
    return F2 if winograd_method(what, geometry) == "F2" else F4


# -------------------------------------------------------------------------------------- forward and input gradient


def _convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, relu: bool, g: Geometry, f: Winograd) -> np.ndarray:
    """y (N, O, OH, OW) of x (N, C, H, W), weight (3, 3, C, O) and bias (O,) or None, at least 0 if ``relu``."""
    bias = np.zeros(g.O, np.float32) if bias is None else bias
    y = np.empty(g.y_shape, np.float32)
    run = _convolve_by_tiles if _has_few_weights(g, f) else _convolve_by_outputs
    run(x, weight, bias, relu, g, f, y)
    return y


def _convolve_by_tiles(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, relu: bool, g: Geometry, f: Winograd, y: np.ndarray
) -> None:
    """Few weights: they are transformed once, and each task takes a strip of tiles all the way from x to y."""
    places = _tile_strips(g, f, _tiles_a_task(g, f, g.tasks))
    with workspace(np.float32) as new:
        U = new(f.n**2, g.C, g.O)
        parallel_for(lambda _: f.transform_kernels(weight, U), 1)

        def task(index: int) -> None:
            strip = places[index]
            with workspace(np.float32) as new:
                V, M = new(f.n**2, strip.pixels, g.C), new(f.n**2, strip.pixels, g.O)
                f.transform_input(x, strip, g, V)
                np.matmul(V, U, out=M)  # (n², T, O) = (n², T, C) @ (n², C, O)
                f.transform_output(M, bias, relu, strip, y)

        parallel_for(task, len(places), 8 * f.n**2 * places[0].pixels * (g.C + g.O))


def _convolve_by_outputs(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, relu: bool, g: Geometry, f: Winograd, y: np.ndarray
) -> None:
    """Many weights: as many tiles as fit are transformed once, and each task takes them to some output channels."""

    def outputs(ours: slice, strip: Strip, V: np.ndarray) -> None:
        with workspace(np.float32) as new:
            U, M = new(f.n**2, g.C, length(ours)), new(f.n**2, strip.pixels, length(ours))
            f.transform_kernels(weight[..., ours], U)
            np.matmul(V, U, out=M)  # (n², T, O') = (n², T, C) @ (n², C, O')
            f.transform_output(M, bias[ours], relu, strip, y[:, ours])

    _over_outputs(x, g, f, outputs)


# ----------------------------------------------------------------------------------------------------- weight gradient


def _dweight_by_tiles(x: np.ndarray, dy: np.ndarray, g: Geometry, f: Winograd) -> np.ndarray:
    """Few weights: each task adds up dU over the strips of its lane; the lanes are added in order. (O, C, 9)"""
    tasks = -(-g.tasks // 2)  # each ends by transforming dU back: not more of them than needed
    places = _tile_strips(g, f, _tiles_a_task(g, f, tasks))
    lanes = even_parts(len(places), -(-len(places) // tasks))
    partial = np.empty((len(lanes), g.O, 9, g.C), np.float32)

    def task(lane: int) -> None:
        with workspace(np.float32) as new:
            dU, more = new(f.n**2, g.O, g.C), new(f.n**2, g.O, g.C)
            for index, strip in enumerate(places[lanes[lane]]):
                with workspace(np.float32) as new:
                    V, dM = new(f.n**2, strip.pixels, g.C), new(f.n**2, strip.pixels, g.O)
                    f.transform_input(x, strip, g, V)
                    f.transform_output_gradient(dy, strip, dM)
                    # (n², O, C) = (n², O, T) @ (n², T, C)
                    np.matmul(dM.transpose(0, 2, 1), V, out=more if index else dU)
                if index:
                    dU += more
            f.transform_kernel_gradient(dU, partial[lane])

    parallel_for(task, len(lanes), 8 * f.n**2 * (g.O * g.C + places[0].pixels * (g.C + g.O)))
    for part in partial[1:]:
        partial[0] += part
    return np.ascontiguousarray(partial[0].transpose(0, 2, 1))


def _dweight_by_outputs(x: np.ndarray, dy: np.ndarray, g: Geometry, f: Winograd) -> np.ndarray:
    """Many weights: as many tiles as fit are transformed once, and each task makes dweight of some outputs. (O, C, 9)"""
    dweight = np.zeros((g.O, g.C, 9), np.float32)

    def outputs(ours: slice, strip: Strip, V: np.ndarray) -> None:
        with workspace(np.float32) as new:
            dM, dU = new(f.n**2, strip.pixels, length(ours)), new(f.n**2, length(ours), g.C)
            f.transform_output_gradient(dy[:, ours], strip, dM)
            np.matmul(dM.transpose(0, 2, 1), V, out=dU)  # (n², O', C) = (n², O', T) @ (n², T, C)
            product = new(length(ours), 9, g.C)
            f.transform_kernel_gradient(dU, product)
            dweight[ours] += product.transpose(0, 2, 1)

    _over_outputs(x, g, f, outputs)
    return dweight


# ---------------------------------------------------------------------------------------------------- cutting the work


def _has_few_weights(g: Geometry, f: Winograd) -> bool:
    return 4 * f.n**2 * g.C * g.O <= _LIGHT


def _tile_strips(g: Geometry, f: Winograd, most: int) -> list[Strip]:
    """The output, cut into m x m tiles, cut into strips of at most `most` tiles."""
    return strips(g.N, -(-g.OH // f.m), -(-g.OW // f.m), max(1, most))


def _tiles_a_task(g: Geometry, f: Winograd, tasks: int) -> int:
    """As many as fit in cache; fewer where that leaves threads without work."""
    tiles = g.N * -(-g.OH // f.m) * -(-g.OW // f.m)
    least = max(_TILES // 2, min(_TILES, tiles // 2))
    return min(_TASK // (4 * f.n**2 * (g.C + g.O)), max(least, -(-tiles // tasks)))


def _over_outputs(x: np.ndarray, g: Geometry, f: Winograd, compute: Callable[[slice, Strip, np.ndarray], None]) -> None:
    """Calls `compute(ours, strip, V)` on all threads: for strips of as many tiles as fit, their V (n², T, C) transformed once,
    for some output channels each time."""
    for strip in _tile_strips(g, f, SHARED // (4 * f.n**2 * g.C)):
        parts = even_parts(g.O, _outputs_a_task(strip, g))
        with workspace(np.float32) as new:
            V = new(f.n**2, strip.pixels, g.C)
            _transform_input_on_all_threads(x, strip, g, f, V)

            def task(index: int, strip: Strip = strip, parts: list[slice] = parts, V: np.ndarray = V) -> None:
                compute(parts[index], strip, V)

            parallel_for(task, len(parts), 4 * f.n**2 * length(parts[0]) * (5 * g.C // 4 + 2 * strip.pixels))


def _outputs_a_task(strip: Strip, g: Geometry) -> int:
    """Output channels of one task: with few tiles or many inputs, few enough for their transformed weights to stay in cache."""
    return 32 if strip.pixels <= 64 or g.C > 512 else 64


def _transform_input_on_all_threads(x: np.ndarray, strip: Strip, g: Geometry, f: Winograd, V: np.ndarray) -> None:
    """V (n², T, C) of one strip: each task takes some channels."""
    parts = even_parts(g.C, 64)

    def task(index: int) -> None:
        f.transform_input(x[:, parts[index]], strip, g, V[:, :, parts[index]])

    parallel_for(task, len(parts), 12 * f.n**2 * strip.pixels * length(parts[0]))
