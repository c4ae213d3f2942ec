"""What the command line makes of options: a plan's fields, a network's own, recipes; and how a run is taken up again."""

from __future__ import annotations

import os
import tomllib
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load_file

from minifcn import backend, models
from minifcn.anatomy.ledger import ledger
from minifcn.cli import assemble, mount
from minifcn.cli.plan import make_plan
from minifcn.layers import initializers
from minifcn.training import SGD, Plan, read_metadata
from minifcn.training.plan import FIELDS
from support import tiny

from .conftest import NARROW
from .test_train_and_use import refused

OLD_CONFIG = """
[run]
data = "shapes"
root = "{root}"
train_split = "train"
val_split = "val"
missing = "error"
model = "fcn8s"
width = 0.03125
padding = 1
dropout = 0.25
learn_upsampling = true
preprocessing = "plain"
augment = "flip"
epochs = 10
iterations = {iterations}
batch_size = 2
accumulate = 1
optimizer = "adam"
lr = 0.002
momentum = 0.9
nesterov = false
weight_decay = 0.001
bias_lr_factor = 2.0
bias_decay_factor = 0.0
schedule = "poly:warmup=2"
loss_norm = "batch"
class_weights = "1,2,1,1,0.5"
label_smoothing = 0.1
clip_norm = 5.0
freeze = ["conv1_1"]
log_every = 2
validate_every = 3
samples = 1
seed = 4
device = "cpu"
precision = "tf32"

[run.lr_factors]
"score*" = 3.0

[training]
iterations = {iterations}
loss_normalization = "batch"

[environment]
minifcn = "0.1.0"
"""


def assert_same_weights(folder, other) -> None:
    first, second = load_file(folder / "last.safetensors"), load_file(other / "last.safetensors")
    assert first.keys() == second.keys()
    for key, array in first.items():
        np.testing.assert_array_equal(array, second[key], err_msg=key)


# ----------------------------------------------------------------------------------------------------- taken up again


def test_a_run_folder_of_minifcn_0_1_resumes_bit_for_bit(minifcn, shapes, tmp_path):
    """Its config.toml had one flat table, and its checkpoints knew these options of the network and no others."""
    values = {
        "root": str(shapes), "options": {"width": 0.03125, "padding": 1, "dropout": 0.25, "learn_upsampling": True},
        "augment": "flip", "batch_size": 2, "optimizer": "adam", "lr": 0.002, "weight_decay": 0.001,
        "schedule": "poly:warmup=2", "loss_norm": "batch", "class_weights": "1,2,1,1,0.5", "label_smoothing": 0.1,
        "clip_norm": 5.0, "freeze": ("conv1_1",), "lr_factors": {"score*": 3.0}, "log_every": 2, "validate_every": 3,
        "samples": 1, "seed": 4,
    }  # fmt: skip
    for name in ("straight", "old"):
        trainer = assemble.make_trainer(Plan.of({**values, "iterations": 6}), tmp_path / name, tiny.Progress())
        trainer.folder.create()
        if name == "old":
            trainer.iterations = 3  # as if it had been stopped there
        trainer.run()
    old = tmp_path / "old"
    keys = {"name", "num_classes", "width", "padding", "dropout", "learn_upsampling", "seed"}
    assert set(read_metadata(old / "last.safetensors")["model"]) == keys
    (old / "config.toml").write_text(OLD_CONFIG.format(root=shapes, iterations=3))
    resumed = minifcn("train", "--resume", old, "--iterations", 6)
    assert resumed.status == 0, resumed.err
    assert "iterations 3 to 6" in resumed.out
    assert_same_weights(tmp_path / "straight", old)
    written = tomllib.loads((old / "config.toml").read_text())
    assert "run" not in written
    assert Plan.from_config(written) == Plan.of({**values, "iterations": 6})
    evaluated = minifcn("evaluate", old, "--out", tmp_path / "evaluated")
    assert evaluated.status == 0, evaluated.err


