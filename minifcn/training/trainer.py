"""The training loop.

One step, in `Trainer.step`, is the whole of it:

    set the rate;  zero the gradients
    for each batch:  loss = criterion(net(images), labels);  net.backward(criterion.backward())
    clip the gradient;  optimizer.step()

A network of several outputs takes a gradient for each.

Several processes may share it (`minifcn.training.replicas`): each computes some of the step's batches, then they exchange.
Around it, `Trainer.run` decides when to log, to validate and to save. Everything random in step i depends on (seed, i)
alone, and everything that steps build up (weights, running statistics, momentum) is in the checkpoint: so a run that is
killed and resumed goes on bit for bit as if nothing had happened.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import math
import operator
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from minifcn import layers
from minifcn.anatomy.room import check_room
from minifcn.backend import Array, device_of, to_device, to_host
from minifcn.data.dataset import SegmentationDataset, spread
from minifcn.data.loader import Batch, Loader
from minifcn.layers import Layer
from minifcn.machine.environment import environment
from minifcn.training.diagnosis import Diverged, NotFinite, first_cause, first_non_finite_layer
from minifcn.training.gradients import clip_grad_norm
from minifcn.training.metrics import ConfusionMatrix
from minifcn.training.objective import LossScale, class_weights
from minifcn.training.optimizers import Optimizer
from minifcn.training.replicas import Alone, give_gradients, gradient_sum, share_batches, take_gradients
from minifcn.training.replicas.tree import Node
from minifcn.training.run.folder import RunFolder
from minifcn.training.run.pictures import draw_log, draw_samples
from minifcn.training.run.progress import Progress, interruptible
from minifcn.training.run.state import RunState, digest, identity, load_run, save_run
from minifcn.training.schedules import parse_schedule
from minifcn.training.settings import Settings
from minifcn.training.upload import Uploaded, upload_ahead
from minifcn.training.validation import Evaluation, evaluate
from minifcn.training.views import most_likely

_DRAW_EVERY = 20.0  # seconds at least between two drawings of the curves, each of which takes half a one


@dataclass
class Result:
    """How a run ended. `best` is the best mean IU on the validation set, None without a validation."""

    iteration: int
    best: float | None
    best_iteration: int | None
    evaluation: Evaluation | None
    interrupted: bool
    message: str
    seconds: float = 0.0  # in steps


class _InterruptedError(Exception):
    """Leaves a validation that nobody wants to wait for; it is made up for when the run is resumed."""


class Trainer:
    """Trains a network on the batches of a loader, into a run folder.

    `net` is where it shall train (`net.to("cuda")` first) and `optimizer` holds its parameters; `validation` is a data
    set, of which nothing is ever trained on; `config` are further sections for config.toml.

    `criterion` is a layer whose loss is a sum over pixels, which the trainer divides as `settings.loss_norm` says. Without
    one it is cross-entropy by `settings`, of auxiliary scores too where the network returns a tuple (`WithAuxiliary`).

    `replicas` are those who share the work; each builds the same trainer, and only the root's writes into the folder.

        trainer = Trainer(net, SGD(net.parameters(), lr=1e-3, momentum=0.9), loader, Settings(iterations=1000), folder)
        result = trainer.run()

    To go on with an earlier run, build everything as it was and call `resume()` before `run()`.
    """

    def __init__(
        self,
        net: Layer,
        optimizer: Optimizer,
        loader: Loader,
        settings: Settings,
        folder: RunFolder,
        validation: SegmentationDataset | None = None,
        config: Mapping[str, Mapping[str, Any]] | None = None,
        progress: Progress | None = None,
        criterion: Layer | None = None,
        replicas: Alone | None = None,
    ) -> None:
        if len(loader) == 0:
            raise ValueError("the loader has no batches: use more pictures, a smaller batch, or drop_last=False")
        self.net, self.optimizer, self.loader, self.settings, self.folder = net, optimizer, loader, settings, folder
        self.validation, self.config, self.progress = validation, config or {}, progress or Progress()
        self.replicas = replicas or Alone()
        share_batches(net, settings.accumulate, settings.sync_bn, self.replicas)
        weights = next(net.parameters()).data
        self.device, self.dtype = device_of(weights), weights.dtype
        dataset = loader.dataset
        self.iterations = settings.length(loader)
        weight = class_weights(settings.class_weights, dataset)
        self.loss_scale = LossScale(settings.loss_norm, weight, dataset.num_classes, dataset.ignore_index)
        if criterion is None:
            weight = None if weight is None else weight.astype(self.dtype)
            pixelwise = layers.CrossEntropyLoss(weight, dataset.ignore_index, "sum", settings.label_smoothing)
            criterion = layers.WithAuxiliary(pixelwise)
        if not isinstance(criterion, Layer):
            raise TypeError(
                f"criterion is a {type(criterion).__name__}; it must be a Layer whose forward(scores, labels) returns a loss "
                'summed over pixels, such as CrossEntropyLoss(reduction="sum")'
            )
        self.criterion = criterion.to(self.device)
        self.schedule = parse_schedule(settings.schedule, self.iterations)
        self.identity = identity(net, loader, settings, validation)
        self.state = RunState()
        self.saved = -1  # the iteration of the last checkpoint
        self.pictures = 0  # in the last step
        self.window: list[tuple[float, int]] = []  # seconds and pictures of the steps since the last row of the log
        self.evaluation: Evaluation | None = None
        self.seen = ConfusionMatrix(dataset.num_classes, dataset.ignore_index)  # of the last step that was logged
        self.drawn = time.monotonic()  # when the curves were drawn last

    # ------------------------------------------------------------------------------------------------------- the loop

    def run(self) -> Result:
        """Trains up to `iterations`; validates, logs and saves on the way.

        Raises Diverged where loss or gradient is no longer a number, OSError where the folder can no longer be written:
        in both cases the last checkpoint is whole. After Ctrl-C it saves and returns, see `Result.interrupted`.
        """
        if self.replicas.is_root:
            self.folder.lock()
        try:
            self._begin()
            self.progress.begin(self.state.iteration, self.iterations)
            with (
                interruptible() as interrupted,
                contextlib.closing(self.batches()) as batches,
                contextlib.closing(upload_ahead(batches, self.device, self.dtype)) as steps,
            ):
                while True:
                    if self.validation is not None and self._validation_due():
                        self._validate(self.validation, interrupted)
                    if self._checkpoint_due():
                        self._save()
                    if self.replicas.any(interrupted()) or self.state.iteration >= self.iterations:
                        break
                    self._timed_step(steps)
            if self.saved != self.state.iteration:
                self._save()
            self._draw()
            return self._result(self.replicas.any(interrupted()))
        finally:
            self.progress.end()
            self.folder.unlock()

    def step(self, batches: Sequence[Batch | Uploaded]) -> tuple[Array, Array]:
        """One optimizer step on one or more batches, this worker's share of the step's, whose gradients are added up.

        Returns the loss a labelled pixel and the norm of the gradient, on the device, not waited for.
        """
        self.net.train()
        self.optimizer.scale_lr(self.schedule(self.state.iteration))
        self.optimizer.zero_grad()
        counts = self.replicas.gather([self.loss_scale.count(batch) for batch in batches])
        to_objective, to_pixel = self.loss_scale(counts)
        self.pictures = sum(pictures for _, pictures in counts)
        self.seen = ConfusionMatrix(self.loader.dataset.num_classes, self.loader.dataset.ignore_index)
        self.replicas.start_step(self.net)
        parameters, gradients, losses = list(self.net.parameters()), gradient_sum(), []
        for leaf, batch in self._leaves(batches):
            images, labels = self._on_device(batch)
            scores = self.net(images)
            losses.append(self.criterion(scores, labels))
            if self._log_due():  # a look at predictions on a GPU makes it wait
                self._see(batch, scores)
            dscores = self.criterion.backward(to_objective)
            self.net.backward(*dscores) if isinstance(dscores, tuple) else self.net.backward(dscores)
            gradients.append(Node(0, leaf), take_gradients(parameters))
        give_gradients(parameters, self.replicas.add(gradients, len(counts)))
        self.replicas.finish_step(self.net)
        loss = sum(self.replicas.gather(losses), 0.0)
        norm = clip_grad_norm(parameters, self.settings.clip_norm)
        if self.device == "cpu" or self._log_due():  # a look at a number on a GPU makes it wait
            self._check_finite(loss, norm, batches)
        self.optimizer.step()
        self.state.iteration += 1
        return loss * to_pixel, norm

    def _leaves(self, batches: Sequence[Batch | Uploaded]) -> Iterator[tuple[int, Batch | Uploaded]]:
        """(number in the step, batch) of this worker's batches; at each the network's dropout begins anew, by that number."""
        for leaf, batch in enumerate(batches, start=self.replicas.rank * len(batches)):
            self.net.reseed((self.settings.seed, self.state.iteration, *([leaf] if leaf else [])))
            yield leaf, batch

    def _see(self, batch: Batch | Uploaded, scores: Array | tuple[Array, ...]) -> None:
        """Counts the predictions of a batch, as they were in the step: with dropout, and before the weights moved."""
        scores = scores[0] if isinstance(scores, tuple) else scores
        if scores.shape == (len(batch.labels), self.loader.dataset.num_classes, *batch.labels.shape[1:]):
            self.seen.update(batch.labels, most_likely(scores))  # a criterion of one's own may take other scores

    def batches(self) -> Generator[list[Batch], None, None]:
        """This worker's batches of each step from the current one on, without end.

        Batch b of the whole run is batch b mod len(loader) of epoch b // len(loader), of step b // accumulate, whoever asks.
        """
        length, mine = len(self.loader), self.replicas.share(self.settings.accumulate)

        def stream() -> Generator[Batch, None, None]:
            epoch, start = divmod(self.state.iteration * self.settings.accumulate, length)
            for number in itertools.count(epoch):
                before = number * length

                def wanted(batch: int, before: int = before) -> bool:
                    return (before + batch) % self.settings.accumulate in mine

                with contextlib.closing(self.loader.epoch(number, start, wanted)) as batches:
                    yield from batches
                start = 0

        with contextlib.closing(stream()) as batches:
            while True:
                yield list(itertools.islice(batches, len(mine)))

    def _on_device(self, batch: Batch | Uploaded) -> tuple[Array, Array]:
        """images (N, 3, H, W) in the network's dtype and labels (N, H, W), where the network is; sent now if not before."""
        if isinstance(batch, Uploaded):
            return batch.inputs
        images = to_device(batch.images, self.device).astype(self.dtype, copy=False)
        return images, to_device(batch.labels, self.device)

    def _timed_step(self, steps: Iterator[list[Batch] | list[Uploaded]]) -> None:
        """A step, the loading of its batches, and its row in the log where one is due."""
        start, logged = time.perf_counter(), self._log_due()
        batches = next(steps)
        check_room(self.net, max((batch.images.shape for batch in batches), key=math.prod), training=True)
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is looked for, and explained
            loss, norm = self.step(batches)
        self.state.losses.append(loss)
        seconds = time.perf_counter() - start
        self.state.seconds += seconds
        self.window.append((seconds, self.pictures))
        self.progress.step(self.state.iteration)
        if logged:
            self._log_step(float(norm))

    def _check_finite(self, loss: Array, norm: Array, batches: Sequence[Batch | Uploaded]) -> None:
        """Raises Diverged, saying which layer it was, where the loss or the gradient is NaN or infinite."""
        if np.isfinite(float(loss)) and np.isfinite(float(norm)):
            return
        layers = [first_non_finite_layer(self.net, self._on_device(batch)[0]) for _, batch in self._leaves(batches)]
        cause = first_cause(self.net, self.replicas.gather(layers))
        raise self._diverged(self.state.iteration + 1, f"loss {float(loss):g}, gradient norm {float(norm):g}: {cause}")

    def _diverged(self, iteration: int, what: str) -> Diverged:
        kept = f"{self.folder.last} holds iteration {self.saved}" if self.saved >= 0 else "nothing was saved yet"
        return Diverged(
            f"training diverged at iteration {iteration} with learning rate {self.optimizer.param_groups[0]['lr']:g}: "
            f"{what}; {kept}; use a tenth of the learning rate, a warm-up, or clip the gradient's norm"
        )

    # ----------------------------------------------------------------------------------------------- log and validation

    @property
    def epoch(self) -> float:
        """Passes over the data so far."""
        return self.state.iteration * self.settings.accumulate / len(self.loader)

    def _log_due(self) -> bool:
        """Whether the step to come gets a row in the log: every so many, and the last."""
        following = self.state.iteration + 1
        return following % self.settings.log_every == 0 or following == self.iterations

    def _log_step(self, norm: float) -> None:
        """A row for the steps since the last one."""
        self.seen = functools.reduce(operator.iadd, self.replicas.gather([self.seen]))
        seconds, images = map(sum, zip(*self.window, strict=True))
        row = {
            "event": "train",
            "iteration": self.state.iteration,
            "epoch": round(self.epoch, 4),
            "lr": self.optimizer.param_groups[0]["lr"],
            "loss": float(np.mean([float(to_host(loss)) for loss in self.state.losses])),
            "train_pixel_accuracy": self.seen.pixel_accuracy(),
            "train_mean_iu": self.seen.mean_iu(),
            "gradient_norm": norm,
            "images_per_second": images / seconds,
            "seconds": round(self.state.seconds, 3),
        }
        if self.replicas.is_root:
            self.folder.append(row)
        left = (self.iterations - self.state.iteration) * seconds / len(self.window)
        self.progress.logged({**row, "seconds_left": left})
        self.state.losses, self.window = [], []

    def _validation_due(self) -> bool:
        """At the end of an epoch, or every so many iterations, and at the end of the run; never twice at one place."""
        if self.state.validated == self.state.iteration:
            return False
        every, per_step, length = self.settings.validate_every, self.settings.accumulate, len(self.loader)
        ended = self.state.iteration * per_step // length > (self.state.iteration - 1) * per_step // length
        return self.state.iteration == self.iterations or (self.state.iteration % every == 0 if every else ended)

    def _validate(self, validation: SegmentationDataset, interrupted: Callable[[], bool]) -> None:
        """Measures the network on the validation set, saves it, as the best where it is, and draws the pictures."""
        shown = spread(len(validation), self.settings.samples)

        def progress(done: int, total: int) -> None:
            self.progress.validating(done, total)
            if self.replicas.any(interrupted()):
                raise _InterruptedError

        try:
            evaluation = evaluate(
                self.net, validation, self.loader.preprocessing, keep=shown, progress=progress, replicas=self.replicas
            )
        except _InterruptedError:
            return
        except NotFinite as error:
            raise self._diverged(self.state.iteration, str(error)) from error
        self.evaluation, self.state.validated = evaluation, self.state.iteration
        result = evaluation.as_dict(validation.classes)
        head = {"event": "validation", "iteration": self.state.iteration, "epoch": round(self.epoch, 4)}
        times = {"seconds": round(self.state.seconds, 3), "validation_seconds": round(evaluation.seconds, 3)}
        row = {**head, "validation_loss": result.pop("loss"), **result, **times}
        if self.replicas.is_root:
            self.folder.append(row)
        is_best = self.state.best is None or (result["mean_iu"] or 0.0) > self.state.best
        if is_best:
            self.state.best, self.state.best_iteration = result["mean_iu"] or 0.0, self.state.iteration
        self._save(best=is_best)
        if is_best and self.replicas.is_root:
            self.folder.write_pictures(self.state.iteration, evaluation.pictures_as_dict(validation.ids))
        if self.replicas.is_root:
            draw_samples(self.folder, validation, evaluation.predictions, self.state.iteration)
        if time.monotonic() - self.drawn > _DRAW_EVERY:
            self._draw()
        self.progress.validated(evaluation, is_best)

    def _draw(self) -> None:
        if self.replicas.is_root:
            draw_log(self.folder)
        self.drawn = time.monotonic()

    # ----------------------------------------------------------------------------------------------- saving and resuming

    def _begin(self) -> None:
        """Writes config.toml and, in a new run, makes sure that there is room for the checkpoints."""
        if not self.replicas.is_root:
            return
        settings = asdict(self.settings) | {"schedule": str(self.schedule)}
        self.folder.write_config({**self.config, "training": settings, "environment": environment(self.device)})
        if self.saved < 0:
            parameters = sum(parameter.data.nbytes for parameter in self.net.parameters())
            self.folder.check_space(3 * (parameters + self.optimizer.state_nbytes()))  # last, best and the next one

    def _checkpoint_due(self) -> bool:
        """Every so many iterations, and at the very start: so there is always something to go back to."""
        every = self.settings.checkpoint_every
        due = self.state.iteration == 0 or (every is not None and self.state.iteration % every == 0)
        return due and self.saved != self.state.iteration

    def _save(self, best: bool = False) -> None:
        """Writes the checkpoint of this iteration, also as the best one where it is.

        Raises RuntimeError where the workers' weights or their optimizers' state are no longer the same.
        """
        self._check_agreement()
        dataset = self.loader.dataset
        about = {**self.identity, "epoch": self.epoch}
        about |= {"palette": dataset.palette.tolist(), "ignore_index": dataset.ignore_index}
        try:
            if self.replicas.is_root:
                save_run(self.folder, self.net, self.optimizer, self.state, about, best)
        except OSError as error:
            kept = f"; the checkpoint of iteration {self.saved} is whole" if self.saved >= 0 else ""
            raise OSError(f"{error}{kept}") from error
        except ValueError as error:
            raise self._diverged(self.state.iteration, str(error)) from error
        self.saved = self.state.iteration
        self.progress.saved(self.saved)

    def _check_agreement(self) -> None:
        """Raises RuntimeError unless all workers have the same numbers at the same iteration."""
        if self.replicas.count > 1:
            digests = self.replicas.gather([(self.state.iteration, digest(self.net, self.optimizer))])
            other = [rank for rank, theirs in enumerate(digests) if theirs != digests[0]]
            if other:
                kept = f"; {self.folder.last} holds iteration {self.saved}" if self.saved >= 0 else ""
                raise RuntimeError(
                    f"at iteration {self.state.iteration} the weights of worker {other[0]} are not those of worker 0: workers "
                    f"must start from the same files, with the same versions of minifcn and NumPy{kept}"
                )

    def resume(self) -> None:
        """Takes up the run in the folder where its last checkpoint left it, and drops what the logs have after that.

        Raises FileNotFoundError where there is none, ValueError, naming what differs, where it is another run's, or where it
        is longer already than this one is to become.
        """
        self.folder.open()
        if self.replicas.is_root:
            self.folder.lock()
        self.state = load_run(self.folder, self.net, self.optimizer, self.identity, cut=self.replicas.is_root)
        if self.state.iteration > self.iterations:
            raise ValueError(
                f"the run in {self.folder.path} has made {self.state.iteration} iterations already, and {self.iterations} are "
                "fewer: give it more, or leave its length as it is"
            )
        self.saved = self.state.iteration
        self._check_agreement()  # and nobody writes before all have read

    def _result(self, interrupted: bool) -> Result:
        if interrupted:
            message = f"stopped after iteration {self.state.iteration} of {self.iterations}; all is saved in "
            message += f"{self.folder.path}; to go on: minifcn train --resume {self.folder.path}"
        else:
            message = f"done: {self.state.iteration} iterations in {self.state.seconds:.0f} s; the run is in {self.folder.path}"
        return Result(
            self.state.iteration,
            self.state.best,
            self.state.best_iteration,
            self.evaluation,
            interrupted,
            message,
            self.state.seconds,
        )
