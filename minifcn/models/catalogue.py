"""The catalogue: every network by its name, imported when it is built.

A network is a builder whose keyword-only parameters are its options, and a line here.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from minifcn.layers import Layer


@dataclass(frozen=True)
class Entry:
    """A network: its ``builder`` in a ``module`` of :mod:`minifcn.models`, and where it was published.

    ``fresh`` are beginnings of keys, of the layers that start anew when weights come from another network or other classes.
    ``segments`` says whether it scores every pixel; a classifier scores whole pictures. ``kin`` is the family of
    classifiers whose names for layers other people's weights may go by (:mod:`minifcn.weights.names`).
    """

    module: str
    builder: str
    source: str
    fresh: tuple[str, ...]
    segments: bool = True
    kin: str = ""

    def load(self) -> Callable[..., Layer]:
        """The builder: a class, or a function."""
        return getattr(importlib.import_module(f"minifcn.models.{self.module}"), self.builder)


_LONG = "Long, Shelhamer and Darrell 2015"
_AI = "Ai, Qiao and Zhang, Semantic segmentation using full convolutional network"
_IANDOLA = "Iandola et al. 2016"
_HSU = "Hsu, Experiment of fully convolutional network"
_SCORES = ("score", "upscore")
_HE = "He, Zhang, Ren and Sun 2016"
_TORCHVISION_FCN = f"torchvision, after {_LONG} and He et al. 2016"
_CHEN = "Chen, Papandreou, Schroff and Adam 2017"
_HEADS = ("classifier", "aux_classifier")
_NOT_IN_SQUEEZENET = ("score", "up", "conv14", *(f"fire{n}.bn" for n in range(2, 10)), *(f"fire{n}." for n in range(10, 14)))
_SIMONYAN = "Simonyan and Zisserman 2015"
_CLASSES = ("classifier.6",)
_SCORE = ("score",)
_DECODER = ("score", "up")

_KINDS = {bool: "True or False", int: "an integer", float: "a number"}

CATALOGUE: dict[str, Entry] = {
    "fcn32s": Entry("fcn", "FCN32s", _LONG, _SCORES, kin="vgg16"),
    "fcn32s-fixed": Entry("fcn", "FCN32sFixed", _LONG, _SCORES, kin="vgg16"),
    "fcn16s": Entry("fcn", "FCN16s", _LONG, _SCORES, kin="vgg16"),
    "fcn8s": Entry("fcn", "FCN8s", _LONG, _SCORES, kin="vgg16"),
    "fcn8s-atonce": Entry("fcn", "FCN8sAtOnce", _LONG, _SCORES, kin="vgg16"),
    "fcn-alexnet": Entry("fcn", "FCNAlexNet", _LONG, _SCORES, kin="alexnet"),
    "fcn-squeezenet": Entry("squeezenet", "fcn_squeezenet", f"{_IANDOLA}, and {_LONG}", _SCORES, kin="squeezenet"),
    "encoder-decoder": Entry("encoder_decoder", "encoder_decoder", _HSU, _DECODER, kin="vgg16"),
    "course-baseline": Entry("course_baseline", "CourseBaseline", _AI, _SCORE),
    "rrcnn-fcn": Entry("course_baseline", "RRCNNFCN", _AI, _SCORE),
    "segnet-basic": Entry("segnet", "SegNetBasic", "Badrinarayanan, Kendall and Cipolla 2017", _SCORE),
    "unet": Entry("unet", "unet", "Ronneberger, Fischer and Brox 2015", _SCORE),
    "r2unet": Entry("r2unet", "R2UNet", "Alom, Hasan, Yakopcic, Taha and Asari 2018", _SCORE),
    "squeeze-unet": Entry("squeeze_unet", "SqueezeUNet", "Beheshti and Johnsson 2020", _NOT_IN_SQUEEZENET, kin="squeezenet"),
    "fcn-resnet50": Entry("fcn_resnet", "fcn_resnet50", _TORCHVISION_FCN, _HEADS, kin="resnet"),
    "fcn-resnet101": Entry("fcn_resnet", "fcn_resnet101", _TORCHVISION_FCN, _HEADS, kin="resnet"),
    "deeplabv3-resnet50": Entry("deeplab", "deeplabv3_resnet50", _CHEN, _HEADS, kin="resnet"),
    "deeplabv3-resnet101": Entry("deeplab", "deeplabv3_resnet101", _CHEN, _HEADS, kin="resnet"),
    "resnet18": Entry("resnet", "resnet18", _HE, ("fc",), segments=False, kin="resnet"),
    "resnet34": Entry("resnet", "resnet34", _HE, ("fc",), segments=False, kin="resnet"),
    "resnet50": Entry("resnet", "resnet50", _HE, ("fc",), segments=False, kin="resnet"),
    "resnet101": Entry("resnet", "resnet101", _HE, ("fc",), segments=False, kin="resnet"),
    "squeezenet1_1": Entry("squeezenet", "SqueezeNet", _IANDOLA, ("classifier.1",), segments=False, kin="squeezenet"),
    "alexnet": Entry("alexnet", "AlexNet", "Krizhevsky 2014", _CLASSES, segments=False, kin="alexnet"),
    "vgg11": Entry("vgg", "VGG11", _SIMONYAN, _CLASSES, segments=False, kin="vgg11"),
    "vgg11-lrn": Entry("vgg", "VGG11LRN", _SIMONYAN, _CLASSES, segments=False, kin="vgg11"),
    "vgg13": Entry("vgg", "VGG13", _SIMONYAN, _CLASSES, segments=False, kin="vgg13"),
    "vgg16": Entry("vgg", "VGG16", _SIMONYAN, _CLASSES, segments=False, kin="vgg16"),
    "vgg16-1x1": Entry("vgg", "VGG16OneByOne", _SIMONYAN, _CLASSES, segments=False, kin="vgg16"),
    "vgg19": Entry("vgg", "VGG19", _SIMONYAN, _CLASSES, segments=False, kin="vgg19"),
}


def names() -> list[str]:
    """The names that :func:`build` knows."""
    return list(CATALOGUE)


def entry(name: str) -> Entry:
    """The catalogue's line for ``name``. Raises ValueError, listing what there is, for an unknown one."""
    if name not in CATALOGUE:
        raise ValueError(f"unknown model {name!r}; possible are {', '.join(CATALOGUE)}")
    return CATALOGUE[name]


