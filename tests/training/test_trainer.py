"""The step against PyTorch, the bookkeeping around it, and what happens when things go wrong."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest

from minifcn import layers, safe_file
from minifcn.data import Loader
from minifcn.training import (
    SGD,
    Diverged,
    RunFolder,
    Settings,
    Trainer,
    evaluate,
    freeze,
    load_model,
    load_weights,
    read_checkpoint,
    read_metadata,
)
from minifcn.training import trainer as trainer_module
from minifcn.training.run import folder as run_folder
from support import tiny

torch = pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def no_curves(monkeypatch):
    """Curves are drawn at the end of each run, which takes longer than all of these runs."""
    monkeypatch.setattr(trainer_module, "draw_log", lambda folder: None)


@pytest.fixture
def run(tmp_path):
    """A new trainer in a folder of its own."""

    def make(name: str = "run", **options) -> Trainer:
        trainer = tiny.tiny_trainer(tmp_path / name, **options)
        trainer.folder.create()
        return trainer

    return make


def plain_net(dtype: str = "float64") -> layers.Sequential:
    """No batch norm and no dropout: a batch in two halves is the batch."""
    rng = np.random.default_rng(3)
    net = layers.Sequential(conv1=layers.Conv2d(3, 4, 3, padding=1), relu=layers.ReLU(), score=layers.Conv2d(4, 3, 1))
    for parameter in net.parameters():
        parameter.data[...] = rng.uniform(-0.5, 0.5, parameter.shape)
    net.config = {"name": "plain"}
    return net.to(dtype)


# ------------------------------------------------------------------------------------------------------- the step


@pytest.mark.parametrize(
    ("normalization", "lr", "weights"), [("mean", 0.1, None), ("mean", 0.1, (0.2, 1.0, 3.0)), ("sum", 1e-4, None)]
)
def test_twenty_steps_follow_torch(normalization, lr, weights, run):
    trainer = run(net=plain_net(), lr=lr, loss_norm=normalization, class_weights=weights, schedule="poly")
    other = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(4, 3, 1)).double()
    for theirs, ours in zip(other.parameters(), trainer.net.parameters(), strict=True):
        theirs.data.copy_(torch.tensor(ours.data))
    optimizer = torch.optim.SGD(other.parameters(), lr=lr, momentum=0.9, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=20, power=0.9)
    weight = None if weights is None else torch.tensor(weights, dtype=torch.float64)
    for batches, _ in zip(trainer.batches(), range(20), strict=False):
        batch = batches[0]
        scores = other(torch.tensor(batch.images, dtype=torch.float64))
        labels = torch.tensor(batch.labels.astype(np.int64))
        loss = torch.nn.functional.cross_entropy(scores, labels, weight, ignore_index=255, reduction=normalization)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        ours, norm = trainer.step(batches)
        norms = [parameter.grad.norm() for parameter in other.parameters()]
        per_pixel = loss.item() / (1 if normalization == "mean" else (labels != 255).sum().item())
        assert float(ours) == pytest.approx(per_pixel, rel=1e-10)
        assert float(norm) == pytest.approx(torch.stack(norms).norm().item(), rel=1e-10)


@pytest.mark.parametrize("normalization", ["mean", "sum", "batch"])
def test_accumulated_batches_are_one_large_batch(normalization, run):
    """Though the halves have unequal numbers of labelled pixels: a mean of means would be another step."""
    options = {"loss_norm": normalization, "lr": 1e-3, "class_weights": (0.2, 1.0, 3.0)}
    one, two = run("one", net=plain_net(), **options), run("two", net=plain_net(), accumulate=2, **options)
    dataset = tiny.TinySet(4)
    large = next(Loader(dataset, batch_size=4).epoch(0))
    halves = list(Loader(dataset, batch_size=2).epoch(0))
    assert (halves[0].labels != 255).sum() != (halves[1].labels != 255).sum()
    for halves_of in (halves, halves[::-1]):
        loss, norm = one.step([large])
        other_loss, other_norm = two.step(halves_of)
        assert float(loss) == pytest.approx(float(other_loss), rel=1e-12)
        assert float(norm) == pytest.approx(float(other_norm), rel=1e-12)
    for a, b in zip(one.net.parameters(), two.net.parameters(), strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=1e-12)


def test_a_batch_without_labels_changes_nothing(run):
    trainer = run(net=plain_net())
    trainer.optimizer.param_groups[0]["weight_decay"] = 0.0
    batch = next(Loader(tiny.TinySet(2), batch_size=2).epoch(0))
    batch.labels[:] = 255
    before = [parameter.data.copy() for parameter in trainer.net.parameters()]
    loss, norm = trainer.step([batch])
    assert (float(loss), float(norm)) == (0, 0)
    for parameter, old in zip(trainer.net.parameters(), before, strict=True):
        np.testing.assert_array_equal(parameter.data, old)


def test_frozen_layers_stay(run):
    net = tiny.tiny_net()
    assert freeze(net, ["conv1"]) == ["conv1.weight", "conv1.bias"]
    frozen = net.conv1.weight.data.copy()
    score = net.score.weight.data.copy()
    trainer = run(net=net)
    trainer.run()
    np.testing.assert_array_equal(net.conv1.weight.data, frozen)
    assert not np.array_equal(net.score.weight.data, score)


class ThreeHeads(layers.Layer):
    """Scores, and two auxiliary scores on the way, which evaluation does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.first = layers.Conv2d(3, 4, 3, padding=1), layers.Conv2d(4, 3, 1)
        self.conv2, self.second, self.score = layers.Conv2d(4, 5, 3, padding=1), layers.Conv2d(5, 3, 1), layers.Conv2d(5, 3, 1)
        rng = np.random.default_rng(7)
        for parameter in self.parameters():
            parameter.data = rng.uniform(-0.5, 0.5, parameter.shape)

    def forward(self, x):
        middle = self.conv1(x)
        y = self.conv2(middle)
        return (self.score(y), self.second(y), self.first(middle)) if self.training else self.score(y)

    def backward(self, dscore, dsecond, dfirst):
        dy = self.score.backward(dscore) + self.second.backward(dsecond)
        return self.conv1.backward(self.conv2.backward(dy) + self.first.backward(dfirst))


