"""The comparisons with the definitions catch realistic mistakes: each of these is planted, and must be seen."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from minifcn import kernels
from minifcn.kernels import select
from minifcn.kernels.geometry import Geometry
from support.host_cases import difference as host_difference

for name in kernels.rungs():
    select.rung(name)  # imported now: one that is first imported while a mistake is planted would keep it

# Between them these reach every branch; the same kind of shapes as in test_rungs
GEOMETRIES = [
    Geometry(2, 3, 6, 7, 4, 3, 3, 1, 1, 1, 1),
    Geometry(1, 2, 9, 8, 3, 3, 5, 2, 3, 1, 2),
    Geometry(2, 6, 5, 4, 4, 3, 3, 1, 1, 1, 1, 1, 1, 2),
    Geometry(1, 4, 9, 7, 6, 4, 2, 2, 1, 1, 0, 1, 2, 2),
    Geometry(2, 5, 4, 3, 3, 1, 1),
    Geometry(2, 3, 5, 4, 2, 1, 1),
    Geometry(1, 2, 11, 9, 3, 2, 1, 3, 4),
    Geometry(1, 2, 10, 12, 3, 4, 6, 2, 2),
    Geometry(1, 16, 6, 7, 4, 2, 3, 1, 1, 1, 0, 1, 1, 2),
    Geometry(2, 3, 7, 10, 4, 3, 3, 1, 1, 2, 6, 2, 3),
    Geometry(1, 2, 11, 2, 3, 5, 5, 1, 1, 6, 4, 3, 2),
    Geometry(2, 3, 9, 12, 4, 2, 3, 3, 2, 1, 1, 1, 2),
]

# (file, what is there, what a slip of the hand would put there, the rungs that must notice)
MUTANTS = [
    ("windows", "weight[:, :, ::-1, ::-1]", "weight", "strips zero_insertion"),
    ("windows", "weight[:, :, ::-1, ::-1]", "weight[:, :, ::-1]", "strips zero_insertion"),
    ("windows", "reshape(g.G, g.O // g.G, g.C // g.G, g.KH, g.KW)\n    return weight.swapaxes(1, 2)",
     "reshape(g.O // g.G, g.G, g.C // g.G, g.KH, g.KW)\n    return weight.transpose(1, 2, 0, 3, 4)", "strips"),
    ("windows", "min(max(0, -start), length)", "min(max(0, 1 - start), length)", "taps im2col strips F2"),
    ("windows", "out[..., :first_row, :] = 0", "out[..., :first_row, :] = 1", "taps im2col strips F4 phases"),
    ("windows", "first_row:last_row, last_column:] = 0", "first_row:last_row, last_column:] = 1",
     "taps im2col strips F4 phases"),
    ("windows", "row * g.DH, column * g.DW", "row, column", "taps im2col strips"),
    ("windows", "row * g.SH, column * g.SW", "row, column", "taps im2col strips"),
    ("windows", "rows[..., kw * g.DW :]", "rows[..., kw:]", "strips"),
    ("windows", "columns[:, :, kw])", "columns[:, :, kw - 1])", "strips"),
    ("windows", "if g.SW != 2:", "if g.SW == 1:", "strips"),
    ("windows", "columns[:, kh, kw]\n", "columns[:, kh, kw - 1]\n", "im2col strips"),
    ("cuts", "slice(group.start * O, group.stop * O)", "slice(0, (group.stop - group.start) * O)", "strips"),
    ("cuts", "slice(group.start * C + within.start, (group.stop - 1) * C + within.stop)",
     "slice(group.start * C, group.start * C + (group.stop - group.start) * C)", "strips"),
    ("im2col", "y += bias[:, None, None]", "pass", "im2col"),
    ("im2col", "dweight[group] += matmul", "dweight[group] = matmul", "im2col"),
    ("im2col", "g.PH : g.PH + g.H, g.PW", "0 : g.H, g.PW", "im2col"),
    ("taps", "y[n, group] += matmul", "y[n, group] = matmul", "taps"),
    ("taps", "dweight[:, :, kh, kw]", "dweight[:, :, kh, -1 - kw]", "taps"),
    ("taps", "matmul(matrix.T, dy[n, group])", "matmul(matrix.T, dy[n, 0])", "taps"),
    ("one_by_one", "weight[:, :, 0, 0].T, dy", "weight[:, :, 0, 0].T, dy[:, ::-1]", "one_by_one"),
    ("one_by_one", "else product + bias", "else product", "one_by_one"),
    ("one_by_one", "+= bias[row]", "+= bias[:1]", "one_by_one"),
    ("one_by_one", "reshape(B, -1, pixels).swapaxes(0, 1)", "reshape(-1, B, pixels)", "one_by_one"),
    ("one_by_one", "total += np.matmul", "total[...] = np.matmul", "one_by_one"),
    ("one_by_one", "partial[0] += part", "pass", "one_by_one"),
    ("one_by_one", "out=y[n, row, column]", "out=y[0, row, column]", "one_by_one"),
    ("one_by_one", "dy[n, row, column], x[n, :, column]", "dy[n, row, column], x[0, :, column]", "one_by_one"),
    ("inside", "reach(down, 1, g.H, g.OH)", "reach(down, 2, g.H, g.OH)", "inside"),
    ("inside", "reach(right, 1, g.W, g.OW)", "reach(right, 1, g.H, g.OH)", "inside"),
    ("inside", "_moved(width, right)", "_moved(width, down)", "inside"),
    ("inside", "y += bias[:, None, None]", "pass", "inside"),
    ("inside", "into.swapaxes(0, 1)[at] += product[at]", "into.swapaxes(0, 1)[at] = product[at]", "inside"),
    ("inside", "weight[rows][..., kh, kw]", "weight[rows][..., -1 - kh, kw]", "inside"),
    ("inside", "dweight[rows][..., kh, kw]", "dweight[rows][..., kh, -1 - kw]", "inside"),
    ("inside", "dmatrix += matmul(ours, theirs)", "matmul(ours, theirs, out=dmatrix)", "inside"),
    ("inside", "np.zeros(g.weight_shape, x.dtype)", "np.ones(g.weight_shape, x.dtype)", "inside"),
    ("dilated", "picture[:, phase.shape[1] :] = 0", "picture[:, phase.shape[1] :] = 1", "dilated"),
    ("dilated", "picture[:, :, phase.shape[2] :] = 0", "picture[:, :, phase.shape[2] :] = 1", "dilated"),
    ("dilated", "PH=g.PH // g.DH", "PH=g.PH", "dilated"),
    ("dilated", "slice(s, None, g.DW)", "slice(s, None, g.DH)", "dilated"),
    ("dilated", "piece) + dweight", "piece)", "dilated"),
    ("dilated", "itertools.product(range(g.N), rows, columns)", "itertools.product(range(g.N), columns, rows)", "dilated"),
    ("strips", "total += np.matmul", "total[...] = np.matmul", "strips"),
    ("strips", "        partial[0] += part\n", "        pass\n", "strips"),
    ("strips", "        product += bias\n", "        pass\n", "strips"),
    ("strips", "        view += bias\n", "        pass\n", "strips"),
    ("strips", "reshape(channels, pictures, OH, OW).transpose(1, 0, 2, 3)", "reshape(pictures, channels, OH, OW)", "strips"),
    ("strips", "g.DH * (g.KH - 1)) // g.SH))", "g.DH * (g.KH - 1)) // g.SH) + 1)", "strips"),
    ("strips", "(rows.stop - 1 + g.PH) // g.SH + 1)", "(rows.stop - 1 + g.PH) // g.SH)", "strips"),
    ("strips", "strip.rows.start + g.PH - rows.start * g.SH", "strip.rows.start + g.PH", "strips"),
    ("strips", "patch[...] = 0", "patch[...] = 1", "strips"),
    ("zero_insertion", "turned(weight, g)", "turned(weight, g)[:, :, ::-1]", "zero_insertion"),
    ("zero_insertion", "g.DH * (g.KH - 1) - g.PH, g.SH", "g.DH * (g.KH - 1) - g.PH + 1, g.SH", "zero_insertion"),
    ("phases", "[:, :, :, ::-1, :, ::-1]", "", "phases"),
    ("phases", "horizontal.first + j]", "horizontal.last - 1 - j]", "phases"),
    ("phases", "(0, 2, 3, 5, 1, 4, 6)", "(0, 2, 5, 3, 1, 4, 6)", "phases"),
    ("phases", "self.padding // self.stride", "-(-self.padding // self.stride)", "phases"),
    ("phases", "block[...] = 0", "block[...] = 1", "phases"),
    ("phases", "kernel % stride or stride", "stride - kernel % stride", "phases"),
    ("winograd", "[0, 4, 0, -5, 0, 1]", "[0, 4, 0, 5, 0, 1]", "F4"),
    ("winograd", "[1 / 24, -1 / 12, 1 / 6]", "[1 / 24, 1 / 12, 1 / 6]", "F4"),
    ("winograd", "[0, 1, -1, -1]", "[0, 1, -1, 1]", "F2"),
    ("winograd", "weight[:, :, ::-1, ::-1].transpose", "weight.transpose", "F4"),
    ("winograd", "weight.transpose(2, 3, 1, 0)", "weight.transpose(3, 2, 1, 0)", "F4"),
    ("winograd", "product.transpose(0, 2, 1)", "product.reshape(-1, g.C, 9)", "F4"),
    ("winograd", ", bias, out=image", ", 0, out=image", "F4"),
    ("winograd", "transpose(0, 1, 3, 2, 4, 5)", "transpose(0, 1, 4, 2, 3, 5)", "F4"),
    ("winograd", "out=more if index else dU", "out=dU", "F4"),
    ("winograd", "            if relu:\n                clamp(image)\n", "", "F2 F4"),
    ("strips", "            clamp(view)\n", "            pass\n", "strips"),
    ("strips", "            clamp(product)\n", "            pass\n", "strips"),
    ("one_by_one", "            clamp(y[n, row, column])\n", "            pass\n", "one_by_one"),
    ("one_by_one", "xp.maximum(product, 0) if relu", "product if relu", "one_by_one"),
    ("winograd", "dweight[ours] += product", "dweight[ours] = product", "F4"),
    ("winograd", "top + strip.rows.start * m", "top + strip.columns.start * m", "F4"),
]  # fmt: skip

# The same for `kernels/host`; the names are those of its functions that must notice
HOST_MUTANTS = [
    ("batch_norm", "            dx -= centred\n", "", "normalise_backward"),
    ("batch_norm", "np.subtract(dy, (dbias", "np.add(dy, (dbias", "normalise_backward"),
    ("batch_norm", "if not training:", "if False:", "normalise_backward"),
    ("batch_norm", "_dot(centred, centred) / M", "_dot(centred, centred) / (M - 1)", "channel_statistics"),
    ("batch_norm", "y += shift", "y -= shift", "normalise"),
    ("batch_norm", "y *= scale[channels, None]", "y *= scale[: y.shape[1], None]", "normalise"),
    ("batch_norm", "values[..., None, whole:]", "values[..., None, whole + 1 :]", "channel_sum channel_statistics"),
    ("batch_norm", "if whole < values.shape[-1] else rows", "if not whole else rows", "channel_sum"),
    ("batch_norm", "total[at[1]] =", "total[: x[at].shape[1]] =", "channel_sum"),
    ("pool", "(candidate > so_far)", "(candidate >= so_far)", "max_pool"),
    ("pool", " | (candidate != candidate)", "", "max_pool"),
    ("pool", "grid.outputs(winner)[...] = first", "grid.outputs(winner)[...] = 0", "max_pool"),
    ("pool", "copy[...] = -np.inf", "copy[...] = 0", "max_pool"),
    ("pool", "down * self.Q + right", "down * self.OW + right", "max_pool"),
    ("pool", "place += share", "place[...] = share", "max_pool_backward"),
    ("pool", "dphases[phase][...] = 0", "pass", "max_pool_backward"),
    ("pool", "dys[...], winner[...] = 0, 0", "dys[...], winner[...] = 1, 0", "max_pool_backward"),
    ("cross_entropy", "scores.max(axis=1", "scores.max(axis=0", "log_softmax pixel_losses"),
    ("cross_entropy", "class_weight[safe] * counted", "class_weight[safe]", "pixel_losses"),
    ("cross_entropy", "if smoothing:\n            losses", "if False:\n            losses", "pixel_losses"),
    ("cross_entropy", "mix * class_weight.sum() * counted", "mix * counted", "pixel_losses_backward"),
    ("cross_entropy", "-= target * dlosses[pixels]", "-= target", "pixel_losses_backward"),
    ("relu", "y[at] > 0", "y[at] >= 0", "relu_backward"),
    ("dropout", "(at[0].start or 0) // 8", "0", "dropout"),
    ("dropout", "np.greater_equal", "np.less", "dropout"),
    ("dropout", "np.multiply(result, scale", "np.divide(result, scale", "dropout dropout_backward"),
]  # fmt: skip


@contextlib.contextmanager
def planted(file: str, old: str, new: str) -> Iterator[None]:
    """Replaces a line of one file for all of minifcn.kernels, whoever has imported from it."""
    module = importlib.import_module(f"minifcn.kernels.{file}")
    source = inspect.getsource(module)
    assert old in source, f"{old!r} is no longer in {file}.py: plant this mistake in what stands there now"
    everyone = [sys.modules[key] for key in sys.modules if key.startswith("minifcn.kernels.")]
    before = {one: dict(vars(one)) for one in everyone}
    try:
        exec(compile(source.replace(old, new), module.__file__, "exec"), vars(module))
        for one in everyone:
            for name, value in before[one].items():
                if name in before[module] and value is before[module][name]:
                    setattr(one, name, vars(module)[name])
        yield
    finally:
        for one, names in before.items():
            vars(one).clear()
            vars(one).update(names)


@pytest.mark.parametrize(("file", "old", "new", "rungs"), MUTANTS, ids=[f"{m[0]}: {m[2].strip()[:40]}" for m in MUTANTS])
def test_a_planted_mistake_is_caught(file, old, new, rungs, difference, cut_small):
    caught = dict.fromkeys(rungs.split(), False)
    for pieces in ("as it is", "many pixels", "many weights"):
        with planted(f"convolution.{file}", old, new), pytest.MonkeyPatch.context() as patch:
            if pieces != "as it is":
                cut_small(patch, pieces == "many weights")
            for rung in caught:
                caught[rung] = caught[rung] or differs(rung, difference)
    assert all(caught.values()), caught


@pytest.mark.parametrize(("file", "old", "new", "names"), HOST_MUTANTS, ids=[f"{m[0]}: {m[2][:40]}" for m in HOST_MUTANTS])
def test_a_mistake_planted_in_host_is_caught(file, old, new, names):
    with planted(f"host.{file}", old, new), np.errstate(all="ignore"):
        for name in names.split():
            assert host_difference(name, np.float64) > 1e-6, name


def test_nothing_is_seen_where_nothing_is_planted(difference, cut_small):
    for heavy in (False, True):
        with planted("convolution.cuts", "import math", "import math"), pytest.MonkeyPatch.context() as patch:
            cut_small(patch, heavy)
            for rung in ("taps", "im2col", "strips", "F2", "F4", "one_by_one", "zero_insertion", "phases", "dilated", "inside"):
                assert not differs(rung, difference)


def differs(rung: str, difference) -> bool:
    """Whether any of GEOMETRIES comes out wrong, or not at all."""
    approximate = rung in ("F2", "F4", "dilated")
    module = select.rung("winograd" if rung in ("F2", "F4") else rung)
    dtype, tolerance = (np.float32, 1e-4) if approximate else (np.float64, 1e-12)
    for geometry in GEOMETRIES:
        if module.covers(geometry, dtype):
            try:
                if not difference(rung, geometry, dtype) < tolerance:
                    return True
            except (ValueError, IndexError, AssertionError):
                return True
    return False
