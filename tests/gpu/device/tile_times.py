"""How good the plans of kernels/cuda/tiles.py are: every tile and several cuts beside the one that the model chooses.

    python tests/gpu/device/tile_times.py tf32 --out FILE.json          on a GPU; or float32

What this prints is what the model's constants have to be set by: for each convolution of
FCN-8s on a 375 x 500 picture the chosen plan, the fastest one, and how much slower the chosen one is.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from unittest import mock

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[3])]

from minifcn.bench.timing import geometric_mean  # noqa: E402
from minifcn.kernels import Geometry, cuda  # noqa: E402
from minifcn.kernels.cuda import conv, tiles  # noqa: E402

LAYERS = {  # x (N, C, H, W), weight, padding
    "conv1_1": ((1, 3, 375, 500), (64, 3, 3, 3), 100), "conv1_2": ((1, 64, 573, 698), (64, 64, 3, 3), 1),
    "conv2_1": ((1, 64, 287, 349), (128, 64, 3, 3), 1), "conv2_2": ((1, 128, 287, 349), (128, 128, 3, 3), 1),
    "conv3_1": ((1, 128, 144, 175), (256, 128, 3, 3), 1), "conv3_2": ((1, 256, 144, 175), (256, 256, 3, 3), 1),
    "conv4_1": ((1, 256, 72, 88), (512, 256, 3, 3), 1), "conv4_2": ((1, 512, 72, 88), (512, 512, 3, 3), 1),
    "conv5_1": ((1, 512, 36, 44), (512, 512, 3, 3), 1), "fc6": ((1, 512, 18, 22), (4096, 512, 7, 7), 0),
    "fc7": ((1, 4096, 12, 16), (4096, 4096, 1, 1), 0), "score_fr": ((1, 4096, 12, 16), (21, 4096, 1, 1), 0),
}  # fmt: skip
CUTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
HOPELESS = 2.0  # what the model finds so many times slower than its choice is not tried


class Row(NamedTuple):
    """One pass of one layer: the chosen plan and the fastest, in words, and milliseconds, packing included."""

    layer: str
    passed: str
    chosen: str
    chosen_ms: float
    best: str
    best_ms: float
    teraflops: float  # of the best
    all_ms: dict[str, float]

    def __str__(self) -> str:
        return (
            f"{self.layer:9} {self.passed:8} chosen {self.chosen:14} {self.chosen_ms:8.3f} ms   best "
            f"{self.best:14} {self.best_ms:8.3f} ms  {self.teraflops:6.1f} TFLOP/s   {self.chosen_ms / self.best_ms:.2f}"
        )


def main(arguments: list[str]) -> None:
    """Times all layers, prints a line for each pass, and writes them after each layer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("precision", choices=("tf32", "float32"))
    parser.add_argument("--layers", nargs="+", choices=LAYERS, default=list(LAYERS))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    from minifcn.backend import import_cupy

    xp, found = import_cupy(), []
    cuda.set_precision(given.precision)
    for layer in given.layers:
        for row in rows(xp, layer, milliseconds):
            print(row, flush=True)
            found.append(row)
        if given.out:
            given.out.write_text(json.dumps([row._asdict() for row in found], indent=1) + "\n", encoding="utf-8")
    slower = geometric_mean([row.chosen_ms / row.best_ms for row in found])
    print(f"{given.precision} ({cuda.multiplier()}): the chosen plans take {slower:.3f} times the best's time, geometric mean")


def rows(xp: Any, layer: str, clock: Callable[[Any, Callable[[], Any]], float]) -> Iterator[Row]:
    """The three passes of a layer; `clock(xp, function)` gives a call's milliseconds."""
    x_shape, weight_shape, padding = LAYERS[layer]
    g = Geometry.of(x_shape, weight_shape, 1, padding)
    rng = np.random.default_rng(0)
    x, weight, dy = (xp.asarray(rng.standard_normal(shape, np.float32)) for shape in (x_shape, weight_shape, g.y_shape))
    passes = {
        "forward": lambda: conv.forward(x, weight, None, g),
        "dx": lambda: conv.input_gradient(dy, weight, g),
        "dweight": lambda: conv.weight_gradient(x, dy, g),
    }
    for name, function in passes.items():
        chosen, candidates = plans(function)
        times = {}
        for plan in candidates:
            with mock.patch.object(conv, "plan", return_value=plan):
                times[plan] = clock(xp, function)
        best = min(times, key=times.__getitem__)
        flops = 2 * g.N * g.O * g.OH * g.OW * g.C // g.G * g.KH * g.KW
        said = {_name(plan): round(ms, 4) for plan, ms in times.items()}
        yield Row(layer, name, _name(chosen), times[chosen], _name(best), times[best], flops / times[best] / 1e9, said)


def plans(function: Callable[[], Any]) -> tuple[tiles.Plan, list[tiles.Plan]]:
    """The plan that a convolution chooses, and all that are worth a trial, itself among them."""
    with mock.patch.object(conv, "plan", wraps=tiles.plan) as asked:
        function()
    sizes, options = asked.call_args
    *_, K, count, products = sizes
    chosen = tiles.plan(*sizes, **options)
    along_rows = options.get("along_rows")
    limit = HOPELESS * tiles.model_time(chosen, *sizes, along_rows)
    possible = (
        tiles.Plan(tile, splits)
        for tile in tiles.tiles_for(products, **options)
        for splits in sorted({*CUTS, chosen.splits})
        if splits == 1 or (splits <= -(-K // tile.BK) and splits * count <= tiles.MAX_GRID[2])
    )
    return chosen, [plan for plan in possible if tiles.model_time(plan, *sizes, along_rows) <= limit]


def milliseconds(xp: Any, function: Callable[[], Any], calls: int = 5, samples: int = 5) -> float:
    """The median over `samples` of the mean of `calls` calls, between two events on the device."""
    function()  # compiled, memory in the pool
    found = []
    for _ in range(samples):
        start, end = xp.cuda.Event(), xp.cuda.Event()
        start.record()
        for _ in range(calls):
            function()
        end.record()
        end.synchronize()
        found.append(xp.cuda.get_elapsed_time(start, end) / calls)
    return median(found)


def _name(plan: tiles.Plan) -> str:
    tile, splits = plan
    letters = "".join(letter for letter, holds in {"w": tile.WGMMA, "s": tile.STRIPS, "p": tile.PAIRED}.items() if holds)
    return f"{tile.BM}x{tile.BN}{letters} /{splits}"


if __name__ == "__main__":
    main(sys.argv[1:])
