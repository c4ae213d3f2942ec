"""Learning-rate schedules: pure functions of the iteration that give a factor on every rate.

    schedule = parse_schedule("poly:power=0.9,warmup=100", iterations=5000)
    optimizer.scale_lr(schedule(iteration))

A function of the iteration alone needs no saved state, so a resumed run has the rate of the run that was cut off.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, field


def fixed(iteration: int, iterations: int) -> float:
    """Always 1."""
    return 1.0


def step(iteration: int, iterations: int, size: float = 1000, gamma: float = 0.1) -> float:
    """Times `gamma` after every `size` iterations (Caffe's "step")."""
    return gamma ** (iteration // size)


def poly(iteration: int, iterations: int, power: float = 0.9) -> float:
    """From 1 down to 0 at the end: (1 − iteration / iterations) ** power (Liu et al. 2015, ParseNet; Caffe's "poly")."""
    return (1.0 - iteration / iterations) ** power


def cosine(iteration: int, iterations: int, final: float = 0.0) -> float:
    """Half a cosine from 1 down to `final` (Loshchilov and Hutter 2017, SGDR, equation 5, without restarts)."""
    return final + (1.0 - final) * 0.5 * (1.0 + math.cos(math.pi * iteration / iterations))


# The command line takes them, and their options, by these names
_SCHEDULES: dict[str, Callable[..., float]] = {schedule.__name__: schedule for schedule in (fixed, step, poly, cosine)}


def _options(name: str) -> list[str]:
    """What a schedule can be told besides the iteration and how many there will be."""
    return list(inspect.signature(_SCHEDULES[name]).parameters)[2:]


@dataclass(frozen=True)
class Schedule:
    """A schedule with its options; `schedule(iteration)` is the factor of the step made at `iteration` (from 0).

    During the first `warmup` iterations the factor is also multiplied by (iteration + 1) / warmup (Goyal et al. 2017,
    section 2.2), so that the first step is small but not nothing.
    """

    name: str
    iterations: int
    warmup: int = 0
    options: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in _SCHEDULES:
            raise ValueError(f"unknown schedule {self.name!r}; possible are {', '.join(_SCHEDULES)}")
        possible = _options(self.name)
        unknown = sorted(set(self.options) - set(possible))
        if unknown:
            raise ValueError(
                f"schedule {self.name!r} has no option {unknown[0]!r}; possible are {', '.join([*possible, 'warmup'])}"
            )
        values = (*self.options.values(), self.warmup)
        if self.options.get("size", 1) < 1 or not all(0 <= value < math.inf for value in values):
            raise ValueError(f"schedule {self}: options must be finite and not negative, and size must be at least 1")

    def __call__(self, iteration: int) -> float:
        factor = _SCHEDULES[self.name](min(iteration, self.iterations), self.iterations, **self.options)
        return factor * min(1.0, (iteration + 1) / self.warmup) if self.warmup else factor

    def __str__(self) -> str:
        """The text that `parse_schedule` makes this schedule from."""
        options = {**self.options, **({"warmup": self.warmup} if self.warmup else {})}
        return self.name + (":" + ",".join(f"{key}={value:g}" for key, value in options.items()) if options else "")


def parse_schedule(text: str, iterations: int) -> Schedule:
    """A schedule from "name" or "name:option=value,...", for a run of that many iterations.

    "fixed", "step:size=1000,gamma=0.1", "poly:power=0.9", "cosine:final=0", each also with warmup=N. Raises
    ValueError for a name, an option or a value that is not possible.
    """
    name, _, tail = text.partition(":")
    options: dict[str, float] = {}
    for part in filter(None, tail.split(",")):
        key, _, value = part.partition("=")
        try:
            options[key.strip()] = float(value)
        except ValueError:
            raise ValueError(f"schedule {text!r}: {part!r} is not option=number, as in poly:power=0.9") from None
    if iterations < 1:
        raise ValueError(f"a schedule over {iterations} iterations is not possible; there must be at least 1")
    warmup = options.pop("warmup", 0.0)
    if not warmup.is_integer():
        raise ValueError(f"schedule {text!r}: warmup is a whole number of iterations")
    return Schedule(name.strip(), iterations, int(warmup), options)
