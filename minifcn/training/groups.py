"""Which parameters train, and at which rate: freezing, and rate factors by name.

Patterns are shell patterns (`*`, `?`, `[...]`) on a parameter's key or on any layer above it: "score*" is every
parameter of every layer whose name starts with score, "conv1_1" the layer's weight and bias, "*.bias" every bias.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any

import numpy as np


def freeze(net: Any, patterns: str | Iterable[str]) -> list[str]:
    """Sets requires_grad False for every parameter that matches; returns their keys.

    No gradient is computed for a frozen parameter and no optimizer touches it. Raises ValueError for a pattern that
    matches nothing, and when nothing would be left to train.
    """
    patterns = [patterns] if isinstance(patterns, str) else list(patterns)
    parameters = dict(net.named_parameters())
    matching = _matching(patterns, parameters)
    frozen = [key for key in parameters if key in matching]
    for key in frozen:
        parameters[key].requires_grad = False
    if not any(parameter.requires_grad for parameter in parameters.values()):
        raise ValueError(f"with {', '.join(patterns)} frozen nothing is left to train; leave at least one layer out")
    return frozen


def parameter_groups(
    net: Any,
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
    factors = {pattern: (_matching([pattern], parameters), factor) for pattern, factor in (lr_factors or {}).items()}
    groups: dict[tuple[float, float], dict[str, Any]] = {}
    for key, parameter in parameters.items():
        is_bias = key.rpartition(".")[2] == "bias"
        rate = lr * (bias_lr_factor if is_bias else 1.0)
        rate *= float(np.prod([factor for matching, factor in factors.values() if key in matching]))
        decay = weight_decay * (bias_decay_factor if is_bias else 1.0)
        group = groups.setdefault((rate, decay), {"params": [], "lr": rate, "weight_decay": decay})
        group["params"].append((key, parameter))
    return list(groups.values())


def _matching(patterns: Iterable[str], keys: Iterable[str]) -> set[str]:
    """The keys that match a pattern themselves or through a layer above them."""
    matching: set[str] = set()
    for pattern in patterns:
        found = {key for key in keys if any(fnmatchcase(name, pattern) for name in _self_and_above(key))}
        if not found:
            layers = list(dict.fromkeys(key.rpartition(".")[0] or key for key in keys))
            raise ValueError(
                f"pattern {pattern!r} matches no parameter; there are layers {', '.join(layers[:10])}"
                + (f" and {len(layers) - 10} more" if len(layers) > 10 else "")
            )
        matching |= found
    return matching


def _self_and_above(key: str) -> list[str]:
    """ "encoder.conv1.weight" -> itself, "encoder.conv1", "encoder"."""
    parts = key.split(".")
    return [".".join(parts[:end]) for end in range(len(parts), 0, -1)]
