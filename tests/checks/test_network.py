"""A whole network's gradients, from its name alone: right ones pass, one wrong one is named."""

from __future__ import annotations

import pytest

from minifcn.checks.network import check_network
from minifcn.layers import Parameter


def test_right_gradients_pass():
    report = check_network("unet", seed=5, batch_norm=True)
    assert report.passed, report
    assert [passage.mode for passage in report.passages] == ["training", "evaluation"]
    assert "every gradient is right" in str(report)


def test_a_wrong_one_is_named(monkeypatch):
    """One bias of one layer learns a thousandth too much."""
    right = Parameter.accumulate

    def wrong(self, gradient):
        right(self, gradient if gradient is None or gradient.shape != (21,) else 1.001 * gradient)

    monkeypatch.setattr(Parameter, "accumulate", wrong)
    report = check_network("segnet-basic", num_classes=21)
    assert not report.passed
    words = str(report)
    assert "score.bias: WRONG" in words
    assert "weight" not in words


@pytest.mark.parametrize("name", ["fcn-resnet50", "alexnet"])
def test_from_the_command_line(name, capsys):
    from minifcn import cli

    with pytest.raises(SystemExit) as leaving:
        cli.main(["gradcheck", name])
    assert not leaving.value.code
    assert f"{name}, narrow, in float64: every gradient is right" in capsys.readouterr().out
