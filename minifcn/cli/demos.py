"""Small runs on the shapes, one for each network that segments: what ``minifcn demo --all`` trains, and the table it prints."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from minifcn.cli.plan import make_plan
from minifcn.training import Plan

_NEVER = 10**9  # iterations between validations: one at the end
_USUAL: dict[str, Any] = {"width": 0.125, "epochs": 4.0, "batch_size": 4, "lr": 1e-3}  # of a network without a line below
# What differs: half a minute to two minutes on two cores, whatever a step of the network costs.
_OF: dict[str, dict[str, Any]] = {
    "fcn32s": {"learn_upsampling": True, "epochs": 10.0},
    "fcn32s-fixed": {"learn_upsampling": True, "init_from": "fcn32s", "epochs": 12.0, "lr": 5e-3},
    "fcn16s": {"learn_upsampling": True},
    "fcn8s": {"learn_upsampling": True},
    "fcn8s-atonce": {"learn_upsampling": True, "epochs": 9.0},
    "fcn-alexnet": {"learn_upsampling": True, "width": 0.25},
    "fcn-squeezenet": {"learn_upsampling": True, "width": 0.5, "epochs": 5.0},
    "encoder-decoder": {"width": 0.25, "epochs": 16.0, "lr": 3e-3},
    "course-baseline": {"width": 0.25, "epochs": 6.0, "lr": 2e-3},
    "rrcnn-fcn": {"epochs": 5.0, "lr": 2e-3},
    "segnet-basic": {"epochs": 3.0, "lr": 3e-3},
    "unet": {"options": ["batch_norm=true"], "epochs": 3.0, "lr": 2e-3},
    "r2unet": {"width": 0.0625, "epochs": 1.5, "lr": 3e-3},
    "squeeze-unet": {"width": 0.5, "epochs": 5.0},
    "fcn-resnet101": {"epochs": 6.0},
    "deeplabv3-resnet50": {"epochs": 5.0},
    "deeplabv3-resnet101": {"epochs": 5.0},
}


@dataclass(frozen=True)
class Trained:
    """What came of a small run. ``floor`` is the mean IU of the predictor that says background everywhere."""

    network: str
    width: float
    parameters: int
    iterations: int
    seconds: float
    pixel_accuracy: float
    mean_iu: float
    floor: float

    @property
    def above_floor(self) -> float:
        return self.mean_iu - self.floor


def small_plan(name: str, out: Path, seed: int, device: str) -> Plan:
    """The plan of a small run of the network ``name`` on the shapes in ``out``."""
    given = {**_USUAL, **_OF.get(name, {})}
    if "init_from" in given:
        given["init_from"] = str(out / given["init_from"])
    return make_plan(
        "scratch", data="shapes", root=str(out / "shapes"), model=name, seed=seed, device=device, samples=4,
        validate_every=_NEVER, log_every=50, **given,
    )  # fmt: skip


def train_networks(names: Sequence[str], out: Path, seed: int, device: str) -> Iterator[Trained]:
    """Trains one after the other; writes ``out``/networks.json anew after each. Ends early where Ctrl-C ends a run."""
    from minifcn.cli.train import run

    done: list[Trained] = []
    for name in names:
        plan = small_plan(name, out, seed, device)
        result = run(plan, out / name)
        if result.interrupted or result.evaluation is None:
            return
        done.append(_trained(name, plan, result))
        rows = [{**asdict(one), "above_floor": one.above_floor} for one in done]
        (out / "networks.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
        yield done[-1]


def _trained(name: str, plan: Plan, result: Any) -> Trained:
    from minifcn.layers import initializers

    with initializers.blank():
        net = plan.network.build(5, 0, may_load=False)
    matrix = result.evaluation.matrix
    return Trained(
        name, plan.network.options["width"], sum(parameter.size for parameter in net.parameters()), result.iteration,
        round(result.seconds, 1), matrix.pixel_accuracy(), matrix.mean_iu(), matrix.floor(0).mean_iu(),
    )  # fmt: skip
