"""The capstone: the reader's functions in the library's place."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from minifcn.cli.lesson import app
from minifcn.course import capstone, certificate
from minifcn.course.catalogue import lesson
from minifcn.course.exercises import exercises
from minifcn.course.handmade import Disagrees, HandmadeAdam, HandmadeLoss, Workshop, answers, handmade
from minifcn.course.judge import Verdict
from minifcn.course.small_fcn import SMALLEST, SmallFCN, batches, pictures, train
from minifcn.training import Adam
from minifcn.training.schedules import poly
from support.vectorised_mine import SOURCE

CHANNELS = (3, 4, 2)


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(SOURCE, encoding="utf-8")
    return path


@pytest.fixture
def short(monkeypatch):
    """A run of six steps, in this process and in those that are started."""
    monkeypatch.setattr(capstone, "STEPS", 6)
    monkeypatch.setattr(capstone, "alone", lambda module, arguments, timeout: here(monkeypatch, arguments))


def here(monkeypatch, arguments):
    """What `alone` does, without a process."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        capstone.main(*(str(log) if argument == capstone.LOG else argument for argument in arguments))
        return [json.loads(line) for line in log.read_text().splitlines()], "died", "ended"


def losses_of(workshop, steps=5, counted=(0, 12)):
    x, labels = pictures(*counted, SMALLEST)
    net, criterion = handmade(workshop, CHANNELS), HandmadeLoss(workshop)
    optimizer, losses = HandmadeAdam(net.parameters(), 0.02, steps, workshop), []
    for chosen in batches(len(x), 4, steps):
        loss, dscores = criterion(net(x[chosen]), labels[chosen])
        net.backward(dscores)
        optimizer.step()
        losses.append(loss)
    return losses


def the_librarys(steps=5, counted=(0, 12)):
    x, labels = pictures(*counted, SMALLEST)
    net = SmallFCN(channels=CHANNELS)
    return train(net, x, labels, Adam(net.parameters(), 0.02), steps, batch=4, schedule=lambda step: poly(step, steps))


def written(source=SOURCE):
    names: dict = {}
    exec(source, names)
    return {name: names[name] for name in answers()}


def test_every_part_is_asked_by_its_lesson_and_written_in_the_vectorised_file():
    assert set(answers()) <= set(capstone.PARTS)
    assert {"conv2d", "adam_step", "conv_transpose2d"} <= set(answers())
    assert set(written()) == set(answers())


def test_the_handmade_network_is_the_librarys_with_nobodys_functions_and_with_all():
    """Against a run that shares nothing with it but the first weights."""
    wanted = the_librarys()
    assert np.allclose(losses_of(Workshop({})), wanted, rtol=1e-9, atol=0)
    workshop = Workshop(written())
    workshop.compares = True
    assert np.allclose(losses_of(workshop), wanted, rtol=1e-9, atol=0)
    assert {name for name, _ in workshop.seconds} == set(answers()) - {"mean_iu"}  # each was called


def spoilt(result):
    """The numbers in the opposite order, and each a little larger; to Adam one factor for all would be nothing."""
    return np.ravel(result)[::-1].reshape(np.shape(result)) + 0.01


@pytest.mark.parametrize("name", sorted(set(answers()) - {"mean_iu"}))
def test_each_function_matters(name):
    """One that is wrong changes the losses: so the network did use it. (A check that could not fail would show it here.)"""
    right = answers()[name]

    def wrong(*arguments):
        result = right(*arguments)
        return tuple(map(spoilt, result)) if isinstance(result, tuple) else spoilt(result)

    own = {name: wrong}
    if name == "switches":
        own = {name: lambda *arguments: right(*arguments)[..., ::-1]}
    assert not np.allclose(losses_of(Workshop(own)), the_librarys(), rtol=1e-6, atol=0)


def test_what_is_left_out_is_the_librarys_there_and_only_there():
    called = []
    workshop = Workshop(written(), [("conv2d", "conv1")])
    workshop.before = lambda name, place: called.append((name, place))
    losses_of(workshop, steps=1)
    assert ("conv2d", "conv2") in called
    assert ("weight_gradient", "conv1") in called
    assert ("conv2d", "conv1") not in called


def test_a_function_that_disagrees_in_the_network_is_noticed():
    own = written()
    own["conv2d"] = lambda *arguments: written()["conv2d"](*arguments) + (arguments[0].shape[2] == 24)
    workshop = Workshop(own)
    workshop.compares = True
    with pytest.raises(Disagrees, match="conv2d is right in its exercise"):
        losses_of(workshop, steps=1)


