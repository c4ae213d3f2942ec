"""What wrong numbers look like in all cases together, where no suspect explains them.

Each function gives the end of a sentence that begins with "Your result", or None. Nothing is said that holds in the first
case alone.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from minifcn.checks.diagnose import patterns
from minifcn.course.exercises import Exercise
from minifcn.course.results import TOLERANCE, kind, same
from minifcn.course.sizes import axes_in_words, sizes

Found = str | None


def fitted(results: Sequence[np.ndarray], keys: Sequence[np.ndarray]) -> Found:
    """The same number added or multiplied in all cases, or one number whatever is asked; never guessed from one number."""
    mine, key = (np.concatenate([one.ravel() for one in some]) for some in (results, keys))
    if len(mine) < 2 or not np.isfinite(mine).all() or not np.isfinite(key).all():
        return None
    close = functools.partial(np.allclose, rtol=0, atol=TOLERANCE * max(np.abs(key).max(), 1e-300))
    if np.ptp(mine) == 0 and np.ptp(key) > 0:
        return f"is always {mine[0]:.6g}"
    if close(mine, key + (mine - key).mean()):
        return f"is always {_too_many(float((mine - key).mean()))}"
    if np.ptp(key) == 0:
        return None
    if close(mine, -key):
        return "is the library's answer with the other sign"
    factor = float((mine * key).sum() / np.square(key).sum())
    if close(mine, factor * key):
        return f"is the library's answer {_times(factor)} in all cases"
    slope, more = np.polyfit(key, mine, 1)
    if len(set(key.round(9))) > 2 and close(mine, slope * key + more):
        return f"is the library's answer {_times(slope)}, plus {_number(more)}, in all cases"
    return None


def not_finite(results: Sequence[np.ndarray], keys: Sequence[np.ndarray]) -> Found:
    """NaN where there must be none."""
    bad = [not np.isfinite(mine).all() for mine, key in zip(results, keys, strict=True) if np.isfinite(key).all()]
    return f"has NaN or infinity in {sum(bad)} of {len(results)} cases (is something divided by 0?)" if any(bad) else None


def agreed(results: Sequence[np.ndarray], keys: Sequence[np.ndarray]) -> Found:
    """The pattern that every wrong case shows, in the words of the first of them."""
    wrong = [_without_shared_nan(*pair) for pair in zip(results, keys, strict=True) if not same(*pair)]
    seen = [list(patterns(mine, key, name="the library's answer", tolerance=TOLERANCE)) for mine, key in wrong]
    for words in seen[0]:
        if all(any(_kind_of(words) == _kind_of(other) for other in others) for others in seen[1:]):
            if words.startswith("has shape") and ", and " not in words:
                return None  # that shapes differ is no pattern
            if len(wrong) > 1 and words.startswith("is the library's answer times") and len({one[0] for one in seen}) > 1:
                factors = [found[0].removeprefix("is the library's answer ") for found in seen]
                return f"is a multiple of the library's answer, another in each case: {'; '.join(factors[:4])}"
            return words
    return None


def _without_shared_nan(mine: np.ndarray, key: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both with 0 where both are rightly NaN."""
    if mine.shape != key.shape:
        return mine, key
    both = np.isnan(mine) & np.isnan(key)
    return np.where(both, 0, mine), np.where(both, 0, key)


def _kind_of(words: str) -> str:
    """A pattern without its numbers, but for those that name an axis."""
    words = re.sub(r" \(\d+ is the size of [^)]*\)", "", words)
    words = re.sub(r"ind(?:ex|ices) [\d, ]*\d(?:, \.\.\. \(\d+ of them\))?", "index #", words)
    words = re.sub(r"pixels\b", "pixel", words)
    return re.sub(r"(?<![\w])(?<!axis )(?<!axes )(?<!and )-?\d[\w.+/-]*", "#", words)


def reduced(results: Sequence[np.ndarray], keys: Sequence[np.ndarray]) -> Found:
    """An axis that is still there, over which the sum, the mean, the largest or one of the slices would be right."""
    ndim = results[0].ndim
    if any(mine.ndim != ndim or not mine.size for mine in results):
        return None
    ways: dict[str, Callable[..., np.ndarray]] = {
        "add up along": np.sum, "take the mean along": np.mean, "take the largest along": np.max,
        "take the first of": _first, "take the last of": _last,
    }  # fmt: skip
    for count in range(1, ndim + 1):
        for axes in itertools.combinations(range(ndim), count):
            for words, way in ways.items():
                if all(same(np.asarray(way(mine, axis=axes)), key) for mine, key in zip(results, keys, strict=True)):
                    if all(mine.shape[axis] == 1 for mine in results for axis in axes):
                        return f"has shape {results[0].shape}, and would be right without {axes_in_words(axes)}, of length 1"
                    said = f"has shape {results[0].shape} where {kind(keys[0])} is asked for"
                    return f"{said}, and is not finished: {words} {axes_in_words(axes)}"
    return None


def _first(value: np.ndarray, axis: tuple[int, ...]) -> np.ndarray:
    return value[tuple(0 if place in axis else slice(None) for place in range(value.ndim))]


