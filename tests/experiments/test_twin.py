"""Runs of the experiments follow PyTorch's, step for step; `twin.py` does the same at full size."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from minifcn import data

pytest.importorskip("torch")
_spec = importlib.util.spec_from_file_location("experiment_twin", Path(__file__).with_name("twin.py"))
twin = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = twin  # where its dataclass looks itself up
_spec.loader.exec_module(twin)

SMALL = {"augment": "flip", "batch_size": 2}


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "shapes"
    data.build("shapes", root, "train", train=12, val=4, height=(40, 48), width=(48, 56))
    return str(root)


def plan(experiment, run, root, **options):
    made = twin.plan_of(experiment, run, "shapes", root, None, **SMALL)
    return twin.replace(made, network=twin.replace(made.network, options={**made.network.options, **options}))


@pytest.mark.parametrize(
    ("experiment", "run", "options"),
    [
        ("seed-004", "baseline", {"width": 1 / 16}),
        ("seed-004", "weighted-loss", {"width": 1 / 16}),
        ("seed-004", "custom", {"width": 1 / 64}),
        ("seed-004", "unet", {"width": 1 / 16}),
        ("seed-003", "32s", {}),
        ("seed-001", "unet", {"width": 1 / 32}),
    ],
)
def test_losses_are_pytorchs(shapes, tmp_path, experiment, run, options):
    made = twin.pair(plan(experiment, run, shapes, **options), 4, "float64", tmp_path / "run")
    assert len(made.losses) == 4
    assert len({loss for loss, _ in made.losses}) == 4
    assert made.largest_difference < 1e-9


def test_both_are_validated(shapes, tmp_path):
    made = twin.pair(plan("seed-004", "unet", shapes, width=1 / 16), 3, "float32", tmp_path / "run")
    mine, theirs = twin.validated(made)
    assert 0 < mine == pytest.approx(theirs, abs=0.01)
    with twin.torch.no_grad():
        for weights in made.theirs.parameters():
            weights.zero_()
    assert twin.validated(made)[1] != pytest.approx(mine, abs=1e-4)


@pytest.mark.parametrize("wrong", ["rate", "weights", "batches"])
def test_a_difference_would_be_seen(shapes, tmp_path, monkeypatch, wrong):
    planned = plan("seed-004", "baseline", shapes, width=1 / 16)
    if wrong == "rate":
        optimizer_of = twin.their_optimizer
        faster = twin.replace(planned, optimizer=twin.replace(planned.optimizer, lr=1.01 * planned.optimizer.lr))

        def slightly_faster(plan, trainer, theirs):
            optimizer = optimizer_of(faster, trainer, theirs)
            for group in optimizer.param_groups:
                group["lr"] *= 1.01
            return optimizer

        monkeypatch.setattr(twin, "their_optimizer", slightly_faster)
    elif wrong == "weights":
        twin_of = twin.twin_of

        def slightly_off(*arguments):
            made = twin_of(*arguments)
            with twin.torch.no_grad():
                list(made.parameters())[-1][0].add_(0.001)  # of one class alone
            return made

        monkeypatch.setattr(twin, "twin_of", slightly_off)
    else:
        step = twin.their_step

        def mirrored(plan, trainer, theirs, optimizer, batches, number):
            turned = [SimpleNamespace(images=one.images[..., ::-1].copy(), labels=one.labels, ids=one.ids) for one in batches]
            return step(plan, trainer, theirs, optimizer, turned, number)

        monkeypatch.setattr(twin, "their_step", mirrored)
    assert twin.pair(planned, 4, "float64", tmp_path / "run").largest_difference > 1e-6


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ("33s", "seed-003 has no run '33s'; it has 32s-fixed, 32s"),
        ("16s", "16s begins where 32s ends; choose a run that begins"),
    ],
)
def test_what_cannot_be_repeated_is_said(shapes, run, words):
    with pytest.raises(ValueError, match=words):
        plan("seed-003", run, shapes)
