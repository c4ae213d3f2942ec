"""The examination of one gradient: along random directions, and element by element where those disagree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minifcn.backend import Array, device_of, get_xp, to_device, to_host
from minifcn.checks.diagnose import diagnose, diagnose_some
from minifcn.checks.numeric import Slope, Slopes
from minifcn.checks.report import Row, Worst
from minifcn.checks.subjects import Outputs, Subject

_MOST_ELEMENTS = 2000  # in an array of which every one is measured
_SAMPLE = 200  # of a larger one, drawn at random


def normal(rng: np.random.Generator, like: Array) -> Array:
    """Standard normal numbers of the shape of ``like``, on its device."""
    return to_device(rng.standard_normal(like.shape), device_of(like))


@dataclass(frozen=True)
class Try:
    """One direction: the numeric slope, the one that backward's gradient gives, and whether they agree."""

    slope: Slope
    mine: float
    agrees: bool


@dataclass(frozen=True)
class Elements:
    """Elements measured one by one: their flat ``places``, and at each of them what the names say."""

    places: np.ndarray
    mine: np.ndarray
    numeric: np.ndarray
    kinks: np.ndarray
    wrong: np.ndarray


class Examination:
    """Of the input or parameter ``name``: is ``gradient``, which backward gave for ``dy``, the one that can be measured?"""

    def __init__(
        self, subject: Subject, name: str, gradient: Array | None, dys: Outputs, rng: np.random.Generator, tolerance: float
    ) -> None:
        self.name, self.rng, self.tolerance = name, rng, tolerance
        self.gradient: Array = gradient  # None is the first fault that is looked for
        self.x = subject.values[name]
        self.slopes = Slopes(lambda x: subject.outputs({name: x}), self.x, dys, tolerance)

    def row(self, directions: int, elements: bool, complaint: str | None) -> Row:
        """The verdict over so many directions, with every element measured too if ``elements`` says so."""
        malformed = complaint if self.gradient is None and complaint else self._malformed()
        if malformed:
            return self._row("WRONG", [malformed])
        tries = self._tries(directions, get_xp(self.x).ones_like(self.x))
        if complaint or elements or not all(one.agrees and not one.slope.kink for one in tries):
            return self._by_elements(directions, [complaint] if complaint else [])
        unseen = all(max(abs(one.slope.value), abs(one.mine)) <= one.slope.noise for one in tries)
        error = max(self._relative(one.slope.value - one.mine, one.slope.value, one.mine) for one in tries)
        return self._row("right", ["zero, as far as rounding errors let one see"] if unseen else [], error)

    def _malformed(self) -> str | None:
        """A sentence about a gradient that cannot even be compared."""
        gradient, xp = self.gradient, get_xp(self.x)
        if gradient is None:
            return "backward returned no gradient for it"
        if getattr(gradient, "shape", None) != self.x.shape or not bool(xp.isfinite(gradient).all()):
            return f"the gradient {diagnose(xp.asarray(gradient), self.x, 'its input')}"
        if gradient.dtype != self.x.dtype:
            return f"the gradient has dtype {gradient.dtype} where its input has {self.x.dtype}"
        return None

    def _tries(self, count: int, free: Array) -> list[Try]:
        """Random directions that leave alone the elements where ``free`` is 0."""
        tries = []
        for _ in range(count):
            v = normal(self.rng, self.x) * free
            slope, mine = self.slopes.along(v), float((self.gradient * v).sum())
            allowed = self.tolerance * max(abs(slope.value), abs(mine), self._norm())
            tries.append(Try(slope, mine, slope.agrees(mine, allowed)))
        return tries

    def _by_elements(self, directions: int, words: list[str]) -> Row:
        """Every element by itself, and then along directions again, which now leave out the elements that sit on kinks."""
        found = self._measure()
        free = np.ones(self.x.size)
        free[found.places[found.kinks]] = 0
        tries = self._tries(directions, to_device(free.reshape(self.x.shape), device_of(self.x)))
        strays = [one for one in tries if not one.agrees and not one.slope.kink]
        worst = None
        if found.wrong.any():
            worst = self._worst(found)
            words = words + self._pattern(found)
        elif strays:
            mine, numeric = strays[0].mine, strays[0].slope.value
            words = [*words, f"along a random direction it gives a slope of {mine:.10g}, the numeric one is {numeric:.10g}"]
        if words or worst:
            verdict = "WRONG"
        else:
            verdict = "undecided" if found.kinks.all() or any(one.slope.kink for one in tries) else "right"
        if found.kinks.any() or verdict == "undecided":
            words = [*words, self._about_kinks(found)]
        smooth = ~found.kinks
        error = self._relative(np.abs(found.mine - found.numeric)[smooth].max(), 0, 0) if smooth.any() else None
        return self._row(verdict, words, error, worst)

    def _measure(self) -> Elements:
        size = self.x.size
        places = np.arange(size) if size <= _MOST_ELEMENTS else np.sort(self.rng.choice(size, _SAMPLE, replace=False))
        slopes = [self._slope_at(int(place)) for place in places]
        mine = to_host(self.gradient).reshape(-1)[places]
        allowed = self.tolerance * max(np.abs(mine).max(), *(abs(slope.value) for slope in slopes if not slope.kink), 0)
        wrong = [not slope.kink and not slope.agrees(m, allowed) for slope, m in zip(slopes, mine, strict=True)]
        numeric = np.array([slope.value for slope in slopes])
        return Elements(places, mine, numeric, np.array([slope.kink for slope in slopes]), np.array(wrong))

    def _slope_at(self, place: int) -> Slope:
        v = get_xp(self.x).zeros(self.x.size)
        v[place] = 1
        return self.slopes.along(v.reshape(self.x.shape))

    def _worst(self, found: Elements) -> Worst:
        at = int(np.where(found.wrong, np.abs(found.mine - found.numeric), -1).argmax())
        index = np.unravel_index(found.places[at], self.x.shape)
        return Worst(tuple(int(i) for i in index), float(found.mine[at]), float(found.numeric[at]))

    def _pattern(self, found: Elements) -> list[str]:
        """What the wrong gradient looks like; where only some of it was measured, as far as those say."""
        numeric = np.where(found.wrong, found.numeric, found.mine)  # numeric noise in what is right would hide a pattern
        known, size, allowed = len(found.places), self.x.size, 10 * self.tolerance
        if known < size:
            pattern = diagnose_some(found.mine, numeric, self.x.shape, "the numeric gradient", allowed)
            return [f"backward's gradient {pattern}, at {known} places of {size}, drawn at random"] if pattern else []
        mine, numeric = (array.reshape(self.x.shape) for array in (found.mine, numeric))
        pattern = diagnose(mine, numeric, "the numeric gradient", allowed)
        return [f"backward's gradient {pattern}"] if pattern else []

    def _about_kinks(self, found: Elements) -> str:
        if not found.kinks.any():
            return "the directions cross a kink (a tie in a maximum, a ReLU at 0): no slope could be compared; try another seed"
        count = f"{found.kinks.sum()} of {len(found.places)} elements"
        kinks = "sit on a kink (a tie in a maximum, a ReLU at 0), where there is no gradient to compare with"
        return f"{count} {kinks}; checks.tie_free makes inputs without"

    def _norm(self) -> float:
        return float((self.gradient * self.gradient).sum()) ** 0.5

    def _relative(self, difference: float, *magnitudes: float) -> float:
        """A difference over the largest of: these, the gradient's norm, and what rounding could pass for a gradient."""
        scale = max(*map(abs, magnitudes), self._norm(), 1e-6 * self.slopes.weight)
        return float(abs(difference) / (scale or 1))

    def _row(self, verdict: str, words: list[str], error: float | None = None, worst: Worst | None = None) -> Row:
        return Row(self.name, tuple(self.x.shape), verdict, error, tuple(words), worst)
