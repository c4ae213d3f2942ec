"""The one command for a machine with a GPU, as far as it goes on one without."""

from __future__ import annotations

import pytest
import run_on_gpu

from minifcn.checks.doctor import probe_gpu

pytestmark = pytest.mark.skipif(probe_gpu().smoke is not None, reason="there is a GPU: run_on_gpu.py itself says more")


def test_it_ends_with_the_doctors_words_where_there_is_no_gpu():
    with pytest.raises(SystemExit, match="no GPU to run on"):
        run_on_gpu.machine()


def test_the_benchmark_is_called_with_options_that_it_has():
    done = run_on_gpu.benchmark("step", "tf32")
    assert done["status"] == 2
    text = " ".join(done["output"])
    assert "doctor" in text, text
    assert "No such option" not in text


def test_every_small_case_is_among_those_that_the_sanitizers_see(cupy, monkeypatch, capsys):
    """On the stand-in, a few: the program's own loop, not the kernels, is looked at here."""
    import kernel_cases

    monkeypatch.setattr(kernel_cases, "CONVOLUTIONS", {"1x1": kernel_cases.CONVOLUTIONS["1x1"]})
    assert run_on_gpu.small_cases() == 0
    assert "every case is right" in capsys.readouterr().out