def test_a_criterion_is_a_layer(run):
    with pytest.raises(TypeError, match="criterion is a function; it must be a Layer whose forward"):
        run(criterion=lambda scores, labels: scores.sum())


@pytest.mark.parametrize("weight", [None, 0.7])
def test_auxiliary_heads_follow_torch(weight, run):
    """One step: the loss, every gradient and every parameter after it."""
    net = ThreeHeads()
    criterion = None if weight is None else layers.WithAuxiliary(layers.CrossEntropyLoss(reduction="sum"), weight)
    trainer = run(net=net, lr=0.1, criterion=criterion)
    theirs = {key: torch.tensor(parameter.data, requires_grad=True) for key, parameter in net.named_parameters()}
    optimizer = torch.optim.SGD(theirs.values(), lr=0.1, momentum=0.9, weight_decay=1e-3)
    batch = next(trainer.loader.epoch(0))
    labels = torch.tensor(batch.labels.astype(np.int64))

    def conv(x, name, padding=0):
        return torch.nn.functional.conv2d(x, theirs[f"{name}.weight"], theirs[f"{name}.bias"], padding=padding)

    middle = conv(torch.tensor(batch.images, dtype=torch.float64), "conv1", 1)
    y = conv(middle, "conv2", 1)
    main, *auxiliary = (
        torch.nn.functional.cross_entropy(scores, labels, ignore_index=255)
        for scores in (conv(y, "score"), conv(y, "second"), conv(middle, "first"))
    )
    expected = main + (0.4 if weight is None else weight) * sum(auxiliary)
    expected.backward()
    optimizer.step()
    loss, _ = trainer.step([batch])
    assert float(loss) == pytest.approx(expected.item(), rel=1e-12)
    for key, parameter in net.named_parameters():
        np.testing.assert_allclose(parameter.grad, theirs[key].grad.numpy(), rtol=1e-10, atol=1e-14, err_msg=key)
        np.testing.assert_allclose(parameter.data, theirs[key].detach().numpy(), rtol=1e-12, err_msg=key)


