"""Max-pooling, a few planes at a time, on phases of them: one pass over contiguous memory for each tap.

NumPy is slow where it steps over pixels, and where it walks in short rows. So the planes are first copied apart, into one
*phase* for each place in the stride: for stride 2 the even and the odd columns of the even and the odd rows. There each tap of
a window is a shift, the same for all windows of all planes:

    tap (kh, kw) of window (oh, ow) = phase[oh + down, ow + right]        flat: phase[o + shift]

A phase has as many more rows and columns than there are windows as the last tap is shifted by, R and Q in all. The flat walk
from the first window to the last meets places, too, where no window begins; what is computed there is never read.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable

import numpy as np

from minifcn.kernels.host.stride import every_second
from minifcn.kernels.pool_geometry import Pixels, Windows, reach
from minifcn.kernels.scratch import workspace
from minifcn.kernels.threads import Block, over_blocks

Phase = tuple[int, int]  # the row and the column, within the stride, where it begins in the padded picture


def max_pool(x: np.ndarray, windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    """x (N, C, H, W) -> y and switches (N, C, OH, OW)."""
    grid = _grid(windows)
    first = grid.first_tap
    y = np.empty((*x.shape[:2], grid.OH, grid.OW), x.dtype)
    switches = np.empty(y.shape, first.dtype)
    (_, start, _), *others = grid.taps

    def planes(at: Block) -> None:
        with workspace(x.dtype) as new, workspace(first.dtype) as new_switches:
            phases = grid.split(x[at], new)
            best, winner = grid.around(y[at], new), grid.around(switches[at], new_switches)
            so_far, switch = grid.flat(best), grid.flat(winner)
            np.copyto(so_far, grid.flat(phases[start]))  # −inf where the first tap lies in the padding
            grid.outputs(winner)[...] = first
            for tap, phase, shift in others:
                candidate = grid.flat(phases[phase], shift)
                better = (candidate > so_far) | (candidate != candidate)  # strictly: the first of equals stays; NaN always wins
                np.maximum(so_far, candidate, out=so_far)
                np.maximum(switch, better * switch.dtype.type(tap), out=switch)  # taps ascend: the last of them is the largest
            if grid.beyond:
                y[at], switches[at] = grid.outputs(best), grid.outputs(winner)

    over_blocks(planes, x)
    return y, switches


def max_pool_backward(dy: np.ndarray, switches: np.ndarray, windows: Windows) -> np.ndarray:
    """dy and switches (N, C, OH, OW) -> dx (N, C, H, W)."""
    grid = _grid(windows)
    dx = np.zeros((*dy.shape[:2], windows.H, windows.W), dy.dtype)

    def planes(at: Block) -> None:
        with workspace(dy.dtype) as new, workspace(switches.dtype) as new_switches:
            dys, winner = grid.around(dy[at], new), grid.around(switches[at], new_switches)
            if grid.beyond:
                dys[...], winner[...] = 0, 0  # no gradient comes from where no window begins
                grid.outputs(dys)[...], grid.outputs(winner)[...] = dy[at], switches[at]
            share = grid.flat(grid.like(dys, new))
            dphases: dict[Phase, np.ndarray] = {}
            for tap, phase, shift in grid.taps:
                np.copyto(share, grid.flat(winner) == tap)  # 1 where this tap won
                if phase in dphases:
                    share *= grid.flat(dys)
                    place = grid.flat(dphases[phase], shift)
                    place += share
                    continue
                dphases[phase] = grid.like(dys, new)
                if grid.beyond:
                    dphases[phase][...] = 0
                np.multiply(share, grid.flat(dys), out=grid.flat(dphases[phase], shift))
            for phase, (places, pixels) in grid.phases.items():
                dx[at][pixels] = dphases[phase][places]

    over_blocks(planes, dx)
    return dx


def max_pool_values(x: np.ndarray, windows: Windows) -> np.ndarray:
    """x (N, C, H, W) -> y (N, C, OH, OW) alone: down the rows, side by side in memory, then across what is left."""
    OH, OW = windows.output_size
    y = np.empty((*x.shape[:2], OH, OW), x.dtype)
    rows, columns = windows.reaches()

    def planes(at: Block) -> None:
        with workspace(x.dtype) as new:
            down = new(*x[at].shape[:2], OH, windows.W)
            _largest(down, rows, lambda outputs, inputs: (down[:, :, outputs], x[at][:, :, inputs]))
            _largest(y[at], columns, lambda outputs, inputs: (y[at][..., outputs], down[..., inputs]))

    over_blocks(planes, x)
    return y


def _largest(out: np.ndarray, reaches: list[tuple[slice, slice]], pair: Callable[..., tuple[np.ndarray, np.ndarray]]) -> None:
    """Writes the largest over all taps of an axis; `pair(outputs, inputs)` gives outputs that have a tap, and its numbers."""
    pairs = sorted((pair(*met) for met in reaches if met[0].start < met[0].stop), key=lambda one: -one[0].size)
    whole = [numbers for outputs, numbers in pairs[:2] if outputs.size == out.size]
    if len(whole) == 2:  # as a rule: two taps that every output has
        np.maximum(whole[0], whole[1], out=out)
    elif whole:
        np.copyto(out, whole[0])
    else:
        out[...] = -np.inf
    for so_far, more in pairs[len(whole) :]:
        np.maximum(so_far, more, out=so_far)


class _Grid:
    """Arrays of R x Q places a plane: phases, and what belongs to the outputs, which are the first OH x OW of them."""

    def __init__(self, windows: Windows) -> None:
        g = windows
        self.OH, self.OW = windows.output_size
        self.first_tap = windows.first_tap()  # (OH, OW)
        self.R, self.Q = self.OH + g.DH * (g.KH - 1) // g.SH, self.OW + g.DW * (g.KW - 1) // g.SW
        self.beyond = (self.R - self.OH) * self.Q + self.Q - self.OW  # the largest shift: places that are no window's
        self.taps: list[tuple[int, Phase, int]] = []  # each tap kh·KW + kw, the phase that it reads, and its shift there
        self.phases: dict[Phase, tuple[Pixels, Pixels]] = {}  # of each: its places inside the picture, and the pixels there
        for tap, (kh, kw) in enumerate(itertools.product(range(g.KH), range(g.KW))):
            (down, row), (right, column) = divmod(kh * g.DH, g.SH), divmod(kw * g.DW, g.SW)
            self.taps.append((tap, (row, column), down * self.Q + right))
            rows, columns = reach(row - g.PH, g.SH, g.H, self.R), reach(column - g.PW, g.SW, g.W, self.Q)
            self.phases[row, column] = (..., rows[0], columns[0]), (..., rows[1], columns[1])

    def split(self, x: np.ndarray, new: workspace) -> dict[Phase, np.ndarray]:
        """x (N', C', H, W) copied apart: {phase: (N', C', R, Q)}, −inf in the padding."""
        copies = {}
        for phase, (places, pixels) in self.phases.items():
            copy = copies[phase] = self.like(x, new)
            if copy[places].size < copy.size:
                copy[...] = -np.inf
            _, rows, columns = pixels
            if columns.step == 2:
                every_second(x[..., rows, columns.start :], copy[places])
            else:
                copy[places] = x[pixels]
        return copies

    def around(self, ours: np.ndarray, new: workspace) -> np.ndarray:
        """An array (N', C', R, Q) for what belongs to windows (N', C', OH, OW): these themselves, where no place is beyond."""
        return self.like(ours, new) if self.beyond else ours

    def like(self, planes: np.ndarray, new: workspace) -> np.ndarray:
        """Another array (N', C', R, Q), uninitialised."""
        return new(*planes.shape[:2], self.R, self.Q)

    def outputs(self, array: np.ndarray) -> np.ndarray:
        """(N', C', R, Q) -> its (N', C', OH, OW)."""
        return array[..., : self.OH, : self.OW]

    def flat(self, array: np.ndarray, shift: int = 0) -> np.ndarray:
        """(N', C', R, Q) as one row from `shift` on, as long as from the first output to the last."""
        return array.reshape(-1)[shift : array.size - self.beyond + shift]


@functools.lru_cache(maxsize=256)
def _grid(windows: Windows) -> _Grid:
    """Made once for all planes of a size: for small ones that would take longer than the pooling itself."""
    return _Grid(windows)