def test_an_old_config_is_read_field_by_field(shapes):
    config = tomllib.loads(OLD_CONFIG.format(root=shapes, iterations=60))
    plan = Plan.from_config(config)
    assert plan.network.options == {"width": 0.03125, "padding": 1, "dropout": 0.25, "learn_upsampling": True}
    assert (plan.training.iterations, plan.training.epochs) == (60, None)
    assert plan.network.freeze == ("conv1_1",)
    for name, value in config["run"].items():
        if name not in ("width", "padding", "dropout", "learn_upsampling", "epochs", "freeze"):
            assert plan.values()[name] == value, name
    del config["run"]["iterations"]
    assert Plan.from_config(config).training.epochs == 10
    config["run"]["colour"] = "red"
    with pytest.raises(ValueError, match="does not know: colour"):
        Plan.from_config(config)


def test_a_resumed_run_remembers_what_it_started_from_and_does_not_load_it_again(minifcn, finished, shapes, tmp_path):
    start = tmp_path / "start.safetensors"
    start.write_bytes((finished / "last.safetensors").read_bytes())
    arguments = ["train", "--root", shapes, "--recipe", "scratch", *NARROW, "--init-from", start, "--schedule", "fixed"]
    assert minifcn(*arguments, "--iterations", 4, "--out", tmp_path / "straight").status == 0
    assert minifcn(*arguments, "--iterations", 2, "--out", tmp_path / "run").status == 0
    start.unlink()
    resumed = minifcn("train", "--resume", tmp_path / "run", "--iterations", 4)
    assert resumed.status == 0, resumed.err
    assert "weights of" not in resumed.out
    assert_same_weights(tmp_path / "straight", tmp_path / "run")
    config = tomllib.loads((tmp_path / "run" / "config.toml").read_text())
    assert config["network"]["init_from"] == str(start)


def test_a_frozen_batch_norm_stays_as_it_is_through_a_resume(minifcn, shapes, tmp_path):
    base = ["train", "--root", shapes, "--model", "unet", "--width", 1 / 64, "--option", "batch_norm=true", "--batch-size", 2]
    started = minifcn(*base, "--iterations", 2, "--freeze", "enc*", "--out", tmp_path / "run")
    assert started.status == 0, started.err
    assert minifcn("train", "--resume", tmp_path / "run", "--iterations", 4).status == 0
    state = load_file(tmp_path / "run" / "last.safetensors")
    np.testing.assert_array_equal(state["model.enc1.bn1.running_mean"], 0)
    np.testing.assert_array_equal(state["model.enc5.bn2.running_var"], 1)
    assert state["model.dec1.bn1.running_mean"].any()


def test_what_a_resumed_run_may_change(minifcn, finished, shapes, tmp_path):
    for options, words in [
        (["--width", "0.5"], "drop --width"),
        (["--option", "in_channels=1"], "drop --option in_channels,"),
        (["--lr-factor", "score=2", "--freeze", "conv*"], "drop --freeze, --lr-factor,"),
        (["--padding", "2", "--lr", "0.5"], "drop --lr, --padding"),
        (["--iterations", "3", "--epochs", "3"], "give iterations (3) or epochs (3), not both"),
        (["--epochs", "nan"], "epochs is nan"),
        (["--recipe", "paper", "--out", "elsewhere"], "drop --out, --recipe,"),
    ]:
        assert words in refused(minifcn("train", "--resume", finished, *options))
    base = ["train", "--root", shapes, "--recipe", "scratch", *NARROW, "--samples", 0]
    assert minifcn(*base, "--epochs", 0.2, "--out", tmp_path / "run").status == 0
    same = minifcn("train", "--resume", tmp_path / "run", "--width", 0.03125, "--iterations", 2, "--root", f"{shapes}/")
    assert "iterations 1 to 2" in same.out, same.err
    again = minifcn("train", "--resume", tmp_path / "run", "--epochs", 0.5)
    assert "iterations 2 to 3" in again.out, again.err


# -------------------------------------------------------------------------------------------- a network's own options


