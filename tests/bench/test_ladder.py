"""The ladder: no rung is timed before it is proved, and none is timed where it would take for ever."""

from __future__ import annotations

import itertools

import pytest

from minifcn import kernels
from minifcn.bench import ladder
from minifcn.kernels import Geometry
from minifcn.kernels.convolution import strips, taps, winograd

TINY = (Geometry(1, 2, 4, 5, 3, 3, 3, PH=1, PW=1), Geometry(1, 4, 8, 9, 4, 3, 3, PH=1, PW=1))
TINY_UP = (Geometry(1, 2, 24, 24, 2, 16, 16, SH=8, SW=8),)
LADDERS = ((ladder.CONVOLUTION, "forward", TINY), (ladder.DECONVOLUTION, "input_gradient", TINY_UP))


def test_every_rung_is_proved():
    proofs = ladder.prove()
    assert {proof.rung for proof in proofs} == set(kernels.rungs())
    assert all(proof.difference < 1e-3 for proof in proofs)
    assert {p.rung for p in proofs if p.function == "weight_gradient"} >= {"loops", "taps", "im2col", "strips", "winograd"}


@pytest.mark.parametrize("function", ladder.FUNCTIONS)
@pytest.mark.parametrize("module", [taps, strips, winograd])
def test_a_wrong_rung_stops_everything(module, function, monkeypatch):
    right = getattr(module, function)
    monkeypatch.setattr(module, function, lambda *args: right(*args) * (1.01 if args[-1].KH == 3 else 1))  # in one case only
    with pytest.raises(RuntimeError, match=rf"rung '{module.__name__.split('.')[-1]}': {function} differs .* nothing is timed"):
        ladder.prove()


def test_a_rung_that_returns_nan_is_wrong(monkeypatch):
    right = taps.forward
    monkeypatch.setattr(taps, "forward", lambda *args: right(*args) * float("nan"))
    with pytest.raises(RuntimeError, match="rung 'taps'"):
        ladder.prove()


def test_the_cases_grow():
    for _, _, cases in ladder.LADDERS:
        macs = [g.macs for g in cases]
        assert all(b >= 4 * a or b >= 100e6 for a, b in itertools.pairwise(macs)), macs


def test_rungs_climb_as_far_as_patience_reaches(device, monkeypatch):
    monkeypatch.setattr(ladder, "LADDERS", LADDERS)
    everything = list(ladder.climb(device, 1))
    climbed = {(r.group, r.name, r.macs) for r in everything}
    for name in ("loops", "taps", "im2col", "strips", "winograd"):
        assert (ladder.CONVOLUTION, name, TINY[1].macs) in climbed
    for name in ("loops", "phases", "zero_insertion", "im2col"):
        assert (ladder.DECONVOLUTION, name, TINY_UP[0].macs) in climbed
    assert (ladder.CONVOLUTION, "phases", TINY[0].macs) not in climbed  # an input gradient only
    assert all(r.difference < 1e-4 and len(r.timing.ratios) == 1 for r in everything)
    monkeypatch.setattr(ladder, "PATIENCE", 0.0)
    assert {r.macs for r in ladder.climb(device, 1) if r.group == ladder.CONVOLUTION} == {TINY[0].macs}
