"""Schedules against PyTorch's schedulers, and their text form."""

from __future__ import annotations

import pytest

from minifcn.training import parse_schedule

torch = pytest.importorskip("torch")
lr_scheduler = torch.optim.lr_scheduler


@pytest.mark.parametrize(
    ("text", "theirs"),
    [
        ("fixed", lambda o: lr_scheduler.ConstantLR(o, factor=1.0)),
        ("step:size=7,gamma=0.3", lambda o: lr_scheduler.StepLR(o, step_size=7, gamma=0.3)),
        ("poly", lambda o: lr_scheduler.PolynomialLR(o, total_iters=40, power=0.9)),
        ("poly:power=2", lambda o: lr_scheduler.PolynomialLR(o, total_iters=40, power=2)),
        ("cosine", lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=40)),
        ("cosine:final=0.1", lambda o: lr_scheduler.CosineAnnealingLR(o, T_max=40, eta_min=0.1)),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_follows_torch(text, theirs):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = theirs(optimizer)
    schedule = parse_schedule(text, 40)
    for iteration in range(40):
        assert schedule(iteration) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-12), iteration
        optimizer.step()
        scheduler.step()


def test_warmup_rises_in_a_line_and_then_is_gone():
    plain, warm = parse_schedule("poly", 50), parse_schedule("poly:warmup=10", 50)
    assert [warm(i) / plain(i) for i in range(10)] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert all(warm(i) == plain(i) for i in range(10, 50))
    assert warm(0) > 0


def test_beyond_the_end_nothing_breaks():
    assert parse_schedule("poly", 10)(10) == 0
    assert parse_schedule("poly", 10)(11) == 0
    assert parse_schedule("cosine:final=0.2", 10)(25) == pytest.approx(0.2)


@pytest.mark.parametrize("text", ["fixed", "step:size=30000,gamma=0.1", "poly:power=0.9,warmup=500", "cosine:final=0.01"])
def test_text_makes_the_same_schedule_again(text):
    schedule = parse_schedule(text, 1000)
    assert str(schedule) == text
    assert parse_schedule(str(schedule), 1000) == schedule


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("linear", "linear.*fixed, step, poly, cosine"),
        ("poly:size=3", "'size'.*power, warmup"),
        ("poly:power", "'power' is not option=number"),
        ("poly:power=fast", "not option=number"),
        ("step:size=0", "at least 1"),
        ("step:gamma=-1", "negative"),
        ("poly:warmup=2.5", "whole number"),
        ("poly:warmup=-1", "negative"),
        ("cosine:warmup=inf", "whole number"),
        ("cosine:warmup=nan", "whole number"),
        ("poly:power=nan", "finite"),
        ("step:size=inf", "finite"),
    ],
)
def test_bad_text_is_refused(text, words):
    with pytest.raises(ValueError, match=words):
        parse_schedule(text, 100)


def test_no_iterations_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        parse_schedule("fixed", 0)
