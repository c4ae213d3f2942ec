"""What a network takes over from others: frozen backbones, fine-tuning against feature extraction, and training in stages."""

from __future__ import annotations

import numpy as np
import pytest

from minifcn import models, training, weights
from minifcn.cli import train as train_command
from minifcn.layers import BatchNorm2d
from minifcn.training import NetworkPlan, Plan
from minifcn.training.staged import stages

NARROW = ("--width", "0.03125", "--padding", "1", "--batch-size", "2", "--dropout", "0.1", "--recipe", "scratch")


def arrays(folder) -> dict[str, np.ndarray]:
    return weights.read(folder / "last.safetensors")


# ------------------------------------------------------------------------------------------------------------- freezing


@pytest.mark.parametrize("name", [name for name in models.names() if models.entry(name).segments])
def test_the_backbone_is_all_that_is_not_fresh(name):
    options = {"width": 1 / 32} | ({"padding": 1} if "padding" in models.options(name) else {})
    net = NetworkPlan(name, options, freeze=("backbone",)).build(5, 1, report=lambda text: None)
    fresh = models.entry(name).fresh
    for key, parameter in net.named_parameters():
        if not key.startswith(fresh):
            assert not parameter.requires_grad, key
        elif not key.startswith("upscore"):
            assert parameter.requires_grad, key
    for key, layer in net.train().named_layers():
        if isinstance(layer, BatchNorm2d):  # a frozen one keeps its statistics
            assert layer.training == key.startswith(fresh), key


def test_backbone_goes_with_patterns():
    net = NetworkPlan("fcn16s", {"width": 1 / 32}, freeze=("score_pool4", "backbone")).build(5, 1, report=lambda text: None)
    assert [key for key, parameter in net.named_parameters() if parameter.requires_grad] == ["score_fr.weight", "score_fr.bias"]


def test_feature_extraction_moves_the_scores_and_fine_tuning_all(minifcn, shapes, tmp_path):
    """ft_fcn16s and fe_fcn16s of the course: the same start, all layers trained or the backbone frozen."""
    source = models.build("vgg16", 9, width=1 / 32, seed=4).state_dict()
    weights.write(tmp_path / "vgg16.npz", source)
    runs = {}
    for name, more in (("ft", ()), ("fe", ("--freeze", "backbone"))):
        arguments = ("--model", "fcn16s", "--init-from", tmp_path / "vgg16.npz", "--root", shapes, *NARROW, *more)
        result = minifcn("train", *arguments, "--iterations", 3, "--out", tmp_path / name)
        assert result.status == 0, result.err
        runs[name] = arrays(tmp_path / name)
    assert (runs["fe"]["conv3_2.weight"] == source["features.12.weight"]).all()
    assert (runs["ft"]["conv3_2.weight"] != source["features.12.weight"]).any()
    for run in runs.values():
        assert run["score_fr.weight"].any()  # which began at zero


def test_fixed_learns_its_score_layer_alone(minifcn, shapes, tmp_path):
    result = minifcn(
        "train", "--model", "fcn32s-fixed", "--root", shapes, *NARROW, "--iterations", 2, "--out", tmp_path / "run"
    )
    assert result.status == 0, result.err
    first = models.build("fcn32s-fixed", 5, width=1 / 32, padding=1, dropout=0.1, seed=0).state_dict()
    moved = {key for key, array in arrays(tmp_path / "run").items() if (array != first[key]).any()}
    assert moved == {"score_fr.weight", "score_fr.bias"}


# --------------------------------------------------------------------------------------------------------------- stages


def test_the_authors_rates():
    plan = Plan.of({"model": "fcn8s", "lr": 1e-10, "init_from": "vgg16.pth"})
    found = {name: (stage.network.model, stage.optimizer.lr) for name, stage in stages(plan).items()}
    assert list(found) == ["fcn32s", "fcn16s", "fcn8s"]
    assert [model for model, _ in found.values()] == list(found)
    np.testing.assert_allclose([rate for _, rate in found.values()], [1e-10, 1e-12, 1e-14])
    assert list(stages(Plan.of({"model": "fcn16s"}))) == ["fcn32s", "fcn16s"]
    squeeze = stages(Plan.of({"model": "fcn-squeezenet", "options": {"width": 0.5}}), 0.5)
    assert [stage.network.options for stage in squeeze.values()] == [{"width": 0.5, "stride": s} for s in (32, 16, 8)]


@pytest.mark.parametrize(
    ("values", "rate", "said"),
    [
        ({"model": "unet"}, 0.01, "unet is not trained in stages; fcn16s and fcn8s are"),
        ({"model": "fcn32s"}, 0.01, "fcn32s is not trained in stages"),
        ({"model": "fcn-squeezenet", "options": {"stride": 32}}, 0.01, "fcn-squeezenet is not trained in stages"),
        ({"model": "fcn8s"}, 0.0, "--stage-rate 0.0 must be above 0"),
        ({"model": "fcn8s"}, float("nan"), "--stage-rate nan must be above 0"),
    ],
)
def test_what_is_no_way_up_is_refused(values, rate, said):
    with pytest.raises(ValueError, match=said):
        stages(Plan.of(values), rate)


