"""From a plan to a trainer, and what to say when that does not fit."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from minifcn import models, training
from minifcn.anatomy.room import check_room
from minifcn.backend import check_device
from minifcn.data.preprocessing import Preprocessing
from minifcn.layers import Layer
from minifcn.training.replicas import Alone


def make_trainer(
    plan: training.Plan, folder: Path, progress: training.Progress, report: Callable[[object], None] = print,
    resumed: bool = False, replicas: Alone | None = None,
) -> training.Trainer:  # fmt: skip
    """Everything that ``plan`` says, ready to ``run()`` into ``folder``, or to ``resume()``: then no first weights are loaded.
    ``report`` is told what was loaded and counted. ``replicas`` share the work."""
    use_device(plan.network.device, plan.network.precision)
    plan = replace(plan, data=plan.data.located(again=resumed))
    seed = plan.training.seed
    train, validation = plan.data.datasets()
    for note in dict.fromkeys([*train.notes, *validation.notes]):
        report(note)
    if not resumed:
        check_preprocessing(plan)
    net = plan.network.build(train.num_classes, seed, may_load=not resumed, report=report)
    for size in plan.data.sizes() or [train.read_label(0).shape]:
        check_room(net, (plan.data.batch_size, 3, *size), training=True, least=0)
    loader = plan.data.loader(train, seed)
    training.fit_batches(net, loader, report)
    return training.Trainer(
        net, plan.optimizer.build(net), loader, plan.training, training.RunFolder(folder), validation,
        asdict(plan), progress, replicas=replicas,
    )  # fmt: skip


def use_device(device: str, precision: str = "tf32") -> str:
    """``device`` itself, checked; on a GPU convolutions multiply in ``precision`` from now on."""
    if check_device(device) == "cuda":
        from minifcn.kernels import cuda

        cuda.set_precision(precision)
    return device


def trained_network(
    weights: Path, device: str, precision: str, preprocessing: str | None = None
) -> tuple[Layer, dict[str, Any]]:  # fmt: skip
    """The network of a run or checkpoint on its device, and what the run says of it: classes, palette, preprocessing.

    Raises ValueError where it segments no pictures, or is used to pictures that are prepared in another way than is wanted.
    """
    known = training.read_metadata(weights)
    if isinstance(known.get("model"), dict) and known["model"].get("name") in models.names():
        models.check_segments(known["model"]["name"])
    _check_prepared(weights, known, preprocessing)
    net, about = training.load_model(weights, use_device(device, precision))
    if "classes" not in about:
        raise ValueError(
            f"{weights} says neither its classes nor how its pictures were prepared: it comes from no training run"
        )
    return net, about


def out_of_memory(trainer: training.Trainer) -> ValueError:
    """What to do about a step that did not fit into the GPU's memory, as an error to raise."""
    from minifcn.anatomy.device_memory import out_of_memory_sentence
    from minifcn.anatomy.ledger import ledger
    from minifcn.backend import import_cupy

    with contextlib.closing(trainer.loader.epoch(0)) as batches:
        N, C, H, W = next(batches).images.shape
    costs = ledger(trainer.net, (2, C, H, W))  # of one picture, image pooling makes a single value a channel
    fixed = costs.parameter_bytes + costs.trainable_bytes + trainer.optimizer.state_nbytes()
    per_picture = (costs.training_peak - costs.parameter_bytes - costs.trainable_bytes) // 2
    kept = f"; {trainer.folder.last} holds iteration {trainer.saved}" if trainer.saved >= 0 else ""
    total = import_cupy().cuda.Device().mem_info[1]
    return ValueError(out_of_memory_sentence((N, H, W), fixed, per_picture, total) + kept)


def check_preprocessing(plan: training.Plan) -> None:
    """Refuses weights that were trained on differently prepared pictures: mixing the two costs points in silence."""
    source, mine = plan.network.init_from, plan.data.preprocessing
    if source is not None:
        _check_prepared(source, training.read_metadata(source), mine)


def _check_prepared(source: str | Path, about: dict[str, Any], wanted: str | None) -> None:
    """Raises ValueError where a file says that its pictures were prepared in another way than is wanted, or in no way known."""
    if not about.get("preprocessing"):
        return
    try:
        known = Preprocessing.from_config({**about["preprocessing"]})
    except (ValueError, TypeError) as error:
        raise ValueError(f"{source} says nothing sensible of how its pictures were prepared ({error})") from error
    if wanted not in (None, known.name):
        raise ValueError(
            f"the weights of {source} were trained with preprocessing {known.name!r} and this run has {wanted!r}: "
            f"add --preprocessing {known.name}"
        )
