"""The one command for a machine with a GPU, as far as it goes on one without."""

from __future__ import annotations

import cuda_emulator
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
    assert "No such option" not in text
    assert "device 'cuda' needs" in text, text


@pytest.mark.skipif(cuda_emulator.COMPILER is None, reason="g++ is not installed")
def test_the_small_cases_run(cupy, capsys):
    """What compute-sanitizer is given, here on the stand-in."""
    assert run_on_gpu.small_cases() == 0
    assert "every case is right" in capsys.readouterr().out