def verdict_of(name, status="right"):
    return Verdict(next(e for e in exercises(lesson(capstone.PARTS[name])) if e.name == name), status, "said")


def test_the_slowest_are_left_to_the_library_until_the_rest_fits():
    fast = capstone.Part("poly", 13, verdict_of("poly"), times={"the rate": 1e-6})
    slow = capstone.Part("conv2d", 2, verdict_of("conv2d"), times={"conv1": 3.0, "conv2": 0.5, "score1": 0.2})
    per_step = capstone.BUDGET / capstone.STEPS
    assert 0.2 < per_step < 0.7
    assert capstone._too_slow([fast, slow]) == [("conv2d", "conv1"), ("conv2d", "conv2")]
    assert slow.replaced == ["conv1", "conv2"]
    assert slow.is_used
    assert fast.replaced == []
    hopeless = capstone.Part("conv2d", 2, verdict_of("conv2d"), times={"conv1": 3.0, "conv2": 5})
    capstone._too_slow([hopeless])
    assert not hopeless.is_used


def test_a_short_run_with_one_function_wrong_and_one_that_breaks_in_the_network(mine, short):
    mine.write_text(
        SOURCE.replace("return dy.sum(axis=(0, 2, 3))", "return 2 * dy.sum(axis=(0, 2, 3))")
        + "\n_poly = poly\ndef poly(i, n, power):\n    if n == 6:\n        raise RuntimeError('no')\n"
        + "    return _poly(i, n, power)\n"
    )
    found = capstone.train(mine)
    by_name = {part.name: part for part in found.parts}
    assert by_name["bias_gradient"].verdict.status == "not yet"
    assert by_name["poly"].verdict.passed
    assert "RuntimeError: no" in by_name["poly"].trouble
    assert not by_name["poly"].is_used
    assert found.used == len(found.parts) - 2
    assert np.allclose(found.mine.losses, found.library.losses, rtol=0, atol=1e-4)
    assert np.array_equal(found.mine.masks, found.library.masks)


def test_without_a_right_function_there_is_no_run(mine, short):
    mine.write_text("x = 1\n")
    found = capstone.train(mine)
    assert found.mine is None
    assert found.used == 0
    assert all(part.verdict.status == "missing" for part in found.parts)
    with pytest.raises(ValueError, match="no run to certify"):
        certificate.certificate(found)


def test_a_file_that_cannot_be_loaded_is_an_error(mine):
    mine.write_text("def f(:\n")
    with pytest.raises(ValueError, match="cannot be loaded"):
        capstone.train(mine)


def test_the_certificate_leaves_other_files_alone(tmp_path):
    run = capstone.Run([1.6, 1.2, 0.9], 0.9, np.zeros((40, 24, 32), np.uint8))
    part = capstone.Part("poly", 13, verdict_of("poly"), times={"the rate": 1e-6})
    found = capstone.Capstone([part], run, run, 0.15)
    path = tmp_path / "certificate.png"
    certificate.save(found, path)
    certificate.save(found, path)  # our own may be written over
    with Image.open(path) as picture:
        assert picture.width > 1000
    other = tmp_path / "holiday.png"
    Image.new("RGB", (3, 3)).save(other)
    before = other.read_bytes()
    with pytest.raises(ValueError, match="is no certificate"):
        certificate.save(found, other)
    assert other.read_bytes() == before
    with pytest.raises(ValueError, match=r"end with \.png"):
        certificate.look_at(tmp_path / "a.txt")


@pytest.mark.slow
def test_the_whole_capstone_as_a_user_types_it(mine, tmp_path):
    out = tmp_path / "certificate.png"
    result = CliRunner().invoke(app, ["capstone", str(mine), "--out", str(out)], env={"COLUMNS": "160", "NO_COLOR": "1"})
    assert result.exit_code == 0, result.output
    count = len(answers())
    assert f"Trained by you: {count} of {count} functions." in result.output
    assert out.is_file()
    numbers = re.search(r"never seen: yours ([\d.]+), the library's ([\d.]+), .* ([\d.]+)\n", result.output).groups()
    yours, librarys, floor = map(float, numbers)
    assert abs(yours - librarys) < 0.02
    assert floor < 0.2 < yours
