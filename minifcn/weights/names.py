"""Other people's names for layers that we have too, all in one place.

Our FCNs carry the names of the authors' Caffe files (conv1_1, fc6, score_fr, fire2.squeeze1x1), which are wkentaro's
pytorch-fcn's as well; our classifiers carry torchvision's (features.0, classifier.3). Between the two go the tables here, one
for each *kin*, the classifiers that a network of the catalogue is made of or is one of. A ResNet keeps its names, behind
``backbone.`` where it is part of a network that segments.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from minifcn.backend import Array

_WRAPPERS = ("module.", "_orig_mod.", "model.", "net.")  # of nn.DataParallel, torch.compile, Lightning: before every key
_RESNET = "backbone."


def _vgg(*counts: int) -> dict[str, str]:
    """{Caffe's name: torchvision's} for so many convolutions in each stage: torchvision counts ReLUs and poolings too."""
    names, number = {}, 0
    for stage, count in enumerate(counts, start=1):
        for place in range(1, count + 1):
            names[f"conv{stage}_{place}"] = f"features.{number}"
            number += 2
        number += 1
    return names | {"fc6": "classifier.0", "fc7": "classifier.3", "fc8": "classifier.6"}


def _squeezenet() -> dict[str, str]:
    names = {"conv1": "features.0", "conv10": "classifier.1"}
    for fire, place in zip(range(2, 10), (3, 4, 6, 7, 9, 10, 11, 12), strict=True):
        names[f"fire{fire}.squeeze1x1"] = f"features.{place}.squeeze"
        names |= {f"fire{fire}.{expand}": f"features.{place}.{expand}" for expand in ("expand1x1", "expand3x3")}
    return names


_CAFFE_TO_TORCHVISION = {
    "vgg11": _vgg(1, 1, 2, 2, 2),
    "vgg13": _vgg(2, 2, 2, 2, 2),
    "vgg16": _vgg(2, 2, 3, 3, 3),
    "vgg19": _vgg(2, 2, 4, 4, 4),
    "alexnet": {
        "conv1": "features.0", "conv2": "features.3", "conv3": "features.6", "conv4": "features.8", "conv5": "features.10",
        "fc6": "classifier.1", "fc7": "classifier.4", "fc8": "classifier.6",
    },
    "squeezenet": _squeezenet(),
}  # fmt: skip
_PREPARED = {"vgg": "caffe", "alexnet": "caffe", "squeezenet": "squeezenet"}  # pictures for Caffe's weights of a kin


def translated(state: Mapping[str, Array], wanted: Container[str], kin: str) -> tuple[dict[str, Array], dict[str, str]]:
    """(the arrays under the keys that are ``wanted``, where there is one; {our key: theirs} of those that had another).

    What has no such key keeps its own. Raises ValueError where two arrays would become the same one.
    """
    ours: dict[str, Array] = {}
    theirs: dict[str, str] = {}
    prefix = _wrapper(state)
    for key, array in state.items():
        name = next((name for name in _spellings(key.removeprefix(prefix), kin) if name in wanted), key)
        if name in ours:
            raise ValueError(f"{theirs.get(name, name)} and {key} are both what is called {name} here; drop one of them")
        ours[name] = array
        if name != key:
            theirs[name] = key
    return ours, theirs


def preprocessing_of(state: Mapping[str, Array], kin: str) -> str | None:
    """How pictures are usually prepared for weights under such names; None where names say nothing."""
    if kin == "resnet":
        return "torchvision"
    prefix = _wrapper(state)
    layers = {key.rpartition(".")[0] for name in state for key in _spellings(name.removeprefix(prefix), "")}
    table = _CAFFE_TO_TORCHVISION.get(kin, {})
    if layers & {*table.values()}:
        return "torchvision"
    return next((name for begin, name in _PREPARED.items() if kin.startswith(begin) and layers & {*table}), None)


def _wrapper(state: Mapping[str, Array]) -> str:
    """What stands in front of every key, because the network was a part of something else."""
    return next((wrapper for wrapper in _WRAPPERS if state and all(key.startswith(wrapper) for key in state)), "")


def _spellings(key: str, kin: str) -> Iterator[str]:
    """What a key may be called here: itself first, as Caffe writes it (fire2/squeeze1x1, score-fr), by the table of its kin."""
    plain = key.replace("/", ".").replace("-", "_")
    yield key
    yield plain
    layer, _, kind = plain.rpartition(".")
    for caffe, torchvision in _CAFFE_TO_TORCHVISION.get(kin, {}).items():
        if layer in (caffe, torchvision):
            yield f"{torchvision if layer == caffe else caffe}.{kind}"
    if kin == "resnet":
        yield plain.removeprefix(_RESNET) if plain.startswith(_RESNET) else _RESNET + plain
