"""What is wrong with an array, in words: is it the right one flipped, transposed, shifted, scaled, or wrong at its border only?

:func:`diagnose` tries the usual mistakes one after the other, the simplest first, and says which one turns the right answer
into the wrong one. The gradient check and the course's answer checker use it.

    >>> right = np.arange(12.0).reshape(1, 1, 3, 4)
    >>> diagnose(right[:, :, ::-1, ::-1], right)
    'is the reference flipped along both of the last two axes'
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from minifcn.backend import Array, to_host


def same(mine: Array, reference: Array, tolerance: float = 1e-6) -> bool:
    """Whether shapes agree and no element is off by more than ``tolerance`` times the reference's largest magnitude."""
    mine, reference = to_host(mine), to_host(reference)
    if mine.shape != reference.shape:
        return False
    return bool(np.all(np.abs(mine - reference) <= tolerance * np.abs(reference).max(initial=0)))  # NaN is never <=


def diagnose(mine: Array, reference: Array, name: str = "the reference", tolerance: float = 1e-6) -> str | None:
    """The sentence's end that says what ``mine`` is in terms of ``reference``; None when it is right or no pattern is found.

    It begins with a verb ("is zero everywhere", "is the reference times 1/12"), so that a caller can put a name before it.
    ``name`` is what to call the reference, ``tolerance`` the relative error that still counts as equal.
    """
    return next(patterns(mine, reference, name, tolerance), None)


def patterns(mine: Array, reference: Array, name: str = "the reference", tolerance: float = 1e-6) -> Iterator[str]:
    """All that :func:`diagnose` could say, the simplest first: for who has several arrays, and looks for what holds in all."""
    mine, reference = to_host(mine).astype(np.float64), to_host(reference).astype(np.float64)
    if mine.shape != reference.shape:
        yield _other_shape(mine, reference, name, tolerance)
    elif same(mine, reference, tolerance):
        return
    elif not np.isfinite(mine).all():
        bad = ~np.isfinite(mine)
        yield f"has NaN or infinity at {bad.sum()} of {mine.size} places, the first at {_place(bad)}"
    elif not mine.any():
        yield "is zero everywhere"
    elif not reference.any():
        yield "is not zero, but should be zero everywhere"
    else:
        looks = (_scaled, _rearranged, _shifted, _clipped, _in_places, _offset, _reordered, _in_some_places, _rounded)
        yield from filter(None, (look(mine, reference, name, tolerance) for look in looks))


def diagnose_some(
    mine: Array, reference: Array, shape: tuple[int, ...], name: str = "the reference", tolerance: float = 1e-6
) -> str | None:
    """As :func:`diagnose`, where of arrays of ``shape`` only some elements are known: what does not depend on their places."""
    mine, reference = to_host(mine).astype(np.float64), to_host(reference).astype(np.float64)
    if same(mine, reference, tolerance):
        return None
    if not mine.any():
        return "is zero"
    factor = _factor(mine, reference, tolerance)
    return _clipped(mine, reference, name, tolerance) if factor is None else f"is {name} {_times(factor, shape)}"


# ---------------------------------------------------------------------------------------- the whole array, transformed


def _scaled(mine: np.ndarray, reference: np.ndarray, name: str, tolerance: float) -> str | None:
    factor = _factor(mine, reference, tolerance)
    return None if factor is None else f"is {name} {_times(factor, reference.shape)}"


def _rearranged(mine: np.ndarray, reference: np.ndarray, name: str, tolerance: float) -> str | None:
    """Flips and transpositions, each possibly with a wrong factor as well."""
    for words, candidate in itertools.chain(_flips(reference), _transposes(reference), _reshapes(reference)):
        factor = _factor(mine, candidate, tolerance)
        if factor is not None:
            also = "" if abs(factor - 1) < tolerance else f", and {_times(factor, reference.shape)}"
            return f"is {name} {words}{also}"
    return None


