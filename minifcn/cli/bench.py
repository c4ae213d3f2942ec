"""``minifcn bench``: how fast, and against PyTorch where it is installed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from minifcn.cli.options import network_options, parse_size

if TYPE_CHECKING:
    from minifcn.bench import Result
    from minifcn.bench.measurements import Findings, Session


def bench(
    subject: Annotated[str, typer.Argument(help="layers, step, inference, profile, memory, ladder, all, or scale.")] = "all",
    size: Annotated[str, typer.Option(help="Height x width of the pictures.")] = "224x224",
    model: Annotated[str, typer.Option(help="Of step, inference, profile and memory: fcn8s, unet, ...")] = "fcn8s",
    option: Annotated[list[str] | None, typer.Option(help="Of the network, as name=value; several times.")] = None,
    batch_size: Annotated[str | None, typer.Option(help="One or several: 1,2. Left out: layers 4, others 1,2.")] = None,
    pairs: Annotated[int, typer.Option(help="How often ours and PyTorch run in turn.")] = 5,
    threads: Annotated[int | None, typer.Option(help="On both sides. Left out: all cores.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    precision: Annotated[str | None, typer.Option(help="On cuda: tf32 (left out) or float32, on both sides.")] = None,
    width: Annotated[float, typer.Option(help="Factor on all channel counts.")] = 1.0,
    channels_last: Annotated[
        bool, typer.Option(help="Let PyTorch run in the faster of NCHW and channels-last, or in NCHW alone.")
    ] = True,
    out: Annotated[Path, typer.Option(help="The folder for JSON and plots.")] = Path("runs/bench"),
) -> None:
    """Time ours against PyTorch in this process, in turn, on the same threads; print tables, write JSON and plots.

    layers: VGG16's, FCN-8s's and ResNet's one by one, in memory and in cache, beside the least time in which this machine
    could multiply and move that much. step: a whole training step of a network. inference: its forward, which ONNX Runtime
    runs too, where it is installed (pip install 'minifcn\\[bench]'). profile: where a step goes. memory: the peak of three
    steps in a fresh process. ladder: the rungs of minifcn.kernels. Results are held against each other before the clock runs.
    Where PyTorch is not installed, or has no such network here, ours is timed alone. What was measured before an error or
    Ctrl-C stays in SUBJECT-unfinished.json. scale: training on the shapes by 1, 2, 4, ... workers, as many as there are cores,
    and an estimate for more machines; it is not part of all.

    Example: minifcn bench step --model unet --size 256x256 --batch-size 1,2 --threads 2
    """
    from minifcn.bench import Device
    from minifcn.bench.machine import described, disturbed, machine
    from minifcn.bench.measurements import MEASUREMENTS, OF_TRAINING, Session, measurements_of
    from minifcn.bench.network import Architecture
    from minifcn.bench.record import write
    from minifcn.cli.screen import console
    from minifcn.models.backbones import check_width
    from minifcn.models.catalogue import check_segments
    from minifcn.visualize import best_effort

    if pairs < 1:
        raise ValueError(f"--pairs {pairs} must be at least 1")
    check_width(width)
    options = ({"width": width} if width != 1 else {}) | network_options(model, option)
    if subject == "scale":
        check_segments(model)
        _scale(model, options, max(parse_batch_sizes(batch_size), default=4), pairs, out)
        return
    names = measurements_of(subject, device)
    if OF_TRAINING.intersection(names):
        check_segments(model)
    setting = Device.of(device, precision, threads)
    architecture = Architecture(model, options)
    session = Session(setting, parse_size(size), parse_batch_sizes(batch_size), pairs, architecture, channels_last)
    with setting.held():
        specs = machine(setting)
        note = described(specs, setting)
        console.print(note)
        if warning := disturbed(specs):
            console.print(warning)
        if reason := _why_alone(session, names):
            console.print(f"{reason}, so ours is timed alone")
        for name in names:
            path, unfinished = out / f"{name}.json", out / f"{name}-unfinished.json"
            session.on_result = _keeper(functools.partial(write, unfinished, name, specs, session.settings()))
            findings = MEASUREMENTS[name](session)
            write(path, name, specs, session.settings(), **findings.lists)
            unfinished.unlink(missing_ok=True)
            _show(findings)
            if findings.draw:
                with best_effort(str(path.with_suffix(".png"))):
                    findings.draw(path.with_suffix(".png"), note)
    console.print(f"figures and plots are in {out}")


def _scale(model: str, options: dict[str, Any], batch_size: int, rounds: int, out: Path) -> None:
    """Measures 1, 2, 4, ... workers, up to one a core and two at least; prints tables and writes scale.json."""
    from minifcn.bench.device import Device
    from minifcn.bench.machine import described, machine
    from minifcn.bench.record import write
    from minifcn.bench.scale import NETWORKS, Network, estimate, measure
    from minifcn.cli.screen import console, say, table
    from minifcn.kernels.threads import cores

    setting = Device.of("cpu", None, None)
    specs = machine(setting)
    console.print(described(specs, setting))
    counts = [2**power for power in range(max(2, cores()).bit_length())]
    found = list(measure(model, options, batch_size, counts, rounds, steps=10))
    path = out / "scale.json"
    write(path, "scale", specs, {"model": model, "options": options, "batch_size": batch_size}, workers=found)
    one, two = found[:2]
    of_workers = [
        (f.workers, f.threads, f"{1e3 * f.step_seconds:.0f}", f"{one.step_seconds / f.step_seconds:.2f}",
         f"{1e3 * f.exchange_seconds:.1f}", f"{f.sent_bytes / 1e6:.1f}")
        for f in found
    ]  # fmt: skip
    title = f"{model}: a step is {counts[-1]} batches of {batch_size}; every row uses all cores"
    table(title, ("workers", "threads each", "ms a step", "speed", "of it ms exchanging", "MB each sends"), of_workers)
    many = (8, 16, 32, 64)
    networks = (Network("memory, as measured here", two.latency or 0.0, two.bandwidth or 1.0), *NETWORKS)
    estimates = [
        (network.name, f"{1e6 * network.latency:.0f}", f"{network.bandwidth / 1e9:.1f}",
         *(f"{efficiency:.2f}" for _, _, efficiency in estimate(found, network, many)))
        for network in networks
    ]  # fmt: skip
    title = f"an estimate, not measured: efficiency where each worker is a machine like this; {one.gradient_bytes / 1e6:.1f} MB"
    table(f"{title} of gradients", ("network", "latency, µs", "GB/s", *(f"{count} workers" for count in many)), estimates)
    say(f"figures are in {path}")


def parse_batch_sizes(text: str | None) -> tuple[int, ...]:
    """ "1,2" -> (1, 2); None -> (), which stands for each subject's own."""
    parts = [] if text is None else text.split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(f"--batch-size {text!r}: write a number of pictures, or several with commas, such as 1,2")
    return tuple(map(int, parts))


