"""Adversarial cases for every function of :mod:`minifcn.functional`, drawn at random but always valid.

Odd and non-square sizes, strides larger than the kernel, kernels larger than the picture, groups, dilation, ties, void labels.
Each maker takes ``pick(low, high)``, which returns an integer from low to high: a random generator here, Hypothesis in the
tests, so both draw from the same cases.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minifcn import functional as F
from minifcn.checks.gradcheck import tie_free

Pick = Callable[[int, int], int]


@dataclass(frozen=True)
class Case:
    """A call of ``minifcn.functional.<function>``: ``inputs`` are arrays under their argument names, the rest ``options``.

    Where the function takes any number of arrays, ``*parts``, their names are parts[0], parts[1] and so on.
    """

    function: str
    inputs: dict[str, Any]
    options: dict[str, Any]

    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What to call the function with: by position and by name."""
        parameters = inspect.signature(getattr(F, self.function)).parameters.values()
        if any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters):
            return tuple(self.inputs.values()), self.options
        return (), {**self.inputs, **self.options}

    def forward(self, **options: Any) -> tuple[Any, Any]:
        """(y, cache) of the call, with further ``options``."""
        positional, named = self.arguments()
        return getattr(F, self.function)(*positional, **named, **options)

    def backward(self, dy: Any, cache: Any) -> tuple[Any, ...]:
        """The gradients, in a tuple even where there is one."""
        gradients = getattr(F, f"{self.function}_backward")(dy, cache)
        return gradients if isinstance(gradients, tuple) else (gradients,)

    def __str__(self) -> str:
        shapes = [f"{name} {'×'.join(map(str, array.shape))}" for name, array in self.inputs.items()]
        return f"{self.function}({', '.join(shapes + [f'{name}={value!r}' for name, value in self.options.items()])})"


def names() -> list[str]:
    """The functions that there are cases for: all of ``minifcn.functional``."""
    return list(_MAKERS)


def make(function: str, pick: Pick) -> Case:
    """One case for ``function``, as ``pick`` decides."""
    if function not in _MAKERS:
        raise ValueError(f"there is no function {function!r} to check; possible are {', '.join(_MAKERS)}")
    inputs, options = _MAKERS[function](pick, np.random.default_rng((0, pick(0, 2**16))))
    return Case(function, {name: array for name, array in inputs.items() if array is not None}, options)


def cases(function: str, count: int, seed: int = 0) -> Iterator[Case]:
    """``count`` cases for ``function``, the same for the same seed."""
    rng = np.random.default_rng((seed, *function.encode()))
    for _ in range(count):
        yield make(function, lambda low, high: int(rng.integers(low, high + 1)))


def _pair(pick: Pick, low: int, high: int) -> tuple[int, int]:
    return pick(low, high), pick(low, high)


def _size(least: list[int], pick: Pick, more: int) -> tuple[int, ...]:
    return tuple(max(1, n) + pick(0, more) for n in least)


def _maybe(pick: Pick, array: np.ndarray) -> np.ndarray | None:
    return array if pick(0, 1) else None