@pytest.fixture
def nothing_is_made(monkeypatch, tmp_path):
    """Fails where a plan was not refused: before its data set is drawn or its folder made."""
    monkeypatch.setattr(assemble, "make_trainer", lambda *_, **__: pytest.fail("the plan was taken"))
    yield
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--model", "unet", "--padding", "1"], "unet takes no padding; it takes width, batch_norm, valid, in_channels, seed"),
        (["--option", "batch_norm=true"], "fcn8s takes no batch_norm; it takes width, dropout, padding"),
        (["--option", "in_channels"], "--option 'in_channels': write name=value; fcn8s takes width, dropout"),
        (["--option", "in_channels=many"], "the option in_channels of fcn8s is 'many'; write a value such as 3"),
        (["--model", "unet", "--option", "batch_norm=perhaps"], "batch_norm of unet is 'perhaps'; write a value such as False"),
        (["--width", "0.5", "--option", "width=0.25"], "the option width is given twice"),
        (["--option", "a", "--option", "seed=x"], "seed of fcn8s is 'x'"),
        (["--width", "nan"], "width=nan must be positive"),
        (["--model", "unet", "--option", "in_channels=1"], "pictures of a data set have 3 channels"),
        (["--padding", "0"], "padding=0 must be at least 1"),
        (["--dropout", "2"], "2"),
    ],
)
@pytest.mark.usefixtures("nothing_is_made")
def test_a_networks_options_are_refused_in_one_sentence(minifcn, tmp_path, options, words):
    result = minifcn("train", "--root", tmp_path / "shapes", *options, "--out", tmp_path / "run")
    assert words in refused(result)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--iterations", "0"], "iterations is 0; it must be a finite number, at least 1"),
        (["--epochs", "0"], "epochs is 0"),
        (["--epochs", "-1"], "epochs is -1"),
        (["--epochs", "inf"], "epochs is inf"),
        (["--epochs", "nan"], "epochs is nan"),
        (["--epochs", "1", "--iterations", "5"], "give iterations (5) or epochs (1), not both"),
        (["--schedule", "cosine:warmup=inf"], "warmup is a whole number"),
        (["--schedule", "cosine:warmup=nan"], "warmup is a whole number"),
        (["--schedule", "poly:power=nan"], "must be finite"),
        (["--samples", "-1"], "samples is -1"),
        (["--precision", "half"], "precision is 'half'; possible are tf32, float32"),
        (["--label-smoothing", "2"], "label_smoothing is 2"),
        (["--lr", "inf"], "lr is inf"),
        (["--momentum", "nan"], "momentum is nan"),
        (["--lr-factor", "score*=nan"], "lr_factors is nan"),
        (["--seed", "-1"], "seed is -1"),
        (["--clip-norm", "0"], "clip_norm is 0"),
        (["--accumulate", "0"], "accumulate is 0"),
        (["--log-every", "0", "--lr", "-1", "--batch-size", "0"], "log_every is 0"),
    ],
)
@pytest.mark.usefixtures("nothing_is_made")
def test_numbers_are_refused_before_anything_is_made(minifcn, tmp_path, options, words):
    result = minifcn("train", "--root", tmp_path / "shapes", *NARROW[:4], *options, "--out", tmp_path / "run")
    assert words in refused(result)
    if "--log-every" in options:
        assert "lr is -1" in result.err
        assert "batch_size is 0" in result.err


def test_a_recipe_says_what_the_network_takes():
    fcn, unet = make_plan("scratch"), make_plan("scratch", model="unet", options=["batch_norm=true"], width=0.5)
    assert fcn.network.options == {
        "width": 1.0, "padding": 1, "dropout": 0.1, "in_channels": 3, "learn_upsampling": False,
    }  # fmt: skip
    assert unet.network.options == {"width": 0.5, "batch_norm": True, "valid": False, "in_channels": 3}
    assert make_plan("scratch", dropout=0.0, batch_size=3).network.options["dropout"] == 0.0
    assert (make_plan("scratch", batch_size=3).data.batch_size, fcn.data.batch_size) == (3, 8)


def test_unet_trains_from_the_command_line(minifcn, shapes, tmp_path):
    result = minifcn(
        "train", "--root", shapes, "--model", "unet", "--recipe", "scratch", "--width", 1 / 64, "--option", "batch_norm=true",
        "--option", "seed=5", "--iterations", 1, "--batch-size", 2, "--out", tmp_path / "run",
    )  # fmt: skip
    assert result.status == 0, result.err
    model = read_metadata(tmp_path / "run")["model"]
    assert model == {
        "name": "unet", "num_classes": 5, "seed": 5, "width": 1 / 64, "batch_norm": True, "valid": False, "in_channels": 3,
    }  # fmt: skip


