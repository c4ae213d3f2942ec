"""The capstone: a small FCN that is trained with the functions of a reader's file, one by one in the library's place.

    found = capstone.train(Path("mine.py"))
    print(found.mine.losses[:10], found.library.losses[:10])

1. The checker judges each function. Only those that are right take part.
2. One step with one picture: how long does each function take, at each layer? Where all of them together would need more than
   a minute for the whole run, the slowest are replaced by the library's, layer by layer, until it fits.
3. The run, and the same run with the library alone.

The reader's functions may do anything, so 2 and 3 have a process of their own (:func:`main`), as the checker has.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from minifcn.course import small_fcn, source
from minifcn.course.catalogue import lesson
from minifcn.course.handmade import PARTS, Disagrees, HandmadeAdam, HandmadeLoss, Workshop, answers, handmade
from minifcn.course.judge import Verdict, check
from minifcn.course.process import LOG, Event, alone
from minifcn.course.small_fcn import SMALLEST, SmallFCN, batches, measure, pictures, predict
from minifcn.data.shapes import SHAPES_CLASSES
from minifcn.training import Adam
from minifcn.training.schedules import poly

CHANNELS, STEPS, BATCH, RATE = (8, 16, 16), 100, 4, 2e-2
TRAINING, VALIDATION = (0, 200), (1000, 40)  # the first picture, and how many
BUDGET = 60.0  # seconds that the reader's functions may take in the whole run
_TIMES = {"poly": 1, "adam_step": 1, "bilinear_kernel": 1 / STEPS, "mean_iu": VALIDATION[1] / STEPS}  # of a part in one step
_PATIENCE = 60.0  # seconds beyond the budget after which a process is stopped: the library's part, and a machine that is busy


@dataclass
class Part:
    """One function: what the checker said, its seconds in a step by layer, and the layers where the library's was used."""

    name: str
    lesson: int
    verdict: Verdict
    trouble: str = ""  # what went wrong in the network, where it was right in its exercise
    times: dict[str, float] = field(default_factory=dict)
    replaced: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """In one step, wherever it was tried."""
        return sum(self.times.values())

    @property
    def is_used(self) -> bool:
        """Whether it computes something in the run."""
        return self.verdict.passed and not self.trouble and len(self.replaced) < len(self.times)


@dataclass(frozen=True)
class Run:
    """What a run gave: the loss of each step, mean IU, and predictions (40, H, W) for the validation pictures."""

    losses: list[float]
    mean_iu: float
    masks: np.ndarray


@dataclass(frozen=True)
class Capstone:
    """The parts, the run with them (None where none is right), the run with the library alone, and the floor: the mean IU of
    saying background everywhere."""

    parts: list[Part]
    mine: Run | None
    library: Run
    floor: float

    @property
    def used(self) -> int:
        """How many parts the reader's run was made with."""
        return sum(part.is_used for part in self.parts)


def train(file: Path, timeout: float = 60, tell: Callable[[str], None] = lambda words: None) -> Capstone:
    """The whole capstone; `tell` hears what is being done.

    Raises FileNotFoundError where the file is not there, ValueError where it cannot be loaded or the run does not end.
    """
    parts = list(_judged(file, timeout, tell))
    tell("timing one step")
    own = _timed(file, [part for part in parts if part.verdict.passed])
    left_out = _too_slow(own)
    tell(f"training for {STEPS} steps")
    mine = _trained(file, own, left_out) if any(part.is_used for part in own) else None
    tell("training with the library")
    _, labels = pictures(*VALIDATION, SMALLEST)
    floor = answers()["mean_iu"](labels, np.zeros_like(labels), len(SHAPES_CLASSES))
    return Capstone(parts, mine, _library(), float(floor))


def _library() -> Run:
    """The run with the library's own layers, loss and optimizer."""
    net = SmallFCN(channels=CHANNELS)
    optimizer = Adam(net.parameters(), lr=RATE)
    losses = small_fcn.train(
        net, *pictures(*TRAINING, SMALLEST), optimizer, STEPS, batch=BATCH, schedule=lambda step: poly(step, STEPS)
    )
    x, labels = pictures(*VALIDATION, SMALLEST)
    return Run(losses, measure(net, x, labels).mean_iu(), predict(net, x, BATCH))


def _judged(file: Path, timeout: float, tell: Callable[[str], None]) -> Iterator[Part]:
    """Every part whose lesson is written, with the checker's verdict."""
    there = answers()
    for number in sorted({PARTS[name] for name in there}):
        tell(f"checking the functions of lesson {number:02}")
        for verdict in check(lesson(number), file, timeout).verdicts:
            if verdict.status == "not loaded":
                raise ValueError(verdict.said)
            if verdict.exercise.name in there:
                yield Part(verdict.exercise.name, number, verdict)


