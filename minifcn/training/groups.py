"""Which parameters train, and at which rate: freezing, and rate factors by name.

Patterns are shell patterns (`*`, `?`, `[...]`) on a parameter's key or on any layer above it: "score*" is every
parameter of every layer whose name starts with score, "conv1_1" the layer's weight and bias, "*.bias" every bias.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from minifcn.layers import Layer, Parameter
from minifcn.words import name_some


def freeze(net: Layer, patterns: str | Iterable[str]) -> list[str]:
    """Sets requires_grad False for every parameter that matches; returns their keys.

    No gradient is computed for a frozen parameter and no optimizer touches it. A layer that matches itself, or all of
    whose own parameters do, is frozen as a whole (`Layer.freeze`): it stays in evaluation, so that a batch norm keeps its
    running statistics. Raises ValueError, with nothing frozen, for a pattern that matches no parameter, and when nothing
    would be left to train.
    """
    patterns = [patterns] if isinstance(patterns, str) else list(patterns)
    parameters = dict(net.named_parameters())
    everywhere = dict(net.named_parameters(remove_duplicate=False))
    matching = _matching(patterns, everywhere, [key for key, layer in net.named_layers() if layer.buffers])
    shared = {id(everywhere[key]) for key in matching if key in everywhere}  # frozen in one place is frozen in all
    frozen = {key: parameter for key, parameter in parameters.items() if id(parameter) in shared}
    if not any(parameter.requires_grad for key, parameter in parameters.items() if key not in frozen):
        raise ValueError(f"with {', '.join(patterns)} frozen nothing is left to train; leave at least one layer out")
    for parameter in frozen.values():
        parameter.requires_grad = False
    chosen = {id(parameter) for parameter in frozen.values()}
    for key, layer in net.named_layers(remove_duplicate=False):
        own = {id(value) for value in vars(layer).values() if isinstance(value, Parameter)}
        if _matches(key, patterns) or (own and own <= chosen):
            layer.frozen, layer.training = True, False
    return list(frozen)


def parameter_groups(
    net: Layer,
    lr: float,
    weight_decay: float = 0.0,
    bias_lr_factor: float = 1.0,
    bias_decay_factor: float = 1.0,
    lr_factors: Mapping[str, float] | None = None,
) -> list[dict[str, Any]]:
    """Optimizer groups of the trainable parameters of `net`: one for each pair of rate and decay.

    A bias (a key that ends in "bias") has `bias_lr_factor` times the rate and `bias_decay_factor` times the decay:
    2 and 0 in Caffe's recipes, those of the FCN authors among them. `lr_factors` multiplies the rate of what its
    patterns match, as in {"score*": 10}; where several match, all multiply. Raises ValueError for a pattern that
    matches nothing.
    """
    parameters = {key: parameter for key, parameter in net.named_parameters() if parameter.requires_grad}
    everywhere = {key: p for key, p in net.named_parameters(remove_duplicate=False) if p.requires_grad}
    factors = {
        pattern: ({id(everywhere[key]) for key in _matching([pattern], everywhere)}, factor)
        for pattern, factor in (lr_factors or {}).items()
    }
    groups: dict[tuple[float, float], dict[str, Any]] = {}
    for key, parameter in parameters.items():
        is_bias = key.rpartition(".")[2] == "bias"
        rate = lr * (bias_lr_factor if is_bias else 1.0)
        rate *= float(np.prod([factor for matching, factor in factors.values() if id(parameter) in matching]))
        decay = weight_decay * (bias_decay_factor if is_bias else 1.0)
        group = groups.setdefault((rate, decay), {"params": [], "lr": rate, "weight_decay": decay})
        group["params"].append((key, parameter))
    return list(groups.values())


def _matching(patterns: Iterable[str], keys: Iterable[str], layers: Iterable[str] = ()) -> set[str]:
    """The keys that match a pattern themselves or through a layer above them; a pattern may also match one of ``layers``,
    which have no parameters but statistics."""
    matching: set[str] = set()
    for pattern in patterns:
        matched = {key for key in keys if _matches(key, [pattern])}
        if not matched and not any(_matches(layer, [pattern]) for layer in layers):
            names = list(dict.fromkeys(key.rpartition(".")[0] or key for key in keys))
            raise ValueError(f"pattern {pattern!r} matches no parameter; there are layers {name_some(names)}")
        matching |= matched
    return matching


def _matches(key: str, patterns: Iterable[str]) -> bool:
    """Whether a key, or that of a layer above it, matches a pattern: "encoder.conv1", by "encoder" too."""
    parts = key.split(".")
    names = [".".join(parts[:end]) for end in range(len(parts), 0, -1)]
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)