def test_every_field_is_an_option_with_its_help():
    from typer.main import get_command

    from minifcn import cli

    mount()
    parameters = {parameter.name: parameter for parameter in get_command(cli.app).commands["train"].params}
    assert FIELDS.keys() <= parameters.keys()
    for name, field in FIELDS.items():
        assert parameters[name].help == field.metadata["help"]
        assert parameters[name].default is None
    assert parameters["lr_factors"].opts == ["--lr-factor"]
    assert parameters["nesterov"].secondary_opts == ["--no-nesterov"]


# ------------------------------------------------------------------------------------- looking, without first weights


@pytest.fixture
def drawn(monkeypatch) -> list:
    """The shapes of first weights that are drawn."""
    shapes = []
    normal = initializers._normal

    def spy(shape, rng, std):
        if not initializers._blank.get():
            shapes.append(shape)
        return normal(shape, rng, std)

    monkeypatch.setattr(initializers, "_normal", spy)
    return shapes


def test_models_lists_parameters_and_options(minifcn, drawn):
    result = minifcn("models")
    assert result.status == 0, result.err
    lines = result.out.splitlines()
    assert [line.split()[0] for line in lines[::2]] == models.names()
    assert any(line.startswith("fcn8s ") and "134,489,759 parameters   Long, Shelhamer" in line for line in lines)
    assert len({line.index(" parameters ") for line in lines[::2]}) == 1
    single = minifcn("models", "unet").out.splitlines()
    assert single[0].split()[:2] == ["unet", "31,033,045"]
    assert single[1].strip() == "width=1.0, batch_norm=False, valid=False, in_channels=3, seed=0"
    assert "unknown model 'vnet'; possible are fcn32s" in refused(minifcn("models", "vnet"))
    assert not drawn


def test_summary_and_coordinates_draw_no_weights(minifcn, drawn):
    for command in (["summary", "fcn8s"], ["coordinates", "fcn8s"], ["summary", "unet", "--option", "batch_norm=true"]):
        result = minifcn(*command, "--size", "64x80")
        assert result.status == 0, result.err
    assert "Total params: 31," in result.out
    assert "bn1" in result.out
    assert not drawn
    assert minifcn("summary", "unet", "--width", 1 / 64, "--size", "32x32", "--measure").status == 0
    assert drawn
    assert "unet takes no padding" in refused(minifcn("coordinates", "unet", "--padding", 1))
    assert "at least 1 picture" in refused(minifcn("summary", "unet", "--batch-size", 0))


# ------------------------------------------------------------------------------------------------ out of a GPU's memory


@pytest.mark.parametrize(("saved", "kept"), [(-1, ""), (7, "run/last.safetensors holds iteration 7")])
def test_out_of_memory_says_which_batch_should_fit(monkeypatch, saved, kept):
    net = models.build("fcn8s", 3, width=1 / 32, padding=1)
    net.conv1_1.requires_grad_(False)
    learning = sum(parameter.data.nbytes for parameter in net.parameters() if parameter.requires_grad)
    costs = ledger(net, (1, 3, 64, 96))
    assert costs.trainable_bytes == learning
    optimizer = SGD(net.parameters(), lr=0.1, momentum=0.9)
    fixed = costs.parameter_bytes + learning + optimizer.state_nbytes()
    per_picture = costs.training_peak - costs.parameter_bytes - learning
    room = fixed + 2.5 * per_picture
    device = SimpleNamespace(mem_info=(0, int(room / 0.9)))
    monkeypatch.setattr(backend, "import_cupy", lambda: SimpleNamespace(cuda=SimpleNamespace(Device=lambda: device)))

    def epoch(number):
        yield SimpleNamespace(images=np.zeros((8, 3, 64, 96), np.float32))

    trainer = SimpleNamespace(
        net=net, optimizer=optimizer, loader=SimpleNamespace(epoch=epoch), saved=saved,
        folder=SimpleNamespace(last="run/last.safetensors"),
    )  # fmt: skip
    error = assemble.out_of_memory(trainer)
    assert isinstance(error, ValueError)
    assert "8 pictures of 64x96" in str(error)
    assert "the largest batch that should fit is 2" in str(error)
    assert kept in str(error)
