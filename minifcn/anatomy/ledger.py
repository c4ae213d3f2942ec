"""The ledger of a network: shape, parameters, multiply-adds and bytes of every layer, for one size of picture.

Nothing is computed (:mod:`minifcn.anatomy.trace`), so it costs milliseconds for any network. Printed, it is the well-known
table of torchsummary, with costs beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from minifcn.anatomy.standin import Storage
from minifcn.anatomy.trace import Step, inference_peak, picture, trace
from minifcn.layers import Layer

_MB = 2**20  # what torchsummary, and so this table, calls a megabyte


@dataclass(frozen=True)
class Ledger:
    """``steps`` in the order of the forward pass, and totals. All bytes are for the whole batch."""

    input_shape: tuple[int, ...]  # (N, C, H, W)
    input_bytes: int
    steps: list[Step]
    parameters: int
    trainable: int
    parameter_bytes: int
    trainable_bytes: int
    inference_arrays: int  # bytes of arrays alive at once, at the most, in a forward pass without backward

    @property
    def macs(self) -> int:
        """Multiply-adds of one forward pass; a training step takes about three times as many."""
        return sum(step.macs for step in self.steps)

    @property
    def output_bytes(self) -> int:
        """All layers' outputs, each counted as an array of its own."""
        return sum(step.y.nbytes for step in self.steps)

    @property
    def kept_bytes(self) -> int:
        """What is kept from forward to backward; an array that two layers keep is counted once."""
        return _bytes(storage for step in self.steps for storage in step.kept)

    @property
    def largest_im2col(self) -> Step:
        """The layer whose im2col matrix would be the largest."""
        return max(self.steps, key=lambda step: step.im2col_bytes)

    @property
    def inference_peak(self) -> int:
        """Bytes of arrays at the peak of a forward pass without backward, the parameters included."""
        return self.parameter_bytes + self.inference_arrays

    @property
    def training_peak(self) -> int:
        """Bytes of arrays at the peak of a forward and backward pass with its loss; see :func:`_training_moments`.

        An optimizer's state, and the scratch of the kernels (a few MB a thread, bounded by `kernels.scratch`), come on top.
        """
        return self.parameter_bytes + self.input_bytes + max(_training_moments(self.steps))

    def __str__(self) -> str:
        table = [("Layer (type)", "Output Shape", "Param #", "MMAC", "Kept MB", "im2col MB")]
        seen: set[int] = set()
        counted: set[int] = set()
        for step in self.steps:
            kept = sum(storage.nbytes for storage in step.kept if id(storage) not in counted)
            counted.update(id(storage) for storage in step.kept)
            parameters = 0 if id(step.layer) in seen else step.parameters  # a layer used twice has its parameters once
            seen.add(id(step.layer))
            shape = ", ".join(map(str, (-1, *step.y.shape[1:])))
            table.append((
                f"{step.name} ({type(step.layer).__name__})", f"[{shape}]", f"{parameters:,}",
                _number(step.macs / 1e6), _number(kept / _MB), _number(step.im2col_bytes / _MB),
            ))  # fmt: skip
        return "\n".join([*_aligned(table), "", *self.totals()])

    def totals(self) -> list[str]:
        """The lines below the table."""
        N, C, H, W = self.input_shape
        largest = self.largest_im2col
        return [
            f"Total params: {self.parameters:,}",
            f"Trainable params: {self.trainable:,}",
            f"Non-trainable params: {self.parameters - self.trainable:,}",
            f"Input: {N}x{C}x{H}x{W}, {self.input_bytes / _MB:.2f} MB",
            f"Forward/backward pass size (every output and its gradient): {2 * self.output_bytes / _MB:,.2f} MB",
            f"Forward: {self.macs / 1e9:,.2f} GMAC; a training step about {6 * self.macs / 1e12:,.2f} TFLOP",
            f"Kept for backward: {self.kept_bytes / _MB:,.1f} MB",
            f"Predicted peak: training {self.training_peak / _MB:,.0f} MB, inference {self.inference_peak / _MB:,.0f} MB",
            f"Largest im2col matrix, were it made: {largest.im2col_bytes / 1e9:.2f} GB a picture, for {largest.name}",
        ]


def ledger(net: Layer, input_shape: Sequence[int]) -> Ledger:
    """The ledger of ``net`` for pictures of ``input_shape`` (N, C, H, W), in its present mode and dtype.

    Raises ValueError where the picture does not fit the network, with the layer's own sentence.
    """
    steps = trace(net, input_shape)
    parameters = list(net.parameters())
    trainable = [parameter for parameter in parameters if parameter.requires_grad]
    return Ledger(
        tuple(input_shape), picture(net, input_shape).nbytes, steps,
        sum(p.size for p in parameters), sum(p.size for p in trainable),
        sum(p.data.nbytes for p in parameters), sum(p.data.nbytes for p in trainable), inference_peak(net, input_shape),
    )  # fmt: skip


def _training_moments(steps: list[Step]) -> Iterator[int]:
    """Bytes that are alive, step after step: while forward keeps more and more, in the loss, and while backward frees it."""
    kept: list[Storage] = []
    for step in steps:
        kept += step.kept
        yield _bytes([*kept, *_storages(step)])
    yield _bytes(kept) + 3 * steps[-1].y.nbytes  # the scores, their log-softmax, and the gradient or a temporary
    gradients, seen = 0, set()
    for step in reversed(steps):
        if id(step.layer) not in seen:
            gradients += sum(p.data.nbytes for p in step.layer.parameters() if p.requires_grad)
            seen.add(id(step.layer))
        yield _bytes(kept) + gradients + sum(array.nbytes for array in (*step.inputs, *step.outputs))  # dx and dy
        del kept[len(kept) - len(step.kept) :]


def _storages(step: Step) -> list[Storage]:
    return [array.storage for array in (*step.inputs, *step.outputs) if array.storage]


def _bytes(storages: Iterable[Storage]) -> int:
    """What these take together; one that occurs twice counts once."""
    return sum({id(storage): storage.nbytes for storage in storages}.values())


def _number(value: float) -> str:
    return "" if not value else f"{value:,.1f}" if value >= 1 else f"{value:.3f}"


def _aligned(table: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    rule = "-" * (sum(widths) + 2 * len(widths))
    lines = []
    for row in table:
        cells = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
        cells += [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return [lines[0], rule, *lines[1:], rule]
