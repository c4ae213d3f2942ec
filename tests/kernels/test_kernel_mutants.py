"""The comparison with `loops` catches realistic mistakes: each of these is planted, and must be seen."""

from __future__ import annotations

import importlib
import inspect
import sys
import types

import numpy as np
import pytest

from minifcn.kernels.geometry import Geometry

# Between them these reach every branch; the same kind of shapes as in test_rungs
GEOMETRIES = [
    Geometry(2, 3, 6, 7, 4, 3, 3, 1, 1, 1, 1),
    Geometry(1, 2, 9, 8, 3, 3, 5, 2, 3, 1, 2),
    Geometry(2, 6, 5, 4, 4, 3, 3, 1, 1, 1, 1, 1, 1, 2),
    Geometry(1, 4, 9, 7, 6, 4, 2, 2, 1, 1, 0, 1, 2, 2),
    Geometry(2, 5, 4, 3, 3, 1, 1),
    Geometry(1, 2, 11, 9, 3, 2, 1, 3, 4),
]

# (file, what is there, what a slip of the hand would put there, the rungs that must notice)
MUTANTS = [
    ("windows", "weight[:, :, ::-1, ::-1]", "weight", "strips zero_insertion"),
    ("windows", "weight[:, :, ::-1, ::-1]", "weight[:, :, ::-1]", "strips zero_insertion"),
    ("windows", "reshape(g.G, g.O // g.G, g.C // g.G, g.KH, g.KW)\n    return weight.swapaxes(1, 2)",
     "reshape(g.O // g.G, g.G, g.C // g.G, g.KH, g.KW)\n    return weight.transpose(1, 2, 0, 3, 4)", "strips"),
    ("windows", "..., top + first_row : top + last_row,", "..., max(0, top + first_row - 1) : max(0, top + first_row - 1)"
     " + last_row - first_row,", "taps im2col strips winograd"),
    ("windows", "out[..., :first_row, :] = 0", "out[..., :first_row, :] = 1", "taps im2col strips winograd phases"),
    ("windows", "first_row:last_row, last_column:] = 0", "first_row:last_row, last_column:] = 1",
     "taps im2col strips winograd phases"),
    ("windows", "row * g.DH, column * g.DW", "row * g.DW, column * g.DH", "taps im2col strips"),
    ("windows", "row * g.SH, column * g.SW", "row * g.SW, column * g.SH", "taps im2col strips"),
    ("windows", "columns[:, kh, kw]\n", "columns[:, kw % g_KH(columns), kh % g_KW(columns)]\n", "im2col strips"),
    ("windows", "slice(group.start * O, group.stop * O)", "slice(0, (group.stop - group.start) * O)", "strips"),
    ("windows", "slice(group.start * C + within.start, (group.stop - 1) * C + within.stop)",
     "slice(group.start * C, group.start * C + (group.stop - group.start) * C)", "strips"),
    ("im2col", "y += bias[:, None, None]", "pass", "im2col"),
    ("im2col", "dweight[group] += matmul", "dweight[group] = matmul", "im2col"),
    ("im2col", "g.PH : g.PH + g.H, g.PW", "0 : g.H, g.PW", "im2col"),
    ("taps", "y[n, group] += matmul", "y[n, group] = matmul", "taps"),
    ("taps", "dweight[:, :, kh, kw]", "dweight[:, :, kh, -1 - kw]", "taps"),
    ("taps", "matmul(matrix.T, dy[n, group])", "matmul(matrix.T, dy[n, 0])", "taps"),
    ("pointwise", "weight[:, :, 0, 0].T, dy", "weight[:, :, 0, 0].T, dy[:, ::-1]", "pointwise"),
    ("pointwise", "dweight = dweight + matmul", "dweight = matmul", "pointwise"),
    ("pointwise", "reshape(B, -1, g.H, g.W).transpose(1, 0, 2, 3)", "reshape(-1, B, g.H, g.W)", "pointwise"),
    ("strips", "out=total if first else product", "out=total", "strips"),
    ("strips", "        dweight += part\n", "        pass\n", "strips"),
    ("strips", "        product += bias\n", "        pass\n", "strips"),
    ("strips", "reshape(channels, pictures, OH, OW).transpose(1, 0, 2, 3)", "reshape(pictures, channels, OH, OW)", "strips"),
    ("strips", "g.DH * (g.KH - 1)) // g.SH))", "g.DH * (g.KH - 1)) // g.SH) + 1)", "strips"),
    ("strips", "(rows.stop - 1 + g.PH) // g.SH + 1)", "(rows.stop - 1 + g.PH) // g.SH)", "strips"),
    ("strips", "strip.rows.start + g.PH - first * g.SH", "strip.rows.start + g.PH", "strips"),
    ("strips", "patch[...] = 0", "patch[...] = 1", "strips"),
    ("zero_insertion", "turned(weight, g)", "turned(weight, g)[:, :, ::-1]", "zero_insertion"),
    ("zero_insertion", "g.DH * (g.KH - 1) - g.PH, g.SH", "g.DH * (g.KH - 1) - g.PH + 1, g.SH", "zero_insertion"),
    ("phases", "[:, :, :, ::-1, :, ::-1]", "", "phases"),
    ("phases", "horizontal.first + j]", "horizontal.last - 1 - j]", "phases"),
    ("phases", "(0, 2, 3, 5, 1, 4, 6)", "(0, 2, 5, 3, 1, 4, 6)", "phases"),
    ("phases", "self.padding // self.stride", "-(-self.padding // self.stride)", "phases"),
    ("phases", "block[...] = 0", "block[...] = 1", "phases"),
    ("phases", "kernel % stride or stride", "stride - kernel % stride", "phases"),
    ("winograd", "[0, 4, 0, -5, 0, 1]", "[0, 4, 0, 5, 0, 1]", "winograd"),
    ("winograd", "[1 / 24, -1 / 12, 1 / 6]", "[1 / 24, 1 / 12, 1 / 6]", "winograd"),
    ("winograd", "f.turned if turned else f.kernel", "f.kernel", "winograd"),
    ("winograd", "reshape(-1, O, C).transpose(0, 2, 1)", "reshape(-1, C, O)", "winograd"),
    ("winograd", "        image += bias\n", "        pass\n", "winograd"),
    ("winograd", "transpose(0, 1, 3, 2, 4, 5)", "transpose(0, 1, 4, 2, 3, 5)", "winograd"),
    ("winograd", "out=dU if first else product", "out=dU", "winograd"),
    ("winograd", "dweight[part] += product", "dweight[part] = product", "winograd"),
    ("winograd", "rows, columns = top + strip.rows.start * step", "rows, columns = top + strip.columns.start * step", "winograd"),
]  # fmt: skip