def test_a_network_with_heads_trains_validates_and_resumes(run, tmp_path):
    """Nobody has set a config on it, and validation sees its scores alone."""
    straight = run("straight", net=ThreeHeads(), iterations=8)
    assert straight.run().best is not None
    run("half", net=ThreeHeads(), iterations=5).run()
    resumed = tiny.tiny_trainer(tmp_path / "half", 8, net=ThreeHeads())
    resumed.resume()
    resumed.run()
    for key, array in straight.net.state_dict().items():
        np.testing.assert_array_equal(array, resumed.net.state_dict()[key], err_msg=key)
    with pytest.raises(ValueError, match="holds a ThreeHeads, which its owner must build"):
        load_model(tmp_path / "half")
    owned = ThreeHeads()
    owned.load_state_dict(load_weights(straight.folder.last))
    np.testing.assert_array_equal(owned.score.weight.data, straight.net.score.weight.data)


def test_a_frozen_batch_norm_keeps_its_statistics(run, tmp_path):
    """Through three steps, and a resume; one whose parameters alone are frozen goes on counting, as in PyTorch."""

    def frozen_net(layerwise: bool):
        net = tiny.tiny_net()
        net.norm.running_mean[...] = np.linspace(-1, 1, 8)
        freeze(net, ["conv1", "norm"]) if layerwise else net.norm.requires_grad_(False)
        return net

    before = frozen_net(True).norm.state_dict()
    net = frozen_net(True)
    run("frozen", net=net, iterations=3).run()
    resumed = tiny.tiny_trainer(tmp_path / "frozen", 6, net=frozen_net(True))
    resumed.resume()
    resumed.run()
    moving = frozen_net(False)
    run("moving", net=moving, iterations=3).run()
    for key, array in before.items():
        np.testing.assert_array_equal(net.norm.state_dict()[key], array)
        np.testing.assert_array_equal(resumed.net.norm.state_dict()[key], array)
        assert np.array_equal(moving.norm.state_dict()[key], array) == (not key.startswith("running"))
    assert net.drop.training or not net.training  # what is not frozen goes with the network


def test_gradient_is_clipped(run):
    trainer = run(net=plain_net(), clip_norm=1e-3, lr=1.0)
    before = np.concatenate([parameter.data.ravel() for parameter in trainer.net.parameters()])
    trainer.optimizer.param_groups[0].update(weight_decay=0.0, momentum=0.0)
    trainer.step([next(trainer.loader.epoch(0))])
    after = np.concatenate([parameter.data.ravel() for parameter in trainer.net.parameters()])
    assert np.linalg.norm(after - before) == pytest.approx(1e-3, rel=1e-2)


def test_a_label_out_of_range_names_the_picture(run):
    class Wrong(tiny.TinySet):
        def __getitem__(self, index):
            image, label = super().__getitem__(index)
            label[0, 0] = 200 if index == 2 else 0
            return image, label

    trainer = run(dataset=Wrong())
    with pytest.raises(ValueError, match=r"tiny_0_2.* have labels \[200\]; possible are 0 to 2 and void 255"):
        trainer.run()


def test_random_numbers_of_a_batch_come_from_seed_iteration_and_its_place_in_the_step(run, monkeypatch):
    trainer = run(iterations=3, accumulate=2, seed=8)
    seeds = []
    reseed = trainer.net.reseed
    monkeypatch.setattr(trainer.net, "reseed", lambda seed: seeds.append(seed) or reseed(seed))
    trainer.run()
    assert seeds == [(8, 0), (8, 0, 1), (8, 1), (8, 1, 1), (8, 2), (8, 2, 1)]


def test_it_learns(run):
    trainer = run(net=plain_net(), iterations=100, lr=0.1, log_every=1, validate=False)
    trainer.run()
    losses = [row["loss"] for row in trainer.folder.read_log() if row["event"] == "train"]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


# ------------------------------------------------------------------------------------------------ log and validation


