"""Fields that explain and check themselves: a record's help and bounds are the metadata of its dataclass fields.

A new setting of a run is one such field, and its use: the command line, config.toml and the checks follow from it.
"""

from __future__ import annotations

import dataclasses
import math
import operator
from collections.abc import Sequence
from numbers import Real
from typing import Any, get_type_hints

_BOUNDS = {
    "least": ("at least", operator.ge),
    "above": ("above", operator.gt),
    "below": ("below", operator.lt),
    "most": ("at most", operator.le),
}


def setting(
    default: Any, help: str, *names: str, panel: str, on_resume: bool = False, choices: Sequence[str] = (), **bounds: float
) -> Any:
    """A field, and its option on the command line: `names` (else --its-name), under the heading `panel`.

    `on_resume`: a resumed run may have another value. What is possible is one of `choices`, or a finite number within
    `least`, `above`, `below` and `most` (a dict's values are), and None where that is the default. A callable
    default makes one.
    """
    metadata = {"help": help, "names": names, "panel": panel, "on_resume": on_resume, "choices": choices, "bounds": bounds}
    return dataclasses.field(**{"default_factory" if callable(default) else "default": default}, metadata=metadata)


def check(record: Any) -> None:
    """Raises ValueError with a clause for every field of a record whose value is not possible."""
    problems, kinds = [], get_type_hints(type(record))
    for field in dataclasses.fields(record):
        value, choices, bounds = getattr(record, field.name), field.metadata["choices"], field.metadata["bounds"]
        if value is None and field.default is None:
            continue
        usual = field.default_factory() if field.default_factory is not dataclasses.MISSING else field.default
        kind = str if kinds[field.name] == (str | None) else type(usual)
        if kind in (str, bool, tuple, dict) and not isinstance(value, kind):
            problems.append(f"{field.name} is {value!r}; it must be a {kind.__name__}")
        elif choices and value not in choices:
            problems.append(f"{field.name} is {value!r}; possible are {', '.join(choices)}")
        for number in value.values() if isinstance(value, dict) else [value]:
            is_finite = isinstance(number, Real) and math.isfinite(number)
            if bounds and not (is_finite and all(_BOUNDS[name][1](number, bound) for name, bound in bounds.items())):
                limits = " and ".join(f"{_BOUNDS[name][0]} {bound}" for name, bound in bounds.items())
                problems.append(f"{field.name} is {number}; it must be a finite number, {limits}")
    if problems:
        raise ValueError("; ".join(problems))