def plant(monkeypatch: pytest.MonkeyPatch, file: str, old: str, new: str) -> None:
    """Replaces a line of one file in all of minifcn.kernels, whoever has imported from it."""
    module = importlib.import_module(f"minifcn.kernels.{file}")
    source = inspect.getsource(module)
    assert source.count(old) >= 1, f"{old!r} is no longer in {file}.py: plant this mistake in what stands there now"
    mutant = types.ModuleType(module.__name__)
    mutant.g_KH, mutant.g_KW = (lambda columns: columns.shape[1]), (lambda columns: columns.shape[2])
    mutant.__file__ = module.__file__
    exec(compile(source.replace(old, new), module.__file__, "exec"), mutant.__dict__)
    for name, changed in vars(mutant).items():
        original = getattr(module, name, None)
        if getattr(original, "__module__", None) == module.__name__ or name.isupper():
            for other in [sys.modules[key] for key in sys.modules if key.startswith("minifcn.kernels.")]:
                if getattr(other, name, None) is original:
                    monkeypatch.setattr(other, name, changed)


@pytest.mark.parametrize(("file", "old", "new", "rungs"), MUTANTS, ids=[f"{m[0]}: {m[2].strip()[:40]}" for m in MUTANTS])
@pytest.mark.usefixtures("tiny_pieces")
def test_a_planted_mistake_is_caught(file, old, new, rungs, difference, monkeypatch):
    from minifcn.kernels import strips, winograd

    caught = {rung: False for rung in rungs.split()}
    for path in (False, True):
        with monkeypatch.context() as patch:
            plant(patch, file, old, new)
            patch.setattr(strips, "_HEAVY", 1 if path else 1 << 30)
            patch.setattr(winograd, "_LIGHT", 1 if path else 1 << 30)
            for rung in caught:
                caught[rung] = caught[rung] or _differs(rung, difference)
    assert all(caught.values()), caught


def _differs(rung: str, difference) -> bool:
    module = importlib.import_module(f"minifcn.kernels.{rung}")
    dtype, tolerance = (np.float32, 1e-4) if rung == "winograd" else (np.float64, 1e-12)
    for geometry in GEOMETRIES:
        if module.covers(geometry, dtype):
            try:
                if not difference(rung, geometry, dtype) < tolerance:
                    return True
            except (ValueError, IndexError, AssertionError):
                return True
    return False
