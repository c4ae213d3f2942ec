"""The plan of a run: four records, each with its checks, its help and the thing that it makes.

config.toml has a table for each, [data], [network], [optimizer] and [training]; `minifcn train` an option for each field.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import minifcn  # whose parts are loaded when they are used: the command line reads these records for its help
from minifcn.machine.facts import check_fits
from minifcn.training.fields import check, setting
from minifcn.training.settings import Settings

if TYPE_CHECKING:
    from minifcn.data import Loader, Preprocessing, SegmentationDataset, Transform
    from minifcn.layers import Layer
    from minifcn.training.optimizers import Optimizer

_data, _network = partial(setting, panel="The data"), partial(setting, panel="The network")
_optimisation, _run = partial(setting, panel="The optimisation"), partial(setting, panel="The run")


@dataclass(frozen=True)
class DataPlan:
    """The pictures: which, how they are changed, how many at a time."""

    data: str = _data("shapes", "shapes, voc, voc2011, idd, cityscapes, camvid, folder.")
    root: str | None = _data(None, "Where the data set lies.", on_resume=True)
    train_split: str = _data("train", "Trained on.")
    val_split: str = _data("val", "Validated on.")
    missing: str = _data("error", "Listed pictures that are not there: error or skip.", choices=("error", "skip"))
    augment: str = _data("", "e.g. flip,scale:0.5-2,crop:320x320,rotate:10,jitter:0.3")
    originals: bool = _data(False, "Train on each picture as it is, too, beside its augmented copy.")
    validate_on: int | None = _data(None, "Validate on so many pictures, the same ones each time.", least=1)
    overfit: int | None = _data(None, "Train and validate on so many pictures only: can they be learnt by heart?", least=1)
    preprocessing: str = _data("plain", "plain, caffe, torchvision, squeezenet.")
    batch_size: int = _optimisation(1, "Pictures in a batch.", least=1)

    def __post_init__(self) -> None:
        check(self)
        if self.overfit is not None and self.validate_on is not None:
            raise ValueError("overfit measures the pictures that it trains on: drop validate_on")
        self._changes()

    def located(self, again: bool = False) -> DataPlan:
        """The plan with the place of its data set written out, so that it means the same in every folder.

        `again`: it was there before, and is not to be drawn anew. Raises FileNotFoundError where it is not there now.
        """
        root = minifcn.data.home(self.data, self.root)
        if again and not os.path.exists(os.path.join(root, "shapes.json" if self.data == "shapes" else "")):
            raise FileNotFoundError(f"{root}: the data set {self.data} is not there; say where it lies now with --root")
        return replace(self, root=root)

    def dataset(self, split: str) -> SegmentationDataset:
        """One split of the data set."""
        return minifcn.data.build(self.data, self.root, split, missing=self.missing)

    def datasets(self) -> tuple[SegmentationDataset, SegmentationDataset]:
        """What is trained on and what is validated on, which share no picture, and each of which has classes to tell apart.

        With `overfit` both are the same few pictures.
        """
        train = self.dataset(self.train_split)
        if self.overfit is not None:
            few = train.few(self.overfit)
            minifcn.data.check_taught(few)
            return few, few
        validation = self.dataset(self.val_split)
        minifcn.data.check_disjoint(train, validation)
        minifcn.data.check_taught(train, validation)
        return train, validation if self.validate_on is None else validation.few(self.validate_on)

    def loader(self, dataset: SegmentationDataset, seed: int) -> Loader:
        """Batches of a data set, shuffled, augmented and prepared."""
        return minifcn.data.Loader(dataset, self.batch_size, True, seed, *self._changes(), originals=self.originals)

    def sizes(self) -> list[tuple[int, int]]:
        """(height, width) of pictures that the augmentation makes, where it says so."""
        sizes = [getattr(change, "size", None) for change in getattr(self._changes()[0], "transforms", ())]
        return [(size, size) if isinstance(size, int) else size for size in sizes if size is not None]

    def _changes(self) -> tuple[Transform | None, Preprocessing]:
        """(augmentation or None, preprocessing). Pictures that are to be learnt by heart are only brought to a size."""
        preprocessing = minifcn.data.Preprocessing(self.preprocessing)
        augmentation = minifcn.data.parse(self.augment, preprocessing.fill) if self.augment else None
        return minifcn.data.sizing(augmentation) if self.overfit is not None else augmentation, preprocessing


@dataclass(frozen=True)
class NetworkPlan:
    """The network, the weights it starts from, and where it runs."""

    model: str = _network("fcn8s", "fcn32s, fcn16s, fcn8s, unet, ...: see minifcn models.")
    options: dict[str, Any] = _network(dict, "Any option of the network, e.g. 'batch_norm=true'.", "--option")  # noqa: RUF009
    init_from: str | None = _network(None, "Weights to start from: a run, .safetensors, .npz, .pth, .caffemodel.")
    freeze: tuple[str, ...] = _network((), "Layers that do not learn, e.g. 'conv*'; backbone: all but scores.")
    device: str = _run("cpu", "cpu or cuda.", on_resume=True)
    precision: str = _run("tf32", "On a GPU: tf32 (tensor cores) or float32.", on_resume=True, choices=("tf32", "float32"))

    def __post_init__(self) -> None:
        check(self)
        minifcn.models.check_segments(self.model)
        if self.options.get("in_channels", 3) != 3:
            raise ValueError(
                f"in_channels is {self.options['in_channels']}; pictures of a data set have 3 channels, red, green, blue"
            )
        with minifcn.layers.initializers.blank():
            net = minifcn.models.build(self.model, 2, **self.options)  # which says what is wrong with a name or a number
        weights = sum(parameter.data.nbytes for parameter in net.parameters())
        check_fits(2 * weights, f"{self.model} with its gradients", "use a narrower network (--width)")

    def build(self, num_classes: int, seed: int, may_load: bool = True, report: Callable[[object], None] = print) -> Layer:
        """The network on its device, with the weights of `init_from` (if it `may_load`), and frozen as is planned."""
        seeded = {"seed": seed} if "seed" in minifcn.models.options(self.model) else {}
        net = minifcn.models.build(self.model, num_classes, **{**seeded, **self.options})
        if self.init_from is not None and may_load:
            adopted = minifcn.models.adopt(net, minifcn.weights.read(self.init_from))
            report(f"weights of {self.init_from}:\n{adopted}")
        if self.freeze:
            others = [pattern for pattern in self.freeze if pattern != "backbone"]
            backbone = minifcn.models.backbone_keys(net) if "backbone" in self.freeze else []
            frozen = minifcn.training.freeze(net, [*backbone, *others])
            report(f"frozen: {len(frozen)} parameters, {', '.join(frozen[:4])} ...")
        return net.to(self.device)


@dataclass(frozen=True)
class OptimizerPlan:
    """The rule by which the network learns, and its rates."""

    optimizer: str = _optimisation("sgd", "sgd, adam, adamw.", choices=("sgd", "adam", "adamw"))
    lr: float = _optimisation(1e-4, "Learning rate.", least=0)
    momentum: float = _optimisation(0.9, "Of SGD.", least=0, below=1)
    nesterov: bool = _optimisation(False, "Nesterov's momentum.")
    weight_decay: float = _optimisation(5e-4, "L2 penalty.", least=0)
    bias_lr_factor: float = _optimisation(2.0, "Rate of biases, times the learning rate.", least=0)
    bias_decay_factor: float = _optimisation(0.0, "L2 penalty of biases, times the others'.", least=0)
    lr_factors: dict[str, float] = _optimisation(  # noqa: RUF009
        dict, "Rate of some layers, e.g. 'score*=10'.", "--lr-factor", least=0
    )

    def __post_init__(self) -> None:
        check(self)
        if self.nesterov and self.optimizer != "sgd":
            raise ValueError(f"nesterov belongs to the optimizer sgd, not to {self.optimizer}: leave it out")
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0")

    def build(self, net: Layer) -> Optimizer:
        """The optimizer of the network's parameters."""
        groups = minifcn.training.parameter_groups(
            net, self.lr, self.weight_decay, self.bias_lr_factor, self.bias_decay_factor, self.lr_factors
        )
        if self.optimizer == "sgd":
            return minifcn.training.SGD(groups, self.lr, self.momentum, self.weight_decay, self.nesterov)
        rule = minifcn.training.Adam if self.optimizer == "adam" else minifcn.training.AdamW
        return rule(groups, self.lr, weight_decay=self.weight_decay)


