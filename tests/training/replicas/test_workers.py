"""Several workers have the digits of one: threads as workers, and a post that delivers late and in any order."""

import contextlib
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minifcn import layers
from minifcn.data import Loader
from minifcn.training import SGD, RunFolder, Settings, Trainer
from minifcn.training import trainer as module
from minifcn.training.diagnosis import Diverged
from minifcn.training.replicas import Alone, Workers, check_workers
from minifcn.training.run.checkpoint import read_checkpoint
from minifcn.training.run.state import digest
from support.digits import digits
from support.post import together
from support.tiny import TinySet, tiny_net, tiny_trainer

SETTINGS = {"iterations": 7, "clip_norm": 0.3, "class_weights": (1.0, 0.3, 2.0), "log_every": 2, "checkpoint_every": 3}


class Uneven(TinySet):
    """Void is spread unevenly, and one picture has nothing else."""

    def __getitem__(self, index):
        image, label = super().__getitem__(index)
        label[: index + 1] = 255
        return image, np.full_like(label, 255) if index == 2 else label


class Norms(layers.Sequential):
    """The tiny network, which goes through its first half twice: parameters and running statistics that are used twice."""

    def forward(self, x):
        for layer in (self.conv1, self.norm, self.relu, self.back, self.conv1, self.norm, self.relu, self.drop, self.score):
            x = layer(x)
        return x

    def backward(self, dy):
        for layer in (self.score, self.drop, self.relu, self.norm, self.conv1, self.back, self.relu, self.norm, self.conv1):
            dy = layer.backward(dy)
        return dy


def twice():
    tiny = tiny_net()
    back = layers.Conv2d(8, 3, 1)
    back.weight.data[...] = np.random.default_rng(8).normal(size=back.weight.shape)
    net = Norms(conv1=tiny.conv1, norm=tiny.norm, relu=tiny.relu, back=back, drop=tiny.drop, score=tiny.score)
    net.config = {"name": "twice"}
    return net


def run(folder, count=1, bucket=1 << 24, seed=0, net=tiny_net, dataset=Uneven, **changes):
    """A run by so many workers; what each one's `run` returned."""
    RunFolder(folder).create()

    def work(comm):
        trainer = tiny_trainer(folder, net=net(), dataset=dataset(), replicas=Workers(comm, bucket), **{**SETTINGS, **changes})
        return trainer.run()

    return together(count, work, seed)


@pytest.fixture(scope="module", autouse=True)
def no_curves():
    """They take half a second to draw, and nobody looks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "draw_log", lambda folder: None)
        yield


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What one worker leaves behind, by accumulate and network."""
    known = {}

    def of(accumulate, net=tiny_net):
        if (accumulate, net) not in known:
            folder = tmp_path_factory.mktemp("alone")
            RunFolder(folder).create()
            tiny_trainer(folder, net=net(), dataset=Uneven(), accumulate=accumulate, **SETTINGS).run()
            known[accumulate, net] = digits(folder)
        return known[accumulate, net]

    return of


@pytest.mark.parametrize(("accumulate", "count"), [(2, 2), (4, 2), (4, 4), (6, 2), (6, 3), (6, 6), (5, 5)])
def test_any_number_of_workers_gives_the_same_bits(alone, tmp_path, accumulate, count):
    results = run(tmp_path, count, bucket=400, accumulate=accumulate)
    assert digits(tmp_path) == alone(accumulate)
    assert len({result.best for result in results}) == 1


@pytest.mark.parametrize("count", [2, 4])
def test_parameters_and_statistics_that_are_used_twice_in_a_forward(alone, tmp_path, count):
    run(tmp_path, count, net=twice, accumulate=4)
    assert digits(tmp_path) == alone(4, twice)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31), bucket=st.integers(1, 3000), shape=st.sampled_from([(2, 2), (4, 2), (6, 3), (3, 3)]))
def test_whatever_the_post_does(alone, tmp_path_factory, seed, bucket, shape):
    accumulate, count = shape
    folder = tmp_path_factory.mktemp("run")
    run(folder, count, bucket, seed, accumulate=accumulate)
    assert digits(folder) == alone(accumulate)


@pytest.mark.parametrize("counts", [(4, 1), (1, 2), (2, 4)])
def test_a_run_goes_on_with_another_number_of_workers(alone, tmp_path, counts):
    first, then = counts

    def work(comm, broken=False):
        trainer = tiny_trainer(tmp_path, net=tiny_net(), dataset=Uneven(), replicas=Workers(comm), accumulate=4, **SETTINGS)
        if not broken:
            trainer.resume()
        else:
            trainer.progress.step = lambda iteration: 1 / (5 - iteration)
        return trainer.run()

    RunFolder(tmp_path).create()
    with pytest.raises(ZeroDivisionError):
        together(first, lambda comm: work(comm, broken=True))
    together(then, work)
    assert digits(tmp_path) == alone(4)


def test_one_worker_that_is_interrupted_stops_all(tmp_path, monkeypatch):
    stopping = []

    @contextlib.contextmanager
    def interruptible():
        yield lambda: bool(stopping) and stopping[0] == threading.current_thread()

    monkeypatch.setattr(module, "interruptible", interruptible)
    RunFolder(tmp_path).create()

    def work(comm):
        trainer = tiny_trainer(tmp_path, net=tiny_net(), replicas=Workers(comm), accumulate=2, iterations=50)
        if comm.rank == 1:
            step = trainer.step

            def pressed(batches):
                if trainer.state.iteration == 4:
                    stopping.append(threading.current_thread())
                return step(batches)

            trainer.step = pressed
        return trainer.run()

    results = together(2, work)
    assert [(result.iteration, result.interrupted) for result in results] == [(5, True)] * 2
    assert read_checkpoint(tmp_path / "last.safetensors").metadata["iteration"] == 5