def _last(value: np.ndarray, axis: tuple[int, ...]) -> np.ndarray:
    return value[tuple(-1 if place in axis else slice(None) for place in range(value.ndim))]


def longer(results: Sequence[np.ndarray], keys: Sequence[np.ndarray]) -> Found:
    """The right numbers, and more behind or before them."""
    pairs = [(mine, key) for mine, key in zip(results, keys, strict=True) if mine.shape != key.shape]
    if any(mine.ndim != key.ndim or any(np.less(mine.shape, key.shape)) for mine, key in pairs):
        return None
    for words, cut in (("begins", _head), ("ends", _foot)):
        if all(same(cut(mine, key.shape), key) for mine, key in pairs):
            mine, key = pairs[0]
            return f"has shape {mine.shape} where the library's answer has {key.shape}, and {words} with it: cut the rest off"
    return None


def _head(value: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return value[tuple(slice(size) for size in shape)]


def _foot(value: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return value[tuple(slice(full - size, full) for full, size in zip(value.shape, shape, strict=True))]


def other_size(exercise: Exercise, results: Sequence[np.ndarray], keys: Sequence[np.ndarray]) -> Found:
    """An axis that is always 1 too short, or too long by 2·padding."""
    if any(mine.ndim != key.ndim for mine, key in zip(results, keys, strict=True)):
        return None
    said = []
    for axis in range(keys[0].ndim):
        gaps = [mine.shape[axis] - key.shape[axis] for mine, key in zip(results, keys, strict=True)]
        if any(gaps):
            by = next(_by(exercise, gaps), None)
            if by is None:
                return None
            said.append(f"axis {axis} is {by}")
    inside = agreed(results, keys)
    also = inside[inside.index(", and ") :] if inside and ", and " in inside else ""
    return f"has another size: {', '.join(said)}{also}"


def _by(exercise: Exercise, gaps: list[int]) -> Iterator[str]:
    """What explains by how much an axis is too long, in each case."""
    how = "long" if max(gaps) > 0 else "short"
    if len(set(gaps)) == 1:
        yield f"{'always ' if len(gaps) > 1 else ''}{abs(gaps[0])} too {how}"
    for words, size in sizes(exercise):
        values = [size(*case) for case in exercise.cases[: len(gaps)]]
        for factor, times in ((1, ""), (2, "2·"), (-1, ""), (-2, "2·")):
            for more, plus in ((0, ""), (-1, " − 1"), (1, " + 1")):
                if gaps == [factor * value + np.sign(factor) * more for value in values]:
                    yield f"too {how} by {times}{words}{plus}"


# ----------------------------------------------------------------------------------------- where it is right, if it ever is


def right_where(exercise: Exercise, right: list[bool]) -> Found:
    """What the cases that are right have in common, and no wrong one has: stride = 1, no padding, a picture as high as wide."""
    if len(right) < 3 or not any(right):
        return None
    for words, fact in exercise.facts.items():
        holds = [fact(*case) for case in exercise.cases[: len(right)]]
        if holds in (right, [not one for one in right]):
            return f"is {'right' if holds == right else 'wrong'} just where {words}"
    simple = list(_conditions(exercise, len(right)))
    for words, holds in simple:
        if right == holds:
            return f"is right where {words}, and only there"
    numbers = [one for one in simple if ".shape" not in one[0]]
    for (one, holds), (other, also) in itertools.combinations(numbers, 2):
        if right == [a or b for a, b in zip(holds, also, strict=True)]:
            return f"is right where {one} or {other}, and only there"
    return None


def _conditions(exercise: Exercise, count: int) -> Iterator[tuple[str, list[bool]]]:
    """What may hold of a case: of its numbers first, then of the axes of its arrays; and in which of the cases it does.

    Of axes only what holds in two cases and fails in two: any one case has some size to itself.
    """
    single = [(words, size) for words, size in sizes(exercise) if "·" not in words and words not in exercise.facts]
    found = [(words, [size(*case) for case in exercise.cases[:count]]) for words, size in single]
    found.sort(key=lambda one: ".shape" in one[0])
    for words, values in found:
        for special in (0, 1):
            holds = [value == special for value in values]
            if ".shape" not in words or 2 <= sum(holds) <= count - 2:
                yield f"{words} = {special}", holds
    for (one, values), (other, others) in itertools.combinations(found, 2):
        holds = [a == b for a, b in zip(values, others, strict=True)]
        if 2 <= sum(holds) <= count - 2:
            yield f"{one} = {other}", holds


# --------------------------------------------------------------------------------------------------------------- small


def _too_many(difference: float) -> str:
    """ "1 too many", "0.25 too little"."""
    more, less = ("many", "few") if abs(difference - round(difference)) < 1e-6 else ("much", "little")
    return f"{_number(abs(difference))} too {more if difference > 0 else less}"


def _number(value: float) -> str:
    return f"{round(value)}" if abs(value - round(value)) < 1e-6 else f"{value:.6g}"


def _times(factor: float) -> str:
    if factor and abs(1 / factor - round(1 / factor)) < 1e-6 and abs(factor) < 1:
        return f"times 1/{round(1 / factor)}"
    return f"times {_number(factor)}"
