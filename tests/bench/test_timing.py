"""The stopwatch's order and arithmetic, on a clock that the test itself moves."""

from __future__ import annotations

import pytest

from minifcn.bench import timing
from minifcn.bench.timing import SETTLE, Timing, compare, geometric_mean


class Machine:
    """Two functions that take known times, a clock that shows them, and a diary of what happened."""

    def __init__(self, ours=(2.0,), theirs=(1.0,), queued=False) -> None:
        self.now, self.queue, self.diary, self.queued = 0.0, 0.0, [], queued
        self.seconds = {"ours": list(ours), "theirs": list(theirs)}
        self.calls = {"ours": 0, "theirs": 0}

    def function(self, name):
        def run():
            times = self.seconds[name]
            spent = times[min(self.calls[name], len(times) - 1)]
            self.calls[name] += 1
            self.diary.append(name)
            if self.queued:
                self.queue += spent  # a GPU: the call returns at once, the work is done later
            else:
                self.now += spent

        return run

    def wait(self):
        self.now += self.queue
        self.queue = 0.0

    def pause(self, seconds):
        self.diary.append("pause")
        self.now += 1000  # must not be measured
        assert seconds == SETTLE

    def compare(self, pairs, **options):
        return compare(
            self.function("ours"), self.function("theirs"), pairs,
            wait=self.wait, clock=lambda: self.now, pause=self.pause, **options,
        )  # fmt: skip


def test_pairs_are_taken_in_turn_and_the_order_alternates():
    machine = Machine()
    machine.compare(pairs=3, warmups=1)
    order = [name for name in machine.diary if name != "pause"]
    assert order == ["ours", "theirs", "ours", "theirs", "theirs", "ours", "ours", "theirs"]


def test_a_third_peer_stands_behind_the_second_in_every_pair():
    machine = Machine()
    machine.seconds["third"], machine.calls["third"] = [4.0], 0
    result = machine.compare(pairs=2, warmups=1, onnxruntime=machine.function("third"))
    order = [name for name in machine.diary if name != "pause"]
    assert order == ["ours", "theirs", "third"] * 2 + ["third", "theirs", "ours"]
    assert result == Timing((2.0, 2.0), (1.0, 1.0), (4.0, 4.0))
    assert (result.ratio, result.onnxruntime_seconds, result.onnxruntime_ratio) == (2.0, 4.0, 0.5)
    alone = compare(machine.function("ours"), None, 1, onnxruntime=machine.function("third"), clock=lambda: machine.now,
                    pause=machine.pause)  # fmt: skip
    assert (alone.ratio, alone.onnxruntime_ratio) == (None, 0.5)


def test_every_sample_waits_until_the_other_sides_threads_have_settled():
    machine = Machine()
    machine.compare(pairs=2, warmups=1)
    samples = machine.diary[2:]
    assert samples[::2] == ["pause"] * 4
    assert "pause" not in samples[1::2]


def test_warm_up_is_not_counted():
    machine = Machine(ours=(100.0, 50.0, 4.0), theirs=(70.0, 60.0, 2.0))
    result = machine.compare(pairs=2, warmups=2)
    assert result == Timing((4.0, 4.0), (2.0, 2.0))


def test_the_clock_is_read_only_when_a_gpu_is_done():
    machine = Machine(ours=(3.0,), theirs=(1.5,), queued=True)
    result = machine.compare(pairs=2, warmups=1)
    assert result == Timing((3.0, 3.0), (1.5, 1.5))


def test_fast_functions_are_called_often_and_both_equally_often(monkeypatch):
    monkeypatch.setattr(timing, "LEAST", 1.0)
    machine = Machine(ours=(0.25,), theirs=(0.125,))
    result = machine.compare(pairs=1, warmups=1)
    assert machine.calls == {"ours": 1 + 8, "theirs": 1 + 8}  # the faster one fills a second
    assert result == Timing((0.25,), (0.125,))  # and a sample is still one call


def test_how_long_a_sample_is_can_be_said(monkeypatch):
    monkeypatch.setattr(timing, "LEAST", 0.0)
    machine = Machine(ours=(0.25,), theirs=(0.125,))
    machine.compare(pairs=1, warmups=1, least=0.5)
    assert machine.calls == {"ours": 1 + 4, "theirs": 1 + 4}


def test_host_times_end_when_the_call_returns_and_begin_when_the_gpu_is_idle():
    machine = Machine(ours=(3.0,), queued=True)
    function = machine.function("ours")

    def launch():
        assert machine.queue == 0
        machine.now += 0.5
        function()

    assert timing.host_times(launch, 2, wait=machine.wait, clock=lambda: machine.now) == (0.5, 0.5)
    assert machine.queue == 0  # and leaves nothing behind for whoever is timed next


def test_the_ratio_is_the_median_of_the_pairs_ratios():
    result = Timing((1.0, 10.0, 100.0), (1.0, 5.0, 400.0))
    assert result.ratios == (1.0, 2.0, 0.25)
    assert result.ratio == 1.0  # the ratio of the medians would be 2
    assert result.spread == (0.25, 2.0)
    assert (result.our_seconds, result.pytorch_seconds) == (10.0, 5.0)


def test_alone_there_are_no_ratios():
    machine = Machine()
    result = compare(machine.function("ours"), None, 3, clock=lambda: machine.now, pause=machine.pause)
    assert result == Timing((2.0, 2.0, 2.0))
    assert (result.ratios, result.ratio, result.spread, result.pytorch_seconds) == ((), None, None, None)


def test_geometric_mean_treats_half_and_double_alike():
    assert geometric_mean([0.5, None, 2.0]) == pytest.approx(1.0)
    assert geometric_mean([1.0, 4.0]) == pytest.approx(2.0)
    assert geometric_mean([None]) is None