def check_segments(name: str) -> None:
    """Raises ValueError for a network that scores whole pictures: it cannot be trained to segment them."""
    if not entry(name).segments:
        others = ", ".join(other for other, line in CATALOGUE.items() if line.segments)
        raise ValueError(
            f"{name} scores whole pictures and segments none: take one of {others}; "
            "minifcn.models.convolutionalize makes a classifier score every place of a picture"
        )


def backbone_keys(net: Layer) -> list[str]:
    """What to freeze where only the fresh layers are to learn: the keys of all others of a network of the catalogue.

    A layer of which nothing is fresh goes by its own key, the parameters of another by theirs.
    """
    fresh, keys = entry(net.config["name"]).fresh, [key for key, _ in net.named_parameters()]
    mixed = {key.partition(".")[0] for key in keys if key.startswith(fresh)}
    kept = [key for key in keys if not key.startswith(fresh)]
    return list(dict.fromkeys(key if (layer := key.partition(".")[0]) in mixed else layer for key in kept))


def options(name: str) -> dict[str, Any]:
    """The options of a network and their defaults: the builder's own keyword-only parameters."""
    parameters = inspect.signature(entry(name).load()).parameters.values()
    return {parameter.name: parameter.default for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}


def _unlike(option: str, value: Any, default: Any) -> str:
    """What is wrong with a value that is of another kind than the default, as the text "false" for False; else nothing."""
    for kind, numbers in ((bool, (bool, np.bool_)), (int, Integral), (float, Real)):
        if type(default) is kind:
            is_alike = isinstance(value, numbers) and isinstance(value, (bool, np.bool_)) == (kind is bool)
            if option == "seed":
                possible = value is None or isinstance(value, (tuple, list)) or (is_alike and value >= 0)
                return "" if possible else f"seed={value!r} must be a whole number from 0 up"
            return "" if is_alike else f"{option}={value!r} must be {_KINDS[kind]}, such as {default}"
    return ""


def build(name: str, num_classes: int = 21, **given: Any) -> Layer:
    """The network ``name`` for ``num_classes`` classes. Its ``config`` holds all that is needed to build it again.

    Raises ValueError for an unknown name, too few classes, or an option that this network does not take.
    """
    known = options(name)
    unknown = [option for option in given if option not in known]
    if unknown:
        raise ValueError(f"{name} takes no {', '.join(unknown)}; it takes {', '.join(known)}")
    if wrong := [why for option, value in given.items() if (why := _unlike(option, value, known[option]))]:
        raise ValueError(f"{name}: {'; '.join(wrong)}")
    if why := _unlike("num_classes", num_classes, 21):
        raise ValueError(f"{name}: {why}")
    if num_classes < 2:
        raise ValueError(f"num_classes={num_classes} must be at least 2: background counts as a class")
    net = entry(name).load()(num_classes, **given)
    net.config = {"name": name, "num_classes": num_classes, **given}
    return net