def _flips(reference: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    axes = [axis for axis in range(reference.ndim) if reference.shape[axis] > 1]
    for count in range(1, len(axes) + 1):
        for some in sorted(itertools.combinations(axes, count), reverse=True):  # the spatial axes first
            yield f"flipped along {_axes(some, reference.ndim)}", np.flip(reference, some)


def _transposes(reference: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    for order in itertools.permutations(range(reference.ndim)):
        turned = reference.transpose(order)
        moved = [axis for axis, source in enumerate(order) if axis != source]
        if moved and turned.shape == reference.shape:
            yield f"with {_axes(moved, reference.ndim)} transposed", turned


def _reshapes(reference: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    for order in itertools.permutations(range(reference.ndim)):
        yield "reshaped where a transposition was needed", reference.transpose(order).reshape(reference.shape)
        inverse = reference.reshape([reference.shape[axis] for axis in order]).transpose(np.argsort(order))
        yield "reshaped where a transposition was needed", inverse


def _shifted(mine: np.ndarray, reference: np.ndarray, name: str, tolerance: float) -> str | None:
    """Moved by up to 3 places along either of the last two axes, or both; what came in at the edge is not looked at."""
    axes = range(max(0, reference.ndim - 2), reference.ndim)
    steps = sorted(itertools.product(range(-3, 4), repeat=len(axes)), key=lambda step: (np.abs(step).sum(), step[::-1]))
    for step in steps:
        if not any(step) or any(2 * abs(s) > reference.shape[axis] for axis, s in zip(axes, step, strict=True)):
            continue
        came_from, went_to = ([slice(None)] * reference.ndim for _ in range(2))
        for axis, s in zip(axes, step, strict=True):
            came_from[axis] = slice(max(0, -s), reference.shape[axis] - max(0, s))
            went_to[axis] = slice(max(0, s), reference.shape[axis] - max(0, -s))
        overlap = reference[tuple(came_from)]
        if overlap.any() and same(mine[tuple(went_to)], overlap, tolerance):
            moves = " and ".join(f"by {s} along axis {axis}" for axis, s in zip(axes, step, strict=True) if s)
            return f"is {name} shifted {moves}"
    return None


def _offset(mine: np.ndarray, reference: np.ndarray, name: str, tolerance: float) -> str | None:
    """One number added or multiplied: everywhere, or for each index of one axis (a bias, a channel's mean, a scale)."""
    difference, size = mine - reference, tolerance * np.abs(reference).max()
    if reference.size > 1 and np.ptp(difference) <= size:
        return f"is {name} plus {difference.mean():.6g} everywhere"
    for axis, others in _axis_and_others(reference.ndim):
        if reference.size == reference.shape[axis]:
            continue  # nothing to compare with along the other axes
        each = f"for each index of axis {axis}"
        if (np.ptp(difference, axis=others) <= size).all():
            return f"differs from {name} by one number {each}: a bias or a mean forgotten, or taken twice"
        norms = np.square(reference).sum(others, keepdims=True)
        factors = (mine * reference).sum(others, keepdims=True) / np.where(norms == 0, 1, norms)
        if same(mine, factors * reference, tolerance):
            return f"is {name} times another factor {each}: a scale or a weight forgotten, or taken twice"
    return None


def _clipped(mine: np.ndarray, reference: np.ndarray, name: str, tolerance: float) -> str | None:
    candidates = {
        f"is {name} with its negative values set to 0": np.maximum(reference, 0),
        f"is {name} with its positive values set to 0": np.minimum(reference, 0),
        f"is {name} without its signs": np.abs(reference),
        f"is {name} squared": np.square(reference),
        f"is {name} cut to whole numbers": np.trunc(reference),
        f"is {name} rounded to whole numbers": np.round(reference),
    }
    return next((words for words, candidate in candidates.items() if same(mine, candidate, tolerance)), None)


# ------------------------------------------------------------------------------------------------ right in some places


def _in_places(mine: np.ndarray, reference: np.ndarray, name: str, tolerance: float) -> str | None:
    wrong = _wrong(mine, reference, tolerance)
    if wrong.all():
        return None
    depth = _depth(wrong.shape)
    ring = int(depth[wrong].min())
    if ring > 0 and wrong[depth >= ring].all():
        return f"is right within {_pixels(ring)} of the border, but wrong inside"
    for axis, others in _axis_and_others(reference.ndim):
        indices = np.flatnonzero(wrong.any(axis=others))
        if len(indices) < reference.shape[axis]:
            return f"is right but for {_some(indices)} of axis {axis}"
    ring = int(depth[wrong].max()) + 1
    if ring <= depth.max():
        return f"is right inside, but wrong within {_pixels(ring)} of the border: look at the padding"
    count = _count(wrong)
    if not mine[wrong].any():
        return f"is right where it is not zero, but zero at {count}: something is left out there"
    if not reference[wrong].any():
        return f"is right where {name} is not zero, but should be zero at {count}: a mask is forgotten"
    return None


def _depth(shape: tuple[int, ...]) -> np.ndarray:
    """For each element how many pixels it lies from the nearest edge of the last two axes; all 0 for a vector."""
    if len(shape) < 2:
        return np.zeros(shape, int)
    rows, columns = (np.minimum(np.arange(n), np.arange(n)[::-1]) for n in shape[-2:])
    return np.broadcast_to(np.minimum(rows[:, None], columns), shape)


def _reordered(mine: np.ndarray, reference: np.ndarray, name: str, tolerance: float) -> str | None:
    """The right numbers in other places: whole slices along one axis, or anything."""
    if not same(np.sort(mine, axis=None), np.sort(reference, axis=None), tolerance):
        return None
    for axis in range(reference.ndim):
        mine_slices, slices = np.moveaxis(mine, axis, 0), np.moveaxis(reference, axis, 0)
        if len(slices) > 64:
            continue
        order = [next((j for j, one in enumerate(slices) if same(row, one, tolerance)), None) for row in mine_slices]
        if None not in order:
            return f"has the slices of {name} along axis {axis} in another order: {_some(order)}"
    return f"has the numbers of {name} in other places: look at reshapes and transpositions"


def _in_some_places(mine: np.ndarray, reference: np.ndarray, name: str, tolerance: float) -> str | None:
    wrong = _wrong(mine, reference, tolerance)
    return None if 2 * wrong.sum() > wrong.size else f"is wrong at {_count(wrong)}, and right at all others"


def _wrong(mine: np.ndarray, reference: np.ndarray, tolerance: float) -> np.ndarray:
    return np.abs(mine - reference) > tolerance * np.abs(reference).max()


def _axis_and_others(ndim: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Each axis with the tuple of all others; nothing for a vector, which has no others."""
    for axis in range(ndim if ndim > 1 else 0):
        yield axis, tuple(other for other in range(ndim) if other != axis)


def _rounded(mine: np.ndarray, reference: np.ndarray, name: str, tolerance: float) -> str | None:
    error = np.abs(mine - reference).max() / max(np.abs(reference).max(), 1e-300)
    return f"agrees with {name} to a relative {error:.0e} only: a loss of precision" if error < 1e-3 else None


# ------------------------------------------------------------------------------------------------------- other shapes


def _other_shape(mine: np.ndarray, reference: np.ndarray, name: str, tolerance: float) -> str:
    said = f"has shape {mine.shape} where {name} has {reference.shape}"
    for order in itertools.permutations(range(mine.ndim)):
        if same(mine.transpose(order), reference, tolerance):
            return f"{said}, and is {name} with its axes in another order"
    if mine.size == reference.size and same(mine.ravel(), reference.ravel(), tolerance):
        return f"{said}, and would be right after reshape{reference.shape}"
    if mine.ndim == reference.ndim:
        larger, smaller = (mine, reference) if mine.size > reference.size else (reference, mine)
        room = [n - m for n, m in zip(larger.shape, smaller.shape, strict=True)]
        if min(room) >= 0 and np.prod([gap + 1 for gap in room]) <= 1000:
            for start in itertools.product(*(range(gap + 1) for gap in room)):
                window = larger[tuple(slice(s, s + n) for s, n in zip(start, smaller.shape, strict=True))]
                if window.size and window.any() and same(window, smaller, tolerance):
                    part = f"from {list(start)} on it is {name}" if larger is mine else f"is {name} from {list(start)} on"
                    return f"{said}, and {part}{': look at crops and padding' if mine.ndim > 1 else ''}"
    return said


# ------------------------------------------------------------------------------------------------------------- words


def _factor(mine: np.ndarray, candidate: np.ndarray, tolerance: float) -> float | None:
    """The number c with mine = c · candidate, or None."""
    norm = np.square(candidate).sum()
    if norm == 0:
        return None
    factor = float((mine * candidate).sum() / norm)
    return factor if factor and same(mine, factor * candidate, tolerance) else None


def _times(factor: float, shape: tuple[int, ...]) -> str:
    """ "times -1", "times 1/12 (12 = the size of axes 0 and 2 together)", "times 0.37"."""
    for value, words in ((factor, "times {}"), (1 / factor, "times 1/{}")):
        whole = round(value)
        if whole and abs(value - whole) < 1e-4 * abs(value):
            return words.format(whole) + _product(abs(whole), shape)
    return f"times {factor:.6g}"


def _product(number: int, shape: tuple[int, ...]) -> str:
    """Where a factor may come from: the axes whose sizes multiply to it."""
    if number < 2:
        return ""
    for count in range(1, len(shape) + 1):
        for axes in itertools.combinations(range(len(shape)), count):
            if np.prod([shape[axis] for axis in axes]) == number:
                together = " together" if count > 1 else ""
                return f" ({number} is the size of {_axes(axes, None)}{together})"
    return ""


def _axes(axes: tuple[int, ...] | list[int], ndim: int | None) -> str:
    if len(axes) == 1:
        return f"axis {axes[0]}"
    if ndim and ndim > 2 and tuple(axes) == (ndim - 2, ndim - 1):
        return "both of the last two axes"
    return f"axes {', '.join(map(str, axes[:-1]))} and {axes[-1]}"


def _pixels(count: int) -> str:
    return f"{count} pixel" + ("" if count == 1 else "s")


def _count(wrong: np.ndarray) -> str:
    return f"{wrong.sum()} of {wrong.size} places, the first at {_place(wrong)}"


def _place(mask: np.ndarray) -> list[int]:
    return [int(i) for i in np.argwhere(mask)[0]]


def _some(indices) -> str:
    more = f", ... ({len(indices)} of them)" if len(indices) > 6 else ""
    return ("index " if len(indices) == 1 else "indices ") + ", ".join(str(int(i)) for i in indices[:6]) + more
