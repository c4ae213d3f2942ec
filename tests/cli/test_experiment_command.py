"""`minifcn experiment`: within its budget, to the same table however often it is killed, with failures reported."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import tomllib

import numpy as np
import pytest

from minifcn.cli import experiment as command
from minifcn.experiments import load

TWO = """
title = "Two rates"
[settings]
recipe = "scratch"
batch_size = 2
samples = 0
options = { width = 0.03125, dropout = 0.0 }
[[run]]
name = "slow"
lr = 0.0001
[[run]]
name = "fast"
init_from = "run:slow"
"""
BUDGET = 0.04


@pytest.fixture
def two(tmp_path):
    return written(tmp_path)


def written(folder):
    path = folder / "two.toml"
    path.write_text(TWO)
    return path


@pytest.fixture
def run(minifcn, shapes):
    return lambda file, out, *more: minifcn("experiment", "run", file, "--root", shapes, "--out", out, *more)


def measured(out):
    """What must not depend on how often an experiment was killed: all of the table but for times."""
    runs = json.loads((out / "compare.json").read_text())["runs"]
    timed = ("seconds", "validation_seconds")
    return {
        name: {
            part: {key: value for key, value in run[part].items() if key not in timed} for part in ("best", "last", "near_best")
        }
        for name, run in runs.items()
    }


@pytest.fixture(scope="module")
def whole(shapes, tmp_path_factory):
    """The folder of the experiment that nobody killed."""
    from minifcn import cli

    out = tmp_path_factory.mktemp("whole")
    with pytest.raises(SystemExit) as leaving:
        cli.main(
            list(map(str, ["experiment", "run", written(out), "--root", shapes, "--out", out / "whole", "--budget", BUDGET]))
        )
    assert not leaving.value.code
    return out / "whole"


@pytest.mark.parametrize("moment", range(int(os.environ.get("MINIFCN_KILLS", "2"))))
def test_an_experiment_that_is_killed_ends_with_the_same_table(run, two, whole, shapes, tmp_path, moment):
    """The first time as soon as there is something to lose; then at random moments of the time that the whole takes.

    MINIFCN_KILLS=20 pytest tests/cli/test_experiment_command.py -k killed     for so many
    """
    killed = tmp_path / "killed"
    killed.mkdir()
    (killed / "schedule.json").write_text((whole / "schedule.json").read_text())
    line = [sys.executable, "-m", "minifcn", "experiment", "run", two, "--root", shapes, "--out", killed, "--budget", BUDGET]
    log = killed / "slow" / "log.jsonl"
    process = subprocess.Popen(list(map(str, line)), stdout=subprocess.DEVNULL)
    while process.poll() is None and not (log.exists() and log.stat().st_size):
        time.sleep(0.01)
    if moment:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(np.random.default_rng(moment).uniform(0, 8))
    process.send_signal(signal.SIGKILL)
    process.wait()
    result = run(two, killed, "--budget", BUDGET)
    assert result.status == 0, result.err
    assert measured(killed) == measured(whole)


def test_each_run_keeps_its_first_picture_and_has_its_place_on_the_page(whole):
    for name in ("slow", "fast"):
        assert (whole / name / "first.png").is_file()
        assert f"<th>{name}</th>" in (whole / "compare.html").read_text()
    assert "Every run was trained from scratch: no weights were given." in (whole / "compare.html").read_text()


def test_a_finished_one_is_not_run_again(run, two, tmp_path, monkeypatch):
    assert run(two, tmp_path / "out", "--budget", BUDGET).status == 0
    monkeypatch.setattr(command, "_rehearse", None)
    result = run(two, tmp_path / "out", "--budget", BUDGET)
    assert result.status == 0
    assert result.out.count("finished before") == 2
    for more, words in ((("--budget", 7), "was begun with budget = 0.04, not 7.0"),
                        (("--budget", BUDGET, "--data", "voc"), "was begun with data = shapes, not voc")):  # fmt: skip
        refused = run(two, tmp_path / "out", *more)
        assert refused.status == 2
        assert words in refused.err


def test_what_hinders_all_runs_is_said_once(minifcn, two, tmp_path):
    refused = minifcn("experiment", "run", two, "--data", "voc", "--root", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert refused.status == 2
    assert refused.err.startswith("minifcn: no run can begin: slow, fast: ")
    assert refused.err.count("was not found") == 1
    refused = minifcn("experiment", "run", tmp_path / "three.toml", "--out", tmp_path / "out")
    assert (refused.status, refused.err) == (2, f"minifcn: no such file: {tmp_path / 'three.toml'}\n")


def test_a_failed_run_is_reported_and_the_others_are_done(run, two, tmp_path):
    two.write_text(TWO + '[[run]]\nname = "wrong"\nclass_weights = "1,2"\n[[run]]\nname = "after"\ninit_from = "run:wrong"\n')
    result = run(two, tmp_path / "out", "--budget", BUDGET)
    assert result.status == 2
    assert "2 of 4 runs failed: wrong: class weights are 1, 2; give 5 numbers" in result.err
    assert "after: it starts from wrong, which failed" in result.err
    assert result.err.count("\n") == 1
    assert set(measured(tmp_path / "out")) == {"slow", "fast"}
    page = (tmp_path / "out" / "compare.html").read_text()
    for name in ("wrong", "after"):
        assert f"{name} is left out" in page


@pytest.mark.parametrize("budget", ["0", "-3", "nan", "inf"])
def test_budgets_that_are_none(budget, run, two, tmp_path):
    result = run(two, tmp_path / "out", "--budget", budget)
    assert (result.status, result.err) == (2, f"minifcn: --budget {budget}: give the minutes for all runs, a number above 0\n")
    assert not (tmp_path / "out").exists()


def test_nothing_is_made_where_nothing_can_be_run(run, two, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    result = run(two, tmp_path / "full")
    assert (result.status, result.err) == (
        2, f"minifcn: {tmp_path / 'full'} holds something else: choose another --out, or the folder of this experiment\n",
    )  # fmt: skip
    assert os.listdir(tmp_path / "full") == ["thesis.txt"]
    two.write_text(TWO.replace("lr = 0.0001", "lr = -1.0").replace('init_from = "run:slow"', 'model = "resnet18"'))
    result = run(two, tmp_path / "out")
    assert "slow: lr is -1.0" in result.err
    assert "fast: resnet18 scores whole pictures" in result.err
    assert run(two, tmp_path / "out", "--weights", tmp_path / "none.npz").err.endswith("there is no such file\n")
    assert not (tmp_path / "out").exists()


def test_list_and_show(minifcn):
    listed = minifcn("experiment", "list").out
    assert [line.split()[0] for line in listed.splitlines()] == [f"seed-00{number}" for number in range(5)]
    shown = minifcn("experiment", "show", "seed-004").out
    for words in ("mirror", "weighted", "0.2532", "flip:1", "frequency", "IDD-Lite"):
        assert words in shown
    assert minifcn("experiment", "show", "seed-005").status == 2


def test_seed_004_varies_what_the_document_varied(tmp_path):
    """The plans of the seven runs, which their config.toml write down, differ from the baseline's in nothing else."""
    experiment = load("seed-004")
    asked = {"data": "idd", "root": str(tmp_path)}
    network = {"model", "options"}
    expected = {
        "baseline": set(), "mirror-flip": {"augment"}, "rotation": {"augment", "originals"}, "weighted-loss": {"class_weights"},
        "custom": network, "transfer": network, "unet": network | {"batch_size", "optimizer", "lr"},
    }  # fmt: skip
    plans = {name: plan.values() for name, plan in command._plans(experiment, asked, None, tmp_path).items()}
    base = plans["baseline"]
    assert {name: {key for key in base if plan[key] != base[key]} for name, plan in plans.items()} == expected
    weights = tmp_path / "squeezenet.npz"
    given = command._plans(experiment, asked, weights, tmp_path)
    changed = {key for key, value in given["transfer"].values().items() if value != base[key]}
    assert changed == network | {"init_from", "freeze", "preprocessing"}
    assert given["transfer"].network.init_from == str(weights)
    assert all(plan.training.seed == 0 for plan in given.values())


def test_runs_of_one_experiment_see_the_same_pictures_in_the_same_order(run, two, tmp_path):
    assert run(two, tmp_path / "out", "--budget", BUDGET).status == 0
    configs = [tomllib.loads((tmp_path / "out" / name / "config.toml").read_text()) for name in ("slow", "fast")]
    assert configs[0]["data"] == configs[1]["data"]
    assert configs[0]["training"]["seed"] == configs[1]["training"]["seed"]
    assert {key for key in configs[0]["optimizer"] if configs[0]["optimizer"][key] != configs[1]["optimizer"][key]} == {"lr"}