def climb(minifcn, shapes, out, *more):
    return minifcn(
        "train", "--staged", "--stage-rate", 0.5, "--root", shapes, *NARROW, "--iterations", 4, "--checkpoint-every", 2,
        "--validate-every", 2, "--samples", 0, "--out", out, *more,
    )  # fmt: skip


@pytest.fixture(scope="module")
def climbed(shapes, tmp_path_factory):
    """The folder of a run in stages that nothing disturbed."""
    from minifcn import cli

    folder = tmp_path_factory.mktemp("staged") / "run"

    def run(*arguments):
        with pytest.raises(SystemExit) as leaving:
            cli.main(list(map(str, arguments)))
        assert not leaving.value.code

    climb(run, shapes, folder)
    return folder


def test_each_stage_begins_where_the_one_before_was_best(climbed):
    for before, stage, rate in (("fcn32s", "fcn16s", 5e-4), ("fcn16s", "fcn8s", 2.5e-4)):
        plan = Plan.from_config(training.RunFolder(climbed / stage).read_config())
        assert plan.network.init_from == str(climbed / before)
        assert plan.optimizer.lr == pytest.approx(rate)
        start = models.build(stage, 5, width=1 / 32, padding=1, seed=0)
        models.adopt(start, weights.read(climbed / before))
        ended = arrays(climbed / stage)
        begun = start.state_dict()
        changed = np.abs(ended["fc6.weight"] - begun["fc6.weight"]).max()
        assert 0 < changed < 6 * rate  # of Adam, whose steps are as long as its rate
        assert ended["conv1_1.weight"].shape == begun["conv1_1.weight"].shape


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_stages_that_were_stopped_go_on_bit_for_bit(minifcn, shapes, climbed, tmp_path, monkeypatch, stage):
    """Ctrl-C in the middle of any stage, and the rest of that stage and the others when it is resumed."""
    out, seen = tmp_path / "run", []
    step = training.Trainer.step

    def stopped(self, batches):
        if self.folder.path.name == ("fcn32s", "fcn16s", "fcn8s")[stage] and self.state.iteration == 3 and not seen:
            seen.append(self.folder.path)
            raise KeyboardInterrupt
        return step(self, batches)

    monkeypatch.setattr(training.Trainer, "step", stopped)
    assert climb(minifcn, shapes, out).status == 130
    assert seen
    assert sum((out / name / "last.safetensors").is_file() for name in ("fcn32s", "fcn16s", "fcn8s")) == stage + 1
    result = minifcn("train", "--resume", out)
    assert result.status == 0, result.err
    for name in ("fcn32s", "fcn16s", "fcn8s"):
        found, right = arrays(out / name), arrays(climbed / name)
        assert all(found[key].tobytes() == array.tobytes() for key, array in right.items()), name


def test_stages_that_are_done_are_done(minifcn, climbed):
    before = {name: (climbed / name / "last.safetensors").read_bytes() for name in ("fcn32s", "fcn16s", "fcn8s")}
    assert minifcn("train", "--resume", climbed).status == 0
    assert before == {name: (climbed / name / "last.safetensors").read_bytes() for name in before}


def test_squeezenets_stages(minifcn, shapes, tmp_path):
    arguments = ("--model", "fcn-squeezenet", "--width", 1 / 8, "--batch-size", 2, "--iterations", 1, "--samples", 0)
    result = minifcn("train", "--staged", "--root", shapes, *arguments, "--out", tmp_path / "run")
    assert result.status == 0, result.err
    assert "stage 3 of 3: stride8, rate 1e-08" in result.out
    assert Plan.from_config(training.RunFolder(tmp_path / "run" / "stride16").read_config()).network.options["stride"] == 16


def test_what_does_not_go_together(minifcn, shapes, climbed, tmp_path):
    assert "--stage-rate belongs to --staged" in minifcn("train", "--stage-rate", 0.1, "--out", tmp_path / "a").err
    assert "drop --staged, or start" in minifcn("train", "--resume", climbed, "--staged").err
    assert "drop --lr, or start" in minifcn("train", "--resume", climbed, "--lr", 1).err
    assert "already holds a run; resume it" in climb(minifcn, shapes, climbed).err
    assert "unet is not trained in stages" in minifcn("train", "--staged", "--model", "unet", "--out", tmp_path / "b").err
    assert not (tmp_path / "b").exists()


def test_a_damaged_note_of_stages_is_said(minifcn, tmp_path):
    (tmp_path / "stages.toml").write_text("[stages]\nrate = 'slow'\n")
    result = minifcn("train", "--resume", tmp_path)
    assert (result.status, "has no rate in [stages]; the file is damaged" in result.err) == (2, True)


def test_a_stage_that_is_interrupted_says_how_to_go_on_with_all(minifcn, shapes, tmp_path, monkeypatch):
    result = training.Result(1, None, None, None, True, "stopped")
    monkeypatch.setattr(train_command, "run", lambda plan, folder, replicas: result)
    found = climb(minifcn, shapes, tmp_path / "run")
    assert found.status == 130
    assert f"and with the stages behind it: minifcn train --resume {tmp_path / 'run'}" in found.out
    assert found.out.count("stage ") == 1
