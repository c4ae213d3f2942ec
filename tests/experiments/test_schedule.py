"""Budgets become lengths: all runs together fill the time, in their shares, and are measured on the same pictures."""

from __future__ import annotations

import pytest

from minifcn.experiments import Experiment, Planned, fit
from minifcn.training.rehearsal import Rehearsal

RUNS = (Planned("quick", 1.0), Planned("slow", 3.0))


def rehearsals(pictures):
    return {
        "quick": Rehearsal(10, 5.0, 0.1, 1, 0.01 * pictures, None, []),
        "slow": Rehearsal(10, 20.0, 0.5, 1, 0.05 * pictures, None, []),
    }


@pytest.mark.parametrize("pictures", [20, 400])
@pytest.mark.parametrize("minutes", [1.0, 10.0])
def test_shares_of_the_time_are_kept(minutes, pictures):
    known = rehearsals(pictures)
    lengths = fit(Experiment("e", "", (), RUNS), minutes, known, pictures)
    assert 8 <= lengths.validate_on <= pictures
    spent = {}
    for name, length in lengths.runs.items():
        validations = -(-length["iterations"] // length["validate_every"])
        assert validations <= 5
        a_picture = known[name].validation_seconds / pictures
        spent[name] = length["iterations"] * known[name].step_seconds + 5 * lengths.validate_on * a_picture
    assert spent["slow"] == pytest.approx(3 * spent["quick"], rel=0.05)
    assert 0.8 * 60 * minutes <= sum(spent.values()) <= 60 * minutes


def test_epochs_are_equal_and_at_most_so_many():
    epochs = Experiment("e", "", (), RUNS, "epochs", 20.0)
    lengths = fit(epochs, 10.0, rehearsals(100), 100)
    assert lengths.runs["quick"] == lengths.runs["slow"]
    each = 5 * 0.1 + 20 * 0.5 + lengths.validate_on * 0.06
    assert lengths.runs["quick"]["epochs"] == min(20, int(0.85 * 600 / each)) > 1
    assert fit(epochs, 1000.0, rehearsals(100), 100).runs["slow"] == {"epochs": 20.0}
    assert 0 < fit(epochs, 0.1, rehearsals(100), 100).runs["slow"]["epochs"] < 1


def test_a_run_that_takes_longer_than_its_share_makes_a_step():
    lengths = fit(Experiment("e", "", (), RUNS), 1e-3, rehearsals(100), 100)
    assert [length["iterations"] for length in lengths.runs.values()] == [1, 1]