def test_the_log_of_a_run(run):
    trainer = run(iterations=11, schedule="poly:warmup=4", validate_every=4)
    trainer.run()
    rows = trainer.folder.read_log()
    assert [(row["event"], row["iteration"]) for row in rows] == [
        ("train", 3), ("validation", 4), ("train", 6), ("validation", 8), ("train", 9), ("train", 11), ("validation", 11),
    ]  # fmt: skip
    train = [row for row in rows if row["event"] == "train"]
    assert [row["epoch"] for row in train] == [0.75, 1.5, 2.25, 2.75]
    assert train[0]["lr"] == pytest.approx(0.05 * 3 / 4 * (1 - 2 / 11) ** 0.9)
    assert train[1]["lr"] == pytest.approx(0.05 * (1 - 5 / 11) ** 0.9)
    header, *lines = trainer.folder.log_csv.read_text().splitlines()
    assert header.startswith("iteration,epoch,lr,loss,")
    assert [int(line.split(",")[0]) for line in lines] == [row["iteration"] for row in rows]
    assert all(line.count(",") == header.count(",") for line in lines)


def test_a_row_is_the_mean_of_the_steps_since_the_last(run, monkeypatch):
    trainer = run(iterations=6, log_every=3, validate=False)
    seen = []
    step = trainer.step
    monkeypatch.setattr(trainer, "step", lambda batches: seen.append(step(batches)) or seen[-1])
    trainer.run()
    losses = [float(loss) for loss, _ in seen]
    rows = trainer.folder.read_log()
    assert [row["loss"] for row in rows] == pytest.approx([np.mean(losses[:3]), np.mean(losses[3:])], rel=1e-12)
    assert [row["gradient_norm"] for row in rows] == [float(seen[2][1]), float(seen[5][1])]


def test_best_is_the_best_on_the_validation_set(run):
    class Spoil(tiny.Progress):
        def step(self, iteration):
            if iteration == 13:
                trainer.net.score.bias.data[...] = (50, 0, 0)

    trainer = run(iterations=24, progress=Spoil())
    result = trainer.run()
    assert result.best_iteration < 13
    validations = [row for row in trainer.folder.read_log() if row["event"] == "validation"]
    best = max(validations, key=lambda row: row["mean_iu"])
    assert len({row["mean_iu"] for row in validations}) > 2
    assert (result.best, result.best_iteration) == (best["mean_iu"], best["iteration"])
    assert read_metadata(trainer.folder.best)["iteration"] == best["iteration"]
    assert read_metadata(trainer.folder.last)["iteration"] == 24
    trainer.net.load_state_dict(read_checkpoint(trainer.folder.best).model)
    again = evaluate(trainer.net, trainer.validation, trainer.loader.preprocessing)
    assert again.matrix.mean_iu() == best["mean_iu"]


def test_without_a_validation_set_only_the_last_is_kept(run):
    trainer = run(iterations=7, validate=False)
    result = trainer.run()
    assert (result.best, result.evaluation) == (None, None)
    assert read_metadata(trainer.folder.last)["iteration"] == 7
    assert not trainer.folder.best.exists()


def test_what_the_progress_is_told(run):
    class Record(tiny.Progress):
        def __init__(self):
            self.calls = []

        def __getattribute__(self, name):
            if name in ("begin", "step", "validating", "saved", "end"):
                return lambda *values: self.calls.append((name, *values))
            return super().__getattribute__(name)

        def logged(self, row):
            self.calls.append(("logged", row["iteration"]))
            assert row["seconds_left"] >= 0
            assert row["images_per_second"] > 0

        def validated(self, evaluation, is_best):
            self.calls.append(("validated", evaluation.pictures, is_best))

    progress = Record()
    run(iterations=4, progress=progress).run()
    assert progress.calls == [
        ("begin", 0, 4), ("saved", 0), ("step", 1), ("step", 2), ("step", 3), ("logged", 3), ("step", 4), ("logged", 4),
        ("validating", 1, 3), ("validating", 2, 3), ("validating", 3, 3), ("saved", 4), ("validated", 3, True), ("end",),
    ]  # fmt: skip


def test_config_says_what_was_run(run):
    trainer = run(iterations=2, class_weights=np.array([1.0, 2.0, 3.0]), schedule="step:size=5")
    trainer.config = {"model": {"name": "tiny", "options": None, "sizes": (1, 2)}}
    trainer.run()
    config = trainer.folder.read_config()
    assert config["model"] == {"name": "tiny", "sizes": [1, 2]}
    assert config["training"]["class_weights"] == [1, 2, 3]
    assert config["training"]["schedule"] == "step:size=5"
    assert config["environment"]["numpy"] == np.__version__


