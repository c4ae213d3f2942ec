"""What was measured, as tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import NamedTuple

from minifcn.bench.contest import Result
from minifcn.bench.ladder import Proof
from minifcn.bench.limits import Limits
from minifcn.bench.memory import Peak
from minifcn.bench.timing import geometric_mean


class Table(NamedTuple):
    """A title, the columns' names, and rows of text."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def timing_tables(results: Sequence[Result], limits: Limits | None = None) -> list[Table]:
    """One table a group: row by row the medians of the times and of the ratios, ours / PyTorch.

    "host" is the part of a call in which its work is launched; it stands where it was measured, on a GPU. ONNX Runtime stands
    where it took part, and the machine's limit, the least time of a row's multiply-adds and bytes, where that is known.
    """
    made = []
    for group, members in by_group(results).items():
        columns: list[tuple[str, ...]] = [("", "ours ms", "PyTorch ms", "ratio", "least .. most")]
        cells = [[_row(result)] for result in members]
        if any(result.host for result in members):
            columns.append(("ours, host ms", "PyTorch, host ms"))
            _append(cells, map(_host_cells, members))
        if any(result.timing.onnxruntime for result in members):
            columns.append(("ONNX Runtime ms", "ratio to it"))
            _append(cells, map(_onnxruntime_cells, members))
        if limits and any(result.macs or result.moved for result in members):
            columns.append(("limit ms",))
            _append(cells, ((milliseconds(limits.seconds(result.macs, result.moved)),) for result in members))
        made.append(Table(group, sum(columns, ()), [sum(row, ()) for row in cells]))
    return made


def _append(cells: list[list[tuple[str, ...]]], more: Iterable[tuple[str, ...]]) -> None:
    """Some more cells for each row."""
    for row, added in zip(cells, more, strict=True):
        row.append(added)


def summary(results: Sequence[Result], about: str) -> Table:
    """The geometric mean and the worst of the ratios of each group whose title begins with `about`, and of all of them."""
    groups = {group: members for group, members in by_group(results).items() if group.startswith(about)}
    groups["all"] = [result for members in groups.values() for result in members]
    rows = []
    for group, members in groups.items():
        ratios = [result.timing.ratio for result in members if result.timing.ratio is not None]
        rows.append((group.removeprefix(f"{about}, "), ratio(geometric_mean(ratios)), ratio(max(ratios, default=None))))
    return Table(f"{about}, ours / PyTorch", ("", "geometric mean", "worst"), rows)


def by_group(results: Sequence[Result]) -> dict[str, list[Result]]:
    """The results of each group, groups in the order in which they first appear."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.group, []).append(result)
    return groups


def _row(result: Result) -> tuple[str, ...]:
    timing = result.timing
    spread = f"{timing.spread[0]:.2f} .. {timing.spread[1]:.2f}" if timing.spread else "-"
    return (result.name, milliseconds(timing.our_seconds), milliseconds(timing.pytorch_seconds), ratio(timing.ratio), spread)


def _host_cells(result: Result) -> tuple[str, ...]:
    host = result.host
    return ("-", "-") if host is None else (milliseconds(host.our_seconds), milliseconds(host.pytorch_seconds))


def _onnxruntime_cells(result: Result) -> tuple[str, ...]:
    return milliseconds(result.timing.onnxruntime_seconds), ratio(result.timing.onnxruntime_ratio)


def memory_table(peaks: Sequence[Peak], network: str) -> Table:
    """One row a batch size: the peaks in MB, and how much of them came after the imports; on a GPU its memory too."""
    measures = {"peak": "", "over_baseline": "over imports, ", "gpu": "GPU, "}
    if not any(peak.gpu for peak in peaks):
        del measures["gpu"]
    rows = []
    for batch_size in dict.fromkeys(peak.batch_size for peak in peaks):
        sides = {peak.side: peak for peak in peaks if peak.batch_size == batch_size}
        for measure, prefix in measures.items():
            ours, theirs = (getattr(sides.get(side), measure, None) for side in ("ours", "pytorch"))
            ours_to_theirs = ratio(ours / theirs if theirs else None)
            rows.append((f"{prefix}batch {batch_size}", megabytes(ours), megabytes(theirs), ours_to_theirs))
    title = f"peak memory of a fresh process that does three training steps of {network}"
    return Table(title, ("", "ours MB", "PyTorch MB", "ratio"), rows)


def ladder_tables(results: Sequence[Result]) -> list[Table]:
    """One table a ladder, one row a rung, one column a case: milliseconds; the last row is PyTorch's."""
    made = []
    for group, members in by_group(results).items():
        cases = sorted({result.macs for result in members})
        rows = []
        for name in dict.fromkeys(result.name for result in members):
            seconds = {result.macs: result.timing.our_seconds for result in members if result.name == name}
            rows.append((name, *(milliseconds(seconds.get(case)) for case in cases)))
        if members[0].timing.pytorch:
            fastest = {case: min(median(r.timing.pytorch) for r in members if r.macs == case) for case in cases}
            rows.append(("PyTorch", *(milliseconds(fastest[case]) for case in cases)))
        made.append(Table(f"{group}: ms, by multiply-adds", ("rung", *map(count, cases)), rows))
    return made


def proof_table(proofs: Sequence[Proof]) -> Table:
    """One row a rung: the largest relative difference of each of its functions from `loops` in float64."""
    functions = ("forward", "input_gradient", "weight_gradient")
    rows = []
    for name in dict.fromkeys(proof.rung for proof in proofs):
        off = {proof.function: f"{proof.difference:.0e}" for proof in proofs if proof.rung == name}
        rows.append((name, *(off.get(function, "-") for function in functions)))
    return Table("float32 rungs against `loops` in float64: largest difference", ("rung", *functions), rows)


def milliseconds(seconds: float | None) -> str:
    """0.01234 -> "12.3"; "-" for None."""
    if seconds is None:
        return "-"
    value = 1e3 * seconds
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def megabytes(size: int | None) -> str:
    """Bytes -> MB of 2**20, with a comma; "-" for None."""
    return "-" if size is None else f"{size / 2**20:,.0f}"


def ratio(value: float | None) -> str:
    """0.853 -> "0.85"; "-" for None."""
    return "-" if value is None else f"{value:.2f}"


def count(number: int) -> str:
    """147456 -> "147 k"."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return str(number)
