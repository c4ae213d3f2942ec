"""Wrong backwards, and what the gradient check has to say about them.

A check is only worth something if wrong gradients fail it. Each mutant in tests/checks is a backward that somebody has
written by mistake. It is put in the place of the right one, and the check must reject it because of a number; the right one
must pass on the same inputs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import minifcn
from minifcn import kernels
from minifcn.checks.cases import Case

MALFORMED = {"dx missing", "dbias missing", "dbias with a wrong shape", "one of three gradients"}  # no number to point at


@dataclass(frozen=True)
class Sabotage:
    """A function, a call of it, and its mutants: ``mutant(dy, cache) -> gradients``."""

    function: Callable
    inputs: dict
    options: dict
    mutants: dict[str, Callable]

    def check(self) -> minifcn.checks.Report:
        positional, named = Case(self.function.__name__, self.inputs, self.options).arguments()
        return minifcn.gradcheck(self.function, *positional, **named)

    def assert_accepted(self) -> None:
        for kernel in (None, "plain"):  # what runs by default, and the definition
            with kernels.using(kernel):
                report = self.check()
            assert report, str(report)
            assert not any(row.words for row in report.rows), f"no kinks, nothing to add: {report}"

    def assert_rejected(self, mutant: str, monkeypatch) -> None:
        home = sys.modules[self.function.__module__]
        monkeypatch.setattr(home, f"{self.function.__name__}_backward", self.mutants[mutant])
        report = self.check()
        assert not report.passed
        wrong = [row for row in report.rows if row.verdict == "WRONG"]
        assert wrong
        assert "WRONG" in str(report)
        if mutant not in MALFORMED:
            assert all(row.worst and abs(row.worst.mine - row.worst.numeric) > 1e-6 for row in wrong), str(report)


def mutants_of(sabotages: dict[str, Sabotage]) -> list[tuple[str, str]]:
    """(sabotage, mutant) for every mutant, for parametrize."""
    return [(name, mutant) for name, one in sabotages.items() for mutant in one.mutants]


def only(place: int, right: Callable, change: Callable) -> Callable:
    """The right backward with one of its three gradients changed."""

    def mutant(dy, cache):
        gradients = list(right(dy, cache))
        gradients[place] = change(gradients[place])
        return tuple(gradients)

    return mutant


def other_dy(place: int, right: Callable, change: Callable) -> Callable:
    """The right backward, but one of its gradients computed from another dy."""
    return lambda dy, cache: tuple((right(change(dy), cache) if i == place else right(dy, cache))[i] for i in range(3))


def flip(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array[..., ::-1, ::-1])


def first_picture_only(array: np.ndarray) -> np.ndarray:
    return np.concatenate([array[:1], 0 * array[1:]])


def last_column_lost(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array[..., -1] = 0
    return array


def per_channel(array: np.ndarray) -> np.ndarray:
    """(C,) -> (C, 1, 1), to go with images."""
    return array[:, None, None]