def test_a_worker_with_other_weights_is_named_at_the_next_checkpoint(tmp_path):
    RunFolder(tmp_path).create()

    def work(comm):
        trainer = tiny_trainer(tmp_path, net=tiny_net(), replicas=Workers(comm), accumulate=3, **SETTINGS)
        step = trainer.step

        def strayed(batches):
            if comm.rank == 2 and trainer.state.iteration == 1:
                trainer.net.score.bias.data[0] = np.nextafter(trainer.net.score.bias.data[0], np.float32(9))
            return step(batches)

        trainer.step = strayed
        trainer.run()

    sentence = "at iteration 2 the weights of worker 2 are not those of worker 0: workers must start from the same files"
    with pytest.raises(RuntimeError, match=sentence):
        together(3, work)


def test_the_digest_is_of_all_that_a_step_changes(tmp_path):
    RunFolder(tmp_path).create()
    trainer = tiny_trainer(tmp_path, net=tiny_net(), iterations=2)
    trainer.run()
    before = digest(trainer.net, trainer.optimizer)
    momentum = next(value for value in trainer.optimizer.state_dict().values() if hasattr(value, "shape"))
    for array in (trainer.net.conv1.weight.data, trainer.net.norm.running_var, momentum):
        array.flat[0] += 1
        assert digest(trainer.net, trainer.optimizer) != before
        array.flat[0] -= 1


def test_pictures_of_all_workers_are_counted(tmp_path):
    """Seven pictures in batches of two: a step of four batches is an epoch, with all seven."""
    RunFolder(tmp_path).create()
    counted = []

    def work(comm):
        trainer = tiny_trainer(tmp_path, net=tiny_net(), replicas=Workers(comm), accumulate=4, iterations=2, validate=False)
        trainer.run()
        counted.append(trainer.pictures)

    together(2, work)
    assert counted == [7, 7]


def test_the_layer_that_diverged_first_is_the_same_for_all(tmp_path):
    RunFolder(tmp_path).create()
    said = []

    def work(comm):
        net = tiny_net()
        net.score.weight.data[...] = 3e38
        trainer = tiny_trainer(tmp_path, net=net, replicas=Workers(comm), accumulate=2, validate=False, iterations=5)
        try:
            trainer.run()
        except Diverged as error:
            said.append(str(error))
            raise

    with pytest.raises(Diverged, match="the output of layer score is not finite"):
        together(2, work)
    assert len(set(said)) == 1


# ----------------------------------------------------------------------------------------------- synchronised batch norm


class Even(TinySet):
    """Eight pictures of one size: batches that can be joined."""

    def __init__(self):
        super().__init__(8)

    def __getitem__(self, index):
        rng = np.random.default_rng((77, index))
        image = rng.integers(0, 256, (9, 11, 3), np.uint8)
        label = image.argmax(axis=2).astype(np.uint8)
        label[rng.random(label.shape) < 0.1 * index] = 255
        return image, label


def without_norm():
    net = tiny_net(dropout=0.0)
    net.norm = layers.Identity()
    return net


@pytest.mark.parametrize("made", [tiny_net, without_norm])
@pytest.mark.parametrize("count", [2, 4])
def test_workers_with_a_part_each_are_one_large_batch(tmp_path, count, made):
    """With --sync-bn where the network has batch norm, running statistics included."""

    def trainer(folder, batch_size, replicas=None, **changes):
        net = (made() if made is without_norm else made(dropout=0.0)).to("float64")
        loader = Loader(Even(), batch_size=batch_size, shuffle=True, seed=3)
        settings = Settings(iterations=6, clip_norm=0.5, class_weights=(1.0, 0.3, 2.0), log_every=1, samples=0, **changes)
        optimizer = SGD(net.named_parameters(), lr=0.05, momentum=0.9)
        if replicas is None or replicas.is_root:
            RunFolder(folder).create()
        return Trainer(net, optimizer, loader, settings, RunFolder(folder), TinySet(3, seed=9), replicas=replicas)

    whole = trainer(tmp_path / "whole", 4)
    whole.run()
    trainers = []

    def work(comm):
        replicas = Workers(comm)
        mine = trainer(tmp_path / "parts", 4 // count, replicas, accumulate=count, sync_bn=made is tiny_net)
        comm.Barrier()
        trainers.append(mine)
        mine.run()

    together(count, work)
    losses = [row["loss"] for row in whole.folder.read_log() if row["event"] == "train"]
    parts = [row["loss"] for row in RunFolder(tmp_path / "parts").read_log() if row["event"] == "train"]
    np.testing.assert_allclose(parts, losses, rtol=1e-12)
    for mine in trainers:
        for key, value in whole.net.state_dict().items():
            np.testing.assert_allclose(mine.net.state_dict()[key], value, rtol=1e-12, atol=1e-14, err_msg=key)


@pytest.mark.parametrize(
    ("count", "accumulate", "sync_bn", "sentence"),
    [
        (0, 4, False, "0 workers cannot share a step of 4 batches evenly: take 1, 2, 4"),
        (3, 4, False, "3 workers cannot share a step of 4 batches evenly: take 1, 2, 4"),
        (8, 4, False, "8 workers cannot"),
        (2, 4, True, "need 4 workers, not 2"),
        (1, 4, True, "need 4 workers, not 1"),
    ],
)
def test_workers_that_do_not_fit_the_step(count, accumulate, sync_bn, sentence):
    with pytest.raises(ValueError, match=sentence):
        check_workers(count, accumulate, sync_bn)


def test_alone_nothing_is_exchanged():
    assert Alone().gather([1, 2]) == [1, 2]
    assert Alone().share(5) == range(5)
    assert not Alone().any(False)
