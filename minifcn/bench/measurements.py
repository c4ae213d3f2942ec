"""What can be measured, by name: each measurement returns tables to print, lists for JSON and a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from minifcn.bench import ladder as rungs
from minifcn.bench import layers as cases
from minifcn.bench import tables
from minifcn.bench.contest import Contest, Result, run
from minifcn.bench.device import Device
from minifcn.bench.limits import Limits
from minifcn.bench.limits import measure as measure_limits
from minifcn.bench.memory import peaks
from minifcn.bench.network import Agreement, Architecture, Networks
from minifcn.bench.profile import profile as profile_step


@dataclass
class Session:
    """What the measurements share. `batch_sizes` empty: each one's own. `on_result` is called with each result as it comes."""

    device: Device
    size: tuple[int, int] = (224, 224)
    batch_sizes: tuple[int, ...] = ()
    pairs: int = 5
    architecture: Architecture = field(default_factory=Architecture)
    channels_last: bool = False
    on_result: Callable[[Result], None] = lambda result: None

    @property
    def width(self) -> float:
        """The factor on channel counts."""
        return self.architecture.options.get("width", 1.0)

    def networks(self) -> Networks:
        """Both networks, new: steps with dropout, each side's own, move the two apart."""
        self.device.release()
        return Networks(self.device, self.architecture, self.channels_last)

    def agreements(self, networks: Networks) -> list[Agreement]:
        """Losses and gradients of both networks for each batch size, and right; none where ours is alone."""
        agreements = [networks.agreement(self.size, batch_size) for batch_size in self.batch_sizes or (1, 2)]
        return [agreement.check(self.device.precision) for agreement in agreements if agreement is not None]

    def measure(self, contests: Iterable[Contest]) -> list[Result]:
        """All results."""
        results = []
        for result in run(contests, self.device, self.pairs):
            self.on_result(result)
            results.append(result)
        return results

    def settings(self) -> dict[str, Any]:
        """What was asked for, for JSON."""
        return {
            "device": self.device.name, "precision": self.device.precision, "threads": self.device.threads,
            "size": list(self.size), "batch_sizes": list(self.batch_sizes), "pairs": self.pairs, "width": self.width,
            "model": self.architecture.model, "options": self.architecture.options, "channels_last": self.channels_last,
        }  # fmt: skip


@dataclass
class Findings:
    """Sentences and tables to print, lists for JSON, and how to draw the picture (path, note), if there is one."""

    tables: list[tables.Table]
    lists: dict[str, Sequence[Any]]
    sentences: list[str] = field(default_factory=list)
    draw: Callable[[Path, str], None] | None = None


def layers(session: Session) -> Findings:
    """VGG16's, FCN-8s's and ResNet's layers one by one, batch 4; on a CPU beside what the machine can do at most."""
    found = measure_limits() if session.device.name == "cpu" else None
    results = []
    for batch_size in session.batch_sizes or (4,):
        contests = cases.contests(session.device, session.size, batch_size, session.width, session.channels_last)
        results += session.measure(contests)
    findings = _timed(results, found)
    if found:
        said = f"{2 * found.macs / 1e9:.0f} GFLOP/s by the BLAS and {found.bytes / 1e9:.1f} GB/s, read and written, by a copy"
        findings = replace(findings, sentences=[f"this machine's limits: {said}"], lists=findings.lists | {"limits": [found]})
    if session.device.pytorch:
        findings.tables.append(tables.summary(results, cases.CONVOLUTIONS))
    return findings


def step(session: Session) -> Findings:
    """A whole training step of the network; before it, losses and gradients of both networks are held against each other."""
    networks = session.networks()
    agreements = session.agreements(networks)
    sentences = [f"the networks agree; {agreement}" for agreement in agreements]
    findings = _timed(session.measure(networks.step_contests(session.size, session.batch_sizes or (1, 2))))
    return replace(findings, sentences=sentences, lists=findings.lists | {"agreements": agreements})


def inference(session: Session) -> Findings:
    """Its scores, in evaluation mode."""
    return _timed(session.measure(session.networks().inference_contests(session.size, session.batch_sizes or (1, 2))))


def profile(session: Session) -> Findings:
    """Where a training step of it goes; before it, both are held against each other as for a step."""
    networks, results = session.networks(), []
    session.agreements(networks)
    for batch_size in session.batch_sizes or (1, 2):
        results += profile_step(networks, session.size, batch_size, session.pairs)
    return _timed(results)


def memory(session: Session) -> Findings:
    """The peak of a fresh process that does three training steps of it."""
    session.device.release()
    measured = peaks(session.device, session.size, session.batch_sizes or (1, 2), session.architecture)
    return Findings([tables.memory_table(measured, session.architecture.title)], {"peaks": measured})


def ladder(session: Session) -> Findings:
    """The rungs of :mod:`minifcn.kernels`, each held to `loops` first. Raises ValueError on a GPU: they are NumPy's."""
    if session.device.name != "cpu":
        raise ValueError("the ladder's rungs are NumPy's: give --device cpu")
    proofs = rungs.prove()
    results = []
    for result in rungs.climb(session.device, session.pairs):
        session.on_result(result)
        results.append(result)
    shown = [tables.proof_table(proofs), *tables.ladder_tables(results)]
    return Findings(shown, {"proofs": proofs, "results": results}, draw=_drawing("draw_ladder", results))


MEASUREMENTS: dict[str, Callable[[Session], Findings]] = {
    "layers": layers, "step": step, "inference": inference, "profile": profile, "memory": memory, "ladder": ladder,
}  # fmt: skip
OF_A_NETWORK = {"step", "inference", "profile", "memory"}
OF_TRAINING = OF_A_NETWORK - {"inference"}  # with labels for every pixel, which only a network that segments has scores for


def measurements_of(name: str, device: str) -> list[str]:
    """The measurements of a name; "all" is every one that this device has. Raises ValueError for an unknown name."""
    if name == "all":
        return [measurement for measurement in MEASUREMENTS if not (measurement == "ladder" and device == "cuda")]
    if name not in MEASUREMENTS:
        raise ValueError(f"unknown subject {name!r}; possible are {', '.join(MEASUREMENTS)}, scale and all")
    return [name]


def _timed(results: list[Result], limits: Limits | None = None) -> Findings:
    """The findings of a measurement that is a list of timings."""
    drawing = _drawing("draw_ratios", results) if any(result.timing.pytorch for result in results) else None
    return Findings(tables.timing_tables(results, limits), {"results": results}, draw=drawing)


def _drawing(name: str, results: list[Result]) -> Callable[[Path, str], None]:
    def draw(path: Path, note: str) -> None:
        from minifcn.bench import plot  # here: matplotlib takes its time

        getattr(plot, name)(results, path, note)

    return draw