def _timed(file: Path, parts: list[Part]) -> list[Part]:
    """Those parts that go through a step, with their times. One that does not gets its trouble, and the rest try again."""
    left = list(parts)
    while left:
        arguments = ("time", str(file.resolve()), LOG, *(part.name for part in left))
        events, _, how = alone("minifcn.course.capstone", arguments, BUDGET)
        last: Event = events[-1] if events else {"what": "nothing"}
        if last["what"] == "timed":
            for part in left:
                part.times = {place: seconds for name, place, seconds in last["times"] if name == part.name}
            return left
        if last["what"] not in ("calling", "raised"):
            raise ValueError(f"{file.name}: {last.get('said', how)}")
        failed = next(part for part in left if part.name == last["name"])
        failed.trouble = last.get("said", f"{how}, with one picture at {last.get('place')}")
        left.remove(failed)
    return []


def _too_slow(parts: list[Part]) -> list[tuple[str, str]]:
    """(name, place) of what the library has to do: the slowest first, until what is left fits into the budget."""
    times = sorted(((seconds, part, place) for part in parts for place, seconds in part.times.items()), key=lambda one: -one[0])
    total, left_out = sum(seconds for seconds, _, _ in times), []
    for seconds, part, place in times:
        if total * STEPS <= BUDGET:
            break
        total -= seconds
        part.replaced.append(place)
        left_out.append((part.name, place))
    return left_out


def _trained(file: Path, parts: list[Part], left_out: list[tuple[str, str]]) -> Run:
    arguments = ("train", str(file.resolve()), LOG, json.dumps(left_out), *(part.name for part in parts))
    events, _, how = alone("minifcn.course.capstone", arguments, BUDGET + _PATIENCE)
    last: Event = events[-1] if events else {"what": "nothing"}
    if last["what"] != "trained":
        where = f"{last['name']}, at {last['place']}, " if last["what"] == "calling" else ""
        raise ValueError(f"{file.name} did not get through the run: {where}{last.get('said', how)}")
    losses = [event["loss"] for event in events if event["what"] == "step"]
    return Run(losses, last["mean_iu"], np.array(last["masks"], np.uint8))


# ------------------------------------------------------------------------------------------------- in a process of its own


def main(what: str, file: str, log: str, *arguments: str) -> None:
    """``time FILE LOG NAME...`` or ``train FILE LOG LEFT_OUT NAME...``: what happens goes to LOG, one line of JSON an event."""
    with open(log, "w", encoding="utf-8") as stream:

        def tell(**event: Any) -> None:
            stream.write(json.dumps(event) + "\n")
            stream.flush()

        last: list[str] = ["", ""]

        def before(name: str, place: str) -> None:
            last[:] = name, place
            tell(what="calling", name=name, place=place)

        names, left_out = (arguments, []) if what == "time" else (arguments[1:], json.loads(arguments[0]))
        module = source.load(Path(file))
        workshop = Workshop({name: getattr(module, name) for name in names}, map(tuple, left_out))
        workshop.before = before
        try:
            if what == "time":
                _step(workshop)
                tell(what="timed", times=[[*where, seconds] for where, seconds in workshop.seconds.items()])
            else:
                run = _run(workshop, tell)
                tell(what="trained", mean_iu=run.mean_iu, masks=run.masks.tolist())
        except BaseException as error:  # SystemExit, too
            said = str(error) if isinstance(error, Disagrees) else f"raised {source.said(error, Path(file))}"
            tell(what="raised", name=last[0], place=last[1], said=said)


def _step(workshop: Workshop) -> None:
    """One step with one picture, every result compared; the times are made those of a step with a whole batch."""
    workshop.compares = True
    x, labels = pictures(TRAINING[0], 1, SMALLEST)
    net = _learn(workshop, x, labels, [np.array([0])], lambda loss: None)
    _measured(workshop, labels, predict(net, x))
    for name, place in workshop.seconds:
        workshop.seconds[name, place] *= _TIMES.get(name, BATCH)


def _run(workshop: Workshop, tell: Callable[..., None]) -> Run:
    """The whole run, and what comes of it."""
    losses: list[float] = []

    def keep(loss: float) -> None:
        losses.append(loss)
        tell(what="step", loss=loss)

    x, labels = pictures(*TRAINING, SMALLEST)
    net = _learn(workshop, x, labels, batches(len(x), BATCH, STEPS), keep)
    x_val, labels_val = pictures(*VALIDATION, SMALLEST)
    masks = predict(net, x_val, BATCH)
    return Run(losses, _measured(workshop, labels_val, masks), masks)


def _measured(workshop: Workshop, labels: np.ndarray, masks: np.ndarray) -> float:
    return float(workshop.call("mean_iu", "the measure", labels, masks, len(SHAPES_CLASSES)))


def _learn(workshop: Workshop, x: np.ndarray, labels: np.ndarray, chosen: Any, keep: Callable[[float], None]) -> Any:
    """The four lines of lesson 13 for each batch of pictures; returns the network."""
    net = handmade(workshop, CHANNELS)
    criterion = HandmadeLoss(workshop)
    optimizer = HandmadeAdam(net.parameters(), RATE, STEPS, workshop)
    for pictures_of_step in chosen:
        loss, dscores = criterion(net(x[pictures_of_step]), labels[pictures_of_step])
        keep(loss)
        net.backward(dscores)
        optimizer.step()
    return net


if __name__ == "__main__":
    main(*sys.argv[1:])