RECORDS: dict[str, Any] = {"data": DataPlan, "network": NetworkPlan, "optimizer": OptimizerPlan, "training": Settings}
FIELDS = {entry.name: entry for record in RECORDS.values() for entry in fields(record)}  # names are different in all four


@dataclass(frozen=True)
class Plan:
    """A training run: what makes its data, its network, its optimizer and its trainer."""

    data: DataPlan = field(default_factory=DataPlan)
    network: NetworkPlan = field(default_factory=NetworkPlan)
    optimizer: OptimizerPlan = field(default_factory=OptimizerPlan)
    training: Settings = field(default_factory=Settings)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Plan:
        """The plan of {field of any record: value}, defaults for the rest. ValueError has a clause for all that is wrong."""
        unknown = sorted(values.keys() - FIELDS.keys())
        problems = [f"there are settings that this version does not know: {', '.join(unknown)}"] if unknown else []
        made = {}
        for table, record in RECORDS.items():
            try:
                made[table] = record(**{entry.name: values[entry.name] for entry in fields(record) if entry.name in values})
            except ValueError as error:
                problems.append(str(error))
        if problems:
            raise ValueError("; ".join(problems))
        return cls(**made)

    def values(self) -> dict[str, Any]:
        """{field: value} of all four records."""
        return {name: value for table in asdict(self).values() for name, value in table.items()}

    @classmethod
    def from_config(cls, config: Mapping[str, Mapping[str, Any]]) -> Plan:
        """The plan of a config.toml. Raises ValueError where it holds none."""
        if wrong := [name for name in (*RECORDS, "run") if not isinstance(config.get(name, {}), Mapping)]:
            raise ValueError(f"config.toml is damaged: {', '.join(wrong)} is no table")
        values = {name: value for table in RECORDS for name, value in config.get(table, {}).items()}
        if "run" in config:  # by minifcn 0.1: one table for all, the network's options and an unused `epochs` among the rest
            values = dict(config["run"])
            options = ("width", "padding", "dropout", "learn_upsampling")
            values["options"] = {name: values.pop(name) for name in options if name in values}
            if "iterations" in values:
                values.pop("epochs", None)
        elif "network" not in config:
            raise ValueError("config.toml has no [network]: this run came from no plan; what made its trainer can resume it")
        return cls.of({name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})
