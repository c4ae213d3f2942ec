"""From a plan to the objects that train: data sets, network, optimizer, trainer."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np

from minifcn import data, models, training
from minifcn.backend import check_device
from minifcn.cli.plan import Plan

OPTIMIZERS = ("sgd", "adam", "adamw")


def make_trainer(plan: Plan, folder: Path, progress: training.Progress, report=print) -> training.Trainer:
    """Everything that ``plan`` says, ready to ``run()`` into ``folder``. ``report`` is told what was loaded and counted."""
    use_device(plan.device, plan.precision)
    train, validation = datasets(plan)
    preprocessing = data.Preprocessing(plan.preprocessing)
    transform = data.parse(plan.augment, fill=preprocessing.fill) if plan.augment else None
    loader = data.Loader(train, plan.batch_size, True, plan.seed, transform, preprocessing)
    net = network(plan, train.num_classes, report)
    settings = training.Settings(
        iterations=plan.iterations or training.Settings.iterations_for(plan.epochs, loader, plan.accumulate),
        accumulate=plan.accumulate,
        loss_normalization=plan.loss_norm,
        class_weights=class_weights(plan.class_weights, train),
        label_smoothing=plan.label_smoothing,
        clip_norm=plan.clip_norm,
        schedule=plan.schedule,
        log_every=plan.log_every,
        validate_every=plan.validate_every,
        checkpoint_every=plan.checkpoint_every,
        samples=plan.samples,
        seed=plan.seed,
    )
    config = {"run": plan.as_dict()}
    return training.Trainer(
        net, optimizer(plan, net), loader, settings, training.RunFolder(folder), validation, config, progress
    )


def use_device(device: str, precision: str = "tf32") -> str:
    """``device`` itself, checked; on a GPU convolutions multiply in ``precision`` from now on."""
    if check_device(device) == "cuda":
        from minifcn.kernels import cuda

        cuda.set_precision(precision)
    return device


def out_of_memory(trainer: training.Trainer) -> ValueError:
    """What to do about a step that did not fit into the GPU's memory, as an error to raise."""
    from minifcn.anatomy.device_memory import out_of_memory_sentence
    from minifcn.anatomy.ledger import ledger
    from minifcn.backend import import_cupy

    with contextlib.closing(trainer.loader.epoch(0)) as batches:
        N, C, H, W = next(batches).images.shape
    costs = ledger(trainer.net, (1, C, H, W))
    fixed = costs.parameter_bytes + costs.trainable_bytes + trainer.optimizer.state_nbytes()
    per_picture = costs.training_peak - costs.parameter_bytes - costs.trainable_bytes
    kept = f"; {trainer.folder.last} holds iteration {trainer.saved}" if trainer.saved >= 0 else ""
    total = import_cupy().cuda.Device().mem_info[1]
    return ValueError(out_of_memory_sentence((N, H, W), fixed, per_picture, total) + kept)


def dataset(plan: Plan, split: str) -> Any:
    """One split of the plan's data set."""
    return data.build(plan.data, plan.root, split, missing=plan.missing)


def datasets(plan: Plan) -> tuple[Any, Any]:
    """The training and the validation split, which may not share a picture."""
    train, validation = (dataset(plan, split) for split in (plan.train_split, plan.val_split))
    data.check_disjoint(train, validation)
    return train, validation


def network(plan: Plan, num_classes: int, report=print) -> Any:
    """The plan's network on its device, with the weights of ``init_from`` where it names some, and frozen as it says."""
    models.check_segments(plan.model)
    net = models.build(
        plan.model, num_classes, width=plan.width, padding=plan.padding, dropout=plan.dropout,
        learn_upsampling=plan.learn_upsampling, seed=plan.seed,
    )  # fmt: skip
    if plan.init_from:
        _check_preprocessing(plan)
        report(f"weights of {plan.init_from}:\n{models.transplant(net, training.load_weights(plan.init_from))}")
    if plan.freeze:
        frozen = training.freeze(net, plan.freeze)
        report(f"frozen: {len(frozen)} parameters, {', '.join(frozen[:4])} ...")
    return net.to(plan.device)


def optimizer(plan: Plan, net: Any) -> training.Optimizer:
    """The plan's optimizer over the network's parameters."""
    groups = training.parameter_groups(
        net, plan.lr, plan.weight_decay, plan.bias_lr_factor, plan.bias_decay_factor, plan.lr_factors
    )
    if plan.optimizer == "sgd":
        return training.SGD(groups, plan.lr, plan.momentum, plan.weight_decay, plan.nesterov)
    if plan.optimizer == "adam":
        return training.Adam(groups, plan.lr, weight_decay=plan.weight_decay)
    if plan.optimizer == "adamw":
        return training.AdamW(groups, plan.lr, weight_decay=plan.weight_decay)
    raise ValueError(f"unknown optimizer {plan.optimizer!r}; possible are {', '.join(OPTIMIZERS)}")


def class_weights(text: str, train: Any) -> list[float] | None:
    """For "none"; "frequency", 1 − n_c / Σn over the training set; "median", median / own frequency; numbers "1,2,0.5"."""
    if text == "none":
        return None
    if text in ("frequency", "median"):
        counted = data.stats(train)
        weights = counted.weights if text == "frequency" else counted.median_frequency_weights
        return np.nan_to_num(weights, nan=0.0).round(6).tolist()
    try:
        weights = [float(number) for number in text.split(",")]
    except ValueError:
        raise ValueError(f"class weights {text!r}; possible are none, frequency, median, or numbers such as 1,2,0.5") from None
    if len(weights) != train.num_classes:
        raise ValueError(
            f"{len(weights)} class weights for {train.num_classes} classes; give one for each of {', '.join(train.classes)}"
        )
    return weights


def _check_preprocessing(plan: Plan) -> None:
    """Refuses weights that were trained on differently prepared pictures: mixing the two costs points in silence."""
    known = training.read_metadata(plan.init_from).get("preprocessing")
    if known and known["name"] != plan.preprocessing:
        raise ValueError(
            f"the weights of {plan.init_from} were trained with preprocessing {known['name']!r} and this run has "
            f"{plan.preprocessing!r}: add --preprocessing {known['name']}"
        )
