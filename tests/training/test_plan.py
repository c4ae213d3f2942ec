"""The four records of a run: what they refuse, what they make, and the config.toml that they come back from."""

from __future__ import annotations

from dataclasses import asdict, fields

import numpy as np
import pytest

from minifcn import data, training
from minifcn.training import DataPlan, NetworkPlan, OptimizerPlan, Plan, RunFolder
from minifcn.training.plan import FIELDS, RECORDS


def test_every_field_has_a_name_of_its_own_and_help():
    assert len(FIELDS) == sum(len(fields(record)) for record in RECORDS.values())
    assert set(RECORDS) == {entry.name for entry in fields(Plan)}
    assert all(entry.metadata["help"] and entry.metadata["panel"] for entry in FIELDS.values())


def test_a_plan_comes_back_from_its_config(tmp_path):
    plan = Plan.of(
        {"model": "unet", "options": {"width": 0.25, "batch_norm": True}, "freeze": ("enc1", "enc2"), "epochs": 2.5,
         "lr_factors": {"score": 10.0}, "class_weights": (1.0, 2.0), "init_from": "weights.npz", "root": "pictures"}
    )  # fmt: skip
    folder = RunFolder(tmp_path / "run").create()
    folder.write_config(asdict(plan))
    assert Plan.from_config(folder.read_config()) == plan
    assert Plan.of(plan.values()) == plan
    folder.write_config(asdict(Plan()))
    assert Plan.from_config(folder.read_config()) == Plan()


def test_all_that_is_wrong_is_said_at_once():
    wrong = {"batch_size": 0, "lr": np.nan, "samples": -1, "options": {"width": -1.0}, "colour": "red"}
    with pytest.raises(ValueError, match="does not know: colour") as error:
        Plan.of(wrong)
    for words in ("batch_size is 0", "lr is nan", "samples is -1", "width=-1.0 must be positive"):
        assert words in str(error.value)


@pytest.mark.parametrize(
    ("record", "values", "words"),
    [
        (DataPlan, {"missing": "ignore"}, "missing is 'ignore'; possible are error, skip"),
        (DataPlan, {"augment": "mosaic"}, "augmentation 'mosaic' is not known"),
        (DataPlan, {"preprocessing": "vgg"}, "preprocessing 'vgg' is not known"),
        (NetworkPlan, {"model": "fcn4s"}, "unknown model 'fcn4s'"),
        (NetworkPlan, {"model": "unet", "options": {"padding": 1}}, "unet takes no padding; it takes width, batch_norm"),
        (NetworkPlan, {"options": {"dropout": 2.0}}, "dropout|p=2"),
        (OptimizerPlan, {"lr": -1.0}, "lr is -1.0; it must be a finite number, at least 0"),
        (OptimizerPlan, {"lr": "fast"}, "lr is fast"),
        (OptimizerPlan, {"lr_factors": {"score*": np.inf}}, "lr_factors is inf"),
        (OptimizerPlan, {"momentum": 1.0}, "momentum is 1.0; it must be a finite number, at least 0 and below 1"),
        (OptimizerPlan, {"nesterov": True, "momentum": 0.0}, "nesterov needs a momentum"),
    ],
)
def test_what_is_not_possible_is_refused(record, values, words):
    with pytest.raises(ValueError, match=words):
        record(**values)


@pytest.mark.parametrize(("name", "rule"), [("sgd", training.SGD), ("adam", training.Adam), ("adamw", training.AdamW)])
def test_the_optimizer_that_is_planned(name, rule):
    net = NetworkPlan("unet", {"width": 1 / 64}, freeze=("enc*",)).build(5, seed=3, report=lambda text: None)
    optimizer = OptimizerPlan(name, lr=0.5, bias_lr_factor=2.0, lr_factors={"score": 10.0}).build(net)
    assert type(optimizer) is rule
    rates = {key: group["lr"] for group in optimizer.param_groups for key in group["names"]}
    assert (rates["dec1.conv1.weight"], rates["dec1.conv1.bias"], rates["score.bias"]) == (0.5, 1.0, 10.0)
    assert not any(key.startswith("enc") for key in rates)
    assert net.config == {"name": "unet", "num_classes": 5, "seed": 3, "width": 1 / 64}


def test_a_config_without_plan_is_no_plan():
    with pytest.raises(ValueError, match=r"no \[network\]"):
        Plan.from_config({"training": {"iterations": 3}, "environment": {}})


def test_few_pictures_to_learn_by_heart_are_those_that_are_measured(tmp_path):
    data.build("shapes", tmp_path, train=9, val=4)
    plan = DataPlan(root=str(tmp_path), overfit=3, augment="flip,jitter:0.5,crop:16x16")
    train, validation = plan.datasets()
    assert train.ids == validation.ids == [data.build("shapes", tmp_path).ids[k] for k in (0, 4, 8)]
    assert plan.loader(train, 0).transform == data.parse("crop:16x16", plan.loader(train, 0).preprocessing.fill)
    with pytest.raises(ValueError, match=r"99 pictures of .* train are wanted; it has 9"):
        DataPlan(root=str(tmp_path), overfit=99).datasets()
    with pytest.raises(ValueError, match="drop validate_on"):
        DataPlan(overfit=3, validate_on=2)


def test_validating_on_a_few(tmp_path):
    data.build("shapes", tmp_path, train=9, val=4)
    train, validation = DataPlan(root=str(tmp_path), validate_on=2).datasets()
    assert (len(train), validation.ids) == (9, [data.build("shapes", tmp_path, "val").ids[k] for k in (0, 3)])
    assert len(DataPlan(root=str(tmp_path), originals=True, batch_size=4).loader(train, 0)) == 5
