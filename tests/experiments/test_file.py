"""Experiments' files: what they may say, and all that is wrong with one at once."""

from __future__ import annotations

import pytest

from minifcn.experiments import load, shipped

GOOD = """
title = "Two"
about = ["One paragraph.", "Another."]
[settings]
recipe = "scratch"
options = { width = 0.5 }
[[run]]
name = "a"
[[run]]
name = "b"
share = 2
options = { padding = 1 }
init_from = "run:a"
with_weights = { init_from = "weights", lr = 0.1 }
document = { "mean IU" = 0.5 }
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "mine.toml"
        path.write_text(text)
        return path

    return write


def test_a_run_has_the_settings_of_all_and_its_own(write, tmp_path):
    experiment = load(write(GOOD))
    a, b = experiment.runs
    assert (experiment.name, experiment.title, experiment.about) == ("mine", "Two", ("One paragraph.", "Another."))
    assert a.values(None) == {"recipe": "scratch", "options": {"width": 0.5}}
    assert b.values(None) == {"recipe": "scratch", "options": {"width": 0.5, "padding": 1}, "init_from": "run:a"}
    assert b.values(tmp_path / "w.npz") == {**b.values(None), "init_from": str(tmp_path / "w.npz"), "lr": 0.1}
    assert (a.share, b.share) == (1, 2)
    assert experiment.reported() == {"mean IU": ["-", "0.5"]}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('recipe = "scratch"', 'recipee = "scratch"', r"\[settings\] has recipee, which is not known; near it are recipe"),
        ("share = 2", "shares = 2", "run b has shares, which is not known; near it are share"),
        ("share = 2", "share = 0", "run b has share 0; it must be a number above 0"),
        ("share = 2", "share = nan", "run b has share nan"),
        ("share = 2", "iterations = 5", "run b has iterations, which the budget and the command line decide"),
        ('name = "b"', 'name = "a"', "two runs have the name a"),
        ('name = "b"', 'name = "../b"', r"run \.\./b has the name '\.\./b'; give one that can be a folder's"),
        ('name = "b"', "", "run 2 has the name None"),
        ("run:a", "run:b", "run b starts from run:b, which is no run before it"),
        ("lr = 0.1", "lrr = 0.1", "with_weights of run b has lrr, which is not known; near it are lr"),
        ('title = "Two"', 'titel = "Two"', "the file has titel, which is not known; near it are title"),
        ('title = "Two"', 'length = "hours"', "length is 'hours'; possible are shares, epochs"),
        ('title = "Two"', "epochs = -1", "epochs is -1; it must be a number above 0"),
        ("[[run]]", "[run]", "cannot be read|each run one of a list"),
    ],
)
def test_what_is_wrong_is_said(old, new, words, write):
    assert old in GOOD
    with pytest.raises(ValueError, match=words):
        load(write(GOOD.replace(old, new)))


def test_all_that_is_wrong_is_said_at_once(write):
    text = GOOD.replace("share = 2", "share = -1").replace("run:a", "run:z").replace("lr = 0.1", "rl = 1")
    with pytest.raises(ValueError, match=r"share -1.*rl.*run:z"):
        load(write(text))


def test_files_without_runs_and_no_files(write, tmp_path):
    with pytest.raises(ValueError, match="it has no run"):
        load(write('title = "nothing"'))
    with pytest.raises(FileNotFoundError, match="no experiment 'seed-005': give one of seed-000, seed-001"):
        load("seed-005")
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.toml")


def test_the_documents_experiments_are_there():
    assert shipped() == ["seed-000", "seed-001", "seed-002", "seed-003", "seed-004"]
    runs = {name: [run.name for run in load(name).runs] for name in shipped()}
    assert runs["seed-001"] == ["ft_fcn16s", "fe_fcn16s", "unet"]
    assert len(runs["seed-004"]) == 7
    assert [run.share for run in load("seed-002").runs] == [4, 4, 3, 3]  # 48 hours and 36