def test_the_checkpoint_says_what_it_is(run):
    trainer = run(iterations=5)
    trainer.run()
    about = read_metadata(trainer.folder.last)
    assert about["model"] == {"name": "tiny", "dropout": 0.3}
    assert about["classes"] == ["red", "green", "blue"]
    assert about["preprocessing"] == trainer.loader.preprocessing.config
    assert about["palette"] == trainer.loader.dataset.palette.tolist()
    assert (about["iteration"], about["epoch"], about["ignore_index"], about["seed"]) == (5, 1.25, 255, 0)


# --------------------------------------------------------------------------------------------------- going wrong


def assert_kept(trainer: Trainer, iteration: int) -> None:
    """The checkpoint is of that iteration and whole, and nothing lies about."""
    assert read_checkpoint(trainer.folder.last).metadata["iteration"] == iteration
    assert not list(trainer.folder.path.glob("*.partial"))


def test_a_rate_far_too_high_stops_and_keeps_the_last_good_checkpoint(run):
    trainer = run(net=plain_net("float32"), lr=1e25, checkpoint_every=1, validate=False)
    with pytest.raises(Diverged, match=r"with learning rate 1e\+25: .* is not finite.* a tenth of the learning rate") as error:
        trainer.run()
    kept = read_checkpoint(trainer.folder.last).metadata["iteration"]
    assert f"last.safetensors holds iteration {kept}" in str(error.value)
    assert f"diverged at iteration {kept + 1}" in str(error.value)
    assert_kept(trainer, kept)


@pytest.mark.parametrize("layer", ["conv1", "score"])
def test_the_first_layer_is_named(layer, run):
    trainer = run(net=plain_net("float32"))
    getattr(trainer.net, layer).weight.data[...] = 3e38
    with pytest.raises(Diverged, match=f"at iteration 1 .*the output of layer {layer} is not finite"):
        trainer.run()
    assert_kept(trainer, 0)
    assert "forward" not in vars(trainer.net.conv1)  # the look at the layers is gone


def test_the_first_gradient_on_the_way_back_is_named(run):
    net = tiny.tiny_net()

    class Broken(layers.ReLU):
        def backward(self, dy):
            return super().backward(dy) * np.float32(np.inf)

    net.relu = Broken()
    with pytest.raises(Diverged, match=r"gradient norm nan: the gradient of norm\.bias is not finite"):
        run(net=net).run()


def test_a_parameter_that_is_nan_from_the_start_is_named(run):
    net = plain_net()
    net.score.weight.data[0, 0] = np.nan
    with pytest.raises(Diverged, match=r"at iteration 0 .*model\.score\.weight hold NaN.*nothing was saved"):
        run(net=net).run()


def test_weights_that_make_no_scores_are_never_the_best(run, monkeypatch):
    """They are finite, and so large that the next forward is not: only the validation can notice."""
    trainer = run(net=plain_net("float32"), validate_every=2)
    step = trainer.optimizer.step

    def exploding():
        step()
        if trainer.state.iteration == 1:
            trainer.net.score.weight.data[...] = 3e38

    monkeypatch.setattr(trainer.optimizer, "step", exploding)
    with pytest.raises(Diverged, match=r"at iteration 2 .*: picture .*: the output of layer score is not finite.*a tenth"):
        trainer.run()
    assert not trainer.folder.best.exists()


def test_a_step_that_breaks_the_weights_is_never_saved(run, monkeypatch):
    trainer = run(net=plain_net(), checkpoint_every=1, validate=False)
    step = trainer.optimizer.step

    def breaking():
        step()
        if trainer.state.iteration == 3:
            trainer.net.score.bias.data[1] = np.inf

    monkeypatch.setattr(trainer.optimizer, "step", breaking)
    with pytest.raises(Diverged, match=r"at iteration 4 .*model\.score\.bias hold NaN.*holds iteration 3"):
        trainer.run()
    assert_kept(trainer, 3)


