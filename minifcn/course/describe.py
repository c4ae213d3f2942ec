"""What wrong numbers look like in all cases together, where no suspect explains them.

Each function gives the end of a sentence that begins with "Your result", or None. Nothing is said that holds in the first
case alone.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence

import numpy as np

from minifcn.checks.diagnose import patterns
from minifcn.course.exercises import Exercise
from minifcn.course.results import TOLERANCE, same
from minifcn.course.suspects import sizes

Found = str | None


def fitted(results: Sequence[np.ndarray], keys: Sequence[np.ndarray]) -> Found:
    """The same number added or multiplied in all cases, or one number whatever is asked; never guessed from one number."""
    mine, key = (np.concatenate([one.ravel() for one in some]) for some in (results, keys))
    if len(mine) < 2:
        return None
    if not np.isfinite(mine).all() or not np.isfinite(key).all():
        return None
    close = functools.partial(np.allclose, rtol=0, atol=TOLERANCE * max(np.abs(key).max(), 1e-300))
    if np.ptp(mine) == 0 and np.ptp(key) > 0:
        return f"is always {mine[0]:.6g}"
    difference = float((mine - key).mean())
    if close(mine, key + difference):
        many = "many" if round(difference) == difference or abs(difference - round(difference)) < 1e-6 else "much"
        return f"is always {_number(abs(difference))} too {many if difference > 0 else 'few' if many == 'many' else 'little'}"
    if np.ptp(key) == 0:
        return None
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
    wrong = [pair for pair in zip(results, keys, strict=True) if not same(*pair)]
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


def _kind_of(words: str) -> str:
    """A pattern without its numbers, but for those that name an axis."""
    words = re.sub(r" \(\d+ is the size of [^)]*\)", "", words)
    words = re.sub(r"ind(?:ex|ices) [\d, ]*\d(?:, \.\.\. \(\d+ of them\))?", "index #", words)
    words = re.sub(r"pixels\b", "pixel", words)
    return re.sub(r"(?<![\w])(?<!axis )(?<!axes )(?<!and )-?\d[\w.+/-]*", "#", words)


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
    """What the cases that are right have in common, and no wrong one has: stride = 1, no padding, one channel."""
    if len(right) < 3 or not any(right):
        return None
    for words, size in sizes(exercise):
        values = [size(*case) for case in exercise.cases[: len(right)]]
        for special in (0, 1):
            if right == [value == special for value in values]:
                return f"is right for {words} = {special}, and only there: look at what another {words} must change"
        if right == [value % 2 == 0 for value in values] or right == [value % 2 == 1 for value in values]:
            even = "even" if values[right.index(True)] % 2 == 0 else "odd"
            return f"is right for {even} {words}, and only there"
    return _right_where_equal(exercise, right)


def _right_where_equal(exercise: Exercise, right: list[bool]) -> Found:
    """Right only where two sizes are the same: height and width, or two axes that were exchanged."""
    single = [(words, size) for words, size in sizes(exercise) if "·" not in words]
    for place, (words, size) in enumerate(single):
        for another, other in single[place + 1 :]:
            if right == [size(*case) == other(*case) for case in exercise.cases[: len(right)]]:
                return f"is right where {words} = {another}, and only there: are the two exchanged somewhere"
    return None


# --------------------------------------------------------------------------------------------------------------- small


def _number(value: float) -> str:
    return f"{round(value)}" if abs(value - round(value)) < 1e-6 else f"{value:.6g}"


def _times(factor: float) -> str:
    if factor and abs(1 / factor - round(1 / factor)) < 1e-6 and abs(factor) < 1:
        return f"times 1/{round(1 / factor)}"
    return f"times {_number(factor)}"
