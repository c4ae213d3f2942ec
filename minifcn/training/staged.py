"""FCN-32s, then 16s from it, then 8s from that: the authors' way up, as the plans of as many runs.

Each stage starts from the weights of the one before, with score layers for its new skip at zero, and learns at a hundredth of
its rate: with the loss summed over pixels 1e-10, 1e-12 and 1e-14. At the first stage's rate the second one forgets all that was
learnt (Long, Shelhamer and Darrell 2015, section 4.2, and the authors' solver files).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from minifcn.training.plan import Plan
from minifcn.training.run.folder import RunFolder, read_toml, write_toml

RATE = 0.01  # of a stage, times that of the one before
_FILE = "stages.toml"

_FCNS = ("fcn32s", "fcn16s", "fcn8s")
_STRIDES = (32, 16, 8)


def stages(plan: Plan, rate: float = RATE) -> dict[str, Plan]:
    """{name of its folder: plan} of each stage on the way to the network of ``plan``, which says all the rest.

    Where a stage starts from is not in it: that is the folder of the one before. Raises ValueError for a network that is no
    such way's end, and for a ``rate`` that is none.
    """
    if not 0 < rate <= 1:
        raise ValueError(f"--stage-rate {rate} must be above 0 and at most 1: a stage's rate, times that of the one before")
    way: dict[str, dict[str, Any]] = {}
    if plan.network.model in _FCNS[1:]:
        way = {name: {"model": name} for name in _FCNS[: _FCNS.index(plan.network.model) + 1]}
    elif plan.network.model == "fcn-squeezenet" and plan.network.options.get("stride", 8) in _STRIDES[1:]:
        strides = _STRIDES[: _STRIDES.index(plan.network.options.get("stride", 8)) + 1]
        way = {f"stride{stride}": {"options": {**plan.network.options, "stride": stride}} for stride in strides}
    if not way:
        raise ValueError(
            f"{plan.network.model} is not trained in stages; fcn16s and fcn8s are, and fcn-squeezenet of stride 16 or 8"
        )
    made = {}
    for place, (name, network) in enumerate(way.items()):
        optimizer = replace(plan.optimizer, lr=plan.optimizer.lr * rate**place)
        made[name] = replace(plan, network=replace(plan.network, **network), optimizer=optimizer)
    return made


def begin(plan: Plan, rate: float, folder: Path) -> None:
    """Makes the folder that the stages' own will lie in, and notes there what makes them.

    Raises ValueError where it holds stages already.
    """
    if (folder / _FILE).exists() or RunFolder(folder).last.exists():
        raise ValueError(f"{folder} already holds a run; resume it, or choose another folder")
    stages(plan, rate)  # which may refuse
    folder.mkdir(parents=True, exist_ok=True)
    start = plan.network.init_from
    network = replace(plan.network, init_from=None if start is None else os.path.abspath(start))
    write_toml(folder / _FILE, {**asdict(replace(plan, network=network, data=plan.data.located())), "stages": {"rate": rate}})


def is_staged(folder: Path) -> bool:
    """Whether a folder holds a run in stages."""
    return (folder / _FILE).is_file()


def read_stages(folder: Path) -> tuple[Plan, float]:
    """What was given to :func:`begin`. Raises ValueError where the note is damaged."""
    config: Mapping[str, Any] = read_toml(folder / _FILE)
    rate = config.get("stages", {}).get("rate") if isinstance(config.get("stages"), Mapping) else None
    if not isinstance(rate, float | int):
        raise ValueError(f"{folder / _FILE} has no rate in [stages]; the file is damaged")
    return Plan.from_config(config), float(rate)
