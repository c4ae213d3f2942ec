"""One pass of a network over one picture, opened: what each number was made of, and what it did.

    trace = Trace(net, x)                                   # x (1, C, H, W)
    terms, bias, value = trace.terms("conv3_2", 7, 4, 9)    # the products whose sum, with the bias, is the number
    trace.influence("conv3_2", 7, 4, 9)                     # (1, C, H, W): its derivative by each pixel
    trace.gradient("conv3_2")                               # of the loss, or of any one number

The network itself is not touched: a copy runs, in evaluation, that shares its arrays. A backward pass can begin in its middle:
backward is linear in what it is given, so one layer is told a 1 at one place, and all that comes before it on the way zeros.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from minifcn.anatomy.ledger import ledger
from minifcn.anatomy.trace import copy_with
from minifcn.explore import back, local
from minifcn.explore.back import GradientSum
from minifcn.explore.deconvolution import Views, three_views
from minifcn.explore.fields import Box, field_of
from minifcn.explore.recorder import Recorder
from minifcn.explore.steps import TERM, Step, Sum, as_maps, is_floating
from minifcn.explore.sums import FourSteps, formula_of, four_steps
from minifcn.explore.what_if import Change
from minifcn.layers import BatchNorm2d, Conv2d, ConvTranspose2d, CrossEntropyLoss, Layer, ReLU, no_grad, watching
from minifcn.machine.facts import check_fits

Place = tuple[str, int, int, int]  # key of a layer, channel, row, column


@dataclass(frozen=True)
class Gradients:
    """One backward pass: the gradient of each step's output, by the step's number, and of each parameter, by its id.

    What no gradient came to is not there: it is zero.
    """

    outputs: dict[int, np.ndarray]
    parameters: dict[int, np.ndarray]
    loss: float | None  # where it began; None: it began at one number


class Trace:
    """A pass of ``net`` over ``x`` (1, C, H, W), in evaluation, with ``changes`` to it (:mod:`minifcn.explore.what_if`).

    ``labels`` (H, W) are what the loss holds the scores against; without, the network's own prediction. A layer that is used
    several times in the pass has its key, then its key with "#2", "#3" ...; ``"input"`` is the picture.

    One thread at a time may ask.

    Raises ValueError for more than one picture, where it does not fit into the network, with its own sentence, and where the
    pass would not fit into the memory, before anything is computed.
    """

    def __init__(
        self, net: Layer, x: np.ndarray, labels: np.ndarray | None = None, changes: Sequence[Change] = ()
    ) -> None:  # fmt: skip
        if not is_floating(x) or x.ndim < 2 or x.shape[0] != 1:
            what = f"{getattr(x, 'dtype', type(x).__name__)} of shape {getattr(x, 'shape', '?')}"
            raise ValueError(f"Trace: x is {what}; give one picture as floating numbers, (1, C, H, W): prepared, then x[None]")
        self.net, self.x, self.labels, self.changes = net, x, labels, tuple(changes)
        self.twin = copy_with(net, lambda array: array).to("cpu").eval()
        self._check_room()
        for _, layer in self.twin.named_layers():
            layer.needs_dx = True
            if isinstance(layer, ReLU):
                layer.inplace = False
        for change in self.changes:
            change.apply(self.twin)
        self.steps = self._follow()
        self.numbers = {step.key: number for number, step in enumerate(self.steps)}
        self._affine: dict[Step, bool] = {}
        self._latest: tuple[Place | None, Gradients] | None = None

    def _check_room(self) -> None:
        try:
            costs = ledger(self.twin, self.x.shape)
        except (TypeError, ValueError):  # its forward looks at numbers, or refuses the size, which it will say itself
            return
        needed = costs.training_peak + 3 * costs.output_bytes  # maps, their gradients, and the pass that makes them
        check_fits(needed, f"exploring a picture of {'x'.join(map(str, self.x.shape[2:]))}", "use a smaller copy of it")

    def _follow(self) -> list[Step]:
        x = self.x.copy()
        recorder = Recorder(self.twin, x)
        with no_grad(), watching(recorder):
            outputs = self.twin(x)
        if len(recorder.steps) == 1:
            raise ValueError(
                f"{type(self.net).__name__} calls none of its layers, as self.conv(x), so there is nothing to open"
            )
        first = outputs[0] if isinstance(outputs, tuple) else outputs
        self.scores = np.array(first)  # what the network gives in the end, (1, classes, H, W) or (1, classes)
        self.last = recorder.maker_of(first)  # the number of the step that made them, None: a line of the network's own
        return recorder.steps

    # ---------------------------------------------------------------------------------------------------------- looking

    def step(self, key: str) -> Step:
        """The step of this key. Raises ValueError, naming those that there are, for another."""
        return self.steps[self._number(key)]

    def _number(self, key: str) -> int:
        if key not in self.numbers:
            raise ValueError(f"there is no layer {key!r} in this pass; there are {', '.join(self.numbers)}")
        return self.numbers[key]

    def at(self, key: str, channel: int, row: int, column: int) -> Step:
        """The step of this key. Raises ValueError where it has no such place."""
        step = self.step(key)
        C, H, W = step.maps.shape
        if not (0 <= channel < C and 0 <= row < H and 0 <= column < W):
            raise ValueError(f"{key} has {C} channels of {H}x{W}, and no place ({channel}, {row}, {column})")
        return step

    @property
    def keys(self) -> list[str]:
        """All steps, in the order of the forward pass; the first one is the picture."""
        return list(self.numbers)

    def maps(self, key: str) -> np.ndarray:
        """(C, H, W): what came out of a layer."""
        return self.step(key).maps

    def field(self, key: str, row: int, column: int) -> Box | None:
        """The box of pixels that can reach this place, from the layers' coordinates; None where none can."""
        return field_of(self.steps, self._number(key), row, column)

    # ---------------------------------------------------------------------------------------------------------- forward

    def terms(self, key: str, channel: int, row: int, column: int) -> Sum:
        """(terms, bias, value): the products that the number is the sum of. Of a layer that is neither known nor affine they
        are those of its tangent, see :meth:`is_sum`. The picture's pixels are made of nothing."""
        step = self.at(key, channel, row, column)
        if step.layer is None:
            value = float(step.maps[channel, row, column])
            return Sum(np.zeros(0, TERM), value, value)
        formula = formula_of(step)
        if formula is not None:
            return formula(step, channel, row, column)
        return local.sum_of(step, channel, row, column, self._is_affine(step))

    def is_sum(self, key: str) -> bool:
        """Whether the terms of this layer are what it computes, rather than its tangent at this picture."""
        step = self.step(key)
        return step.layer is None or formula_of(step) is not None or self._is_affine(step)

    def _is_affine(self, step: Step) -> bool:
        if step not in self._affine:
            self._affine[step] = local.is_affine(step)
        return self._affine[step]

    def three_views(self, key: str, channel: int, row: int, column: int) -> Views:
        """The terms of a transposed convolution's number, found in three ways."""
        step = self.at(key, channel, row, column)
        if not step.own(ConvTranspose2d):
            raise ValueError(f"{key} is a {step.kind}, no ConvTranspose2d")
        return three_views(step, channel, row, column)

    def batch_norm(self, key: str, channel: int, row: int, column: int) -> FourSteps:
        """A number's four steps through a batch norm."""
        step = self.at(key, channel, row, column)
        if not step.own(BatchNorm2d):
            raise ValueError(f"{key} is a {step.kind}, no BatchNorm2d")
        return four_steps(step, channel, row, column)

    # --------------------------------------------------------------------------------------------------------- backward

    def influence(self, key: str, channel: int, row: int, column: int) -> np.ndarray:
        """The derivative of one number by every pixel, an array like x: which pixels made it, and how."""
        self.at(key, channel, row, column)
        return self._backward((key, channel, row, column), keep=False).outputs[0]

    def gradient(self, key: str, start: Place | None = None) -> np.ndarray:
        """The gradient (C, H, W) of the loss, or of the one number ``start``, by what came out of a layer."""
        step, gradients = self.step(key), self.gradients(start)
        return as_maps(gradients.outputs.get(self._number(key), np.zeros_like(step.y)))

    def gradients(self, start: Place | None = None) -> Gradients:
        """A whole backward pass, from the loss or from one number; the latest one is kept."""
        if self._latest is None or self._latest[0] != start:
            if start is not None:
                self.at(*start)
            self._latest = None
            self._latest = start, self._backward(start, keep=True)
        return self._latest[1]

    def gradient_terms(
        self, key: str, channel: int, row: int, column: int, start: Place | None = None
    ) -> GradientSum:  # fmt: skip
        """The gradient of one number as a sum over everything that read it: ``source`` is the number of the step that did.

        Where the pass began there is one more term, the 1 or the loss's own; its ``source`` is -1. In a network with lines of
        its own between its layers what came back through them is one term, its ``source`` -2: nobody saw them read.
        """
        step, gradients = self.at(key, channel, row, column), self.gradients(start)
        number, place = self._number(key), (channel, row, column)
        value = float(self.gradient(key, start)[place])
        parts = []
        for at, reader in enumerate(self.steps):
            for slot, source in enumerate(reader.sources):
                if source == number and at in gradients.outputs:
                    part = back.readers_of(reader, slot, as_maps(gradients.outputs[at]), place, self._is_affine)
                    part["source"] = at
                    parts.append(part)
        began = self._began(step, place, start)
        if began:
            parts.append(np.array([(-1, *place, 1.0, began)], TERM))
        found = GradientSum(np.concatenate([np.zeros(0, TERM), *parts]), value)
        rest = value - found.total
        rounding = (
            64 * float(np.finfo(step.y.dtype).eps) * np.abs(found.terms["weight"] * found.terms["x"]).max(initial=abs(value))
        )
        if self._has_lines_of_its_own() and abs(rest) > rounding:
            found = found._replace(terms=np.append(found.terms, np.array([(-2, -1, -1, -1, 1.0, rest)], TERM)))
        return found

    def _has_lines_of_its_own(self) -> bool:
        """Whether something that no layer made went into a layer, or came out in the end."""
        return self.last is None or any(None in step.sources for step in self.steps)

    def _began(self, step: Step, place: tuple[int, int, int], start: Place | None) -> float:
        """The gradient that a number was given from outside, because the pass began there."""
        if start is not None:
            return float((step.key, *place) == start)
        is_last = self.last is not None and step is self.steps[self.last]
        return float(as_maps(self._loss()[1])[place]) if is_last else 0.0

    def weight_gradient(
        self, key: str, index: tuple[int, int, int, int], start: Place | None = None
    ) -> GradientSum:  # fmt: skip
        """The gradient of one weight of a convolution, transposed or not, as a sum over all places where it was used.

        ``index`` is its place in the weight's array; ``weight`` of a term is the number that the weight met.
        """
        step, gradients = self.step(key), self.gradients(start)
        layer: Any = step.layer
        if not step.own(Conv2d, ConvTranspose2d):
            raise ValueError(f"{key} is a {step.kind}: the gradients of convolutions' weights are opened, transposed ones' too")
        if len(index) != 4 or not all(0 <= at < n for at, n in zip(index, layer.weight.shape, strict=True)):
            raise ValueError(f"the weight of {key} has shape {layer.weight.shape}, and no place {tuple(index)}")
        parts = [np.zeros(0, TERM)]
        for at, use in enumerate(self.steps):
            if use.own(Conv2d, ConvTranspose2d) and use.layer.weight is layer.weight and at in gradients.outputs:  # type: ignore[union-attr]
                part = back.uses_of_weight(use, as_maps(gradients.outputs[at]), index)
                part["source"] = at
                parts.append(part)
        total = gradients.parameters.get(id(layer.weight))
        return GradientSum(np.concatenate(parts), 0.0 if total is None else float(total[index]))

    def _loss(self) -> tuple[float, np.ndarray]:
        """The cross-entropy of the scores, and their gradient."""
        criterion = CrossEntropyLoss()
        labels = self.scores.argmax(axis=1) if self.labels is None else np.asarray(self.labels)[None]
        loss = float(criterion(self.scores, labels))
        return loss, criterion.backward()

    def _backward(self, start: Place | None, keep: bool) -> Gradients:
        """Forward once more, and back: from the loss, or from one number in the middle. Without ``keep`` nothing is noted but
        the gradient of the picture, and no weight's is computed."""
        beginning: dict[int, np.ndarray] = {}
        loss, dscores = (None, np.zeros_like(self.scores)) if start else self._loss()
        if start is not None:
            number = self._number(start[0])
            beginning[number] = local.seed(self.steps[number].y, *start[1:])
            if number == 0:
                return Gradients(beginning, {}, None)
        self.twin.requires_grad_(keep)
        self.twin.zero_grad()
        outputs: dict[int, np.ndarray] = {}
        try:
            ys = self.twin(self.x.copy())
            others = [np.zeros_like(y) for y in (ys[1:] if isinstance(ys, tuple) else ())]
            with self._listening(beginning, outputs if keep else None):
                dx = self.twin.backward(dscores, *others)
        finally:
            self.twin.forget()
        dx = dx[0] if isinstance(dx, tuple) else dx
        if dx is None:
            raise ValueError(
                f"the backward of {type(self.net).__name__} returns no gradient of the picture: return that of its first layer"
            )
        outputs[0] = dx
        parameters = {id(p): p.grad for p in self.twin.parameters() if p.grad is not None}
        self.twin.zero_grad()
        return Gradients(outputs, parameters, loss)

    @contextlib.contextmanager
    def _listening(self, beginning: dict[int, np.ndarray], outputs: dict[int, np.ndarray] | None) -> Iterator[None]:
        """Each elementary layer notes the gradient that comes to it, or takes that of ``beginning`` instead.

        A layer that is used several times comes back last use first.
        """
        uses: dict[int, list[int]] = {}
        layers = {}
        for number, step in enumerate(self.steps):
            if step.layer is not None:
                uses.setdefault(id(step.layer), []).append(number)
                layers[id(step.layer)] = step.layer
        before = {key: vars(layer).get("backward") for key, layer in layers.items()}
        try:
            for key, layer in layers.items():
                inner = before[key] or type(layer).backward.__get__(layer)
                setattr(layer, "backward", _listener(inner, uses[key], beginning, outputs))  # noqa: B010 # a method, to mypy
            yield
        finally:
            for key, layer in layers.items():
                vars(layer).pop("backward", None)
                if before[key] is not None:
                    vars(layer)["backward"] = before[key]


def _listener(
    inner: Callable[..., Any], uses: list[int], beginning: dict[int, np.ndarray], outputs: dict[int, np.ndarray] | None
) -> Callable[..., Any]:  # fmt: skip
    def backward(*dys: Any) -> Any:
        number = uses.pop()
        if number in beginning:
            dys = (beginning[number].copy(), *dys[1:])
        if outputs is not None and dys[0] is not None:
            outputs[number] = dys[0].copy()  # it is given away, and may be written over
        return inner(*dys)

    return backward