def test_a_disk_that_fills_up_loses_nothing_that_was_saved(run, monkeypatch):
    straight = run("straight")
    straight.run()

    class Fill(tiny.Progress):
        def step(self, iteration):
            if iteration == 9:
                monkeypatch.setattr(safe_file, "open", full, raising=False)

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    trainer = run("full", progress=Fill())
    with pytest.raises(OSError, match=r"last\.safetensors cannot be written: No space left on device; the checkpoint of it"):
        trainer.run()
    assert_kept(trainer, 8)
    monkeypatch.setattr(safe_file, "open", open, raising=False)
    resumed = tiny.tiny_trainer(trainer.folder.path)
    resumed.resume()
    resumed.run()
    for key, array in straight.net.state_dict().items():
        np.testing.assert_array_equal(array, resumed.net.state_dict()[key])


def test_a_log_that_cannot_be_written_is_one_sentence(run, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    trainer = run()
    monkeypatch.setattr(run_folder, "open", full, raising=False)
    with pytest.raises(OSError, match=r"the log in .*run cannot be written: No space left on device"):
        trainer.run()


def test_too_little_room_is_said_before_any_work(run, monkeypatch):
    trainer = run()
    needed = 6 * sum(parameter.data.nbytes for parameter in trainer.net.parameters())  # weights and momentum, three times
    for free in (needed - 1, needed):
        usage = type("Usage", (), {"free": free})
        monkeypatch.setattr(run_folder.shutil, "disk_usage", lambda _, usage=usage: usage)
        if free < needed:
            with pytest.raises(OSError, match=r"needs 0 MB for its checkpoints .* make room"):
                trainer.run()
            assert trainer.state.iteration == 0
    trainer.run()


def test_settings_that_make_no_sense_are_refused(tmp_path):
    for options, words in [
        ({"iterations": 0}, "iterations is 0"),
        ({"accumulate": 0}, "accumulate is 0"),
        ({"log_every": 0}, "log_every is 0"),
        ({"validate_every": 0}, "validate_every is 0"),
        ({"loss_norm": "full"}, "'full'; possible are mean, sum, batch"),
        ({"clip_norm": 0.0}, "clip_norm is 0"),
        ({"clip_norm": np.nan}, "clip_norm is nan; it must be a finite number, above 0"),
        ({"label_smoothing": 2.0}, "label_smoothing is 2.0; it must be a finite number, at least 0 and at most 1"),
        ({"samples": -1}, "samples is -1"),
        ({"seed": -1}, "seed is -1"),
        ({"iterations": None, "epochs": np.inf}, "epochs is inf"),
        ({"iterations": None, "epochs": np.nan}, "epochs is nan"),
        ({"iterations": None, "epochs": 0}, "epochs is 0"),
        ({"iterations": 5, "epochs": 2.0}, r"give iterations \(5\) or epochs \(2\), not both"),
        ({"iterations": 0, "log_every": 0, "loss_norm": "x"}, "iterations is 0.*; .*loss_norm is 'x'.*; .*log_every is 0"),
        ({"schedule": "cosine:warmup=inf"}, "warmup is a whole number"),
        ({"class_weights": (1.0, 2.0)}, "give 3 numbers"),
        ({"class_weights": (1.0, 2.0, -1.0)}, "give 3 numbers"),
        ({"schedule": "exponential"}, "exponential"),
    ]:
        with pytest.raises(ValueError, match=words):
            tiny.tiny_trainer(tmp_path, **options)
    loader = Loader(tiny.TinySet(), batch_size=2)
    assert Settings().length(loader) == Settings(epochs=10).length(loader) == 40
    assert Settings(epochs=10, accumulate=3).length(loader) == 13
    assert Settings(epochs=0.01).length(loader) == 1
    assert Settings(7).length(loader) == 7


def test_a_loader_without_batches_is_refused(tmp_path):
    class Empty(Loader):
        def __len__(self):
            return 0

    net = tiny.tiny_net()
    with pytest.raises(ValueError, match="no batches"):
        Trainer(net, SGD(net.parameters()), Empty(tiny.TinySet()), Settings(1), RunFolder(tmp_path))