def _why_alone(session: Session, names: list[str]) -> str | None:
    """Why PyTorch takes no part, in all or in what measures a network; None where it does."""
    from minifcn.bench.device import installed
    from minifcn.bench.measurements import OF_A_NETWORK

    if not session.device.pytorch:
        return "PyTorch finds no GPU here" if installed() else "PyTorch is not installed (pip install 'minifcn[test]')"
    if OF_A_NETWORK.isdisjoint(names) or session.architecture.twin() is not None:
        return None
    return f"{session.architecture.title} has no twin of PyTorch's in minifcn.bench.twins"


def _keeper(write: Callable[..., None]) -> Callable[[Result], None]:
    """A function to call with each result as it comes: says it, and has all so far written."""
    results: list[Result] = []

    def keep(result: Result) -> None:
        results.append(result)
        write(results=results)
        _say(result)

    return keep


def _say(result: Result) -> None:
    """What was just measured, in one line; on a terminal the next one replaces it. No live display: it would take time."""
    from minifcn.bench.tables import milliseconds, ratio
    from minifcn.cli.screen import console

    title = f"{result.group}: {result.name}"
    if console.is_terminal:
        console.print(title[: console.width - 1].ljust(console.width - 1), end="\r")
        return
    ours, theirs, over = result.timing.our_seconds, result.timing.pytorch_seconds, result.timing.ratio
    said = f"{title}: ours {milliseconds(ours)} ms, PyTorch {milliseconds(theirs)} ms, {ratio(over)}"
    if (third := result.timing.onnxruntime_seconds) is not None:
        said += f"; ONNX Runtime {milliseconds(third)} ms, {ratio(result.timing.onnxruntime_ratio)}"
    console.print(said)


def _show(findings: Findings) -> None:
    from minifcn.cli.screen import console, table

    for sentence in findings.sentences:
        console.print(sentence)
    for shown in findings.tables:
        table(*shown)