def _conv2d(pick: Pick, rng: np.random.Generator) -> tuple[dict, dict]:
    G, K, S, P, D = pick(1, 3), _pair(pick, 1, 5), _pair(pick, 1, 6), _pair(pick, 0, 4), _pair(pick, 1, 3)
    C, O = G * pick(1, 3), G * pick(1, 3)
    H, W = _size([d * (k - 1) + 1 - 2 * p for k, p, d in zip(K, P, D, strict=True)], pick, 7)
    inputs = {"x": rng.standard_normal((pick(1, 3), C, H, W)), "weight": rng.standard_normal((O, C // G, *K)),
              "bias": _maybe(pick, rng.standard_normal(O))}  # fmt: skip
    return inputs, {"stride": S, "padding": P, "dilation": D, "groups": G}


def _conv_transpose2d(pick: Pick, rng: np.random.Generator) -> tuple[dict, dict]:
    G, K, S, P, D = pick(1, 3), _pair(pick, 1, 5), _pair(pick, 1, 5), _pair(pick, 0, 3), _pair(pick, 1, 3)
    C, O = G * pick(1, 3), G * pick(1, 3)
    OP = tuple(pick(0, max(s, d) - 1) for s, d in zip(S, D, strict=True))
    least = [1 - (d * (k - 1) + op - 2 * p) // s for k, s, p, d, op in zip(K, S, P, D, OP, strict=True)]
    H, W = _size(least, pick, 4)
    inputs = {"x": rng.standard_normal((pick(1, 3), C, H, W)), "weight": rng.standard_normal((C, O // G, *K)),
              "bias": _maybe(pick, rng.standard_normal(O))}  # fmt: skip
    return inputs, {"stride": S, "padding": P, "output_padding": OP, "groups": G, "dilation": D}


def _max_pool2d(pick: Pick, rng: np.random.Generator) -> tuple[dict, dict]:
    K, D = _pair(pick, 1, 4), _pair(pick, 1, 3)
    P = tuple(pick(0, k // 2) for k in K)
    H, W = _size([max(d, d * (k - 1) + 1 - 2 * p) for k, p, d in zip(K, P, D, strict=True)], pick, 7)
    x = tie_free((pick(1, 3), pick(1, 3), H, W), rng)
    if pick(0, 1):
        x = np.round(x)  # full of ties: which of equal values wins?
    stride = _pair(pick, 1, 5) if pick(0, 3) else None
    return {"x": x}, {"kernel_size": K, "stride": stride, "padding": P, "dilation": D, "ceil_mode": bool(pick(0, 1))}


def _max_unpool2d(pick: Pick, rng: np.random.Generator) -> tuple[dict, dict]:
    K = _pair(pick, 1, 4)
    H, W = _size(list(K), pick, 7)
    x, cache = F.max_pool2d(rng.standard_normal((pick(1, 3), pick(1, 3), H, W)), K, ceil_mode=bool(pick(0, 1)))
    return {"x": x, "indices": F.max_pool2d_indices(cache)}, {"output_size": (H, W)}


def _avg_pool2d(pick: Pick, rng: np.random.Generator) -> tuple[dict, dict]:
    K = _pair(pick, 1, 4)
    P = tuple(pick(0, k // 2) for k in K)
    H, W = _size([k - 2 * p for k, p in zip(K, P, strict=True)], pick, 7)
    options: dict[str, Any] = {"kernel_size": K, "stride": _pair(pick, 1, 5) if pick(0, 3) else None, "padding": P}
    options |= {"ceil_mode": bool(pick(0, 1)), "count_include_pad": bool(pick(0, 1))}
    return {"x": rng.standard_normal((pick(1, 3), pick(1, 3), H, W))}, options


def _images(pick: Pick, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((pick(1, 3), pick(1, 4), pick(1, 9), pick(1, 9)))


def _lp_pool2d(pick: Pick, rng: np.random.Generator) -> tuple[dict, dict]:
    K, S = _pair(pick, 1, 4), _pair(pick, 1, 5)
    H, W = _size(list(K), pick, 7)
    p = (1.0, 2.0, 4.0, 2.5)[pick(0, 3)]
    x = rng.standard_normal((pick(1, 3), pick(1, 3), H, W))
    x = abs(x) + 0.1 if p == 2.5 else x  # a root of a negative sum is no number
    return {"x": x}, {"norm_type": p, "kernel_size": K, "stride": S, "ceil_mode": bool(pick(0, 1))}


def _adaptive_avg_pool2d(pick: Pick, rng: np.random.Generator) -> tuple[dict, dict]:
    return {"x": _images(pick, rng)}, {"output_size": _pair(pick, 1, 12)}


def _relu(pick: Pick, rng: np.random.Generator) -> tuple[dict, dict]:
    return {"x": _images(pick, rng)}, {}


def _batch_norm(pick: Pick, rng: np.random.Generator) -> tuple[dict, dict]:
    training = bool(pick(0, 1))
    N, C, H, W = pick(1, 3), pick(1, 4), pick(1, 6), pick(1, 6)
    H += 2 if training and N * H * W < 3 else 0  # of two values a channel x̂ is ±1 whatever they are
    running: dict[str, Any] = {"running_mean": rng.standard_normal(C), "running_var": rng.uniform(0.5, 2, C)}
    missing: dict[str, Any] = dict.fromkeys(running) if training and not pick(0, 2) else {}
    inputs = {"x": 3 + 2 * rng.standard_normal((N, C, H, W)), **running, **missing,
              "weight": _maybe(pick, rng.standard_normal(C)), "bias": _maybe(pick, rng.standard_normal(C))}  # fmt: skip
    return inputs, missing | {"training": training, "momentum": pick(0, 10) / 10, "eps": 10.0 ** -pick(2, 6)}


def _dropout(pick: Pick, rng: np.random.Generator) -> tuple[dict, dict]:
    return {"x": _images(pick, rng)}, {"p": pick(0, 4) / 4, "training": bool(pick(0, 3))}


def _interpolate(pick: Pick, rng: np.random.Generator) -> tuple[dict, dict]:
    x = _images(pick, rng)
    mode = ("nearest", "bilinear")[pick(0, 1)]
    options = {"mode": mode, "align_corners": mode == "bilinear" and bool(pick(0, 1))}
    if pick(0, 1):
        return {"x": x}, {"size": _pair(pick, 1, 20), **options}
    least = -(-8 // min(x.shape[2:]))  # in eighths: what leaves at least one pixel
    return {"x": x}, {"scale_factor": (pick(least, 30) / 8, pick(least, 30) / 8), **options}


def _cross_entropy(pick: Pick, rng: np.random.Generator) -> tuple[dict, dict]:
    N, C, spatial = pick(1, 3), pick(1, 6), ((), (pick(1, 7),), (pick(1, 6), pick(1, 6)))[pick(0, 2)]
    ignore_index = (255, -100, C - 1)[pick(0, 2) if C > 1 else 0]  # void, PyTorch's own, a class
    labels = rng.integers(0, C, (N, *spatial))
    labels[rng.random(labels.shape) < 0.3] = ignore_index
    labels.flat[0] = 0  # at least one pixel counts: of none PyTorch's mean is NaN
    inputs = {
        "scores": 3 * rng.standard_normal((N, C, *spatial)),
        "labels": labels,
        "weight": _maybe(pick, rng.uniform(0.1, 2, C)),
    }
    reduction = ("mean", "sum", "none")[pick(0, 2)]
    return inputs, {"ignore_index": ignore_index, "reduction": reduction, "label_smoothing": pick(0, 2) / 10}


def _add(pick: Pick, rng: np.random.Generator) -> tuple[dict, dict]:
    a = _images(pick, rng)
    return {"a": a, "b": rng.standard_normal(a.shape)}, {}


def _concat(pick: Pick, rng: np.random.Generator) -> tuple[dict, dict]:
    N, H, W = pick(1, 3), pick(1, 9), pick(1, 9)
    return {f"parts[{number}]": rng.standard_normal((N, pick(1, 4), H, W)) for number in range(pick(1, 4))}, {}


def _crop(pick: Pick, rng: np.random.Generator) -> tuple[dict, dict]:
    reach = (0, 1, 4)[pick(0, 2)]  # at 0 nothing is cut away
    (top, left), (OH, OW), (bottom, right) = _pair(pick, 0, reach), _pair(pick, 1, 6), _pair(pick, 0, reach)
    x = rng.standard_normal((pick(1, 3), pick(1, 3), top + OH + bottom, left + OW + right))
    return {"x": x}, {"top": top, "left": left, "height": OH, "width": OW}


def _pad(pick: Pick, rng: np.random.Generator) -> tuple[dict, dict]:
    return {"x": _images(pick, rng)}, {"padding": (*_pair(pick, 0, 6), *_pair(pick, 0, 6)), "value": pick(-2, 2) / 2}


def _linear(pick: Pick, rng: np.random.Generator) -> tuple[dict, dict]:
    C, O, rows = pick(1, 9), pick(1, 9), ((), (pick(1, 5),), (pick(1, 3), pick(1, 4)))[pick(0, 2)]
    inputs = {"x": rng.standard_normal((*rows, C)), "weight": rng.standard_normal((O, C)),
              "bias": _maybe(pick, rng.standard_normal(O))}  # fmt: skip
    return inputs, {}


def _local_response_norm(pick: Pick, rng: np.random.Generator) -> tuple[dict, dict]:
    x = rng.standard_normal((pick(1, 3), pick(1, 8), pick(1, 5), pick(1, 5)))
    options = {"size": pick(1, 10), "alpha": (1e-4, 0.5, 2.0)[pick(0, 2)], "beta": (0.75, 0.5, 1.25)[pick(0, 2)]}
    return {"x": x}, options | {"k": pick(1, 4) / 2}  # windows wider than there are channels; even ones lean to the front


_MAKERS: dict[str, Callable[[Pick, np.random.Generator], tuple[dict, dict]]] = {
    "conv2d": _conv2d, "conv2d_relu": _conv2d, "conv_transpose2d": _conv_transpose2d,
    "max_pool2d": _max_pool2d, "max_unpool2d": _max_unpool2d,
    "avg_pool2d": _avg_pool2d, "adaptive_avg_pool2d": _adaptive_avg_pool2d, "lp_pool2d": _lp_pool2d,
    "relu": _relu, "batch_norm": _batch_norm,
    "dropout": _dropout, "interpolate": _interpolate, "cross_entropy": _cross_entropy,
    "add": _add, "concat": _concat, "crop": _crop, "pad": _pad, "linear": _linear, "local_response_norm": _local_response_norm,
}  # fmt: skip
